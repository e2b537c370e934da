//! Sites that are tower services.

use std::error::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::connection::Connection;
use super::error_response;
use super::server::Server;
use super::site::{Answered, Handler, ResponseBody, Site};
use crate::exit::{BoxError, Exit};

/// Makes a site of a tower service: an axum `Router`, for one.
///
/// It runs inside the green thread of its connection, and is dropped with it. `poll_ready` is
/// honoured. Its error, and a panic, are reported and answered with a 500.
///
/// hyper's upgrades work, and so does `axum::extract::ws`.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use std::future::{Ready, ready};
/// use std::task::{Context, Poll};
///
/// use eventlet::wsgi::{self, Body};
/// use http::{Request, Response};
/// use hyper::body::Incoming;
///
/// #[derive(Clone)]
/// struct Hello;
///
/// impl tower_service::Service<Request<Incoming>> for Hello {
///     type Response = Response<Body>;
///     type Error = Infallible;
///     type Future = Ready<Result<Response<Body>, Infallible>>;
///
///     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
///         Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, _: Request<Incoming>) -> Self::Future {
///         ready(Ok(Response::new(Body::from("hello"))))
///     }
/// }
///
/// let site = wsgi::service(Hello);
/// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
/// # use ask::body_of;
/// # eventlet::run(async move {
/// assert_eq!(body_of(site, "GET /").await, "hello");
/// # });
/// ```
pub fn service<S, B>(service: S) -> Tower<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + 'static,
    S::Future: 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + 'static,
{
    Tower(service)
}

/// A tower service as a site: what [`service`] makes.
#[derive(Clone, Debug)]
pub struct Tower<S>(S);

impl<S, B> Site<Response<B>> for Tower<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + 'static,
    S::Future: 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + 'static,
{
    type Handler = Tower<S>;

    fn into_handler(self) -> Tower<S> {
        self
    }
}

impl<S, B> Handler for Tower<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + 'static,
    S::Future: 'static,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + 'static,
{
    type Body = B;
    type Future = Calling<S, S::Future>;

    const LIMITS_READS: bool = false;

    fn call(
        &self,
        request: Request<Incoming>,
        connection: &Rc<Connection>,
        _: &Server,
    ) -> Self::Future {
        let state = State::new(self.0.clone(), request);
        Calling { state, connection: Rc::clone(connection) }
    }
}

pin_project! {
    /// The answer of a service.
    pub struct Calling<S, F> {
        #[pin]
        state: State<S, F>,
        connection: Rc<Connection>,
    }
}

pin_project! {
    #[project = Projected]
    enum State<S, F> {
        /// The service is not ready yet. Boxed, as this is rare, and the future is moved.
        Waiting { waiting: Box<(S, Option<Request<Incoming>>)> },
        Called {
            #[pin]
            future: F,
        },
        /// The service was not ready because of an error, or panicked.
        Failed { error: Option<BoxError> },
    }
}

impl<S, F> State<S, F>
where
    S: Service<Request<Incoming>, Future = F>,
    S::Error: Into<BoxError>,
{
    /// Calls a service at once if it is ready, as most services always are.
    fn new(service: S, request: Request<Incoming>) -> State<S, F> {
        catch_unwind(AssertUnwindSafe(|| State::begin(service, request)))
            .unwrap_or_else(|payload| State::failed(Exit::unwound(payload).into()))
    }

    fn begin(mut service: S, request: Request<Incoming>) -> State<S, F> {
        match service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => State::Called { future: service.call(request) },
            Poll::Ready(Err(error)) => State::failed(error.into()),
            Poll::Pending => State::Waiting { waiting: Box::new((service, Some(request))) },
        }
    }

    fn failed(error: BoxError) -> State<S, F> {
        State::Failed { error: Some(error) }
    }
}

impl<S, F> State<S, F> {
    fn poll<B>(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<B>, BoxError>>
    where
        S: Service<Request<Incoming>, Response = Response<B>, Future = F>,
        F: Future<Output = Result<Response<B>, S::Error>>,
        S::Error: Into<BoxError>,
    {
        if let Projected::Waiting { waiting } = self.as_mut().project() {
            let (service, request) = &mut **waiting;
            ready!(service.poll_ready(cx)).map_err(Into::into)?;
            let request = request.take().expect("a service is called once");
            let future = service.call(request);
            self.as_mut().set(State::Called { future });
        }
        match self.project() {
            Projected::Called { future } => future.poll(cx).map_err(Into::into),
            Projected::Failed { error } => {
                Poll::Ready(Err(error.take().expect("polled after it was done")))
            }
            Projected::Waiting { .. } => unreachable!("it was called"),
        }
    }
}

impl<S, F, B> Future for Calling<S, F>
where
    S: Service<Request<Incoming>, Response = Response<B>, Future = F>,
    F: Future<Output = Result<Response<B>, S::Error>>,
    S::Error: Into<BoxError>,
{
    type Output = Answered<B>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered<B>> {
        let this = self.project();
        let called = match catch_unwind(AssertUnwindSafe(|| this.state.poll(cx))) {
            Ok(polled) => ready!(polled),
            Err(payload) => Err(Exit::unwound(payload).into()),
        };
        let response = match called {
            Ok(response) => response.map(ResponseBody::site),
            Err(error) => failed(&*error, this.connection),
        };
        Poll::Ready(Answered { response, exchange: None })
    }
}

#[cold]
fn failed<B>(
    error: &(dyn Error + Send + Sync + 'static),
    connection: &Connection,
) -> Response<ResponseBody<B>> {
    let options = &connection.options;
    options.log.failure(&"in a service", &error.to_string());
    error_response::of_failure(StatusCode::INTERNAL_SERVER_ERROR, error, options)
        .map(ResponseBody::server)
}
