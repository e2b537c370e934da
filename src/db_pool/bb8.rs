//! Managers that were written for the crate bb8.

use std::error::Error;

use bb8::ManageConnection;

use super::database::Database;

/// A database by its manager for the pool crate bb8, of which many drivers have one.
///
/// The manager's `is_valid` is called before an idle connection is lent again, and `has_broken`
/// when one comes back. bb8 itself does not run. It has no cleaning: see
/// [`Cleaned`](super::Cleaned).
///
/// # Examples
///
/// ```
/// use eventlet::db_pool::{Bb8, ConnectionPool};
///
/// struct Manager;
///
/// impl bb8::ManageConnection for Manager {
///     type Connection = u32;
///     type Error = std::io::Error;
///
///     async fn connect(&self) -> std::io::Result<u32> {
///         Ok(7)
///     }
///
///     async fn is_valid(&self, _: &mut u32) -> std::io::Result<()> {
///         Ok(())
///     }
///
///     fn has_broken(&self, _: &mut u32) -> bool {
///         false
///     }
/// }
///
/// eventlet::run(async {
///     let pool = ConnectionPool::new(Bb8(Manager));
///     assert_eq!(*pool.get().await.unwrap(), 7);
/// });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Bb8<M>(pub M);

impl<M> Database for Bb8<M>
where
    M: ManageConnection,
    M::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Connection = M::Connection;
    type Error = M::Error;

    async fn connect(&self) -> Result<M::Connection, M::Error> {
        self.0.connect().await
    }

    async fn check(&self, connection: &mut M::Connection) -> Result<(), M::Error> {
        self.0.is_valid(connection).await
    }

    fn is_broken(&self, connection: &mut M::Connection) -> bool {
        self.0.has_broken(connection)
    }
}
