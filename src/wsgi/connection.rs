//! The state of one connection: shared by its green thread, its requests, the sweeper and the
//! server.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::activity::{Activity, Phase};
use super::address::Addresses;
use super::condition::Condition;
use super::options::Options;
use super::tls::Session;
use crate::greenthread::Greenlet;
use crate::waiters::Place;

/// For how long a connection that never sent anything is safe from eviction.
const GRACE: Duration = Duration::from_secs(1);

/// What runs on a connection after its last response.
pub(super) type Takeover = Pin<Box<dyn Future<Output = ()>>>;

/// The state of one connection.
pub struct Connection {
    /// Counts the connections of a server. Log lines name a connection by it, as all connections of
    /// a Unix socket have the same address.
    pub(super) number: u64,
    pub(super) options: Rc<Options>,
    pub(super) addresses: Addresses,
    pub(super) activity: Arc<Activity>,
    /// The green thread that serves it, once there is one.
    pub(super) greenlet: Cell<Option<Greenlet>>,
    /// What was agreed on in the TLS handshake.
    pub(super) session: OnceCell<Session>,
    /// Requests so far.
    pub(super) requests: Cell<u64>,
    /// Whether the sweeper limits how long a read of a request body waits.
    pub(super) reads_are_swept: Cell<bool>,
    last_change: Cell<LastChange>,
    /// Requests that are being answered now: HTTP/2 has several at a time.
    in_flight: Cell<u32>,
    /// Whether it closes as soon as no request is being answered.
    is_closing: Cell<bool>,
    /// Holds those who wait until `is_closing` is set.
    closing: Condition,
    /// Whether the server has cut it.
    is_cut: Cell<bool>,
    takeover: RefCell<Option<Takeover>>,
}

/// When a connection was last seen to change.
#[derive(Clone, Copy, Default)]
struct LastChange {
    /// How many changes there had been then.
    changes: u32,
    at: Option<Instant>,
}

impl Connection {
    pub(super) fn new(options: Rc<Options>, number: u64, addresses: Addresses) -> Connection {
        Connection {
            number,
            options,
            addresses,
            activity: Arc::new(Activity::new()),
            greenlet: Cell::new(None),
            session: OnceCell::new(),
            requests: Cell::new(0),
            reads_are_swept: Cell::new(false),
            last_change: Cell::default(),
            in_flight: Cell::new(0),
            is_closing: Cell::new(false),
            closing: Condition::default(),
            is_cut: Cell::new(false),
            takeover: RefCell::default(),
        }
    }

    /// Notes that the head of a request has been read.
    #[inline]
    pub(super) fn request_began(&self) {
        self.requests.set(self.requests.get() + 1);
        self.in_flight.set(self.in_flight.get() + 1);
        self.activity.enter(Phase::Busy);
    }

    /// Notes that a response was sent, or never will be.
    #[inline]
    pub(super) fn request_ended(&self) {
        self.in_flight.set(self.in_flight.get() - 1);
        if self.in_flight.get() == 0 {
            self.activity.enter(Phase::Idle);
            self.activity.end_read_wait();
        }
    }

    /// Notes that the connection speaks HTTP/2, which always reads: a read that waits is not a
    /// request body that is late.
    pub(super) fn set_http2(&self) {
        self.activity.set_http2();
        self.reads_are_swept.set(false);
    }

    /// Closes the connection as soon as no request is being answered: an idle one at once.
    pub(super) fn close(&self) {
        if !self.is_closing.replace(true) {
            let has_waiters = self.closing.has_waiters();
            self.closing.notify_all();
            // A site that has taken over, and does not wait for this, would go on forever.
            if !has_waiters && self.activity.phase() == Phase::Hijacked {
                self.cut();
            }
        }
    }

    /// Ends the connection at once.
    pub(super) fn cut(&self) {
        self.is_cut.set(true);
        if let Some(greenlet) = self.greenlet.get() {
            greenlet.kill();
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.is_cut.get()
    }

    /// Has a site's future run on the connection once the last response was sent.
    pub(super) fn hijack(&self, takeover: Takeover) {
        *self.takeover.borrow_mut() = Some(takeover);
    }

    pub(super) fn take_takeover(&self) -> Option<Takeover> {
        self.takeover.take()
    }

    /// Awaits a future, but no longer than until the connection is to close.
    pub(super) async fn unless_closing<R>(
        self: &Rc<Self>,
        work: impl Future<Output = R>,
    ) -> Option<R> {
        let mut work = pin!(work);
        let mut closing = Closing::new(Rc::clone(self));
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Pending => closing.poll(cx).map(|()| None),
            Poll::Ready(done) => Poll::Ready(Some(done)),
        })
        .await
    }

    /// Returns for how long the connection has not changed, as far as calls of this have seen: a
    /// change is dated by the first call after it.
    pub(super) fn unchanged_for(&self, now: Instant) -> Duration {
        let changes = self.activity.changes();
        let mut last = self.last_change.get();
        if last.changes != changes || last.at.is_none() {
            last = LastChange { changes, at: Some(now) };
            self.last_change.set(last);
        }
        last.at.map_or(Duration::ZERO, |at| now.saturating_duration_since(at))
    }

    /// Returns whether the connection may be closed to make room for another.
    pub(super) fn may_be_evicted(&self, now: Instant) -> bool {
        let is_idle = self.activity.phase() == Phase::Idle && !self.is_closing.get();
        let was_used = self.requests.get() > 0;
        is_idle && !self.activity.waits_to_write() && (was_used || self.unchanged_for(now) >= GRACE)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("number", &self.number)
            .field("phase", &self.activity.phase())
            .finish_non_exhaustive()
    }
}

/// A wait until a connection is to close.
pub(super) struct Closing {
    connection: Rc<Connection>,
    place: Place,
}

impl Closing {
    pub(super) fn new(connection: Rc<Connection>) -> Closing {
        Closing { connection, place: Place::default() }
    }

    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if matches!(self.place, Place::Through) {
            return Poll::Ready(());
        }
        let Connection { closing, is_closing, .. } = &*self.connection;
        closing.poll_wait(&mut self.place, cx, || is_closing.get())
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.connection.closing.leave(&mut self.place);
    }
}
