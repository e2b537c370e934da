//! A request that a callable answers: all that its environ, its input and its response share, in
//! one allocation.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::{Body, BoxError};
use super::channel::{Channel, HasChannel};
use super::connection::Connection;
use super::environ::Environ;
use super::failure;
use super::input::Inlet;
use crate::exit::Exit;
use crate::greenthread::Greenlet;
use crate::report;

/// What a callable has made when it ends.
pub enum Outcome {
    Response(Response<Body>),
    /// It called `start_response`, and wrote the body.
    Written,
}

/// What there is to answer.
enum Answer {
    Nothing,
    /// `start_response` was called; the body is in the channel.
    Head(Response<()>),
    Whole(Response<Body>),
    Sent,
}

type Hook = Box<dyn FnOnce(&Environ)>;

/// A request and its answer.
pub struct Exchange {
    pub(super) parts: RefCell<Parts>,
    pub(super) connection: Rc<Connection>,
    pub(super) input: Inlet,
    channel: Channel,
    answer: RefCell<Answer>,
    /// What the callable did wrong with `start_response`.
    misuse: RefCell<Option<BoxError>>,
    hooks: RefCell<Vec<Hook>>,
    /// What still goes on: the handler, and the sending of the response.
    under_way: Cell<u8>,
    /// The place of the handler in the server's list.
    place: Cell<usize>,
    /// Whether nothing can follow on this connection.
    last: Cell<bool>,
}

impl HasChannel for Exchange {
    fn channel(&self) -> &Channel {
        &self.channel
    }
}

impl Exchange {
    pub(super) fn new(request: Request<Incoming>, connection: &Rc<Connection>) -> Rc<Exchange> {
        let (parts, body) = request.into_parts();
        let options = &connection.options;
        let exchange = Exchange {
            parts: RefCell::new(parts),
            connection: Rc::clone(connection),
            input: Inlet::new(body, options.socket_timeout),
            channel: Channel::default(),
            answer: RefCell::new(Answer::Nothing),
            misuse: RefCell::default(),
            hooks: RefCell::default(),
            under_way: Cell::new(2),
            place: Cell::new(0),
            last: Cell::new(false),
        };
        exchange.channel.set_minimum(options.minimum_chunk_size);
        Rc::new(exchange)
    }

    /// Notes the green thread that answers.
    pub(super) fn is_run_by(self: &Rc<Self>, handler: Greenlet) {
        let server = &self.connection.server;
        self.place.set(server.handler_started(handler, Rc::downgrade(self)));
    }

    /// Takes the head of `start_response`, in place of one that did not go out yet.
    pub(super) fn start(&self, head: Result<Response<()>, BoxError>) {
        let mut answer = self.answer.borrow_mut();
        match (&*answer, head) {
            (Answer::Sent, _) => {
                self.misused("`start_response` was called after the head had gone out".into());
            }
            (_, Ok(head)) => *answer = Answer::Head(head),
            (_, Err(error)) => self.misused(error),
        }
    }

    pub(super) fn misused(&self, error: BoxError) {
        self.misuse.borrow_mut().get_or_insert(error);
    }

    /// Returns what ends the response, if the callable did something wrong.
    pub(super) fn check_use(&self) -> Result<(), BoxError> {
        self.misuse.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// Returns whether `start_response` was called.
    pub(super) fn is_started(&self) -> bool {
        !matches!(*self.answer.borrow(), Answer::Nothing)
    }

    /// Reads the rest of the input away, if there is little of it: the next request stands behind
    /// it.
    pub(super) async fn finish_input(&self) {
        let waits_to_be_told = self.expects_continue() && !self.input.was_asked();
        let most = self.connection.options.drain_unread;
        if self.input.is_complete() || !waits_to_be_told && self.input.drain(most).await {
            self.connection.pulse.set_lingers(false);
        } else {
            self.last.set(true);
        }
    }

    fn expects_continue(&self) -> bool {
        self.parts.borrow().headers.contains_key(http::header::EXPECT)
    }

    /// Returns whether nothing can follow on this connection, as a body was left unread.
    pub(super) fn is_last(&self) -> bool {
        self.last.get()
    }

    pub(super) fn add_hook(&self, hook: Hook) {
        self.hooks.borrow_mut().push(hook);
    }

    /// Takes the outcome of the handler.
    pub(super) fn settle(self: &Rc<Self>, outcome: Result<Result<Outcome, BoxError>, Exit>) {
        self.connection.server.handler_ended(self.place.get());
        match outcome {
            Ok(Ok(Outcome::Response(response))) => {
                *self.answer.borrow_mut() = Answer::Whole(response);
            }
            Ok(Ok(Outcome::Written)) => self.channel.finish(true),
            Ok(Err(error)) => self.fail(&*error),
            Err(exit) => self.fail(&exit),
        }
        self.channel.wake_reader();
        self.part_ended();
    }

    /// Makes an answer out of a failure, or cuts the answer that is on its way.
    fn fail(&self, error: &(dyn Error + 'static)) {
        let status = self.input.failure();
        let options = &self.connection.options;
        if status.is_none() && !self.connection.is_cut() {
            let parts = self.parts.borrow();
            let request = format!("{} {}", parts.method, parts.uri);
            options.log.failure(&request, &error.to_string());
        }
        let mut answer = self.answer.borrow_mut();
        if matches!(*answer, Answer::Sent) {
            self.channel.finish(false);
            return;
        }
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *answer = Answer::Whole(failure::explained(status, error, options));
    }

    /// Waits for something to answer.
    pub(super) fn poll_answer(self: &Rc<Self>, cx: &Context<'_>) -> Poll<Response<Body>> {
        let mut answer = self.answer.borrow_mut();
        match mem::replace(&mut *answer, Answer::Sent) {
            Answer::Whole(response) => Poll::Ready(response),
            Answer::Head(head) if self.channel.is_done() => {
                Poll::Ready(head.map(|()| Body::from(self.channel.take_all())))
            }
            Answer::Head(head) if self.channel.has_something() => {
                let channel: Rc<Exchange> = Rc::clone(self);
                Poll::Ready(head.map(|()| Body::read_from(channel)))
            }
            unready => {
                *answer = unready;
                self.channel.set_reader(cx);
                Poll::Pending
            }
        }
    }

    /// Notes that the client has gone before it was answered.
    pub(super) fn client_left(self: &Rc<Self>) {
        self.channel.leave();
        self.part_ended();
    }

    /// Is called when the handler has ended, and when the response has gone. After both the
    /// posthooks run.
    pub(super) fn part_ended(self: &Rc<Self>) {
        self.under_way.set(self.under_way.get() - 1);
        if self.under_way.get() == 0 {
            self.run_hooks();
        }
    }

    fn run_hooks(self: &Rc<Self>) {
        let hooks = self.hooks.take();
        if hooks.is_empty() {
            return;
        }
        let environ = Environ(Rc::clone(self));
        for hook in hooks {
            report::contain("in a posthook", || hook(&environ));
        }
    }
}
