//! Sites over TLS.

use std::io;
use std::time::Duration;

use eventlet::convenience::Listener;
use eventlet::ssl::{Context, Pem, Server as ServerSide, TlsListener, TlsStream};
use eventlet::wsgi::{self, Environ, Protocol, Server, Serving};
use eventlet::{GreenThread, connect, listen, runtime, spawn, stackful, wrap_ssl};
use eventlet_serving::Authority;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::support::{get, test};

/// Tells what a site knows of a connection.
fn tells(env: &Environ) -> String {
    let https = env.get("HTTPS").unwrap_or_default();
    let certificates = env.peer_certificates().map(<[_]>::len);
    format!("{} {https} {certificates:?}", env.url_scheme())
}

async fn site(env: Environ) -> String {
    tells(&env)
}

struct Running {
    port: u16,
    server: Server,
    served: GreenThread<io::Result<()>>,
}

impl Running {
    async fn stop(self) {
        self.server.shutdown(Duration::from_secs(5)).await;
        self.served.await.unwrap().unwrap();
        assert_eq!(self.server.stats().open, 0);
    }
}

async fn start<S: wsgi::Site<K>, K: 'static>(
    site: S,
    context: &Context<ServerSide>,
    options: impl FnOnce(
        Serving<TlsListener<TcpListener>, S, K>,
    ) -> Serving<TlsListener<TcpListener>, S, K>,
) -> Running {
    let listener = wrap_ssl(listen("127.0.0.1:0").await.unwrap(), context);
    let port = listener.local_addr().unwrap().port();
    let serving = options(wsgi::server(listener, site).log_output(false));
    Running { port, server: serving.handle(), served: spawn(serving) }
}

async fn ask(mut conn: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    let mut answer = String::new();
    conn.write_all(get("/").as_bytes()).await?;
    conn.flush().await?;
    conn.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[test]
fn a_site_knows_that_it_is_safe_and_who_asks() {
    test(async {
        let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
        let open = ours.sign("127.0.0.1").server();
        let closed = open.clone().require_client_cert(Pem::bytes(&theirs.pem)).unwrap();
        let client = ours.client();
        let signed = theirs.sign("someone");
        let (chain, key) = (Pem::bytes(&signed.certificate), Pem::bytes(&signed.key));
        let known = client.clone().client_cert(chain, key).unwrap();
        for (context, certificates) in [(open, "None"), (closed, "Some(1)")] {
            let plain = |env: Environ| stackful(move || tells(&env));
            let servers = [
                start(site, &context, |serving| serving).await,
                start(plain, &context, |serving| serving).await,
            ];
            for running in servers {
                // The second time the session is resumed.
                for _ in 0..2 {
                    let conn = wrap_ssl(connect(("127.0.0.1", running.port)), &known).await;
                    let answer = ask(conn.unwrap()).await.unwrap();
                    assert!(
                        answer.ends_with(&format!("\r\n\r\nhttps on {certificates}")),
                        "{answer}"
                    );
                }
                let conn = wrap_ssl(connect(("127.0.0.1", running.port)), &client).await;
                let stranger = match conn {
                    Ok(conn) => ask(conn).await,
                    Err(error) => Err(error),
                };
                assert_eq!(stranger.is_ok(), certificates == "None", "{stranger:?}");
                running.stop().await;
            }
        }
    });
}

#[test]
fn clients_without_tls_or_without_any_bytes_do_no_harm() {
    test(async {
        let authority = Authority::new("ours");
        let hour = Duration::from_secs(3600);
        let context = authority.sign("127.0.0.1").server().handshake_timeout(hour);
        let running = start(site, &context, |serving| serving).await;
        let silent = connect(("127.0.0.1", running.port)).await.unwrap();
        let mut plain = connect(("127.0.0.1", running.port)).await.unwrap();
        plain.write_all(get("/").as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let _ = plain.read_to_end(&mut heard).await;
        assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
        let conn = wrap_ssl(connect(("127.0.0.1", running.port)), &authority.client()).await;
        assert!(ask(conn.unwrap()).await.unwrap().contains("https on"));
        // The silent one is not waited for: it would be for an hour.
        running.server.shutdown(hour).await;
        running.stop().await;
        drop(silent);
    });
}

/// A listener of a stream that is no socket.
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

#[test]
fn a_listener_of_ones_own_below() {
    test(async {
        let authority = Authority::new("ours");
        let (near, far) = duplex(10_000);
        let listener = TlsListener::new(Once(Some(far)), &authority.sign("good.test").server());
        let serving = wsgi::server(listener, site).log_output(false);
        let server = serving.handle();
        let served = spawn(serving);
        let conn = TlsStream::client(near, &authority.client(), "good.test").await.unwrap();
        let answer = ask(conn).await.unwrap();
        assert!(answer.ends_with("\r\n\r\nhttps on None"), "{answer}");
        server.shutdown(None).await;
        served.await.unwrap().unwrap();
    });
}

#[test]
fn silence_ends_when_the_handshake_has_taken_too_long() {
    let body = async {
        let context = Authority::new("ours").sign("127.0.0.1").server();
        for (context, seconds) in
            [(context.clone(), 10), (context.handshake_timeout(Duration::from_secs(3)), 3)]
        {
            let running = start(site, &context, |serving| serving).await;
            let mut silent = connect(("127.0.0.1", running.port)).await.unwrap();
            let began = Instant::now();
            assert_eq!(silent.read(&mut [0]).await.unwrap_or(0), 0);
            assert_eq!(began.elapsed().as_secs(), seconds);
            running.stop().await;
        }
    };
    runtime::Builder::new().start_paused(true).run(body).unwrap();
}

#[test]
fn http2_by_what_was_agreed_on() {
    test(async {
        let authority = Authority::new("ours");
        let context = authority.sign("localhost").server().alpn(["h2", "http/1.1"]);
        let site = |env: Environ| async move { format!("{:?}", env.server_protocol()) };
        let running = start(site, &context, |serving| serving.protocol(Protocol::auto())).await;
        let ca = std::env::temp_dir().join(format!("eventlet-h2-{}.pem", std::process::id()));
        std::fs::write(&ca, &authority.pem).unwrap();
        let resolve = format!("localhost:{}:127.0.0.1", running.port);
        let url = format!("https://localhost:{}/", running.port);
        for (version, expected) in [("--http2", "HTTP/2.0"), ("--http1.1", "HTTP/1.1")] {
            let ca = ca.to_str().unwrap();
            let arguments =
                ["-sS", "--noproxy", "*", "--resolve", &resolve, "--cacert", ca, version, &url];
            let said = crate::several::curl(arguments.map(str::to_owned).into()).await;
            let Some(said) = said else {
                eprintln!("SKIPPED: no curl with HTTP/2 is installed");
                break;
            };
            assert_eq!(said, expected);
        }
        std::fs::remove_file(&ca).unwrap();
        running.stop().await;
    });
}

#[test]
fn the_log_says_where_it_is_safe() {
    test(async {
        let lines = std::rc::Rc::new(std::cell::RefCell::new(String::new()));
        let context = Authority::new("ours").sign("localhost").server();
        let log = std::rc::Rc::clone(&lines);
        let running = start(site, &context, |serving| {
            serving.log_with(move |_, line| log.borrow_mut().push_str(line))
        })
        .await;
        let port = running.port;
        // It is said with the first turn of the server.
        drop(connect(("127.0.0.1", port)).await.unwrap());
        running.stop().await;
        let said = lines.borrow();
        assert!(said.contains(&format!("wsgi starting up on https://127.0.0.1:{port}")), "{said}");
    });
}
