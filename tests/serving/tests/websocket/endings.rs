//! How connections end: by either side, by a failure, by a kill, by silence, by the end of the
//! server.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use eventlet::websocket::{self, WebSocket, WebSocketWSGI};
use eventlet::{Block, Event, getcurrent, sleep, spawn, stackful};

use crate::support::{both, echo, frame, paused, serve, test};

/// Serves a handler once, and returns the close code that its client gets.
macro_rules! code_of {
    ($handler:expr) => {{
        let running = serve(WebSocketWSGI::new($handler)).await;
        let mut peer = running.websocket().await;
        let code = peer.is_closed().await;
        running.stop().await;
        code
    }};
}

fn fail() {
    panic!("on purpose");
}

#[test]
fn each_end_of_a_handler_has_its_code() {
    test(async {
        assert_eq!(code_of!(|_: WebSocket| async {}), 1000);
        assert_eq!(code_of!(|_: WebSocket| stackful(|| {})), 1000);
        assert_eq!(code_of!(|_: WebSocket| async { Err::<(), _>("on purpose") }), 1011);
        assert_eq!(code_of!(|_: WebSocket| stackful(|| Err::<(), _>("on purpose"))), 1011);
        assert_eq!(code_of!(|_: WebSocket| async { fail() }), 1011);
        assert_eq!(code_of!(|_: WebSocket| stackful(fail)), 1011);
        let kill_oneself = |_: WebSocket| async {
            getcurrent().kill();
            sleep(Duration::ZERO).await;
        };
        assert_eq!(code_of!(kill_oneself), 1001);
        let kill_oneself = |_: WebSocket| {
            stackful(|| {
                getcurrent().kill();
                sleep(Duration::ZERO).block();
            })
        };
        assert_eq!(code_of!(kill_oneself), 1001);
        let close = |ws: WebSocket| async move { ws.close((4000, "bye")).await };
        assert_eq!(code_of!(close), 4000);
    });
}

#[test]
fn a_close_without_a_code_has_none() {
    test(async {
        let running =
            serve(WebSocketWSGI::new(|ws: WebSocket| async move { ws.close(()).await })).await;
        let mut peer = running.websocket().await;
        assert_eq!(peer.frame().await, (0x88, vec![]));
        peer.send(frame(0x88, b"")).await;
        assert_eq!(peer.rest().await, b"");
        running.stop().await;
    });
}

#[test]
fn wait_gives_none_again_and_again() {
    test(async {
        let seen = Event::new();
        let told = seen.clone();
        let handler = move |ws: WebSocket| {
            let told = told.clone();
            async move {
                let both = (ws.wait().await?, ws.wait().await?);
                let error = ws.send("too late").await.unwrap_err();
                told.send((both, ws.websocket_closed(), error.kind()));
                io::Result::Ok(())
            }
        };
        let running = serve(WebSocketWSGI::new(handler)).await;
        drop(running.websocket().await);
        assert_eq!(seen.wait().await.unwrap(), ((None, None), true, ErrorKind::BrokenPipe));
        running.stop().await;
    });
}

#[test]
fn after_ones_own_close_there_are_no_messages() {
    test(async {
        let running = serve(WebSocketWSGI::new(echo)).await;
        let ws = websocket::connect(running.url()).await.unwrap();
        let other = ws.clone();
        let waiting = spawn(async move { other.wait().await });
        sleep(Duration::ZERO).await;
        ws.close((1000, "done")).await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), None);
        assert_eq!(ws.wait().await.unwrap(), None);
        assert_eq!(ws.send("x").await.unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert_eq!(ws.peers_close().unwrap().code(), Some(1000));
        ws.close(1000).await.unwrap();
        for bad in [1005, 1006, 999, 5000] {
            assert_eq!(ws.close(bad).await.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        assert_eq!(
            ws.close((1000, "x".repeat(124))).await.unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        running.stop().await;
    });
}

#[test]
fn a_peer_that_does_not_close_is_not_waited_for_longer_than_said() {
    paused(async {
        let (near, far) = tokio::io::duplex(4096);
        let mut far = crate::support::Peer::new(far);
        let server = spawn(async move {
            let head = far.head().await;
            far.send(crate::client::answer(&head, "")).await;
            far
        });
        let client = websocket::connect("ws://a/").close_timeout(Duration::from_secs(3));
        let ws = client.over(near).await.unwrap();
        let _silent = server.await.unwrap();
        let began = tokio::time::Instant::now();
        ws.close(1000).await.unwrap();
        let took = began.elapsed();
        assert!((3000..3100).contains(&took.as_millis()), "{took:?}");
    });
}

#[test]
fn who_is_silent_is_pinged_and_then_left() {
    paused(async {
        let (near, far) = tokio::io::duplex(4096);
        let mut far = crate::support::Peer::new(far);
        let server = spawn(async move {
            let head = far.head().await;
            far.send(crate::client::answer(&head, "")).await;
            // A ping that is answered, and one that is not.
            assert_eq!(far.take(6).await[..2], [0x89, 0x80]);
            far.send(b"\x8a\x00").await;
            assert_eq!(far.take(6).await[..2], [0x89, 0x80]);
            far.rest().await
        });
        let client = websocket::connect("ws://a/").ping_interval(Duration::from_secs(10));
        let ws = client.over(near).await.unwrap();
        let began = tokio::time::Instant::now();
        assert_eq!(ws.wait().await.unwrap_err().kind(), ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 30);
        assert_eq!(ws.wait().await.unwrap(), None);
        let close_frame = server.await.unwrap();
        assert_eq!(close_frame[..2], [0x88, 0x80 | 21], "1001, masked");
    });
}

#[test]
fn a_server_that_is_shut_down_says_1001() {
    test(both(|running| async move {
        let mut peers = Vec::new();
        for _ in 0..5 {
            let mut peer = running.websocket().await;
            peer.send(frame(0x81, b"x")).await;
            assert_eq!(peer.frame().await, (0x81, b"x".to_vec()));
            peers.push(peer);
        }
        let codes = spawn(async move {
            let mut codes = Vec::new();
            for peer in &mut peers {
                codes.push(peer.is_closed().await);
            }
            codes
        });
        let drained = running.stop().await;
        assert_eq!((drained.finished, drained.cut), (5, 0));
        assert_eq!(codes.await.unwrap(), [1001; 5]);
    }));
}

#[test]
fn a_handler_that_does_not_listen_is_cut_with_1001() {
    test(async {
        let running = serve(WebSocketWSGI::new(|_: WebSocket| std::future::pending::<()>())).await;
        let mut peer = running.websocket().await;
        let code = spawn(async move { peer.is_closed().await });
        let drained = running.server.shutdown(Duration::from_millis(20)).await;
        assert_eq!(drained.cut, 1);
        assert_eq!(code.await.unwrap(), 1001);
        // Closing is done by a green thread of its own.
        running.stop().await;
    });
}

#[test]
fn nothing_is_left_of_hostile_clients() {
    test(async {
        let ended = Rc::new(Cell::new(0));
        let count = Rc::clone(&ended);
        let handler = move |ws: WebSocket| {
            let count = Rc::clone(&count);
            async move {
                let result = echo(ws).await;
                count.set(count.get() + 1);
                result
            }
        };
        let site = WebSocketWSGI::new(handler).close_timeout(Duration::from_millis(50));
        let running = serve(site).await;
        let mut seed = 1_u64;
        for round in 0..300_u32 {
            let mut peer = running.websocket().await;
            let mut bytes = frame(0x01, b"begun");
            for _ in 0..round % 40 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                bytes.push((seed >> 33) as u8);
            }
            peer.send(bytes).await;
        }
        while ended.get() < 300 {
            sleep(Duration::from_millis(1)).await;
        }
        running.stop().await;
    });
}
