//! A server that runs, as others see it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::time::Duration;

use slab::Slab;

use super::connection::Connection;
use super::exchange::Exchange;
use super::pulse::Phase;
use super::sweeper;
use crate::greenthread::{Greenlet, spawn_n_from};
use crate::hub::{self, Key, Names, within};
use crate::waiters::{Place, Waiters};

/// A server: a handle to look at it, and to end it. Clones name the same server.
///
/// Corresponds to `eventlet.wsgi.Server`.
#[derive(Clone, Default)]
pub struct Server(Rc<Shared>);

#[derive(Default)]
struct Shared {
    connections: RefCell<Slab<Rc<Connection>>>,
    /// The green threads that answer requests.
    handlers: RefCell<Slab<(Greenlet, Weak<Exchange>)>>,
    accepted: Cell<u64>,
    requests: Cell<u64>,
    in_flight: Cell<usize>,
    refused: Cell<u64>,
    evicted: Cell<u64>,
    bytes: Cell<u64>,
    stopped: Cell<bool>,
    /// Those who wait to be told that nobody is to be accepted any more.
    stopping: Line,
    /// Those who wait until nothing is left.
    settling: Line,
    sweeper: Cell<Option<Greenlet>>,
}

struct Line(Waiters<(), ()>);

impl Default for Line {
    fn default() -> Line {
        Line(Waiters::new())
    }
}

impl Line {
    async fn until(&self, condition: impl Fn() -> bool) {
        let mut standing = Standing { line: &self.0, place: Place::default() };
        poll_fn(|cx| {
            let at_once = || if condition() { Ok(()) } else { Err(()) };
            standing.line.wait(&mut standing.place, cx, at_once)
        })
        .await;
    }
}

struct Standing<'a> {
    line: &'a Waiters<(), ()>,
    place: Place,
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        self.line.leave(&mut self.place);
    }
}

/// What a server has done, and does now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections so far.
    pub accepted: u64,
    /// Connections now.
    pub open: usize,
    /// Connections that have no request under way now.
    pub idle: usize,
    /// Requests so far.
    pub requests: u64,
    /// Requests that are being answered now.
    pub in_flight: usize,
    /// Green threads of requests now. One may outlive its client.
    pub handlers: usize,
    /// Requests that no site has seen: 400, 414, 431, 501.
    pub refused: u64,
    /// Idle connections that were closed to make place for another.
    pub evicted: u64,
    /// Bytes of bodies that were sent.
    pub bytes: u64,
}

/// A connection of a server, as it is now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Its number: they are counted from 1.
    pub number: u64,
    /// The address of the client.
    pub peer: String,
    /// What it is about: `idle`, `head`, `busy`, `hijacked` or `closing`.
    pub phase: &'static str,
    /// Requests so far.
    pub requests: u64,
}

/// How a [`shutdown`](Server::shutdown) went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Connections that ended by themselves.
    pub finished: usize,
    /// Connections that were cut when time was up.
    pub cut: usize,
}

impl Server {
    /// Returns what the server has done, and does now.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// use eventlet::wsgi::{self, Environ};
    ///
    /// let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// let serving = wsgi::server(listener, |_: Environ| async {}).log_output(false);
    /// let server = serving.handle();
    /// let served = eventlet::spawn(serving);
    /// assert_eq!(server.stats().open, 0);
    /// server.stop_accepting();
    /// served.await.unwrap().unwrap();
    /// # });
    /// ```
    pub fn stats(&self) -> Stats {
        let connections = self.0.connections.borrow();
        let is_idle = |connection: &Connection| connection.pulse.phase() == Phase::Idle;
        Stats {
            accepted: self.0.accepted.get(),
            open: connections.len(),
            idle: connections.iter().filter(|(_, connection)| is_idle(connection)).count(),
            requests: self.0.requests.get(),
            in_flight: self.0.in_flight.get(),
            handlers: self.0.handlers.borrow().len(),
            refused: self.0.refused.get(),
            evicted: self.0.evicted.get(),
            bytes: self.0.bytes.get(),
        }
    }

    /// Returns the connections there are.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// use eventlet::wsgi::{self, Environ};
    ///
    /// let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// let serving = wsgi::server(listener, |_: Environ| async {}).log_output(false);
    /// let server = serving.handle();
    /// let served = eventlet::spawn(serving);
    /// assert!(server.connections().is_empty());
    /// server.stop_accepting();
    /// served.await.unwrap().unwrap();
    /// # });
    /// ```
    pub fn connections(&self) -> Vec<ConnectionInfo> {
        let connections = self.0.connections.borrow();
        let info = |connection: &Rc<Connection>| ConnectionInfo {
            number: connection.number,
            peer: connection.peer.remote.to_string(),
            phase: connection.pulse.phase().name(),
            requests: connection.requests.get(),
        };
        connections.iter().map(|(_, connection)| info(connection)).collect()
    }

    /// Accepts nobody any more, at once: the listener is closed. Connections go on.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Differences
    ///
    /// Eventlet's `is_accepting` is looked at when one more connection has come.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// use eventlet::wsgi::{self, Environ};
    ///
    /// let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// let serving = wsgi::server(listener, |_: Environ| async {}).log_output(false);
    /// let server = serving.handle();
    /// let served = eventlet::spawn(serving);
    /// server.stop_accepting();
    /// served.await.unwrap().unwrap();
    /// # });
    /// ```
    pub fn stop_accepting(&self) {
        self.0.stopped.set(true);
        self.0.stopping.0.choose_all(&());
    }

    /// Ends the server: stops accepting, closes idle connections and those whose request has not
    /// come whole, and waits for the others, whose answers say `Connection: close`. Those that a
    /// site has taken over are told. When `limit` has passed, whatever is left is cut.
    ///
    /// # Yields
    ///
    /// Until nothing of the server is left.
    ///
    /// # Killed
    ///
    /// The server ends all the same, without the limit.
    ///
    /// # Examples
    ///
    /// ```
    /// # eventlet::run(async {
    /// use eventlet::wsgi::{self, Environ};
    ///
    /// let listener = eventlet::listen("127.0.0.1:0").await.unwrap();
    /// let serving = wsgi::server(listener, |_: Environ| async {}).log_output(false);
    /// let server = serving.handle();
    /// let served = eventlet::spawn(serving);
    /// let drained = server.shutdown(std::time::Duration::from_secs(10)).await;
    /// assert_eq!((drained.finished, drained.cut), (0, 0));
    /// served.await.unwrap().unwrap();
    /// # });
    /// ```
    pub async fn shutdown(&self, limit: impl Into<Option<Duration>>) -> Drained {
        self.stop_accepting();
        let open = self.0.connections.borrow().len();
        self.close_connections();
        let in_time = within(limit.into(), self.settled()).await;
        let cut = match in_time {
            Some(()) => 0,
            None => self.cut_everything(),
        };
        self.settled().await;
        Drained { finished: open.saturating_sub(cut), cut }
    }

    /// Has what looks at the hub's green threads see which are of this server, and what they are
    /// about.
    pub(super) fn name_green_threads(&self) {
        let shared = Rc::downgrade(&self.0);
        hub::expect("serving").notes.ask_for_names(shared);
    }

    /// Has every connection close when what it does is done.
    pub(super) fn close_connections(&self) {
        for connection in self.all() {
            // Half a head is no request yet.
            match connection.pulse.phase() {
                Phase::Head => connection.cut(),
                _ => connection.close(),
            }
        }
    }

    fn cut_everything(&self) -> usize {
        let connections = self.all();
        connections.iter().for_each(|connection| connection.cut());
        let handlers: Vec<_> =
            self.0.handlers.borrow().iter().map(|(_, (handler, _))| *handler).collect();
        handlers.iter().for_each(Greenlet::kill);
        connections.len()
    }

    /// Returns the connections, so that the list may change meanwhile.
    pub(super) fn all(&self) -> Vec<Rc<Connection>> {
        self.0.connections.borrow().iter().map(|(_, connection)| Rc::clone(connection)).collect()
    }

    /// Waits until nobody is to be accepted any more.
    pub(super) async fn stopped(&self) {
        self.0.stopping.until(|| self.0.stopped.get()).await;
    }

    /// Waits until there is neither a connection nor a handler.
    pub(super) async fn settled(&self) {
        self.0.settling.until(|| self.is_settled()).await;
    }

    fn is_settled(&self) -> bool {
        self.0.connections.borrow().is_empty() && self.0.handlers.borrow().is_empty()
    }

    fn look_settled(&self) {
        if self.is_settled() {
            self.0.settling.0.choose_all(&());
        }
    }

    /// Returns the number of the next connection.
    pub(super) fn next_number(&self) -> u64 {
        self.0.accepted.set(self.0.accepted.get() + 1);
        self.0.accepted.get()
    }

    /// Keeps a connection in the list until what it returns is dropped.
    pub(super) fn enlist(&self, connection: Rc<Connection>) -> Enlisted {
        if self.0.sweeper.get().is_none() {
            let options = Rc::clone(&connection.options);
            let sweeping = sweeper::sweep(self.clone(), Rc::clone(&options));
            let sweeper = spawn_n_from(sweeping, options.spawned_at);
            sweeper.set_name("wsgi sweeper");
            self.0.sweeper.set(Some(sweeper));
        }
        let place = self.0.connections.borrow_mut().insert(connection);
        Enlisted { server: self.clone(), place }
    }

    fn strike(&self, place: usize) {
        // A statement of its own: nothing is dropped while the list is borrowed.
        let connection = self.0.connections.borrow_mut().remove(place);
        drop(connection);
        if self.0.connections.borrow().is_empty() {
            if let Some(sweeper) = self.0.sweeper.take() {
                sweeper.kill();
            }
        }
        self.look_settled();
    }

    /// Closes the connection that has been idle for longest, to make place for another.
    pub(super) fn evict(&self) {
        let now = tokio::time::Instant::now();
        let idle =
            self.all().into_iter().filter(|connection| sweeper::may_be_evicted(connection, now));
        if let Some(longest) = idle.min_by_key(|connection| sweeper::since(connection, now)) {
            self.0.evicted.set(self.0.evicted.get() + 1);
            longest.close();
        }
    }

    #[inline]
    pub(super) fn request_began(&self) {
        self.0.requests.set(self.0.requests.get() + 1);
        self.0.in_flight.set(self.0.in_flight.get() + 1);
    }

    #[inline]
    pub(super) fn request_ended(&self, body_length: u64) {
        self.0.in_flight.set(self.0.in_flight.get() - 1);
        self.0.bytes.set(self.0.bytes.get() + body_length);
    }

    pub(super) fn refused(&self) {
        self.0.refused.set(self.0.refused.get() + 1);
    }

    #[inline]
    pub(super) fn handler_started(&self, handler: Greenlet, exchange: Weak<Exchange>) -> usize {
        self.0.handlers.borrow_mut().insert((handler, exchange))
    }

    #[inline]
    pub(super) fn handler_ended(&self, place: usize) {
        self.0.handlers.borrow_mut().remove(place);
        if self.0.handlers.borrow().is_empty() {
            self.look_settled();
        }
    }
}

/// A request is named by what it asks for, and a connection by its client.
impl Names for Shared {
    fn names(&self, tell: &mut dyn FnMut(Key, String)) {
        for (_, connection) in &*self.connections.borrow() {
            if let Some(greenlet) = connection.greenlet.get() {
                tell(greenlet.key(), format!("wsgi connection of {}", connection.peer.remote));
            }
        }
        for (_, (handler, exchange)) in &*self.handlers.borrow() {
            let Some(exchange) = exchange.upgrade() else { continue };
            // Whoever looks may be about to change the environ.
            if let Ok(parts) = exchange.parts.try_borrow() {
                tell(handler.key(), format!("{} {}", parts.method, parts.uri.path()));
            }
        }
    }
}

/// A connection in the list of its server.
pub(super) struct Enlisted {
    server: Server,
    place: usize,
}

impl Drop for Enlisted {
    fn drop(&mut self) {
        self.server.strike(self.place);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.stats()).finish()
    }
}
