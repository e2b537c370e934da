//! The four kinds of site, each in both colours where it has two.

use axum::Router;
use axum::routing::get as at;
use eventlet::wsgi::{self, Body, Environ, IntoResponse, Site, StartResponse};
use eventlet::{Block, sleep, stackful};
use std::time::Duration;

use crate::support::{get, header, serve, status, test};

/// What every kind of site in this file answers.
async fn says_hello<S: Site<K>, K: 'static>(site: S) {
    let running = serve(site).await;
    let answer = running.says(get("/you")).await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(header(&answer, "content-length"), Some("10"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello /you"), "{answer}");
    running.stop().await;
}

#[test]
fn an_async_function_of_the_environ() {
    test(says_hello(|env: Environ| async move {
        sleep(Duration::ZERO).await;
        format!("hello {}", env.path_info())
    }));
}

#[test]
fn a_stackful_function_of_the_environ() {
    test(says_hello(|env: Environ| {
        stackful(move || {
            sleep(Duration::ZERO).block();
            format!("hello {}", env.path_info())
        })
    }));
}

#[test]
fn eventlets_own_kind() {
    test(says_hello(wsgi::application(|env: Environ, start_response: StartResponse| {
        sleep(Duration::ZERO).block();
        start_response.call("200 OK", [("Content-Type", "text/plain")]);
        ["hello ".to_owned(), env.path_info()]
    })));
}

#[test]
fn an_async_function_that_starts_its_response() {
    test(says_hello(|env: Environ, start_response: StartResponse| async move {
        start_response.call(200, [("Content-Type", "text/plain")]);
        sleep(Duration::ZERO).await;
        format!("hello {}", env.path_info())
    }));
}

#[test]
fn a_stackful_function_that_starts_its_response() {
    test(says_hello(|env: Environ, start_response: StartResponse| {
        stackful(move || {
            start_response.call(200, [("Content-Type", "text/plain")]);
            sleep(Duration::ZERO).block();
            Body::from(format!("hello {}", env.path_info()))
        })
    }));
}

#[test]
fn an_axum_router() {
    let router = Router::new().route("/you", at(|| async { "hello /you" }));
    test(says_hello(wsgi::service(router)));
}

#[test]
fn axums_own_websockets() {
    use axum::extract::ws::{WebSocket, WebSocketUpgrade};

    async fn shout(mut ws: WebSocket) {
        while let Some(Ok(message)) = ws.recv().await {
            let Ok(text) = message.to_text() else { return };
            if ws.send(text.to_uppercase().into()).await.is_err() {
                return;
            }
        }
    }

    test(async {
        let router = Router::new()
            .route("/you", at(|| async { "hello /you" }))
            .route("/ws", at(|ws: WebSocketUpgrade| async { ws.on_upgrade(shout) }));
        let running = serve(wsgi::service(router)).await;
        for _ in 0..3 {
            let url = format!("ws://{}/ws", running.addr);
            let ws = eventlet::websocket::connect(url).await.unwrap();
            for n in 0..100 {
                ws.send(format!("a{n}")).await.unwrap();
                assert_eq!(ws.wait().await.unwrap(), Some(format!("A{n}").into()));
            }
            ws.close(1000).await.unwrap();
        }
        assert!(running.says(get("/you")).await.ends_with("hello /you"));
        running.stop().await;
    });
}

#[test]
fn green_threads_are_named_by_what_they_answer() {
    test(async {
        let names = || {
            let all = eventlet::debug::green_threads();
            let named = all.iter().filter_map(|each| each.name.as_deref());
            named.filter(|name| *name != "wsgi sweeper").collect::<Vec<_>>().join(", ")
        };
        let running = serve(move |env: Environ| async move {
            if env.query_string().is_some() {
                eventlet::getcurrent().set_name("its own");
            }
            names()
        })
        .await;
        let mut conn = running.connect().await;
        let me = conn.io.local_addr().unwrap();
        conn.send(get("/a%20b")).await;
        let (_, all) = conn.response().await;
        assert_eq!(all, format!("wsgi connection of {me}, GET /a%20b"));
        assert!(running.says(get("/?named")).await.ends_with("its own"));
        running.stop().await;
        assert_eq!(names(), "");
    });
}

#[test]
fn what_responses_can_be() {
    test(async {
        let running = serve(|env: Environ| async move {
            match &*env.path_info() {
                "/unit" => ().into_response(),
                "/status" => http::StatusCode::NO_CONTENT.into_response(),
                "/reason" => ("404 Nobody Home", "x").into_response(),
                "/headers" => (200, [("x-a", "1"), ("x-a", "2")], vec![1, 2, 3]).into_response(),
                "/error" => Err::<(), _>("oh").into_response(),
                "/newline" => (200, [("x-a", "1\r\nx-b: 2")], "").into_response(),
                "/number" => 99.into_response(),
                _ => http::Response::new(http_body_util::Full::<bytes::Bytes>::from("full"))
                    .into_response(),
            }
        })
        .await;
        for (path, line, body) in [
            ("/unit", "200 OK", ""),
            ("/status", "204 No Content", ""),
            ("/reason", "404 Nobody Home", "x"),
            ("/headers", "200 OK", "\x01\x02\x03"),
            ("/error", "500 Internal Server Error", ""),
            ("/newline", "500 Internal Server Error", ""),
            ("/number", "500 Internal Server Error", ""),
            ("/full", "200 OK", "full"),
        ] {
            let answer = running.says(get(path)).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {line}\r\n")), "{path}: {answer}");
            assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{path}: {answer}");
        }
        running.stop().await;
    });
}
