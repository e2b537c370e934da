//! A connection, from its first byte to its last.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};

use super::front::Front;
use super::hijack::Takeover;
use super::options::Options;
use super::peer::Peer;
use super::pulse::{Phase, Pulse};
use super::server::Server;
use super::site::Handler;
use super::speak::{Ended, Speaks};
use super::speaker::speak;
use super::sweeper::Seen;
use super::tap::Tap;
use super::tls::{Session, shake_hands};
use crate::greenthread::Greenlet;
use crate::waiters::{Place, Waiters};

/// What is known of a connection.
pub struct Connection {
    /// Counts the connections of a server. An address would not do: all of a Unix socket have the
    /// same.
    pub(super) number: u64,
    pub(super) server: Server,
    pub(super) options: Rc<Options>,
    pub(super) peer: Peer,
    pub(super) pulse: Arc<Pulse>,
    /// The green thread that serves it, once there is one.
    pub(super) greenlet: Cell<Option<Greenlet>>,
    /// What the sweeper saw when it looked last.
    pub(super) seen: Cell<Seen>,
    pub(super) requests: Cell<u64>,
    /// Whether the sweeper is to mind how long a body takes to come.
    pub(super) reads_are_swept: Cell<bool>,
    /// How many requests are being answered: HTTP/2 has several at a time.
    answering: Cell<u32>,
    /// Whether it is to close as soon as no request is being answered.
    closing: Cell<bool>,
    /// Whether the server has cut it.
    cut: Cell<bool>,
    /// Those who wait to be told that it is to close.
    told: Waiters<(), ()>,
    takeover: RefCell<Option<Takeover>>,
    /// What was agreed on when it was encrypted.
    pub(super) session: OnceCell<Session>,
}

impl Connection {
    pub(super) fn new(server: Server, options: Rc<Options>, number: u64, peer: Peer) -> Connection {
        Connection {
            number,
            server,
            options,
            peer,
            pulse: Arc::new(Pulse::new()),
            greenlet: Cell::new(None),
            seen: Cell::default(),
            requests: Cell::new(0),
            reads_are_swept: Cell::new(false),
            answering: Cell::new(0),
            closing: Cell::new(false),
            cut: Cell::new(false),
            told: Waiters::new(),
            takeover: RefCell::default(),
            session: OnceCell::new(),
        }
    }

    /// Notes that a request has come.
    #[inline]
    pub(super) fn request_began(&self) {
        self.requests.set(self.requests.get() + 1);
        self.answering.set(self.answering.get() + 1);
        self.pulse.enter(Phase::Busy);
        self.server.request_began();
    }

    /// Notes that the connection speaks HTTP/2: it always reads, and not only heads and bodies.
    pub(super) fn speaks_in_frames(&self) {
        self.pulse.speaks_in_frames();
        self.reads_are_swept.set(false);
    }

    /// Notes that a response has gone, or will not.
    #[inline]
    pub(super) fn request_ended(&self, body_length: u64) {
        self.answering.set(self.answering.get() - 1);
        if self.answering.get() == 0 {
            self.pulse.enter(Phase::Idle);
            self.pulse.waits_no_more_to_read();
        }
        self.server.request_ended(body_length);
    }

    /// Has the connection close when what it does is done: an idle one at once.
    pub(super) fn close(&self) {
        if !self.closing.replace(true) {
            let nobody_hears = self.told.len() == 0;
            self.told.choose_all(&());
            if nobody_hears && self.pulse.phase() == Phase::Hijacked {
                self.cut();
            }
        }
    }

    /// Ends the connection at once.
    pub(super) fn cut(&self) {
        self.cut.set(true);
        if let Some(greenlet) = self.greenlet.get() {
            greenlet.kill();
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.get()
    }

    /// Has the site run on the connection once the response has gone.
    pub(super) fn hijack(&self, takeover: Takeover) {
        *self.takeover.borrow_mut() = Some(takeover);
    }

    /// Serves the connection to its end.
    pub(super) async fn serve<T, H>(self: Rc<Self>, mut io: T, handler: Rc<H>)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        H: Handler,
    {
        match self.unless_closed(shake_hands(&mut io)).await {
            Some(Ok(session)) => drop(session.map(|session| self.session.set(session))),
            Some(Err(error)) => return self.note_end(&Ended::Broken(error.into())),
            None => return,
        }
        let tap = Tap::new(io, Arc::clone(&self.pulse));
        let front = Front::new(handler, Rc::clone(&self));
        let ended = speak(tap, front, &self).await;
        self.note_end(&ended);
        let takeover = self.takeover.take();
        if let (Ended::Well, Some(takeover)) = (ended, takeover) {
            self.pulse.enter(Phase::Hijacked);
            takeover.await;
        }
    }

    /// Waits for something, until the connection is to close.
    async fn unless_closed<R>(self: &Rc<Self>, work: impl Future<Output = R>) -> Option<R> {
        let mut work = pin!(work);
        let mut told = Told::new(Rc::clone(self));
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Pending => told.poll(cx).map(|()| None),
            Poll::Ready(done) => Poll::Ready(Some(done)),
        })
        .await
    }

    /// Notes how a conversation ended.
    fn note_end(&self, ended: &Ended) {
        let peer = &self.peer.remote;
        match ended {
            Ended::Well => {}
            Ended::Refused(status) => {
                self.server.refused();
                self.log_refused(*status);
            }
            Ended::Broken(error) => {
                self.options
                    .log
                    .debug(&format_args!("connection {} of {peer}: {error}", self.number));
            }
        }
    }

    /// Logs what was refused before there was a request.
    fn log_refused(&self, status: StatusCode) {
        if self.options.log.is_on() {
            self.options.log.access(&super::format::Record {
                client: &self.peer.remote,
                forwarded: "",
                request_line: "-",
                status: status.as_u16(),
                body_length: 0,
                took: std::time::Duration::ZERO,
                request_id: self.number,
            });
        }
    }
}

/// A place in the line of those who are told when a connection is to close.
pub(super) struct Told {
    connection: Rc<Connection>,
    place: Place,
}

impl Told {
    pub(super) fn new(connection: Rc<Connection>) -> Told {
        Told { connection, place: Place::default() }
    }

    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<()> {
        if matches!(self.place, Place::Through) {
            return Poll::Ready(());
        }
        let closing = || if self.connection.closing.get() { Ok(()) } else { Err(()) };
        self.connection.told.wait(&mut self.place, cx, closing)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.connection.told.leave(&mut self.place);
    }
}

/// A conversation that ends early when its connection is to close.
pub(super) struct Conversation<C> {
    pub(super) speaker: Pin<Box<C>>,
    pub(super) told: Option<Told>,
}

impl<C: Speaks> Future for Conversation<C> {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let this = &mut *self;
        if this.told.as_mut().is_some_and(|told| told.poll(cx).is_ready()) {
            this.told = None;
            this.speaker.as_mut().finish();
        }
        this.speaker.as_mut().poll_end(cx)
    }
}
