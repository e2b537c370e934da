//! Sites that are functions: each request is a green thread of its own.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::Request;
use hyper::body::Incoming;

use super::body::{Body, BoxError};
use super::connection::Connection;
use super::environ::Environ;
use super::exchange::{Exchange, Outcome};
use super::response::IntoResponse;
use super::site::{Answer, Handler, Outgoing, Site};
use super::start_response::StartResponse;
use crate::greenthread::spawn_delivered;

/// A function of the environ.
impl<F, R> Site<fn(Environ) -> R> for F
where
    F: Fn(Environ) -> R + 'static,
    R: Future<Output: IntoResponse> + 'static,
{
    type Handler = Callable<OfEnviron<F>>;

    fn into_handler(self) -> Self::Handler {
        Callable(Rc::new(OfEnviron(self)))
    }
}

/// An async function of the environ and `start_response`.
impl<F, R> Site<fn(Environ, StartResponse) -> R> for F
where
    F: Fn(Environ, StartResponse) -> R + 'static,
    R: Future<Output: Into<Body>> + 'static,
{
    type Handler = Callable<OfStartResponse<F>>;

    fn into_handler(self) -> Self::Handler {
        Callable(Rc::new(OfStartResponse(self)))
    }
}

/// Something to be called for each request.
pub trait Call: 'static {
    /// Answers a request: runs as a green thread.
    fn call(&self, exchange: &Rc<Exchange>) -> impl Future<Output = Result<Outcome, BoxError>>;
}

pub struct OfEnviron<F>(F);

impl<F, R> Call for OfEnviron<F>
where
    F: Fn(Environ) -> R + 'static,
    R: Future<Output: IntoResponse> + 'static,
{
    async fn call(&self, exchange: &Rc<Exchange>) -> Result<Outcome, BoxError> {
        let response = (self.0)(Environ(Rc::clone(exchange))).await;
        Ok(Outcome::Response(response.into_response()?))
    }
}

pub struct OfStartResponse<F>(F);

impl<F, R> Call for OfStartResponse<F>
where
    F: Fn(Environ, StartResponse) -> R + 'static,
    R: Future<Output: Into<Body>> + 'static,
{
    async fn call(&self, exchange: &Rc<Exchange>) -> Result<Outcome, BoxError> {
        let start_response = StartResponse::of(Rc::clone(exchange));
        let body = (self.0)(Environ(Rc::clone(exchange)), start_response.clone()).await.into();
        start_response.send(body).await?;
        Ok(Outcome::Written)
    }
}

/// Answers each request with a green thread.
pub struct Callable<C>(pub(super) Rc<C>);

impl<C: Call> Handler for Callable<C> {
    type Body = Body;
    type Future = Answering;

    const MINDS_READING: bool = true;

    fn call(&self, request: Request<Incoming>, connection: &Rc<Connection>) -> Answering {
        let exchange = Exchange::new(request, connection);
        let (callable, of_job, of_end) =
            (Rc::clone(&self.0), Rc::clone(&exchange), Rc::clone(&exchange));
        let job = async move {
            let outcome = callable.call(&of_job).await;
            of_job.finish_input().await;
            outcome
        };
        let spawned_at = connection.options.spawned_at;
        let settle = move |outcome| of_end.settle(outcome);
        let handler = spawn_delivered(job, settle, spawned_at);
        exchange.is_run_by(handler);
        Answering { exchange: Some(exchange), handler }
    }
}

/// Waits for what a green thread answers.
pub struct Answering {
    /// `None` once it was answered.
    exchange: Option<Rc<Exchange>>,
    handler: crate::greenthread::Greenlet,
}

impl Future for Answering {
    type Output = Answer<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer<Body>> {
        let exchange = self.exchange.as_ref().expect("a response was asked for again");
        exchange.poll_answer(cx).map(|response| Answer {
            response: response.map(Outgoing::site),
            exchange: self.exchange.take(),
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            exchange.client_left();
            if exchange.connection.options.kill_on_disconnect {
                self.handler.kill();
            }
        }
    }
}
