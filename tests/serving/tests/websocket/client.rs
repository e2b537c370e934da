//! The client, against servers that answer this or that.

use std::io::ErrorKind;
use std::time::Duration;

use eventlet::spawn;
use eventlet::websocket::{self, Connect, Deflate, Message, WebSocket, WebSocketWSGI};
use tungstenite::handshake::derive_accept_key;

use crate::support::{Peer, echo, paused, plain, serve, test};

/// A good answer to a request, with more headers.
pub(crate) fn answer(request: &str, headers: &str) -> String {
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n{headers}\r\n",
        derive_accept_key(key.as_bytes())
    )
}

/// Connects to a server that answers with this.
async fn connect(
    client: Connect,
    answer: impl FnOnce(&str) -> Vec<u8> + 'static,
) -> std::io::Result<(WebSocket, Peer<tokio::io::DuplexStream>)> {
    let (near, far) = tokio::io::duplex(1 << 16);
    let server = spawn(async move {
        let mut far = Peer::new(far);
        let request = far.head().await;
        far.send(answer(&request)).await;
        far
    });
    let ws = client.over(near).await?;
    Ok((ws, server.await.unwrap()))
}

fn client() -> Connect {
    websocket::connect("ws://example.org:81/path?query")
}

#[test]
fn the_request_is_as_rfc_6455_says() {
    test(async {
        let client = client()
            .header("Cookie", "a=1")
            .protocol("x")
            .protocol("y")
            .compression(Deflate::default());
        let refused = connect(client, |request| {
            let request = request.to_lowercase();
            for line in [
                "get /path?query http/1.1\r\n",
                "\r\nhost: example.org:81\r\n",
                "\r\nupgrade: websocket\r\n",
                "\r\nconnection: upgrade\r\n",
                "\r\nsec-websocket-version: 13\r\n",
                "\r\nsec-websocket-protocol: x, y\r\n",
                "\r\nsec-websocket-extensions: permessage-deflate; server_max_window_bits=12; client_max_window_bits\r\n",
                "\r\ncookie: a=1\r\n",
            ] {
                assert!(request.contains(line), "{line:?} in {request}");
            }
            b"HTTP/1.1 403 Forbidden\r\n\r\n".to_vec()
        });
        let error = refused.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(error.to_string().contains("403"), "{error}");
    });
}

#[test]
fn bad_answers_are_refused() {
    test(async {
        for (good, bad) in [
            ("101 Switching Protocols", "200 OK"),
            ("Upgrade: websocket", "Upgrade: h2c"),
            ("Connection: Upgrade", "Connection: close"),
            ("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: x"),
            ("Sec-WebSocket-Accept: ", "X: "),
            ("Upgrade: websocket", "Upgrade: websocket\r\nSec-WebSocket-Protocol: z"),
            (
                "Upgrade: websocket",
                "Upgrade: websocket\r\nSec-WebSocket-Extensions: permessage-deflate",
            ),
            ("HTTP/1.1", "HTTP/1.0"),
            ("HTTP/1.1", "SMTP"),
        ] {
            let refused = connect(client(), move |request| {
                answer(request, "").replacen(good, bad, 1).into_bytes()
            });
            let kind = refused.await.err().map(|error| error.kind());
            let expected =
                if bad == "200 OK" { ErrorKind::ConnectionRefused } else { ErrorKind::InvalidData };
            assert_eq!(kind, Some(expected), "{bad:?}");
        }
        let endless =
            connect(client(), |_| [b"HTTP/1.1 101 x\r\nx: ".to_vec(), vec![b'x'; 70_000]].concat());
        assert!(endless.await.is_err());
    });
}

#[test]
fn bad_options_are_refused_with_words() {
    test(async {
        for (client, word) in [
            (websocket::connect("http://a/"), "ws://"),
            (websocket::connect("ws://"), "ws://"),
            (websocket::connect("no url"), "no url"),
            (client().header("a b", ""), "header"),
            (client().header("a", "b\r\nc"), "header"),
            (client().protocol("a, b"), "subprotocol"),
        ] {
            let error = client.await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains(word), "{error}");
        }
    });
}

#[test]
fn a_server_that_does_not_answer_is_left() {
    paused(async {
        let (near, _far) = tokio::io::duplex(4096);
        let began = tokio::time::Instant::now();
        let error = client().over(near).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 10);
        let (near, _far) = tokio::io::duplex(4096);
        let error =
            client().handshake_timeout(Duration::from_secs(1)).over(near).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (ErrorKind::TimedOut, 11));
    });
}

#[test]
fn frames_that_come_with_the_answer_are_read() {
    test(async {
        let early = |request: &str| {
            [answer(request, "").into_bytes(), plain(0x81, b"early"), plain(0x81, b"!")].concat()
        };
        let (ws, _server) = connect(client(), early).await.unwrap();
        assert_eq!(ws.wait().await.unwrap(), Some(Message::from("early")));
        assert_eq!(ws.wait().await.unwrap(), Some(Message::from("!")));
    });
}

#[test]
fn every_frame_of_a_client_is_masked() {
    test(async {
        let (ws, mut server) =
            connect(client(), |request| answer(request, "").into_bytes()).await.unwrap();
        ws.send("").await.unwrap();
        let empty = server.take(6).await;
        assert_eq!(empty[..2], [0x81, 0x80]);
        ws.send("").await.unwrap();
        assert_ne!(server.take(6).await, empty, "another mask");
        ws.ping("p").await.unwrap();
        assert_eq!(server.take(7).await[..2], [0x89, 0x81]);
        // What a server masks is refused.
        server.send(crate::support::frame(0x81, b"x")).await;
        assert_eq!(ws.wait().await.unwrap(), None);
        assert_eq!(server.take(2).await[0], 0x88);
    });
}

#[test]
fn both_sides_in_all_their_ways() {
    test(async {
        let long =
            Message::from("so long a text that it is worth while to compress it".repeat(200));
        let messages =
            [Message::from("κόσμε"), Message::from(vec![0, 255]), Message::from(""), long];
        for server in
            [None, Some(Deflate::default()), Some(Deflate::default().context_takeover(false))]
        {
            let running =
                serve(WebSocketWSGI::new(echo).compression(server).supported_protocols(["p"]))
                    .await;
            for own in [
                None,
                Some(Deflate::default().level(9).window_bits(9)),
                Some(Deflate::default().window_bits(15)),
            ] {
                let ws =
                    websocket::connect(running.url()).compression(own).protocol("p").await.unwrap();
                assert_eq!(ws.compressed(), server.is_some() && own.is_some());
                assert_eq!(ws.protocol(), Some("p"));
                for _ in 0..3 {
                    for message in &messages {
                        ws.send(message.clone()).await.unwrap();
                        assert_eq!(ws.wait().await.unwrap().as_ref(), Some(message));
                    }
                }
                ws.close(1000).await.unwrap();
            }
            running.stop().await;
        }
    });
}
