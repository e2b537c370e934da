//! hyper: its client, and a service of plain functions.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, Uri};
use eventlet::{Block, listen, serve, sleep, spawn_n, stackful};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::support::{green, run};

/// Answers with the body that came, backwards.
fn backwards(request: Request<Incoming>) -> Response<Full<Bytes>> {
    assert_eq!(request.method(), Method::POST);
    sleep(Duration::from_millis(1)).block();
    let body = request.into_body().collect().block().unwrap().to_bytes();
    Response::new(Full::from(body.iter().rev().copied().collect::<Vec<_>>()))
}

/// Speaks HTTP on a connection. What hyper wants is a future, and a stackful one is: each request
/// has a green stack of its own, nested in that of the connection.
fn speak(conn: TcpStream) {
    let service = service_fn(|request| stackful(|| Ok::<_, Infallible>(backwards(request))));
    // The client leaves without a word.
    let _left = http1::Builder::new().serve_connection(TokioIo::new(conn), service).block();
}

#[test]
fn the_client_and_a_service_on_green_stacks() {
    run(|| {
        let listener = listen("127.0.0.1:0").block().unwrap();
        let address = listener.local_addr().unwrap();
        spawn_n(serve(listener, |conn, _| stackful(|| speak(conn)), 100));
        let client: Client<_, Body> = Client::builder(TokioExecutor::new()).build_http();
        let clients = (0..20).map(|number: u32| {
            let client = client.clone();
            green(move || {
                for _ in 0..3 {
                    let uri: Uri = format!("http://{address}/").parse().unwrap();
                    let request = Request::post(uri).body(Body::from(format!("<{number}|")));
                    let answer = client.request(request.unwrap()).block().unwrap();
                    let body = answer.into_body().collect().block().unwrap().to_bytes();
                    let backwards: String = format!("<{number}|").chars().rev().collect();
                    assert_eq!(body, backwards);
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.block().unwrap();
        }
    });
}
