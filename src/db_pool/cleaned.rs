//! A way of cleaning connections, for databases that have none.

use std::fmt;

use super::database::Database;

/// A database, and how its connections are cleaned when they come back: for closures, `Bb8` and
/// `Deadpool`, which do not define it.
///
/// Corresponds to the `cleanup` that eventlet's pools are given.
///
/// # Examples
///
/// ```
/// use eventlet::db_pool::{Cleaned, ConnectionPool};
///
/// # struct Client { in_transaction: bool }
/// # impl Client {
/// #     async fn execute(&mut self, _: &str) -> std::io::Result<()> {
/// #         self.in_transaction = false;
/// #         Ok(())
/// #     }
/// # }
/// # async fn connect() -> std::io::Result<Client> { Ok(Client { in_transaction: false }) }
/// # eventlet::run(async {
/// let rollback = async |client: &mut Client| client.execute("rollback").await;
/// let pool = ConnectionPool::new(Cleaned::new(connect, rollback));
///
/// let mut client = pool.get().await.unwrap();
/// client.in_transaction = true;
/// drop(client);
/// eventlet::sleep(std::time::Duration::ZERO).await;
/// assert!(!pool.get().await.unwrap().in_transaction);
/// assert_eq!(pool.stats().connected, 1);
/// # });
/// ```
///
/// A database whose connections need no cleaning:
///
/// ```
/// # use eventlet::db_pool::{Cleaned, ConnectionPool};
/// # async fn connect() -> std::io::Result<u32> { Ok(7) }
/// let pool = ConnectionPool::new(Cleaned::new(connect, async |_: &mut u32| Ok(())));
/// # let _ = pool;
/// ```
#[derive(Clone, Copy)]
pub struct Cleaned<D, F> {
    database: D,
    cleanup: F,
}

impl<D, F> Cleaned<D, F>
where
    D: Database,
    F: AsyncFn(&mut D::Connection) -> Result<(), D::Error> + 'static,
{
    /// Takes a database, and the function that cleans its connections.
    ///
    /// # Examples
    ///
    /// See [`Cleaned`].
    pub fn new(database: D, cleanup: F) -> Cleaned<D, F> {
        Cleaned { database, cleanup }
    }
}

impl<D, F> Database for Cleaned<D, F>
where
    D: Database,
    F: AsyncFn(&mut D::Connection) -> Result<(), D::Error> + 'static,
{
    type Connection = D::Connection;
    type Error = D::Error;

    async fn connect(&self) -> Result<D::Connection, D::Error> {
        self.database.connect().await
    }

    async fn cleanup(&self, connection: &mut D::Connection) -> Result<(), D::Error> {
        (self.cleanup)(connection).await
    }

    fn cleans(&self) -> bool {
        true
    }

    async fn check(&self, connection: &mut D::Connection) -> Result<(), D::Error> {
        self.database.check(connection).await
    }

    fn is_broken(&self, connection: &mut D::Connection) -> bool {
        self.database.is_broken(connection)
    }
}

impl<D: fmt::Debug, F> fmt::Debug for Cleaned<D, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleaned").field("database", &self.database).finish_non_exhaustive()
    }
}
