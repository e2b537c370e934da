//! The handshake, from raw requests.

use eventlet::websocket::{Deflate, WebSocket, WebSocketWSGI};
use eventlet::wsgi::{Environ, IntoResponse};

use crate::support::{both, echo, frame, request, serve, test};

const BIG: &str = "permessage-deflate; client_max_window_bits";

/// Requests that are no good handshake: what is to be replaced in one that is, and the status.
const BAD: [(&str, &str, u16); 15] = [
    ("GET", "POST", 400),
    ("HTTP/1.1", "HTTP/1.0", 400),
    ("Upgrade: websocket\r\n", "", 400),
    ("Upgrade: websocket", "Upgrade: h2c", 400),
    ("Connection: Upgrade\r\n", "", 400),
    ("Connection: Upgrade", "Connection: keep-alive", 400),
    ("dGhlIHNhbXBsZSBub25jZQ==", "", 400),
    ("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ=", 400),
    ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZSBhbmQgbW9yZQ==", 400),
    ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!Q==", 400),
    ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
    ("Sec-WebSocket-Version: 13\r\n", "", 400),
    ("Version: 13", "Version: 12", 426),
    ("Version: 13", "Version: 7", 426),
    ("Version: 13", "Version: thirteen", 426),
];

#[test]
fn bad_requests_are_refused_and_closed() {
    test(both(|running| async move {
        for (good, bad, status) in BAD {
            let mut peer = running.connect().await;
            peer.send(request("").replacen(good, bad, 1)).await;
            let head = peer.head().await;
            assert_eq!(head[9..12], status.to_string(), "{bad:?} in place of {good:?}");
            assert_eq!(head.contains("Sec-Websocket-Version: 13, 8"), status == 426, "{head}");
            assert!(head.to_lowercase().contains("connection: close"), "{head}");
            peer.send(request("")).await;
            assert_eq!(peer.rest().await, b"", "nothing after it is served");
        }
        running.stop().await;
    }));
}

#[test]
fn good_requests_in_other_words() {
    test(both(|running| async move {
        for (plain, other) in [
            ("Upgrade: websocket", "upgrade: WebSocket"),
            ("Connection: Upgrade", "Connection: keep-alive, UPGRADE"),
            ("Version: 13", "Version: 8"),
        ] {
            let mut peer = running.connect().await;
            peer.send(request("").replacen(plain, other, 1)).await;
            let head = peer.head().await.to_lowercase();
            assert!(head.starts_with("http/1.1 101 "), "{other}: {head}");
            assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
            assert!(head.contains("\r\nupgrade: websocket\r\n"), "{head}");
            assert!(head.contains("\r\nconnection: upgrade\r\n"), "{head}");
        }
        running.stop().await;
    }));
}

#[test]
fn frames_that_come_with_the_request_are_served() {
    test(both(|running| async move {
        let mut peer = running.connect().await;
        let early =
            [request("").into_bytes(), frame(0x81, b"early"), frame(0x88, b"\x03\xe8")].concat();
        peer.send(early).await;
        peer.head().await;
        assert_eq!(peer.frame().await, (0x81, b"early".to_vec()));
        assert_eq!(peer.is_closed().await, 1000);
        running.stop().await;
    }));
}

#[test]
fn origins_are_checked() {
    test(async {
        let site = WebSocketWSGI::new(echo).origin_checker(|host, origin| {
            origin.is_some_and(|origin| origin == format!("https://{host}"))
        });
        let running = serve(site).await;
        for (header, status) in
            [("Origin: https://a\r\n", "101"), ("Origin: https://b\r\n", "403"), ("", "403")]
        {
            let mut peer = running.connect().await;
            peer.send(request(header)).await;
            assert_eq!(peer.head().await[9..12], *status, "{header}");
        }
        running.stop().await;
    });
}

#[test]
fn subprotocols_and_what_a_handler_sees() {
    test(async {
        let tell = |ws: WebSocket| async move {
            let environ = ws.environ().unwrap();
            let query = environ.query_string().unwrap_or_default();
            ws.send(format!(
                "{} {query} {:?} {:?} {}",
                ws.path(),
                ws.protocol(),
                ws.origin(),
                ws.version()
            ))
            .await
        };
        let running = serve(WebSocketWSGI::new(tell).supported_protocols(["b", "a"])).await;
        for (headers, chosen, seen) in [
            ("", "", r#"/chat room=1 None None 13"#),
            ("Sec-WebSocket-Protocol: c, a, b\r\n", "a", r#"/chat room=1 Some("a") None 13"#),
            (
                "Sec-WebSocket-Protocol: c\r\nSec-WebSocket-Protocol: b\r\n",
                "b",
                r#"/chat room=1 Some("b") None 13"#,
            ),
            ("Sec-WebSocket-Protocol: c\r\nOrigin: o\r\n", "", r#"/chat room=1 None Some("o") 13"#),
        ] {
            let mut peer = running.connect().await;
            peer.send(request(headers)).await;
            let head = peer.head().await.to_lowercase();
            let line = format!("sec-websocket-protocol: {chosen}\r\n");
            assert_eq!(head.contains(&line), !chosen.is_empty(), "{head}");
            assert_eq!(String::from_utf8(peer.frame().await.1).unwrap(), seen);
            assert_eq!(peer.is_closed().await, 1000);
        }
        running.stop().await;
    });
}

#[test]
fn compression_is_agreed_on() {
    test(async {
        let site = WebSocketWSGI::new(echo).compression(Deflate::default().window_bits(15));
        let running = serve(site).await;
        for (offer, answer) in [
            ("permessage-deflate", "sec-websocket-extensions: permessage-deflate\r\n"),
            (BIG, "permessage-deflate; client_max_window_bits=15\r\n"),
            (
                "permessage-deflate; server_max_window_bits=8, permessage-deflate",
                ": permessage-deflate\r\n",
            ),
        ] {
            let mut peer = running.connect().await;
            peer.send(request(&format!("Sec-WebSocket-Extensions: {offer}\r\n"))).await;
            let head = peer.head().await.to_lowercase();
            assert!(head.contains(answer), "{head}");
        }
        running.stop().await;
        let running = serve(WebSocketWSGI::new(echo).compression(None)).await;
        let mut peer = running.connect().await;
        peer.send(request(&format!("Sec-WebSocket-Extensions: {BIG}\r\n"))).await;
        assert!(!peer.head().await.to_lowercase().contains("extensions"));
        drop(peer);
        running.stop().await;
    });
}

#[test]
fn a_site_may_have_pages_besides() {
    test(async {
        let sockets = WebSocketWSGI::new(echo);
        let running = serve(move |env: Environ| {
            let response = match env.path_info().as_str() {
                "/chat" => sockets.call(&env).into_response(),
                _ => "a page".into_response(),
            };
            async move { response }
        })
        .await;
        let mut peer = running.websocket().await;
        peer.send(frame(0x81, b"hello")).await;
        assert_eq!(peer.frame().await, (0x81, b"hello".to_vec()));
        let mut page = running.connect().await;
        page.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(page.rest().await.ends_with(b"a page"));
        drop(peer);
        running.stop().await;
    });
}
