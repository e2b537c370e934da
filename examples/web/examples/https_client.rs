//! Fetches a page over TLS with plain, blocking-looking code, and shows what was agreed on.
//!
//!     cargo run -p eventlet-web-examples --example https
//!     cargo run -p eventlet-web-examples --example https_client -- localhost:8443 https-ca.pem
//!     cargo run -p eventlet-web-examples --example https_client -- example.org:443
//!
//! With a file it trusts the authorities in it, and otherwise those of the system.

use std::env;
use std::io::{self, Read, Write};

use eventlet::green::ssl::TlsStream;
use eventlet::{run, ssl, stackful};

fn fetch(address: &str, context: &ssl::Context<ssl::Client>) -> io::Result<String> {
    let mut conn = TlsStream::connect(address, context)?;
    println!("connected by {:?}", conn.version().expect("the handshake is done"));
    write!(conn, "GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut response = String::new();
    conn.read_to_string(&mut response)?;
    Ok(response)
}

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "localhost:8443".to_owned());
    let authorities = match arguments.next() {
        None if address.starts_with("localhost:") => Some("https-ca.pem".to_owned()),
        given => given,
    };
    let context = ssl::Context::client()?.alpn(["http/1.1"]);
    let context = match authorities {
        Some(file) => context.ca_file(file)?,
        None => context,
    };
    let response = run(stackful(move || fetch(&address, &context)))?;
    print!("{response}");
    Ok(())
}
