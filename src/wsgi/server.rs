//! A running server: what it counts, its connections and handlers, and how it ends.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::fmt;
use std::rc::{Rc, Weak};
use std::time::Duration;

use slab::Slab;
use tokio::time::Instant;

use super::activity::Phase;
use super::condition::Condition;
use super::connection::Connection;
use super::exchange::Exchange;
use super::sweeper;
use crate::greenthread::{Greenlet, spawn_n_from};
use crate::hub::{self, Key, Names, within};

/// A handle of a server: shows what it does, and ends it. Clones are handles of the same server.
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
    /// Whether no more connections are accepted.
    stopped: Cell<bool>,
    /// Holds those who wait until `stopped` is set.
    stopping: Condition,
    /// Holds those who wait until there is neither a connection nor a handler.
    settling: Condition,
    sweeper: Cell<Option<Greenlet>>,
}

/// What a server has done, and is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections so far.
    pub accepted: u64,
    /// Connections now.
    pub open: usize,
    /// Connections without a request now.
    pub idle: usize,
    /// Requests so far.
    pub requests: u64,
    /// Requests that are being answered now.
    pub in_flight: usize,
    /// Green threads that answer requests now. One may outlive its client.
    pub handlers: usize,
    /// Requests that no site has seen: 400, 414, 431, 501.
    pub refused: u64,
    /// Idle connections that were closed to make room for others.
    pub evicted: u64,
    /// Bytes of bodies that were sent.
    pub bytes: u64,
}

/// A connection of a server, as it is now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Its number, counted from 1.
    pub number: u64,
    /// The address of the client.
    pub peer: String,
    /// What it is doing: `idle`, `head` (part of one has come), `busy`, `hijacked` or `closing`.
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
    /// Connections that were cut when the limit had passed.
    pub cut: usize,
}

impl Server {
    /// Returns what the server has done, and is doing.
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
        let is_idle = |connection: &Connection| connection.activity.phase() == Phase::Idle;
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

    /// Returns the open connections.
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
            peer: connection.addresses.remote.to_string(),
            phase: connection.activity.phase().name(),
            requests: connection.requests.get(),
        };
        connections.iter().map(|(_, connection)| info(connection)).collect()
    }

    /// Closes the listener at once: no more connections are accepted. Those that are open go on.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Differences
    ///
    /// Eventlet checks `is_accepting` after it has accepted one more connection.
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
        self.0.stopping.notify_all();
    }

    /// Ends the server: stops accepting, closes idle connections and those whose request head is
    /// not complete, and waits for the others, whose answers say `Connection: close`. Sites that
    /// have taken a connection over learn it by [`Hijacked::closing`](super::Hijacked::closing).
    /// When `limit` has passed, all that is left is cut.
    ///
    /// # Yields
    ///
    /// Until no connection and no handler is left.
    ///
    /// # Killed
    ///
    /// The server still ends, without the limit.
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

    /// Names the server's green threads, in what shows the hub's green threads.
    pub(super) fn name_green_threads(&self) {
        let shared = Rc::downgrade(&self.0);
        hub::expect("serving").notes.ask_for_names(shared);
    }

    /// Closes every connection as soon as no request is being answered.
    pub(super) fn close_connections(&self) {
        for connection in self.all() {
            // Part of a head is not a request yet.
            match connection.activity.phase() {
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

    /// Returns the connections: a copy, as what is done to them changes the list.
    fn all(&self) -> Vec<Rc<Connection>> {
        self.0.connections.borrow().iter().map(|(_, connection)| Rc::clone(connection)).collect()
    }

    /// Waits until no more connections are to be accepted.
    pub(super) async fn stopped(&self) {
        self.0.stopping.wait_until(|| self.0.stopped.get()).await;
    }

    /// Waits until there is neither a connection nor a handler.
    pub(super) async fn settled(&self) {
        self.0.settling.wait_until(|| self.is_settled()).await;
    }

    fn is_settled(&self) -> bool {
        self.0.connections.borrow().is_empty() && self.0.handlers.borrow().is_empty()
    }

    fn notify_if_settled(&self) {
        if self.is_settled() {
            self.0.settling.notify_all();
        }
    }

    /// Returns the number of the next connection.
    pub(super) fn next_number(&self) -> u64 {
        self.0.accepted.set(self.0.accepted.get() + 1);
        self.0.accepted.get()
    }

    /// Lists a connection until what this returns is dropped.
    pub(super) fn list(&self, connection: Rc<Connection>) -> Listed {
        if self.0.sweeper.get().is_none() {
            let options = Rc::clone(&connection.options);
            let (server, spawned_at) = (self.clone(), options.spawned_at);
            let sweeper = spawn_n_from(sweeper::sweep(move || server.all(), options), spawned_at);
            sweeper.set_name("wsgi sweeper");
            self.0.sweeper.set(Some(sweeper));
        }
        let index = self.0.connections.borrow_mut().insert(connection);
        Listed { server: self.clone(), index }
    }

    fn unlist(&self, index: usize) {
        // A statement of its own: nothing is dropped while the list is borrowed.
        let connection = self.0.connections.borrow_mut().remove(index);
        drop(connection);
        if self.0.connections.borrow().is_empty() {
            if let Some(sweeper) = self.0.sweeper.take() {
                sweeper.kill();
            }
        }
        self.notify_if_settled();
    }

    /// Closes the connection that has been idle for longest, to make room for another.
    pub(super) fn evict(&self) {
        let now = Instant::now();
        let idle = self.all().into_iter().filter(|connection| connection.may_be_evicted(now));
        let longest_idle = idle.min_by_key(|connection| Reverse(connection.unchanged_for(now)));
        if let Some(connection) = longest_idle {
            self.0.evicted.set(self.0.evicted.get() + 1);
            connection.close();
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

    /// Counts a request that no site has seen.
    pub(super) fn refused(&self) {
        self.0.refused.set(self.0.refused.get() + 1);
    }

    /// Lists the green thread that answers a request, and returns its index.
    #[inline]
    pub(super) fn handler_started(&self, handler: Greenlet, exchange: Weak<Exchange>) -> usize {
        self.0.handlers.borrow_mut().insert((handler, exchange))
    }

    #[inline]
    pub(super) fn handler_ended(&self, index: usize) {
        self.0.handlers.borrow_mut().remove(index);
        if self.0.handlers.borrow().is_empty() {
            self.notify_if_settled();
        }
    }
}

/// A handler is named after its request, and a connection after its client.
impl Names for Shared {
    fn names(&self, tell: &mut dyn FnMut(Key, String)) {
        for (_, connection) in &*self.connections.borrow() {
            if let Some(greenlet) = connection.greenlet.get() {
                tell(greenlet.key(), format!("wsgi connection of {}", connection.addresses.remote));
            }
        }
        for (_, (handler, exchange)) in &*self.handlers.borrow() {
            let Some(exchange) = exchange.upgrade() else { continue };
            // This may be called while the site changes the environ.
            if let Ok(parts) = exchange.parts.try_borrow() {
                tell(handler.key(), format!("{} {}", parts.method, parts.uri.path()));
            }
        }
    }
}

/// Keeps a connection in the list of its server.
pub(super) struct Listed {
    server: Server,
    index: usize,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.server.unlist(self.index);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.stats()).finish()
    }
}
