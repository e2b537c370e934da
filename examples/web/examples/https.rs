//! A web server over TLS, in both colours, with a certificate that it makes itself.
//!
//!     cargo run -p eventlet-web-examples --example https
//!     curl --cacert https-ca.pem https://localhost:8443/   # a plain function on a stack of its own
//!     curl --cacert https-ca.pem https://localhost:8444/   # an async fn
//!     cargo run -p eventlet-web-examples --example https_client
//!
//! It writes the certificate to `https-ca.pem`, for clients to trust, and keeps the key to itself.
//! It serves until Ctrl-C or SIGTERM. A real server has its files from an authority, and says
//! `ssl::Context::server("chain.pem", "key.pem")`.

use std::env;
use std::fs;
use std::io;

use eventlet::ssl::{self, Pem};
use eventlet::wsgi::{self, Environ};
use eventlet::{interrupted, listen, run, spawn, stackful, wrap_ssl};

fn hello(env: &Environ) -> String {
    format!("Hello over {} from {}!\n", env.url_scheme(), env.path_info())
}

async fn hello_async(env: Environ) -> String {
    hello(&env)
}

/// Makes a certificate for this machine, and returns it with its key.
fn make_certificate() -> io::Result<(String, String)> {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
    Ok((made.cert.pem(), made.signing_key.serialize_pem()))
}

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let (plain, stackless) = (next("127.0.0.1:8443"), next("127.0.0.1:8444"));
    let authority = next("https-ca.pem");

    let (certificate, key) = make_certificate()?;
    fs::write(&authority, &certificate)?;
    let context = ssl::Context::server(Pem::bytes(certificate), Pem::bytes(key))?;

    run(async move {
        let plain = wrap_ssl(listen(plain).await?, &context);
        println!("listening on {}", plain.local_addr()?);
        let stackless = wrap_ssl(listen(stackless).await?, &context);
        println!("listening on {}", stackless.local_addr()?);

        let plain = wsgi::server(plain, |env: Environ| stackful(move || hello(&env)));
        let plain = spawn(plain.shutdown_on(interrupted()));
        wsgi::server(stackless, hello_async).shutdown_on(interrupted()).await?;
        plain.await.map_err(io::Error::other)?
    })
}
