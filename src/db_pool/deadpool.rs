//! Managers that were written for the crate deadpool.

use std::error::Error;

use deadpool::managed::{Manager, Metrics, RecycleError};

use super::database::Database;

/// A database by its manager for the pool crate deadpool, of which many drivers have one.
///
/// The manager's `recycle` is called before an idle connection is lent again. deadpool itself does
/// not run. It has no cleaning: see [`Cleaned`](super::Cleaned).
///
/// # Examples
///
/// ```
/// use deadpool::managed::{Manager, Metrics, RecycleResult};
/// use eventlet::db_pool::{ConnectionPool, Deadpool};
///
/// struct Sevens;
///
/// impl Manager for Sevens {
///     type Type = u32;
///     type Error = std::io::Error;
///
///     async fn create(&self) -> std::io::Result<u32> {
///         Ok(7)
///     }
///
///     async fn recycle(&self, _: &mut u32, _: &Metrics) -> RecycleResult<std::io::Error> {
///         Ok(())
///     }
/// }
///
/// eventlet::run(async {
///     let pool = ConnectionPool::new(Deadpool(Sevens));
///     assert_eq!(*pool.get().await.unwrap(), 7);
/// });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Deadpool<M>(pub M);

impl<M> Database for Deadpool<M>
where
    M: Manager + 'static,
    M::Type: 'static,
    M::Error: Error + Send + Sync + 'static,
{
    type Connection = M::Type;
    type Error = RecycleError<M::Error>;

    async fn connect(&self) -> Result<M::Type, RecycleError<M::Error>> {
        self.0.create().await.map_err(RecycleError::Backend)
    }

    async fn check(&self, connection: &mut M::Type) -> Result<(), RecycleError<M::Error>> {
        self.0.recycle(connection, &Metrics::default()).await
    }
}
