//! `wss://`: our own server, and Python's `websockets` on either side.

use std::cell::Cell;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Stdio;
use std::rc::Rc;
use std::time::Duration;

use eventlet::ssl::{Context, HandshakeError, Pem, Server as ServerSide};
use eventlet::websocket::{self, Deflate, Message, WebSocket, WebSocketWSGI};
use eventlet::wsgi::{self, Environ, Server, Site};
use eventlet::{GreenThread, listen, spawn, stackful, wrap_ssl};
use eventlet_serving::Authority;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::outside::python;
use crate::support::{echo, plain_echo, test};

struct Running {
    port: u16,
    server: Server,
    served: GreenThread<std::io::Result<()>>,
}

impl Running {
    async fn stop(self) {
        self.server.shutdown(Duration::from_secs(5)).await;
        self.served.await.unwrap().unwrap();
    }

    fn url(&self) -> String {
        format!("wss://localhost:{}/path", self.port)
    }
}

async fn serve<S: Site<K>, K: 'static>(site: S, context: &Context<ServerSide>) -> Running {
    let listener = wrap_ssl(listen("127.0.0.1:0").await.unwrap(), context);
    let port = listener.local_addr().unwrap().port();
    let serving = wsgi::server(listener, site).log_output(false);
    Running { port, server: serving.handle(), served: spawn(serving) }
}

/// Some of everything.
fn messages() -> [Message; 4] {
    ["κόσμε".into(), vec![0, 255].into(), "".into(), "long ".repeat(100_000).into()]
}

#[test]
fn both_sides_in_both_colours() {
    test(async {
        let authority = Authority::new("ours");
        let context = authority.sign("localhost").server();
        let plain = WebSocketWSGI::new(|ws| stackful(move || plain_echo(ws)));
        for running in
            [serve(WebSocketWSGI::new(echo), &context).await, serve(plain, &context).await]
        {
            for compression in [None, Some(Deflate::default())] {
                let ws = websocket::connect(running.url()).ssl(&authority.client());
                let ws = ws.compression(compression).await.unwrap();
                for message in messages() {
                    ws.send(message.clone()).await.unwrap();
                    assert!(ws.wait().await.unwrap() == Some(message));
                }
                ws.close((4000, "bye")).await.unwrap();
                assert_eq!(ws.peers_close().unwrap().code(), Some(4000));
            }
            running.stop().await;
        }
    });
}

#[test]
fn a_server_shows_who_it_is_or_hears_nothing() {
    test(async {
        let authority = Authority::new("ours");
        let calls = Rc::new(Cell::new(0));
        let counted = Rc::clone(&calls);
        let site = WebSocketWSGI::new(echo);
        let site = move |env: Environ| {
            counted.set(counted.get() + 1);
            let response = site.call(&env);
            async move { response }
        };
        let running = serve(site, &authority.sign("localhost").server()).await;
        let by_number = format!("wss://127.0.0.1:{}/", running.port);
        let (ours, theirs) = (authority.client(), Authority::new("theirs").client());
        for refused in [
            // The system does not know the authority.
            websocket::connect(running.url()),
            websocket::connect(running.url()).ssl(&theirs),
            // The certificate is for another name.
            websocket::connect(by_number).ssl(&ours),
        ] {
            let error = refused.await.unwrap_err();
            let is_of_tls = error.get_ref().is_some_and(|error| error.is::<HandshakeError>());
            assert!(is_of_tls || error.to_string().contains("ca-certificates"), "{error:?}");
        }
        assert_eq!(calls.get(), 0);
        let trusting = Context::client().unwrap().danger_no_verify();
        for context in [ours, trusting] {
            let ws = websocket::connect(running.url()).ssl(&context).await.unwrap();
            ws.close(1000).await.unwrap();
        }
        assert_eq!(calls.get(), 2);
        running.stop().await;
    });
}

#[test]
fn a_client_shows_who_it_is() {
    test(async {
        let authority = Authority::new("ours");
        let context = authority.sign("localhost").server();
        let context = context.require_client_cert(Pem::bytes(&authority.pem)).unwrap();
        let site = WebSocketWSGI::new(|ws: WebSocket| async move {
            let shown = ws.environ().unwrap().peer_certificates().map(<[_]>::len);
            ws.send(format!("{shown:?}")).await
        });
        let running = serve(site, &context).await;
        let signed = authority.sign("someone");
        let (chain, key) = (Pem::bytes(&signed.certificate), Pem::bytes(&signed.key));
        let known = authority.client().client_cert(chain, key).unwrap();
        let ws = websocket::connect(running.url()).ssl(&known).await.unwrap();
        assert_eq!(ws.wait().await.unwrap(), Some("Some(1)".into()));
        assert_eq!(ws.wait().await.unwrap(), None);
        let stranger = websocket::connect(running.url()).ssl(&authority.client()).await;
        assert!(stranger.is_err());
        running.stop().await;
    });
}

#[test]
fn a_server_that_speaks_no_tls() {
    test(async {
        let running = crate::support::serve(WebSocketWSGI::new(echo)).await;
        let url = running.url().replace("ws://", "wss://");
        let error = websocket::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData, "{error:?}");
        running.stop().await;
        // Another one does not answer at all.
        let silent = listen("127.0.0.1:0").await.unwrap();
        let url = format!("wss://{}/", silent.local_addr().unwrap());
        let connecting = websocket::connect(url).handshake_timeout(Duration::from_millis(50)).await;
        assert_eq!(connecting.unwrap_err().kind(), ErrorKind::TimedOut);
    });
}

/// Files that go with the test.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, pem: &str) -> Files {
        let file = format!("eventlet-{name}-{}.pem", std::process::id());
        let path = std::env::temp_dir().join(file);
        fs::write(&path, pem).unwrap();
        Files(path)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

// By asyncio: the threads of `websockets.sync` read and write one connection of OpenSSL at the same
// time, which Python's `ssl` did not guard before 3.13, and then hang now and then.
const CLIENT: &str = r#"
import asyncio, ssl, sys
from websockets.asyncio.client import connect
url, ca = sys.argv[1].split()
async def main():
    context = ssl.create_default_context(cafile=ca)
    for compression in (None, "deflate"):
        async with connect(url, ssl=context, compression=compression, max_size=None) as ws:
            for message in ("κόσμε", b"\0\xff", "", "long " * 100000):
                await ws.send(message)
                assert await ws.recv() == message
            await ws.close(4000, "bye")
            assert ws.protocol.close_rcvd.code == 4000
    try:
        await connect(url)
        assert False, "it trusts anybody"
    except ssl.SSLCertVerificationError:
        pass
asyncio.run(main())
"#;

#[test]
fn a_client_of_python() {
    test(async {
        let authority = Authority::new("ours");
        let ca = Files::new("wss-ca", &authority.pem);
        let running = serve(WebSocketWSGI::new(echo), &authority.sign("localhost").server()).await;
        let argument = format!("{} {}", running.url(), ca.0.display());
        if let Some(mut client) = python(CLIENT, &argument).await {
            let status = client.status().await.unwrap();
            assert!(status.success(), "{status}: {:?}", running.server.connections());
        }
        running.stop().await;
    });
}

const SERVER: &str = r#"
import asyncio, ssl, sys
from websockets.asyncio.server import serve
async def echo(ws):
    async for message in ws:
        await ws.send(message)
async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1])
    async with serve(echo, "127.0.0.1", 0, ssl=context) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().create_future()
asyncio.run(main())
"#;

#[test]
fn a_server_of_python() {
    test(async {
        let authority = Authority::new("ours");
        let signed = authority.sign("localhost");
        let pem = Files::new("wss-server", &format!("{}{}", signed.certificate, signed.key));
        let Some(mut server) = python(SERVER, &pem.0.display().to_string()).await else { return };
        let mut server = server.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut port).await.unwrap();
        let url = format!("wss://localhost:{}/", port.trim());
        for compression in [None, Some(Deflate::default())] {
            let ws = websocket::connect(&url).ssl(&authority.client()).compression(compression);
            let ws = ws.await.unwrap();
            for message in messages() {
                ws.send(message.clone()).await.unwrap();
                assert!(ws.wait().await.unwrap() == Some(message));
            }
            ws.close((4000, "bye")).await.unwrap();
            assert_eq!(ws.peers_close().unwrap().code(), Some(4000));
        }
        server.kill().await.unwrap();
    });
}
