//! TLS: verified by default, in both colours.
//!
//! | to | use |
//! |---|---|
//! | talk to a server | [`Context::client`], and [`wrap_ssl`] around what [`connect`](crate::connect) gives |
//! | be a server | [`Context::server`], and [`wrap_ssl`] around what [`listen`](crate::listen) gives |
//! | read and write on a green stack | `eventlet::green::ssl::TlsStream` |
//!
//! A [`TlsListener`] is a [`Listener`](crate::convenience::Listener), so [`serve`](crate::serve)
//! and `wsgi::server` take it as any other.
//!
//! ```no_run
//! use eventlet::{connect, listen, serve, spawn_n, ssl, wrap_ssl};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # eventlet::run(async {
//! let context = ssl::Context::server("chain.pem", "key.pem")?;
//! let listener = wrap_ssl(listen("0.0.0.0:443").await?, &context);
//! let hello = |mut conn: ssl::TlsStream<_>, _addr| async move {
//!     conn.write_all(b"hello\n").await?;
//!     conn.shutdown().await
//! };
//! spawn_n(serve(listener, hello, 1000));
//!
//! let context = ssl::Context::client()?;
//! let mut conn = wrap_ssl(connect("example.org:443"), &context).await?;
//! let mut line = String::new();
//! conn.read_to_string(&mut line).await?;
//! # std::io::Result::Ok(())
//! # });
//! ```
//!
//! # How a connection ends
//!
//! `shutdown` tells the peer that the data is complete: it sends TLS's `close_notify`. A stream
//! that is only dropped closes its socket without it, as its green thread may have been killed in
//! the middle of a message. The peer's reader gets an error then, and so does a reader here: a
//! connection that ends without `close_notify` fails with
//! [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof), and never looks like a normal end.
//!
//! Corresponds to `eventlet.green.ssl`.
//!
//! # Differences
//!
//! A client verifies its server. Eventlet's `wrap_ssl` never does, not even with
//! `cert_reqs=CERT_REQUIRED`. TLS 1.0, 1.1 and SSL are not spoken.

mod context;
mod error;
mod handshake;
mod listener;
mod pem;
mod provider;
mod roots;
mod server_names;
mod settings;
mod stream;
mod verify;
mod wrap;

pub use context::{Client, Context, Server, Side, Version};
pub use error::HandshakeError;
pub(crate) use error::is_handshake_error;
pub use listener::TlsListener;
pub use pem::Pem;
pub use stream::TlsStream;
pub use wrap::{Wrap, WrapSsl, wrap_ssl};

#[doc(no_inline)]
pub use rustls::pki_types::CertificateDer;
