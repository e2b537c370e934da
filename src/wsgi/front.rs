//! What stands between hyper and a site.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::body::BoxError;
use super::check::{self, Wishes};
use super::connection::Connection;
use super::failure;
use super::pulse::Phase;
use super::site::{Answer, Handler, Outgoing};
use super::ticket::Ticket;
use crate::exit::Exit;

/// Checks requests, has a site answer them, and frames the answers.
pub(super) struct Front<H> {
    handler: Rc<H>,
    connection: Rc<Connection>,
}

impl<H> Front<H> {
    pub(super) fn new(handler: Rc<H>, connection: Rc<Connection>) -> Front<H>
    where
        H: Handler,
    {
        connection.reads_are_swept.set(!H::MINDS_READING);
        Front { handler, connection }
    }
}

impl<H: Handler> hyper::service::Service<Request<Incoming>> for Front<H> {
    type Response = Response<Reply<H::Body>>;
    type Error = BoxError;
    type Future = Replying<H::Future>;

    fn call(&self, request: Request<Incoming>) -> Replying<H::Future> {
        let connection = &self.connection;
        connection.request_began();
        if request.version() == Version::HTTP_2 {
            connection.speaks_in_frames();
        }
        connection.pulse.set_lingers(!request.body().is_end_stream());
        let ticket = Ticket::of(&request, connection);
        let is_head = request.method() == Method::HEAD;
        let (stage, wishes) = match check::check(&request, &connection.options.protocol.limits) {
            Ok(wishes) => {
                let answer = self.handler.call(request, connection);
                (Stage::Answering { answer }, wishes)
            }
            Err(status) => (Stage::Refused { status }, Wishes::default()),
        };
        Replying { stage, ticket: Some(ticket), wishes, is_head }
    }
}

pin_project! {
    /// A response in the making.
    pub(super) struct Replying<F> {
        #[pin]
        stage: Stage<F>,
        ticket: Option<Ticket>,
        wishes: Wishes,
        is_head: bool,
    }
}

pin_project! {
    #[project = Projected]
    enum Stage<F> {
        Refused { status: StatusCode },
        Answering {
            #[pin]
            answer: F,
        },
    }
}

impl<F, B> Future for Replying<F>
where
    F: Future<Output = Answer<B>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<Reply<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = match this.stage.project() {
            Projected::Answering { answer } => ready!(answer.poll(cx)),
            Projected::Refused { status } => refuse(*status, this.ticket.as_ref()),
        };
        let mut ticket = this.ticket.take().expect("a response was asked for again");
        ticket.exchange = answer.exchange;
        let mut response = answer.response;
        let sized = frame(&mut response, &ticket, this.wishes, *this.is_head);
        ticket.status = response.status().as_u16();
        Poll::Ready(Ok(response.map(|body| Reply { body, sized, ticket })))
    }
}

/// Answers a request that no site has seen. Nothing that follows is served.
#[cold]
fn refuse<B>(status: StatusCode, ticket: Option<&Ticket>) -> Answer<B> {
    if let Some(ticket) = ticket {
        ticket.connection.server.refused();
        ticket.connection.pulse.set_lingers(true);
    }
    Answer { response: failure::response(status, "").map(Outgoing::ours), exchange: None }
}

/// Makes the head fit the connection and the body. Returns whether the length of the body is to be
/// shown to hyper.
fn frame<B>(
    response: &mut Response<Outgoing<B>>,
    ticket: &Ticket,
    wishes: &Wishes,
    is_head: bool,
) -> bool
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let options = &ticket.connection.options;
    let mut sized = true;
    match declared(response) {
        Declared::Nothing => {}
        Declared::Length(length) => {
            let exact = response.body().size_hint().exact();
            if exact.is_none() || is_head || has_no_body(response.status()) {
                // Whatever the body turns out to be, hyper sends this many bytes or breaks off.
                sized = exact == Some(length);
            } else if exact != Some(length) {
                *response = wrong_length(&ticket.connection, length);
            }
        }
        Declared::Nonsense => *response = wrong_length(&ticket.connection, "what is no number"),
    }
    if options.http10 || ticket.exchange.as_ref().is_some_and(|exchange| exchange.is_last()) {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if options.http10 {
        *response.version_mut() = Version::HTTP_10;
    } else if wishes.keep_alive {
        say_keep_alive(response, ticket);
    }
    sized
}

/// What a site says of the length of its body.
enum Declared {
    Nothing,
    Length(u64),
    Nonsense,
}

/// Returns what a site says of the length of its body. What it says of codings is removed: framing
/// is not its to choose.
fn declared<B>(response: &mut Response<B>) -> Declared {
    let mut declared = Declared::Nothing;
    let mut coded = false;
    for (name, value) in response.headers() {
        if *name == header::CONTENT_LENGTH {
            let length = value.to_str().ok().and_then(|text| text.parse().ok());
            declared = match (length, declared) {
                (Some(length), Declared::Nothing) => Declared::Length(length),
                _ => Declared::Nonsense,
            };
        }
        coded |= *name == header::TRANSFER_ENCODING;
    }
    if coded {
        response.headers_mut().remove(header::TRANSFER_ENCODING);
    }
    declared
}

fn has_no_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

#[cold]
fn wrong_length<B>(
    connection: &Connection,
    length: impl std::fmt::Display,
) -> Response<Outgoing<B>> {
    let error =
        format!("the site gave a body that is not as long as its `Content-Length`, {length}");
    connection.options.log.failure(&"in a response", &error);
    let shown = if connection.options.debug { &*error } else { "" };
    failure::response(StatusCode::INTERNAL_SERVER_ERROR, shown).map(Outgoing::ours)
}

/// Tells a client that asked for it for how long the connection is kept.
fn say_keep_alive<B>(response: &mut Response<B>, ticket: &Ticket) {
    let seconds = ticket.connection.options.keepalive.map_or(0, |limit| limit.as_secs());
    let headers = response.headers_mut();
    let closes = check::header_has_token(headers, &header::CONNECTION, b"close");
    if seconds >= 1 && !closes && ticket.connection.pulse.phase() == Phase::Busy {
        let timeout = HeaderValue::try_from(format!("timeout={seconds}"));
        headers.insert("keep-alive", timeout.expect("a number is a fit value"));
    }
}

pin_project! {
    /// The body of a response on its way to hyper.
    pub(super) struct Reply<B> {
        // Dropped first: the posthooks run after it.
        #[pin]
        body: Outgoing<B>,
        sized: bool,
        ticket: Ticket,
    }
}

impl<B> http_body::Body for Reply<B>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let polled = match catch_unwind(AssertUnwindSafe(|| this.body.poll_frame(cx))) {
            Ok(polled) => ready!(polled),
            Err(payload) => Some(Err(Exit::unwound(payload).into())),
        };
        Poll::Ready(match polled {
            Some(Ok(frame)) => {
                this.ticket.count(&frame);
                Some(Ok(frame))
            }
            Some(Err(error)) => {
                this.ticket.failed(&error);
                Some(Err(error))
            }
            None => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.sized && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.sized { self.body.size_hint() } else { SizeHint::default() }
    }
}
