//! `wsgi`, `ssl` and `websocket`, with all their defaults on but the log.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::net;
use std::task::{Context, Poll};

use bytes::Bytes;
use eventlet::ssl::{self, Pem};
use eventlet::websocket::{WebSocket, WebSocketWSGI};
use eventlet::wsgi::{self, Environ, IntoListener, StartResponse};
use eventlet::{Block, run, stackful, wrap_ssl};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::net::TcpListener;

use crate::web::certificate;
use crate::web::site::{BODY, Site};

/// As many as the largest crowd of clients, and one more.
const CONNECTIONS: usize = 10_000;

pub(super) fn serve(listener: net::TcpListener, site: Site, on_stacks: bool) -> io::Result<()> {
    run(async move {
        let listener = TcpListener::from_std(listener)?;
        match (site, on_stacks) {
            (Site::Service, _) => forever(listener, wsgi::service(Hello)).await,
            (Site::Tls, _) => {
                let pem = || Pem::from(certificate::path());
                let context = ssl::Context::server(pem(), pem())?;
                forever(wrap_ssl(listener, &context), wsgi::service(Hello)).await
            }
            (Site::Function, false) => forever(listener, |_: Environ| async { BODY }).await,
            (Site::Function, true) => forever(listener, |_: Environ| stackful(|| BODY)).await,
            (Site::StartResponse, false) => forever(listener, start_response).await,
            (Site::StartResponse, true) => forever(listener, wsgi::application(application)).await,
            (Site::Websocket, false) => forever(listener, WebSocketWSGI::new(echo)).await,
            (Site::Websocket, true) => {
                forever(listener, WebSocketWSGI::new(|ws| stackful(move || plain_echo(&ws)))).await
            }
        }
    })
}

async fn forever<S: wsgi::Site<K>, K: 'static>(
    listener: impl IntoListener,
    site: S,
) -> io::Result<()> {
    wsgi::server(listener, site).log_output(false).max_size(CONNECTIONS).await
}

pub(super) fn hello() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(BODY.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[derive(Clone)]
struct Hello;

impl tower_service::Service<Request<Incoming>> for Hello {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        ready(Ok(hello()))
    }
}

const PLAIN: [(&str, &str); 1] = [("Content-Type", "text/plain")];

async fn start_response(_: Environ, start_response: StartResponse) -> &'static str {
    start_response.call("200 OK", PLAIN);
    BODY
}

fn application(_: Environ, start_response: StartResponse) -> [&'static str; 1] {
    start_response.call("200 OK", PLAIN);
    [BODY]
}

async fn echo(ws: WebSocket) -> io::Result<()> {
    while let Some(message) = ws.wait().await? {
        ws.send(message).await?;
    }
    Ok(())
}

fn plain_echo(ws: &WebSocket) -> io::Result<()> {
    while let Some(message) = ws.wait().block()? {
        ws.send(message).block()?;
    }
    Ok(())
}
