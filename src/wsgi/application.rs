//! Sites that are plain functions, as WSGI has them, on a green stack.

use std::rc::Rc;

use bytes::Bytes;

use super::channel::HasChannel;
use super::environ::Environ;
use super::exchange::{Exchange, Outcome};
use super::function::{Call, Callable};
use super::site::Site;
use super::start_response::StartResponse;
use crate::exit::BoxError;
use crate::stackful::{Block, stackful};

/// Makes a site of a plain function, as WSGI has them: it calls `start_response`, and returns the
/// pieces of the body.
///
/// The call and the iteration run on one green stack, so the iterator may wait. Pieces are sent as
/// soon as there are 4096 bytes of them, or the site waits. If the site ends before that, the
/// response has a `Content-Length`.
///
/// Corresponds to the argument `site` of `eventlet.wsgi.server`.
///
/// # Examples
///
/// ```
/// use eventlet::wsgi::{self, Environ, StartResponse};
///
/// fn hello(env: Environ, start_response: StartResponse) -> Vec<&'static str> {
///     if env.path_info() != "/" {
///         start_response.call("404 Not Found", [("Content-Type", "text/plain")]);
///         return vec!["Not Found\r\n"];
///     }
///     start_response.call("200 OK", [("Content-Type", "text/plain")]);
///     vec!["Hello, World!\r\n"]
/// }
///
/// let site = wsgi::application(hello);
/// # mod ask { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/wsgi/ask.rs")); }
/// # use ask::body_of;
/// # eventlet::run(async move {
/// assert_eq!(body_of(site, "GET /").await, "Hello, World!\r\n");
/// # });
/// ```
pub fn application<F, I>(function: F) -> Application<F>
where
    F: Fn(Environ, StartResponse) -> I + 'static,
    I: IntoIterator<Item: Into<Bytes>> + 'static,
{
    Application(Rc::new(function))
}

/// A plain function as a site: what [`application`] makes.
#[derive(Debug)]
pub struct Application<F>(Rc<F>);

/// A plain function of the environ and `start_response`.
#[derive(Debug)]
pub struct Plain;

impl<F, I> Site<(Plain, I)> for Application<F>
where
    F: Fn(Environ, StartResponse) -> I + 'static,
    I: IntoIterator<Item: Into<Bytes>> + 'static,
{
    type Handler = Callable<Application<F>>;

    fn into_handler(self) -> Self::Handler {
        Callable(Rc::new(self))
    }
}

impl<F, I> Call for Application<F>
where
    F: Fn(Environ, StartResponse) -> I + 'static,
    I: IntoIterator<Item: Into<Bytes>> + 'static,
{
    async fn call(&self, exchange: &Rc<Exchange>) -> Result<Outcome, BoxError> {
        let (function, exchange) = (Rc::clone(&self.0), Rc::clone(exchange));
        stackful(move || run(&*function, exchange)).await
    }
}

fn run<F, I>(function: &F, exchange: Rc<Exchange>) -> Result<Outcome, BoxError>
where
    F: Fn(Environ, StartResponse) -> I,
    I: IntoIterator<Item: Into<Bytes>>,
{
    let start_response = StartResponse::of(Rc::clone(&exchange));
    let mut pieces = function(Environ(Rc::clone(&exchange)), start_response.clone()).into_iter();
    while let Some(piece) = pieces.next() {
        start_response.push(piece.into())?;
        let was_the_last = pieces.size_hint().1 == Some(0);
        if !was_the_last {
            exchange.channel().wait_for_room().block()?;
        }
    }
    start_response.check()?;
    Ok(Outcome::Written)
}
