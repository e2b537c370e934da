//! Sites that are functions: a green thread of its own answers each request.

use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::Request;
use hyper::body::Incoming;

use super::body::Body;
use super::connection::Connection;
use super::environ::Environ;
use super::exchange::{Exchange, Outcome};
use super::response::IntoResponse;
use super::server::Server;
use super::site::{Answered, Handler, ResponseBody, Site};
use super::start_response::StartResponse;
use crate::exit::BoxError;
use crate::greenthread::{Greenlet, spawn_delivered};

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

/// A function that is called for each request.
pub trait Call: 'static {
    /// Answers a request: runs as a green thread.
    fn call(&self, exchange: &Rc<Exchange>) -> impl Future<Output = Result<Outcome, BoxError>>;
}

pub struct OfEnviron<F>(F);

impl<F> fmt::Debug for OfEnviron<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfEnviron").finish_non_exhaustive()
    }
}

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

impl<F> fmt::Debug for OfStartResponse<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfStartResponse").finish_non_exhaustive()
    }
}

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

impl<C> fmt::Debug for Callable<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callable").finish_non_exhaustive()
    }
}

impl<C: Call> Handler for Callable<C> {
    type Body = Body;
    type Future = Answering;

    const LIMITS_READS: bool = true;

    fn call(
        &self,
        request: Request<Incoming>,
        connection: &Rc<Connection>,
        server: &Server,
    ) -> Answering {
        let exchange = Exchange::new(request, connection);
        let (callable, of_job) = (Rc::clone(&self.0), Rc::clone(&exchange));
        let job = async move {
            let outcome = callable.call(&of_job).await;
            of_job.finish_input().await;
            outcome
        };
        let (of_end, of_server) = (Rc::clone(&exchange), server.clone());
        let settle = move |outcome| {
            of_server.handler_ended(of_end.handler_index.get());
            of_end.settle(outcome);
        };
        let handler = spawn_delivered(job, settle, connection.options.spawned_at);
        exchange.handler_index.set(server.handler_started(handler, Rc::downgrade(&exchange)));
        Answering { exchange: Some(exchange), handler }
    }
}

/// Waits for the answer of a green thread.
pub struct Answering {
    /// `None` once there is an answer.
    exchange: Option<Rc<Exchange>>,
    handler: Greenlet,
}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answering").field("handler", &self.handler).finish_non_exhaustive()
    }
}

impl Future for Answering {
    type Output = Answered<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered<Body>> {
        let exchange = self.exchange.as_ref().expect("polled after it was done");
        exchange.poll_answer(cx).map(|response| Answered {
            response: response.map(ResponseBody::site),
            exchange: self.exchange.take(),
        })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(exchange) = self.exchange.take() {
            exchange.client_gone();
            if exchange.connection.options.kill_on_disconnect {
                self.handler.kill();
            }
        }
    }
}
