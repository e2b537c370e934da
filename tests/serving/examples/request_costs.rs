//! Serves so many requests in memory, to be counted by callgrind.
//!
//!     cargo build --release -p eventlet-serving --example request_costs
//!     valgrind --tool=callgrind target/release/examples/request_costs service 1000
//!
//! What a request costs is the difference of two counts, by the difference of their numbers of
//! requests.

use std::convert::Infallible;
use std::env;
use std::future::{Ready, ready};
use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;
use eventlet::convenience::Listener;
use eventlet::wsgi::{self, Environ, IntoResponse, Site, StartResponse};
use eventlet::{run, spawn, stackful};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

const REQUEST: &[u8] =
    b"GET /hello HTTP/1.1\r\nHost: localhost:8080\r\nUser-Agent: costs/1.0\r\nAccept: */*\r\n\r\n";

/// Asks again and again.
async fn ask(mut conn: DuplexStream, times: usize) {
    let mut answer = [0; 1024];
    for _ in 0..times {
        conn.write_all(REQUEST).await.unwrap();
        let length = conn.read(&mut answer).await.unwrap();
        assert!(answer[..length].ends_with(b"Hello, World!\r\n"));
    }
}

fn hello() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"Hello, World!\r\n")));
    let plain = http::HeaderValue::from_static("text/plain");
    response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
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

/// A listener of one connection.
struct Once(Option<DuplexStream>);

impl Listener for Once {
    type Io = DuplexStream;
    type Addr = &'static str;

    async fn accept(&mut self) -> io::Result<(DuplexStream, &'static str)> {
        match self.0.take() {
            Some(io) => Ok((io, "memory")),
            None => std::future::pending().await,
        }
    }
}

fn serve<S: Site<K>, K: 'static>(site: S, times: usize, capitalize: bool) {
    run(async move {
        let (ours, theirs) = duplex(4096);
        let serving = wsgi::server(Once(Some(theirs)), site).log_output(false);
        let serving = serving.capitalize_response_headers(capitalize);
        let served = spawn(serving);
        ask(ours, times).await;
        served.kill();
    });
}

/// What there is to compare with.
fn plain_hyper(times: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async move {
        let (ours, theirs) = duplex(4096);
        tokio::task::spawn_local(async move {
            let service = hyper::service::service_fn(|_| async { Ok::<_, Infallible>(hello()) });
            let http1 = hyper::server::conn::http1::Builder::new();
            let _ = http1.serve_connection(TokioIo::new(theirs), service).await;
        });
        tokio::task::spawn_local(ask(ours, times)).await.unwrap();
    });
}

fn main() {
    let mut arguments = env::args().skip(1);
    let (kind, times) = (arguments.next().unwrap(), arguments.next().unwrap().parse().unwrap());
    let plain = [("content-type", "text/plain")];
    match &*kind {
        "hyper" => plain_hyper(times),
        "service" => serve(wsgi::service(Hello), times, false),
        "service_title" => serve(wsgi::service(Hello), times, true),
        "callable" => serve(|_: Environ| async { hello().into_response() }, times, false),
        "callable_stackful" => {
            serve(|_: Environ| stackful(|| hello().into_response()), times, false);
        }
        "start_response" => serve(
            move |_: Environ, start_response: StartResponse| async move {
                start_response.call("200 OK", plain);
                "Hello, World!\r\n"
            },
            times,
            false,
        ),
        "application" => {
            let hello = move |_: Environ, start_response: StartResponse| {
                start_response.call("200 OK", plain);
                ["Hello, World!\r\n"]
            };
            serve(wsgi::application(hello), times, false);
        }
        unknown => panic!("there is no kind `{unknown}`"),
    }
}
