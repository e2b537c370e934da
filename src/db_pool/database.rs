//! What a pool has to know of a database.

use std::error::Error;
use std::future::{IntoFuture, ready};

/// A database that can be connected to: what a [`ConnectionPool`](super::ConnectionPool) has to
/// know of it.
///
/// A function or closure that returns the future of a connection is a database that cannot clean
/// its connections, nor tell that they are broken. [`Cleaned`](super::Cleaned) adds how they are
/// cleaned.
///
/// Corresponds to the DB-API module, and the `cleanup`, that eventlet's pools are given.
///
/// # Differences
///
/// Eventlet's default is to roll back what comes back. Here a driver says how that is done, as each
/// has a way of its own.
///
/// # Examples
///
/// ```
/// use std::io;
///
/// use eventlet::db_pool::{ConnectionPool, Database};
///
/// struct Session {
///     in_transaction: bool,
/// }
///
/// struct Sessions;
///
/// impl Database for Sessions {
///     type Connection = Session;
///     type Error = io::Error;
///
///     async fn connect(&self) -> io::Result<Session> {
///         Ok(Session { in_transaction: false })
///     }
///
///     async fn cleanup(&self, session: &mut Session) -> io::Result<()> {
///         session.in_transaction = false; // A real one sends `rollback`, and waits for the answer.
///         Ok(())
///     }
///
///     fn cleans(&self) -> bool {
///         true
///     }
/// }
///
/// eventlet::run(async {
///     let pool = ConnectionPool::new(Sessions);
///     let mut session = pool.get().await.unwrap();
///     session.in_transaction = true;
///     session.put().await;
///     assert!(!pool.get().await.unwrap().in_transaction);
/// });
/// ```
pub trait Database: 'static {
    /// A connection to the database.
    type Connection: 'static;

    /// Why there is no connection, or why one could not be cleaned.
    type Error: Into<Box<dyn Error + Send + Sync>> + 'static;

    /// Connects.
    ///
    /// # Killed
    ///
    /// The pool drops the future when the borrower is killed, or when connecting takes too long.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>>;

    /// Makes a connection that comes back fit for the next borrower: it rolls back what was begun.
    ///
    /// The connection is closed where this fails, panics or takes longer than the pool's
    /// [`connect_timeout`](super::ConnectionPool::connect_timeout). The default does nothing.
    ///
    /// The borrower may have been killed in the middle of a query. A driver whose connections
    /// are of no use after that has to make this fail, or [`is_broken`](Database::is_broken) true.
    fn cleanup(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Self::Error>> {
        let _ = connection;
        ready(Ok(()))
    }

    /// Returns whether [`cleanup`](Database::cleanup) undoes whatever a borrower may have left
    /// undone, as a transaction that was begun and not ended.
    ///
    /// The default is `false`. Then only a connection that its borrower gave back with
    /// [`Pooled::put`](super::Pooled::put) is lent again. One whose guard was dropped is closed,
    /// for that may have been in the middle of anything: the borrower was killed, say, or ran out
    /// of time.
    fn cleans(&self) -> bool {
        false
    }

    /// Asks a connection that was idle for some time whether it is alive, before it is lent again:
    /// it sends a ping, say.
    ///
    /// A connection is closed, and another one tried, where this fails or takes longer than the
    /// pool's [`connect_timeout`](super::ConnectionPool::connect_timeout). The default asks
    /// nothing.
    fn check(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Self::Error>> {
        let _ = connection;
        ready(Ok(()))
    }

    /// Returns whether a connection is known to be of no use any more, without asking the other
    /// side. The default is `false`.
    fn is_broken(&self, connection: &mut Self::Connection) -> bool {
        let _ = connection;
        false
    }
}

impl<F, A, C, E> Database for F
where
    F: Fn() -> A + 'static,
    A: IntoFuture<Output = Result<C, E>>,
    C: 'static,
    E: Into<Box<dyn Error + Send + Sync>> + 'static,
{
    type Connection = C;
    type Error = E;

    async fn connect(&self) -> Result<C, E> {
        self().await
    }
}
