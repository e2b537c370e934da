//! The connections of a pool.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use tokio::time::Instant;

use super::database::Database;
use super::error::GetError;
use super::expiry::Limits;
use super::stats::{Counters, count};
use crate::greenthread::{Greenlet, sleep, spawn_n};
use crate::semaphore::Semaphore;
use crate::timeout::with_timeout;

/// The state that the handles of a pool share, and to which its connections go back.
pub(super) struct Shared<D: Database> {
    pub(super) database: D,
    /// A permit is the right to have a connection. Waiters are granted permits in order, and a
    /// holder finds an idle connection or makes one: so a connection is never on its way to a
    /// waiter that is killed.
    pub(super) rights: Semaphore,
    pub(super) max_size: Cell<usize>,
    /// The one that came back last is last.
    pub(super) idle: RefCell<Vec<Idle<D::Connection>>>,
    /// Connections that are lent, being cleaned, or being made.
    pub(super) lent: Cell<usize>,
    pub(super) limits: Cell<Limits>,
    pub(super) connect_timeout: Cell<Duration>,
    /// The green thread that closes expired connections.
    watch: Cell<Option<Greenlet>>,
    pub(super) counters: Counters,
}

/// An idle connection.
pub(super) struct Idle<C> {
    pub(super) connection: C,
    pub(super) made: Instant,
    since: Instant,
}

impl<D: Database> Shared<D> {
    pub(super) fn new(database: D) -> Shared<D> {
        const MAX_SIZE: usize = 4;
        Shared {
            database,
            rights: Semaphore::new(MAX_SIZE),
            max_size: Cell::new(MAX_SIZE),
            idle: RefCell::default(),
            lent: Cell::new(0),
            limits: Cell::default(),
            connect_timeout: Cell::new(Duration::from_secs(5)),
            watch: Cell::new(None),
            counters: Counters::default(),
        }
    }

    pub(super) async fn connect(&self) -> Result<D::Connection, GetError<D::Error>> {
        let failed = |error| {
            count(&self.counters.failed);
            error
        };
        match with_timeout(self.connect_timeout.get(), self.database.connect()).await {
            Ok(Ok(connection)) => {
                count(&self.counters.connected);
                Ok(connection)
            }
            Ok(Err(error)) => Err(failed(GetError::Connect(error))),
            Err(_) => Err(failed(GetError::Timeout)),
        }
    }

    pub(super) async fn is_alive(&self, connection: &mut D::Connection) -> bool {
        if self.database.is_broken(connection) {
            return false;
        }
        let check = self.database.check(connection);
        matches!(with_timeout(self.connect_timeout.get(), check).await, Ok(Ok(())))
    }

    /// Takes the connection that came back last, and closes those that have expired.
    pub(super) fn take_idle(&self) -> Option<Idle<D::Connection>> {
        let _closed = self.take_expired();
        self.idle.borrow_mut().pop()
    }

    /// Makes a clean connection idle, unless it has expired or there are too many.
    pub(super) fn store(self: &Rc<Self>, connection: D::Connection, made: Instant) {
        let idle = Idle { connection, made, since: Instant::now() };
        if self.limits.get().are_over(idle.made, idle.since) {
            count(&self.counters.expired);
        } else if self.idle.borrow().len() + self.lent.get() <= self.max_size.get() {
            self.idle.borrow_mut().push(idle);
            self.watch();
        }
    }

    /// Takes those in excess of the size, the longest idle first.
    pub(super) fn take_surplus(&self) -> Vec<Idle<D::Connection>> {
        let mut idle = self.idle.borrow_mut();
        let surplus = (idle.len() + self.lent.get()).saturating_sub(self.max_size.get());
        let surplus = surplus.min(idle.len());
        idle.drain(..surplus).collect()
    }

    /// Takes those that have expired. They are returned, as their destructors are user code.
    fn take_expired(&self) -> Vec<Idle<D::Connection>> {
        let limits = self.limits.get();
        let (expired, fit) = self
            .idle
            .take()
            .into_iter()
            .partition::<Vec<_>, _>(|idle| limits.are_over(idle.made, idle.since));
        *self.idle.borrow_mut() = fit;
        expired.iter().for_each(|_| count(&self.counters.expired));
        expired
    }

    fn next_end(&self) -> Option<Instant> {
        let limits = self.limits.get();
        let ends = |idle: &Idle<D::Connection>| limits.end(idle.made, idle.since);
        self.idle.borrow().iter().filter_map(ends).min()
    }

    /// Starts the green thread that closes idle connections when they expire, unless it runs. It
    /// ends when none is left.
    fn watch(self: &Rc<Self>) {
        if self.watch.get().is_none() && self.next_end().is_some() {
            let watch = spawn_n(Watch(Rc::downgrade(self)).close_what_expires());
            watch.set_name("db_pool expiry");
            self.watch.set(Some(watch));
        }
    }
}

impl<D: Database> Drop for Shared<D> {
    fn drop(&mut self) {
        if let Some(watch) = self.watch.get() {
            watch.kill();
        }
    }
}

/// The green thread that closes expired connections. It does not keep the pool alive.
struct Watch<D: Database>(Weak<Shared<D>>);

impl<D: Database> Watch<D> {
    async fn close_what_expires(self) {
        while let Some(end) = self.0.upgrade().and_then(|shared| shared.next_end()) {
            sleep(end.duration_since(Instant::now())).await;
            let _closed = self.0.upgrade().map(|shared| shared.take_expired());
        }
    }
}

/// Also if its hub ends before the pool.
impl<D: Database> Drop for Watch<D> {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.watch.set(None);
        }
    }
}
