//! Python's `websockets` as the other side, where it is installed.

use std::process::Stdio;

use eventlet::websocket::{self, Deflate, Message, WebSocketWSGI};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::{echo, serve, test};

/// Runs a program in Python. `None`, said aloud, where there is none, or no `websockets`.
pub(crate) async fn python(program: &str, argument: &str) -> Option<Command> {
    let mut has_it = Command::new("python3");
    has_it.args(["-c", "import websockets.sync.server"]).stderr(Stdio::null());
    if !has_it.status().await.is_ok_and(|status| status.success()) {
        eprintln!("skipped: needs python3 with the package `websockets`");
        return None;
    }
    let mut command = Command::new("python3");
    command.args(["-c", program, argument]).kill_on_drop(true);
    Some(command)
}

const CLIENT: &str = r#"
import sys
from websockets.sync.client import connect
for compression in (None, "deflate"):
    with connect(sys.argv[1], compression=compression, subprotocols=["x", "p"], max_size=None) as ws:
        assert ws.subprotocol == "p", ws.subprotocol
        for message in ("κόσμε", b"\0\xff", "", "long " * 100000, b"x" * 70000, "long " * 10):
            ws.send(message)
            assert ws.recv() == message
        ws.send(["a", "b", "c"])
        assert ws.recv() == "abc"
        ws.ping().wait(10)
        ws.close(4000, "bye")
        assert ws.protocol.close_rcvd.code == 4000
with connect(sys.argv[1]) as ws:
    ws.send("x" * 9000000)
    try:
        ws.recv()
        assert False
    except Exception as error:
        assert error.rcvd.code == 1009, error
"#;

#[test]
fn a_client_of_python() {
    test(async {
        let running = serve(WebSocketWSGI::new(echo).supported_protocols(["p"])).await;
        if let Some(mut client) = python(CLIENT, &running.url()).await {
            assert!(client.status().await.unwrap().success());
        }
        running.stop().await;
    });
}

const SERVER: &str = r#"
from websockets.sync.server import serve
def echo(ws):
    for message in ws:
        ws.send(message)
with serve(echo, "127.0.0.1", 0, subprotocols=["p"]) as server:
    print(server.socket.getsockname()[1], flush=True)
    server.serve_forever()
"#;

#[test]
fn a_server_of_python() {
    test(async {
        let Some(mut server) = python(SERVER, "").await else { return };
        let mut server = server.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).await.unwrap();
        let url = format!("ws://127.0.0.1:{}/", port.trim());
        for compression in
            [None, Some(Deflate::default()), Some(Deflate::default().context_takeover(false))]
        {
            let ws = websocket::connect(&url).compression(compression).protocol("p").await.unwrap();
            assert_eq!((ws.protocol(), ws.compressed()), (Some("p"), compression.is_some()));
            for message in [
                Message::from("κόσμε"),
                vec![0, 255].into(),
                "".into(),
                "long ".repeat(100_000).into(),
            ] {
                ws.send(message.clone()).await.unwrap();
                assert!(ws.wait().await.unwrap() == Some(message));
            }
            ws.close((4000, "bye")).await.unwrap();
            assert_eq!(ws.peers_close().unwrap().code(), Some(4000));
        }
        server.kill().await.unwrap();
    });
}
