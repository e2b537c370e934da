//! Why there is no connection.

use std::error::Error;
use std::fmt;
use std::io;

/// The error of [`ConnectionPool::get`](super::ConnectionPool::get).
///
/// The place in the pool is free again: the next waiter tries.
///
/// Corresponds to the exception of the driver, and to eventlet's `db_pool.ConnectTimeout`.
///
/// # Examples
///
/// ```
/// use std::future::pending;
/// use std::time::Duration;
///
/// use eventlet::db_pool::{ConnectionPool, GetError};
///
/// eventlet::run(async {
///     let pool = ConnectionPool::new(|| pending::<std::io::Result<()>>());
///     let pool = pool.connect_timeout(Duration::from_millis(1));
///     assert!(matches!(pool.get().await, Err(GetError::Timeout)));
/// });
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum GetError<E> {
    /// The database could not be connected to.
    Connect(E),
    /// Connecting took longer than the pool's
    /// [`connect_timeout`](super::ConnectionPool::connect_timeout).
    Timeout,
}

impl<E: fmt::Display> fmt::Display for GetError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GetError::Connect(error) => write!(f, "cannot connect to the database: {error}"),
            GetError::Timeout => f.write_str("connecting to the database took too long"),
        }
    }
}

impl<E: Error + 'static> Error for GetError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            GetError::Connect(error) => Some(error),
            GetError::Timeout => None,
        }
    }
}

/// The kind is [`TimedOut`](io::ErrorKind::TimedOut) where connecting took too long.
impl<E: Error + Send + Sync + 'static> From<GetError<E>> for io::Error {
    fn from(error: GetError<E>) -> io::Error {
        let kind = match error {
            GetError::Connect(_) => io::ErrorKind::Other,
            GetError::Timeout => io::ErrorKind::TimedOut,
        };
        io::Error::new(kind, error)
    }
}
