//! Blocking drivers, on OS threads.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::database::Database;
use crate::tpool::{self, Proxy};

type Connect<C, E> = dyn Fn() -> Result<C, E> + Send + Sync;
type Cleanup<C, E> = dyn Fn(&mut C) -> Result<(), E> + Send + Sync;

/// A database whose driver blocks: it is connected to and used on the OS threads of [`tpool`].
///
/// Its connections are [`Proxy`]s, whose calls run there, one at a time for each connection.
///
/// Corresponds to eventlet's `db_pool.TpooledConnectionPool`.
///
/// # Examples
///
/// ```
/// use eventlet::db_pool::{ConnectionPool, Tpooled};
///
/// /// As drivers are that know nothing of green threads.
/// struct Blocking(Vec<String>);
///
/// impl Blocking {
///     fn connect() -> std::io::Result<Blocking> {
///         Ok(Blocking(Vec::new()))
///     }
///
///     fn execute(&mut self, sql: &str) -> usize {
///         self.0.push(sql.to_owned());
///         self.0.len()
///     }
/// }
///
/// eventlet::run(async {
///     let database = Tpooled::new(Blocking::connect).cleanup(|connection| {
///         connection.execute("rollback");
///         Ok(())
///     });
///     let pool = ConnectionPool::new(database);
///     let connection = pool.get().await.unwrap();
///     assert_eq!(connection.call(|connection| connection.execute("select 1")).await, 1);
///     connection.put().await;
///     let same = pool.get().await.unwrap();
///     assert_eq!(same.call(|connection| connection.0[1].clone()).await, "rollback");
/// });
/// ```
pub struct Tpooled<C, E> {
    connect: Arc<Connect<C, E>>,
    cleanup: Arc<Cleanup<C, E>>,
}

impl<C, E> Tpooled<C, E> {
    /// Makes a database of a function that connects, and blocks.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::net::TcpStream;
    ///
    /// use eventlet::db_pool::{ConnectionPool, Tpooled};
    ///
    /// let pool = ConnectionPool::new(Tpooled::new(|| TcpStream::connect("127.0.0.1:1")));
    /// eventlet::run(async move { assert!(pool.get().await.is_err()) });
    /// ```
    pub fn new(connect: impl Fn() -> Result<C, E> + Send + Sync + 'static) -> Tpooled<C, E> {
        Tpooled { connect: Arc::new(connect), cleanup: Arc::new(|_| Ok(())) }
    }

    /// Sets the function that cleans a connection which comes back: it rolls back, say. It runs on an OS
    /// thread of [`tpool`]. The default does nothing.
    ///
    /// # Examples
    ///
    /// See [`Tpooled`].
    pub fn cleanup(
        mut self,
        cleanup: impl Fn(&mut C) -> Result<(), E> + Send + Sync + 'static,
    ) -> Tpooled<C, E> {
        self.cleanup = Arc::new(cleanup);
        self
    }
}

impl<C, E> Database for Tpooled<C, E>
where
    C: Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    type Connection = Proxy<C>;
    type Error = E;

    async fn connect(&self) -> Result<Proxy<C>, E> {
        let connect = Arc::clone(&self.connect);
        tpool::execute(move || connect()).await.map(Proxy::new)
    }

    async fn cleanup(&self, connection: &mut Proxy<C>) -> Result<(), E> {
        let cleanup = Arc::clone(&self.cleanup);
        connection.call(move |connection| cleanup(connection)).await
    }
}

impl<C, E> fmt::Debug for Tpooled<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tpooled").finish_non_exhaustive()
    }
}
