//! Several green threads on one socket, and kills at every wait.

use std::io::ErrorKind;
use std::time::Duration;

use eventlet::websocket::{self, Message, WebSocket, WebSocketWSGI};
use eventlet::{Block, Blocking, Queue, sleep, spawn, spawn_n, stackful, with_timeout};
use futures::StreamExt;

use crate::client::answer;
use crate::support::{Peer, echo, plain, serve, test};

/// How many messages go through.
const MESSAGES: u32 = 20_000;

#[test]
fn one_waits_while_another_sends() {
    test(async {
        let running = serve(WebSocketWSGI::new(echo)).await;
        let ws = websocket::connect(running.url()).await.unwrap();
        let sender = ws.clone();
        let sending = spawn(async move {
            for number in 0..MESSAGES {
                sender.send(number.to_string()).await.unwrap();
            }
        });
        for number in 0..MESSAGES {
            let message = ws.wait().await.unwrap().unwrap();
            assert_eq!(message.as_text(), Some(&*number.to_string()));
        }
        sending.await.unwrap();
        ws.close(1000).await.unwrap();
        running.stop().await;
    });
}

#[test]
fn one_waits_while_another_sends_on_green_stacks() {
    test(async {
        let handler = |ws: WebSocket| stackful(move || crate::support::plain_echo(ws));
        let running = serve(WebSocketWSGI::new(handler)).await;
        let ws = websocket::connect(running.url()).await.unwrap();
        stackful(move || {
            let sender = ws.clone();
            let sending = spawn(stackful(move || {
                for number in 0..MESSAGES {
                    sender.send(number.to_string()).block().unwrap();
                }
            }));
            for (number, message) in (0..MESSAGES).zip(ws.clone().blocking()) {
                assert_eq!(message.unwrap().as_text(), Some(&*number.to_string()));
            }
            sending.block().unwrap();
            ws.close(1000).block().unwrap();
        })
        .await;
        running.stop().await;
    });
}

#[test]
fn many_send_and_each_message_is_whole() {
    test(async {
        let running = serve(WebSocketWSGI::new(echo)).await;
        let ws = websocket::connect(running.url()).await.unwrap();
        let senders: Vec<_> = (0..10_u8)
            .map(|number| {
                let ws = ws.clone();
                spawn(async move { ws.send(vec![number; 300_000]).await.unwrap() })
            })
            .collect();
        for number in 0..10 {
            let message = ws.wait().await.unwrap().unwrap();
            assert!(
                message == Message::from(vec![number; 300_000]),
                "in the order in which they were sent"
            );
        }
        drop(senders);
        ws.close(1000).await.unwrap();
        running.stop().await;
    });
}

#[test]
fn waiters_stand_in_line() {
    test(async {
        let running = serve(WebSocketWSGI::new(echo)).await;
        let ws = websocket::connect(running.url()).await.unwrap();
        let order = Queue::new(None);
        for number in 0..3 {
            let (ws, order) = (ws.clone(), order.clone());
            spawn_n(async move {
                let message = ws.wait().await.unwrap().unwrap();
                order.put((number, message)).await;
            });
        }
        sleep(Duration::ZERO).await;
        for text in ["a", "b", "c"] {
            ws.send(text).await.unwrap();
        }
        for (number, text) in ["a", "b", "c"].into_iter().enumerate() {
            assert_eq!(order.get().await, (number, Message::from(text)));
        }
        ws.close(1000).await.unwrap();
        running.stop().await;
    });
}

#[test]
fn it_is_a_stream() {
    test(async {
        let count = |ws: WebSocket| async move {
            for number in 0..3 {
                ws.send(number.to_string()).await?;
            }
            std::io::Result::Ok(())
        };
        let running = serve(WebSocketWSGI::new(count)).await;
        let ws = websocket::connect(running.url()).await.unwrap();
        let messages: Vec<_> =
            ws.map(|message| message.unwrap().as_text().unwrap().to_owned()).collect().await;
        assert_eq!(messages, ["0", "1", "2"]);
        running.stop().await;
    });
}

/// A client, and the raw server behind a pipe of so many bytes.
async fn pair(size: usize) -> (WebSocket, Peer<tokio::io::DuplexStream>) {
    let (near, far) = tokio::io::duplex(size);
    let server = spawn(async move {
        let mut far = Peer::new(far);
        let request = far.head().await;
        far.send(answer(&request, "")).await;
        far
    });
    let ws = websocket::connect("ws://a/").over(near).await.unwrap();
    (ws, server.await.unwrap())
}

#[test]
fn a_kill_between_any_two_bytes_loses_no_message() {
    test(async {
        let (ws, mut server) = pair(4096).await;
        let bytes =
            [plain(0x01, b"Hel"), plain(0x89, b"ping"), plain(0x80, b"lo"), plain(0x82, b"x")]
                .concat();
        let mut messages = Vec::new();
        for byte in bytes {
            let other = ws.clone();
            let waiting = spawn(async move { other.wait().await.unwrap().unwrap() });
            sleep(Duration::ZERO).await;
            server.send([byte]).await;
            // It has its turn, and is killed if that was not enough.
            for _ in 0..3 {
                sleep(Duration::ZERO).await;
            }
            match waiting.dead() {
                true => messages.push(waiting.await.unwrap()),
                false => waiting.kill(),
            }
        }
        assert_eq!(messages, [Message::from("Hello"), Message::from(b"x".to_vec())]);
        assert_eq!(server.take(10).await[..2], [0x8a, 0x84], "the ping was answered");
    });
}

#[test]
fn a_timeout_while_waiting_loses_nothing() {
    test(async {
        let (ws, mut server) = pair(4096).await;
        assert!(with_timeout(Duration::from_millis(1), ws.wait()).await.is_err());
        server.send(plain(0x81, b"x")).await;
        assert_eq!(ws.wait().await.unwrap(), Some(Message::from("x")));
    });
}

#[test]
fn half_a_message_breaks_the_connection_for_writing_alone() {
    test(async {
        let (ws, mut server) = pair(1000).await;
        let other = ws.clone();
        let sending = spawn(async move { other.send(vec![0; 10_000]).await });
        let third = ws.clone();
        let in_line = spawn(async move { third.send("in line").await });
        sleep(Duration::ZERO).await;
        sleep(Duration::ZERO).await;
        sending.kill();
        assert_eq!(in_line.await.unwrap().unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(ws.send("x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        server.send(plain(0x81, b"still read")).await;
        assert_eq!(ws.wait().await.unwrap(), Some(Message::from("still read")));
        ws.close(1000).await.unwrap();
    });
}

#[test]
fn who_is_killed_in_line_has_sent_nothing() {
    test(async {
        let (ws, mut server) = pair(1000).await;
        let [long, killed, last] =
            [vec![0; 10_000], b"killed".to_vec(), b"last".to_vec()].map(|message| {
                let ws = ws.clone();
                spawn(async move { ws.send(message).await })
            });
        sleep(Duration::ZERO).await;
        sleep(Duration::ZERO).await;
        killed.kill();
        assert_eq!(server.take(8 + 10_000).await[..2], [0x82, 0xfe]);
        assert_eq!(server.take(10).await[..2], [0x82, 0x84], "four bytes: the last one");
        long.await.unwrap().unwrap();
        last.await.unwrap().unwrap();
    });
}

#[test]
fn a_flood_of_pings_is_answered_once_at_least() {
    test(async {
        let (ws, mut server) = pair(1 << 16).await;
        for number in 0..100 {
            server.send(plain(0x89, &[number])).await;
        }
        server.send(plain(0x81, b"x")).await;
        assert_eq!(ws.wait().await.unwrap(), Some(Message::from("x")));
        // What could not go out at once does with the next wait.
        assert!(with_timeout(Duration::from_millis(1), ws.wait()).await.is_err());
        drop(ws);
        let pongs = server.rest().await;
        let last = &pongs[pongs.len() - 7..];
        assert_eq!((last[0], last[6] ^ last[2]), (0x8a, 99), "the last one, in any case");
    });
}
