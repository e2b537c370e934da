//! A lent connection.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use tokio::time::Instant;

use super::database::Database;
use super::shared::Shared;
use super::stats::count;
use crate::greenthread::spawn_n;
use crate::hub;
use crate::report;
use crate::semaphore::SemaphorePermit;
use crate::timeout::with_timeout;

/// A connection that a [`ConnectionPool`](super::ConnectionPool) has lent. It goes back with
/// [`put`](Pooled::put), or when this is dropped.
///
/// Before the next borrower gets it, it is cleaned, by [`Database::cleanup`]. If this is dropped, a
/// green thread does that, and the connection counts as lent until it is done. [`put`](Pooled::put)
/// waits for it.
///
/// This is also dropped when its borrower was killed, panicked, or timed out, perhaps in the middle
/// of a transaction. So a connection of a database that does not [clean](Database::cleans) is
/// closed when this is dropped, and lent again only if it was put back.
///
/// Corresponds to eventlet's `PooledConnectionWrapper`.
///
/// # Examples
///
/// ```
/// # use eventlet::db_pool::ConnectionPool;
/// # async fn connect() -> std::io::Result<Vec<u8>> { Ok(Vec::new()) }
/// # eventlet::run(async {
/// let pool = ConnectionPool::new(connect);
/// let mut connection = pool.get().await.unwrap();
/// connection.push(1);
/// # });
/// ```
#[must_use = "the connection goes back, or is closed, when this is dropped"]
pub struct Pooled<D: Database> {
    /// `None` once it is on its way back.
    lease: Option<Lease<D>>,
}

const OUT: &str = "a connection is only taken out of its guard when the guard goes";

impl<D: Database> Pooled<D> {
    pub(super) fn new(lease: Lease<D>) -> Pooled<D> {
        Pooled { lease: Some(lease) }
    }

    /// Gives the connection back, and waits until it is clean and idle, or closed.
    ///
    /// Corresponds to eventlet's `PooledConnectionWrapper.close`.
    ///
    /// # Yields
    ///
    /// While the connection is being cleaned.
    ///
    /// # Killed
    ///
    /// The connection is closed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::db_pool::ConnectionPool;
    /// # async fn connect() -> std::io::Result<Vec<u8>> { Ok(Vec::new()) }
    /// # eventlet::run(async {
    /// let pool = ConnectionPool::new(connect);
    /// pool.get().await.unwrap().put().await;
    /// assert_eq!(pool.stats().idle, 1);
    /// # });
    /// ```
    pub async fn put(mut self) {
        let lease = self.lease.take().expect(OUT);
        lease.give_back().await;
    }

    /// Closes the connection instead of giving it back.
    ///
    /// Corresponds to eventlet's `pool.put(None)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::db_pool::{ConnectionPool, Pooled};
    /// # async fn connect() -> std::io::Result<Vec<u8>> { Ok(Vec::new()) }
    /// # eventlet::run(async {
    /// let pool = ConnectionPool::new(connect);
    /// Pooled::discard(pool.get().await.unwrap());
    /// assert_eq!(pool.stats().size, 0);
    /// # });
    /// ```
    pub fn discard(mut pooled: Pooled<D>) {
        drop(pooled.lease.take());
    }
}

impl<D: Database> Deref for Pooled<D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        &self.lease.as_ref().expect(OUT).connection
    }
}

impl<D: Database> DerefMut for Pooled<D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        &mut self.lease.as_mut().expect(OUT).connection
    }
}

impl<D: Database> Drop for Pooled<D> {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        // If the hub has ended no green thread can clean it: the connection is closed.
        if lease.can_be_cleaned() && hub::current().is_some() {
            let cleaner = spawn_n(lease.give_back());
            cleaner.set_name("db_pool cleanup");
        }
    }
}

impl<D: Database<Connection: fmt::Debug>> fmt::Debug for Pooled<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pooled").field(&**self).finish()
    }
}

/// A connection and its place in the pool. The fields are dropped in this order, so the place is
/// free when the connection is closed.
pub(super) struct Lease<D: Database> {
    connection: D::Connection,
    made: Instant,
    lent: Lent<D>,
}

impl<D: Database> Lease<D> {
    pub(super) fn new(connection: D::Connection, made: Instant, lent: Lent<D>) -> Lease<D> {
        Lease { connection, made, lent }
    }

    /// Cleans the connection and makes it idle, or closes it.
    fn can_be_cleaned(&self) -> bool {
        self.lent.shared.database.cleans()
    }

    async fn give_back(mut self) {
        let shared = Rc::clone(&self.lent.shared);
        if !shared.database.is_broken(&mut self.connection) && self.clean().await {
            let Lease { connection, made, lent } = self;
            // First, so that the next waiter finds it.
            shared.store(connection, made);
            drop(lent);
        } else {
            count(&shared.counters.broken);
        }
    }

    async fn clean(&mut self) -> bool {
        let shared = &*self.lent.shared;
        let cleaning = shared.database.cleanup(&mut self.connection);
        match with_timeout(shared.connect_timeout.get(), cleaning).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                report::failure("cleaning a database connection, which is closed", &error.into());
                false
            }
            Err(late) => {
                report::failure("cleaning a database connection, which is closed", &late);
                false
            }
        }
    }
}

/// The right to have a connection.
pub(super) struct Lent<D: Database> {
    shared: Rc<Shared<D>>,
    /// Dropped last: its next holder may make a connection.
    _permit: SemaphorePermit,
}

impl<D: Database> Lent<D> {
    pub(super) fn take(shared: Rc<Shared<D>>, permit: SemaphorePermit) -> Lent<D> {
        shared.lent.set(shared.lent.get() + 1);
        Lent { shared, _permit: permit }
    }
}

impl<D: Database> Drop for Lent<D> {
    fn drop(&mut self) {
        self.shared.lent.set(self.shared.lent.get() - 1);
    }
}
