//! Peers that others have written: Python's `ssl`, `curl`, `openssl`.

use std::fs;
use std::future::IntoFuture;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use eventlet::wsgi::{self, Environ, Server};
use eventlet::{GreenThread, connect, listen, spawn, tpool, wrap_ssl};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::support::{talk, test};
use eventlet_serving::Authority;

/// Runs a program of another house, and returns what it printed, or `None` where it is not
/// installed.
async fn run(program: &'static str, arguments: Vec<String>) -> Option<(bool, String)> {
    tpool::execute(move || {
        let mut command = Command::new(program);
        let output = command.args(arguments).stdin(Stdio::null()).output();
        let Ok(output) = output else {
            eprintln!("SKIPPED: {program} is not installed");
            return None;
        };
        let said = [output.stdout, output.stderr].concat();
        Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    })
    .await
}

/// A site over TLS, and the file of its authority.
struct Site {
    port: u16,
    ca: PathBuf,
    server: Server,
    served: GreenThread<std::io::Result<()>>,
}

impl Site {
    async fn start(name: &str) -> Site {
        let authority = Authority::new("ours");
        let file = format!("eventlet-{name}-{}.pem", std::process::id());
        let ca = std::env::temp_dir().join(file);
        fs::write(&ca, &authority.pem).unwrap();
        let context = authority.sign("localhost").server().alpn(["http/1.1"]);
        let listener = wrap_ssl(listen("127.0.0.1:0").await.unwrap(), &context);
        let port = listener.local_addr().unwrap().port();
        let site = |env: Environ| async move {
            format!("{} {}", env.url_scheme(), env.get("SERVER_PORT").unwrap_or_default())
        };
        let serving = wsgi::server(listener, site).log_output(false);
        Site { port, ca, server: serving.handle(), served: spawn(serving.into_future()) }
    }

    /// Ends with everything that a client may have left.
    async fn stop(self) {
        fs::remove_file(&self.ca).unwrap();
        self.server.shutdown(None).await;
        self.served.await.unwrap().unwrap();
    }

    fn ca(&self) -> String {
        self.ca.display().to_string()
    }
}

#[test]
fn curl_fetches_a_page() {
    test(async {
        let site = Site::start("curl").await;
        let url = format!("https://localhost:{}/", site.port);
        let resolve = format!("localhost:{}:127.0.0.1", site.port);
        let arguments = ["-sS", "--noproxy", "*", "--resolve", &resolve, &url, &url];
        let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
        if let Some((well, said)) = run("curl", arguments.clone()).await {
            assert!(!well, "curl does not know the authority: {said}");
            arguments.extend(["--cacert".to_owned(), site.ca()]);
            let (well, said) = run("curl", arguments).await.unwrap();
            assert!(well, "{said}");
            assert_eq!(said, format!("https {0}https {0}", site.port));
        }
        site.stop().await;
    });
}

#[test]
fn python_fetches_a_page() {
    test(async {
        let site = Site::start("python").await;
        let program = "import http.client, socket, ssl, sys\n\
             port, ca = int(sys.argv[1]), sys.argv[2]\n\
             for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:\n\
             \x20   context = ssl.create_default_context(cafile=ca)\n\
             \x20   context.maximum_version = version\n\
             \x20   context.set_alpn_protocols(['http/1.1'])\n\
             \x20   raw = socket.create_connection(('127.0.0.1', port))\n\
             \x20   sock = context.wrap_socket(raw, server_hostname='localhost')\n\
             \x20   sock.sendall(b'GET / HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n')\n\
             \x20   body = b''.join(iter(lambda: sock.recv(100), b''))\n\
             \x20   print(sock.version(), sock.selected_alpn_protocol(), body.split()[-2].decode())\n";
        let arguments = vec!["-c".to_owned(), program.to_owned(), site.port.to_string(), site.ca()];
        if let Some((well, said)) = run("python3", arguments).await {
            assert!(well, "{said}");
            assert_eq!(said, "TLSv1.2 http/1.1 https\nTLSv1.3 http/1.1 https\n");
        }
        site.stop().await;
    });
}

#[test]
fn openssl_verifies_the_server() {
    test(async {
        let site = Site::start("openssl").await;
        let address = format!("127.0.0.1:{}", site.port);
        for version in ["-tls1_2", "-tls1_3"] {
            let arguments =
                ["s_client", "-connect", &address, "-servername", "localhost", "-CAfile"];
            let mut arguments: Vec<String> = arguments.map(str::to_owned).to_vec();
            arguments.extend([site.ca(), "-verify_return_error".to_owned(), version.to_owned()]);
            let Some((well, said)) = run("openssl", arguments).await else { break };
            assert!(well && said.contains("Verify return code: 0 (ok)"), "{said}");
        }
        site.stop().await;
    });
}

#[test]
fn a_client_of_ours_talks_to_python() {
    test(async {
        let authority = Authority::new("ours");
        let signed = authority.sign("localhost");
        let file = std::env::temp_dir().join(format!("eventlet-server-{}.pem", std::process::id()));
        fs::write(&file, format!("{}{}", signed.certificate, signed.key)).unwrap();
        let program = "import socket, ssl, sys\n\
             context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)\n\
             context.load_cert_chain(sys.argv[1])\n\
             listener = socket.create_server(('127.0.0.1', 0))\n\
             print(listener.getsockname()[1], flush=True)\n\
             sock = context.wrap_socket(listener.accept()[0], server_side=True)\n\
             sock.sendall(b'hello')\n\
             print(sock.recv(100), sock.recv(100))\n\
             sock.unwrap()\n";
        let mut python = tokio::process::Command::new("python3");
        python.args(["-c", program]).arg(&file).stdout(Stdio::piped()).kill_on_drop(true);
        if let Ok(mut python) = python.spawn() {
            let mut said = BufReader::new(python.stdout.take().unwrap());
            let (mut port, mut rest) = (String::new(), String::new());
            said.read_line(&mut port).await.unwrap();
            let socket = connect(("127.0.0.1", port.trim().parse().unwrap())).await.unwrap();
            let mut conn =
                wrap_ssl(socket, &authority.client()).server_hostname("localhost").await.unwrap();
            talk(&mut conn).await.unwrap();
            said.read_to_string(&mut rest).await.unwrap();
            assert!(python.wait().await.unwrap().success());
            assert_eq!(rest, "b'thanks' b''\n");
        } else {
            eprintln!("SKIPPED: python3 is not installed");
        }
        fs::remove_file(&file).unwrap();
    });
}
