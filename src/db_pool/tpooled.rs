//! Blocking drivers, on OS threads.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::thread;

use super::database::Database;
use crate::tpool::{self, Execute, Proxy};

type Connect<C, E> = dyn Fn() -> Result<C, E> + Send + Sync;
type Treat<C, E> = Arc<dyn Fn(&mut C) -> Result<(), E> + Send + Sync>;

/// A database whose driver blocks: it is connected to and used on the OS threads of [`tpool`].
///
/// Its connections are [`TpooledConnection`]s, whose calls run there, one at a time for each
/// connection.
///
/// Corresponds to eventlet's `db_pool.TpooledConnectionPool`.
///
/// # Examples
///
/// ```
/// use eventlet::db_pool::{ConnectionPool, Tpooled};
///
/// /// A driver that knows nothing of green threads.
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
    cleanup: Option<Treat<C, E>>,
    check: Option<Treat<C, E>>,
}

impl<C, E> Tpooled<C, E> {
    /// Makes a database of a function that connects and may block.
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
        Tpooled { connect: Arc::new(connect), cleanup: None, check: None }
    }

    /// Sets the function that cleans a returned connection, by a rollback for example. It runs on
    /// an OS thread of [`tpool`]. Without one, only connections that were [put
    /// back](super::Pooled::put) are lent again.
    ///
    /// # Examples
    ///
    /// See [`Tpooled`].
    pub fn cleanup(
        mut self,
        cleanup: impl Fn(&mut C) -> Result<(), E> + Send + Sync + 'static,
    ) -> Tpooled<C, E> {
        self.cleanup = Some(Arc::new(cleanup));
        self
    }

    /// Sets the function that checks that an idle connection is alive, before it is lent again. It
    /// runs on an OS thread of [`tpool`]. The default does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    ///
    /// use eventlet::db_pool::{ConnectionPool, Tpooled};
    ///
    /// let database = Tpooled::new(|| Ok(7)).check(|_| Err(io::Error::other("it is dead")));
    /// let pool = ConnectionPool::new(database);
    /// eventlet::run(async move {
    ///     pool.get().await.unwrap().put().await;
    ///     pool.get().await.unwrap().put().await;
    ///     assert_eq!(pool.stats().connected, 2);
    /// });
    /// ```
    pub fn check(
        mut self,
        check: impl Fn(&mut C) -> Result<(), E> + Send + Sync + 'static,
    ) -> Tpooled<C, E> {
        self.check = Some(Arc::new(check));
        self
    }
}

impl<C, E> Database for Tpooled<C, E>
where
    C: Send + 'static,
    E: Into<Box<dyn Error + Send + Sync>> + Send + 'static,
{
    type Connection = TpooledConnection<C>;
    type Error = E;

    async fn connect(&self) -> Result<TpooledConnection<C>, E> {
        let connect = Arc::clone(&self.connect);
        tpool::execute(move || connect().map(TpooledConnection::new)).await
    }

    async fn cleanup(&self, connection: &mut TpooledConnection<C>) -> Result<(), E> {
        connection.treat(&self.cleanup).await
    }

    fn cleans(&self) -> bool {
        self.cleanup.is_some()
    }

    async fn check(&self, connection: &mut TpooledConnection<C>) -> Result<(), E> {
        connection.treat(&self.check).await
    }
}

impl<C, E> fmt::Debug for Tpooled<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tpooled").finish_non_exhaustive()
    }
}

/// A connection of a blocking driver, which is used and closed on OS threads.
///
/// Corresponds to the `tpool.Proxy` from eventlet's `TpooledConnectionPool`.
///
/// # Examples
///
/// See [`Tpooled`].
pub struct TpooledConnection<C: Send + 'static> {
    /// `None` once it is being closed.
    proxy: Option<Proxy<C>>,
}

impl<C: Send + 'static> TpooledConnection<C> {
    fn new(connection: C) -> TpooledConnection<C> {
        TpooledConnection { proxy: Some(Proxy::new(connection)) }
    }

    fn proxy(&self) -> &Proxy<C> {
        self.proxy.as_ref().expect("a connection is closed when its owner goes")
    }

    /// Runs a function with the connection on an OS thread, and waits for its value, as
    /// [`Proxy::call`] does.
    ///
    /// # Yields, Killed, Panics
    ///
    /// As for [`Proxy::call`].
    ///
    /// # Examples
    ///
    /// See [`Tpooled`].
    pub fn call<F, R>(&self, call: F) -> Execute<R>
    where
        F: FnOnce(&mut C) -> R + Send + 'static,
        R: Send + 'static,
    {
        self.proxy().call(call)
    }

    async fn treat<E: Send + 'static>(&self, how: &Option<Treat<C, E>>) -> Result<(), E> {
        match how.clone() {
            Some(how) => self.call(move |connection| how(connection)).await,
            None => Ok(()),
        }
    }
}

impl<C: Send + 'static> Drop for TpooledConnection<C> {
    /// Closing may block, and some drivers cannot do it inside a Tokio runtime.
    fn drop(&mut self) {
        let proxy = self.proxy.take();
        let close = move || drop(proxy);
        // If there is no OS thread it is closed here, rather than leaked.
        let _thread = thread::Builder::new().name("eventlet-db-close".to_owned()).spawn(close);
    }
}

impl<C: Send + 'static> fmt::Debug for TpooledConnection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpooledConnection").finish_non_exhaustive()
    }
}
