//! The interface between a pool and a database.

use std::error::Error;
use std::future::{IntoFuture, ready};

/// A database that a [`ConnectionPool`](super::ConnectionPool) can connect to.
///
/// A function or closure that returns the future of a connection is a database that can neither
/// clean its connections nor tell that they are broken. [`Cleaned`](super::Cleaned) adds the
/// cleaning.
///
/// Corresponds to the DB-API module, and the `cleanup`, that eventlet's pools are given.
///
/// # Differences
///
/// Eventlet rolls back returned connections by default. Here a driver defines how, as drivers
/// differ.
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

    /// The error of connecting or cleaning.
    type Error: Into<Box<dyn Error + Send + Sync>> + 'static;

    /// Connects.
    ///
    /// # Killed
    ///
    /// The pool drops the future when the borrower is killed, or when connecting takes too long.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Self::Error>>;

    /// Cleans a returned connection for the next borrower: it rolls back an open transaction.
    ///
    /// The connection is closed if this fails, panics or takes longer than the pool's
    /// [`connect_timeout`](super::ConnectionPool::connect_timeout). The default does nothing.
    ///
    /// The borrower may have been killed in the middle of a query. A driver whose connections are
    /// unusable after that must make this fail, or return true from
    /// [`is_broken`](Database::is_broken).
    fn cleanup(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Self::Error>> {
        let _ = connection;
        ready(Ok(()))
    }

    /// Returns whether [`cleanup`](Database::cleanup) undoes everything that a borrower may have
    /// left open, such as a transaction.
    ///
    /// The default is `false`. Then only a connection that its borrower gave back with
    /// [`Pooled::put`](super::Pooled::put) is lent again. One whose guard was dropped is closed, as
    /// its borrower may have been killed or timed out in the middle of a query.
    fn cleans(&self) -> bool {
        false
    }

    /// Checks that an idle connection is alive before it is lent again, with a ping for example.
    ///
    /// The connection is closed, and another one tried, if this fails or takes longer than the
    /// pool's [`connect_timeout`](super::ConnectionPool::connect_timeout). The default does
    /// nothing.
    fn check(
        &self,
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), Self::Error>> {
        let _ = connection;
        ready(Ok(()))
    }

    /// Returns whether a connection is known to be unusable, without asking the server. The default
    /// is `false`.
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
