//! A request and its answer, by a site that runs as a green thread of its own: all that its
//! environ, its input and its response share, in one allocation.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::mem;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;

use super::body::Body;
use super::channel::{Channel, HasChannel};
use super::connection::Connection;
use super::error_response;
use super::request_body::RequestBody;
use crate::exit::{BoxError, Exit};
use crate::report;

/// What the site has made when it ends.
pub enum Outcome {
    Response(Response<Body>),
    /// It called `start_response`, and wrote the body.
    Written,
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outcome::Response(_) => "Response(..)",
            Outcome::Written => "Written",
        })
    }
}

/// How far the answer is.
enum Answer {
    Nothing,
    /// `start_response` was called; the body is in the channel.
    Head(Response<()>),
    Whole(Response<Body>),
    /// Its head was handed to hyper.
    Begun,
}

type Posthook = Box<dyn FnOnce(&Rc<Exchange>)>;

/// A request and its answer.
pub struct Exchange {
    pub(super) parts: RefCell<Parts>,
    pub(super) connection: Rc<Connection>,
    pub(super) request_body: RequestBody,
    /// The body of the response, if the site writes it.
    channel: Channel,
    answer: RefCell<Answer>,
    /// What the site did wrong with `start_response`.
    misuse: RefCell<Option<BoxError>>,
    posthooks: RefCell<Vec<Posthook>>,
    /// How many of these have not ended: the site, and the sending of the response.
    running: Cell<u8>,
    /// The index of its green thread in the server's list.
    pub(super) handler_index: Cell<usize>,
    /// Whether the connection must close after this, as part of the request was left unread.
    is_last: Cell<bool>,
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
            request_body: RequestBody::new(body, options.socket_timeout),
            channel: Channel::default(),
            answer: RefCell::new(Answer::Nothing),
            misuse: RefCell::default(),
            posthooks: RefCell::default(),
            running: Cell::new(2),
            handler_index: Cell::new(0),
            is_last: Cell::new(false),
        };
        exchange.channel.set_minimum(options.minimum_chunk_size);
        Rc::new(exchange)
    }

    /// Takes the head of `start_response`, in place of an earlier one that was not sent yet.
    pub(super) fn start(&self, head: Result<Response<()>, BoxError>) {
        let mut answer = self.answer.borrow_mut();
        match (&*answer, head) {
            (Answer::Begun, _) => {
                self.note_misuse("`start_response` was called after the head had gone out".into());
            }
            (_, Ok(head)) => *answer = Answer::Head(head),
            (_, Err(error)) => self.note_misuse(error),
        }
    }

    fn note_misuse(&self, error: BoxError) {
        self.misuse.borrow_mut().get_or_insert(error);
    }

    /// Returns what the site did wrong with `start_response`, if it did.
    pub(super) fn check_use(&self) -> Result<(), BoxError> {
        self.misuse.borrow_mut().take().map_or(Ok(()), Err)
    }

    /// Returns whether `start_response` was called.
    pub(super) fn is_started(&self) -> bool {
        !matches!(*self.answer.borrow(), Answer::Nothing)
    }

    /// Discards the rest of the request body, if there is little of it, for the next request
    /// follows it on the connection.
    pub(super) async fn finish_input(&self) {
        let body = &self.request_body;
        let client_holds_it_back = self.expects_continue() && !body.was_polled();
        let most = self.connection.options.drain_unread;
        if body.is_complete() || !client_holds_it_back && body.drain(most).await {
            self.connection.activity.set_lingering_close(false);
        } else {
            self.is_last.set(true);
        }
    }

    fn expects_continue(&self) -> bool {
        self.parts.borrow().headers.contains_key(http::header::EXPECT)
    }

    /// Returns whether the connection must close after this, as part of the request was left
    /// unread.
    pub(super) fn is_last(&self) -> bool {
        self.is_last.get()
    }

    pub(super) fn add_posthook(&self, hook: impl FnOnce(&Rc<Exchange>) + 'static) {
        self.posthooks.borrow_mut().push(Box::new(hook));
    }

    /// Takes the outcome of the site's green thread.
    pub(super) fn settle(self: &Rc<Self>, outcome: Result<Result<Outcome, BoxError>, Exit>) {
        match outcome {
            Ok(Ok(Outcome::Response(response))) => {
                *self.answer.borrow_mut() = Answer::Whole(response);
            }
            Ok(Ok(Outcome::Written)) => self.channel.finish(),
            Ok(Err(error)) => self.fail(&*error),
            Err(exit) => self.fail(&exit),
        }
        self.channel.wake_reader();
        self.part_ended();
    }

    /// Answers with a failure, or cuts off an answer that has begun.
    fn fail(&self, error: &(dyn Error + 'static)) {
        let status = self.request_body.failure();
        let options = &self.connection.options;
        if status.is_none() && !self.connection.is_cut() {
            let parts = self.parts.borrow();
            let request = format!("{} {}", parts.method, parts.uri);
            options.log.failure(&request, &error.to_string());
        }
        let mut answer = self.answer.borrow_mut();
        if matches!(*answer, Answer::Begun) {
            self.channel.fail();
            return;
        }
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *answer = Answer::Whole(error_response::of_failure(status, error, options));
    }

    /// Waits until the answer can begin.
    pub(super) fn poll_answer(self: &Rc<Self>, cx: &Context<'_>) -> Poll<Response<Body>> {
        let mut answer = self.answer.borrow_mut();
        match mem::replace(&mut *answer, Answer::Begun) {
            Answer::Whole(response) => Poll::Ready(response),
            Answer::Head(head) if self.channel.is_finished() => {
                Poll::Ready(head.map(|()| Body::from(self.channel.take_all())))
            }
            Answer::Head(head) if self.channel.is_ready() => {
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
    pub(super) fn client_gone(self: &Rc<Self>) {
        self.channel.abandon();
        self.part_ended();
    }

    /// Is called when the site has ended, and when the response was sent. The second call runs the
    /// posthooks.
    pub(super) fn part_ended(self: &Rc<Self>) {
        self.running.set(self.running.get() - 1);
        if self.running.get() == 0 {
            self.run_posthooks();
        }
    }

    fn run_posthooks(self: &Rc<Self>) {
        for hook in self.posthooks.take() {
            report::contain("in a posthook", || hook(self));
        }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("connection", &self.connection).finish_non_exhaustive()
    }
}
