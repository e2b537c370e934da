//! A pool of connections to one database.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;

use super::database::Database;
use super::error::GetError;
use super::expiry::Limits;
use super::pooled::{Lease, Lent, Pooled};
use super::shared::{Idle, Shared};
use super::stats::{PoolStats, count};

/// Connections to one database, each lent to one green thread at a time.
///
/// It is a handle: clones name the same pool. The connection that came back last is lent first, so
/// surplus ones become idle and are closed. Waiters are served in the order of arrival.
///
/// Corresponds to eventlet's `db_pool.ConnectionPool`, in its form `RawConnectionPool`. For the
/// other one, `TpooledConnectionPool`, see [`Tpooled`](super::Tpooled).
///
/// # Differences
///
/// A connect that fails strands no waiter: the next in the queue tries. A cleaning that fails,
/// panics or hangs costs only the connection.
///
/// # Examples
///
/// A plain function that connects, on a stack of its own:
///
/// ```
/// # #[cfg(feature = "stackful")] {
/// use eventlet::db_pool::ConnectionPool;
/// use eventlet::green::net::TcpStream;
/// use eventlet::{Block, stackful};
///
/// eventlet::run(stackful(|| {
///     let server = eventlet::listen("127.0.0.1:0").block().unwrap();
///     let address = server.local_addr().unwrap();
///     let pool = ConnectionPool::new(move || stackful(move || TcpStream::connect(address)));
///     let connection = pool.get().block().unwrap();
///     assert_eq!(connection.peer_addr().unwrap(), address);
/// }));
/// # }
/// ```
pub struct ConnectionPool<D: Database> {
    shared: Rc<Shared<D>>,
}

impl<D: Database> ConnectionPool<D> {
    /// Makes a pool of at most four connections, which are made when they are needed.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = eventlet::db_pool::ConnectionPool::new(|| async { Ok::<_, std::io::Error>("connection") });
    /// assert_eq!(pool.free(), 4);
    /// ```
    pub fn new(database: D) -> ConnectionPool<D> {
        ConnectionPool { shared: Rc::new(Shared::new(database)) }
    }

    /// Sets how many connections there may be. The default is 4.
    ///
    /// With 0 every borrower waits forever.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn connect() -> std::io::Result<()> { Ok(()) }
    /// let pool = eventlet::db_pool::ConnectionPool::new(connect).max_size(20);
    /// assert_eq!(pool.free(), 20);
    /// ```
    pub fn max_size(self, size: usize) -> ConnectionPool<D> {
        self.resize(size);
        self
    }

    /// Sets how long a connection may be idle before it is closed. The default is 10 seconds; with
    /// zero every connection is closed when it comes back. [`Duration::MAX`] sets no limit.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn connect() -> std::io::Result<()> { Ok(()) }
    /// # eventlet::run(async {
    /// let pool = eventlet::db_pool::ConnectionPool::new(connect).max_idle(Duration::ZERO);
    /// pool.get().await.unwrap().put().await;
    /// assert_eq!(pool.stats().size, 0);
    /// # });
    /// ```
    pub fn max_idle(self, limit: Duration) -> ConnectionPool<D> {
        self.shared.limits.set(Limits { max_idle: limit, ..self.shared.limits.get() });
        self
    }

    /// Sets how old a connection may be before it is closed rather than lent again. The default is
    /// 30 seconds; with zero every connection is closed when it comes back. [`Duration::MAX`] sets
    /// no limit.
    ///
    /// A lent connection is never closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn connect() -> std::io::Result<()> { Ok(()) }
    /// let pool = eventlet::db_pool::ConnectionPool::new(connect).max_age(Duration::from_secs(3600));
    /// ```
    pub fn max_age(self, limit: Duration) -> ConnectionPool<D> {
        self.shared.limits.set(Limits { max_age: limit, ..self.shared.limits.get() });
        self
    }

    /// Sets how long connecting may take, and cleaning and checking a connection. The default is 5
    /// seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::time::Duration;
    /// # async fn connect() -> std::io::Result<()> { Ok(()) }
    /// let pool = eventlet::db_pool::ConnectionPool::new(connect).connect_timeout(Duration::from_secs(1));
    /// ```
    pub fn connect_timeout(self, limit: Duration) -> ConnectionPool<D> {
        self.shared.connect_timeout.set(limit);
        self
    }

    /// Makes so many connections now, so that the first borrowers do not wait for them.
    ///
    /// Corresponds to the argument `min_size` of eventlet's pools.
    ///
    /// # Yields
    ///
    /// While a connection is being made.
    ///
    /// # Killed
    ///
    /// Connections that were made stay with the clones of the pool.
    ///
    /// # Errors
    ///
    /// When a connection cannot be made.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn connect() -> std::io::Result<()> { Ok(()) }
    /// # eventlet::run(async {
    /// let pool = eventlet::db_pool::ConnectionPool::new(connect).min_size(2).await.unwrap();
    /// assert_eq!(pool.stats().idle, 2);
    /// # });
    /// ```
    pub async fn min_size(self, size: usize) -> Result<ConnectionPool<D>, GetError<D::Error>> {
        let mut lent = Vec::new();
        for _ in 0..size.min(self.shared.max_size.get()) {
            lent.push(self.get().await?);
        }
        for connection in lent {
            connection.put().await;
        }
        Ok(self)
    }

    /// Borrows a connection: an idle one, or a new one, or one that comes back while this waits.
    ///
    /// Corresponds to eventlet's `pool.get()` and `pool.item()`.
    ///
    /// # Yields
    ///
    /// While all connections are lent, and while a new one is made or an idle one is checked.
    ///
    /// # Killed
    ///
    /// No connection is lost: its place goes to the next waiter.
    ///
    /// # Errors
    ///
    /// When a new connection cannot be made, or not in time.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn connect() -> std::io::Result<u32> { Ok(7) }
    /// # eventlet::run(async {
    /// let pool = eventlet::db_pool::ConnectionPool::new(connect);
    /// assert_eq!(*pool.get().await.unwrap(), 7);
    /// # });
    /// ```
    #[doc(alias = "item")]
    pub async fn get(&self) -> Result<Pooled<D>, GetError<D::Error>> {
        let permit = self.shared.rights.permit().await;
        let lent = Lent::take(Rc::clone(&self.shared), permit);
        while let Some(idle) = self.shared.take_idle() {
            let Idle { mut connection, made, .. } = idle;
            if self.shared.is_alive(&mut connection).await {
                count(&self.shared.counters.reused);
                return Ok(Pooled::new(Lease::new(connection, made, lent)));
            }
            count(&self.shared.counters.broken);
        }
        let connection = self.shared.connect().await?;
        Ok(Pooled::new(Lease::new(connection, Instant::now(), lent)))
    }

    /// Closes all idle connections. Those that are lent stay.
    ///
    /// Corresponds to eventlet's `pool.clear()`.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn connect() -> std::io::Result<u32> { Ok(7) }
    /// # eventlet::run(async {
    /// let pool = eventlet::db_pool::ConnectionPool::new(connect);
    /// pool.get().await.unwrap().put().await;
    /// pool.clear();
    /// assert_eq!(pool.stats().size, 0);
    /// # });
    /// ```
    pub fn clear(&self) {
        // Dropped after the borrow has ended: a connection's destructor is user code.
        let _closed = self.shared.idle.take();
    }

    /// Changes how many connections there may be.
    ///
    /// A larger size wakes waiters. With a smaller one, returned connections are closed until there
    /// are few enough.
    ///
    /// Corresponds to eventlet's `pool.resize`.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn connect() -> std::io::Result<u32> { Ok(7) }
    /// let pool = eventlet::db_pool::ConnectionPool::new(connect);
    /// pool.resize(1);
    /// assert_eq!(pool.free(), 1);
    /// ```
    pub fn resize(&self, max_size: usize) {
        let old = self.shared.max_size.replace(max_size);
        self.shared.rights.resize(old, max_size);
        let _closed = self.shared.take_surplus();
    }

    /// Returns how many green threads can borrow a connection without waiting for another to return
    /// one. It is negative while more are lent than the size allows.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn connect() -> std::io::Result<u32> { Ok(7) }
    /// # eventlet::run(async {
    /// let pool = eventlet::db_pool::ConnectionPool::new(connect);
    /// let _connection = pool.get().await.unwrap();
    /// assert_eq!(pool.free(), 3);
    /// # });
    /// ```
    pub fn free(&self) -> isize {
        self.shared.rights.counter()
    }

    /// Returns how many green threads wait for a connection.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn connect() -> std::io::Result<u32> { Ok(7) }
    /// assert_eq!(eventlet::db_pool::ConnectionPool::new(connect).waiting(), 0);
    /// ```
    pub fn waiting(&self) -> usize {
        self.shared.rights.waiting()
    }

    /// Returns the counts of the pool.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn connect() -> std::io::Result<u32> { Ok(7) }
    /// # eventlet::run(async {
    /// let pool = eventlet::db_pool::ConnectionPool::new(connect);
    /// pool.get().await.unwrap().put().await;
    /// pool.get().await.unwrap().put().await;
    /// assert_eq!((pool.stats().connected, pool.stats().reused), (1, 1));
    /// # });
    /// ```
    pub fn stats(&self) -> PoolStats {
        let (shared, idle) = (&*self.shared, self.shared.idle.borrow().len());
        PoolStats {
            size: idle + shared.lent.get(),
            idle,
            waiting: self.waiting(),
            connected: shared.counters.connected.get(),
            failed: shared.counters.failed.get(),
            reused: shared.counters.reused.get(),
            broken: shared.counters.broken.get(),
            expired: shared.counters.expired.get(),
        }
    }
}

impl<D: Database> Clone for ConnectionPool<D> {
    fn clone(&self) -> ConnectionPool<D> {
        ConnectionPool { shared: Rc::clone(&self.shared) }
    }
}

impl<D: Database> fmt::Debug for ConnectionPool<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionPool").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
