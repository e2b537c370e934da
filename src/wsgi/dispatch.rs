//! What hyper calls with each request: checks it, has the site answer it, and frames the answer.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version};
use http_body::{Body as _, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;

use super::connection::Connection;
use super::error_response;
use super::framing::{self, Framing};
use super::in_flight::InFlight;
use super::server::Server;
use super::site::{Answered, Handler, ResponseBody};
use super::validate::validate;
use crate::exit::{BoxError, Exit};

/// The service of one connection.
pub(super) struct Dispatch<H> {
    handler: Rc<H>,
    connection: Rc<Connection>,
    server: Server,
}

impl<H: Handler> Dispatch<H> {
    pub(super) fn new(handler: Rc<H>, connection: Rc<Connection>, server: Server) -> Dispatch<H> {
        connection.reads_are_swept.set(!H::LIMITS_READS);
        Dispatch { handler, connection, server }
    }
}

impl<H: Handler> hyper::service::Service<Request<Incoming>> for Dispatch<H> {
    type Response = Response<CountedBody<H::Body>>;
    type Error = BoxError;
    type Future = Dispatched<H::Future>;

    fn call(&self, request: Request<Incoming>) -> Dispatched<H::Future> {
        let connection = &self.connection;
        let in_flight = InFlight::new(&request, connection, &self.server);
        if request.version() == Version::HTTP_2 {
            connection.set_http2();
        }
        connection.activity.set_lingering_close(!request.body().is_end_stream());
        let is_head = request.method() == Method::HEAD;
        let (stage, wants_keep_alive) =
            match validate(&request, &connection.options.protocol.limits) {
                Ok(valid) => {
                    let answer = self.handler.call(request, connection, &self.server);
                    (Stage::Answering { answer }, valid.wants_keep_alive)
                }
                Err(status) => (Stage::Refused { status }, false),
            };
        let framing = Framing { is_head, wants_keep_alive };
        Dispatched { stage, in_flight: Some(in_flight), framing }
    }
}

pin_project! {
    /// A response in the making.
    pub(super) struct Dispatched<F> {
        #[pin]
        stage: Stage<F>,
        in_flight: Option<InFlight>,
        framing: Framing,
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

impl<F, B> Future for Dispatched<F>
where
    F: Future<Output = Answered<B>>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Output = Result<Response<CountedBody<B>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answered = match this.stage.project() {
            Projected::Answering { answer } => ready!(answer.poll(cx)),
            Projected::Refused { status } => refuse(*status, this.in_flight.as_ref()),
        };
        let mut in_flight = this.in_flight.take().expect("polled after it was done");
        let is_last = answered.exchange.as_ref().is_some_and(|exchange| exchange.is_last());
        let mut response = answered.response;
        let is_sized = framing::frame(&mut response, &in_flight.connection, this.framing, is_last);
        in_flight.exchange = answered.exchange;
        in_flight.status = response.status().as_u16();
        Poll::Ready(Ok(response.map(|body| CountedBody { body, is_sized, in_flight })))
    }
}

/// Answers a request that no site may see. The connection closes after it.
#[cold]
fn refuse<B>(status: StatusCode, in_flight: Option<&InFlight>) -> Answered<B> {
    if let Some(InFlight { connection, server, .. }) = in_flight {
        server.refused();
        connection.activity.set_lingering_close(true);
    }
    Answered { response: error_response::new(status, "").map(ResponseBody::server), exchange: None }
}

pin_project! {
    /// The body of a response, counted as hyper takes it.
    pub(super) struct CountedBody<B> {
        // Dropped first: the posthooks run after it.
        #[pin]
        body: ResponseBody<B>,
        // Whether hyper gets to know its length.
        is_sized: bool,
        in_flight: InFlight,
    }
}

impl<B> http_body::Body for CountedBody<B>
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
        match &polled {
            Some(Ok(frame)) => this.in_flight.count(frame),
            Some(Err(error)) => this.in_flight.body_failed(error),
            None => {}
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.is_sized && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_sized { self.body.size_hint() } else { SizeHint::default() }
    }
}
