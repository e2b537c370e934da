//! Connecting, listening and serving.
//!
//! | call | what it gives |
//! |---|---|
//! | [`connect()`] | a connected socket |
//! | [`listen()`] | a listening socket |
//! | [`serve()`] | a server: a green thread for each connection |
//! | [`prefork()`] | a server on several cores: a hub for each |
//!
//! The sockets are Tokio's own types, so everything made for those works with them. On a green
//! stack, `eventlet::green::net` has their counterparts, which convert from and to them.
//!
//! ```
//! use eventlet::{connect, listen, serve, spawn_n};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! # eventlet::run(async {
//! let listener = listen("127.0.0.1:0").await.unwrap();
//! let port = listener.local_addr().unwrap().port();
//! let echo = |mut conn: tokio::net::TcpStream, _addr| async move {
//!     let mut line = [0; 5];
//!     conn.read_exact(&mut line).await?;
//!     conn.write_all(&line).await
//! };
//! spawn_n(serve(listener, echo, 1000));
//!
//! let mut conn = connect(("127.0.0.1", port)).await.unwrap();
//! conn.write_all(b"hello").await.unwrap();
//! let mut answer = String::new();
//! conn.read_to_string(&mut answer).await.unwrap();
//! assert_eq!(answer, "hello");
//! # });
//! ```
//!
//! Corresponds to `eventlet.convenience`.
//!
//! # Differences
//!
//! TCP sockets have `TCP_NODELAY` set. Without it, a protocol that writes head and body separately
//! pays 40 ms for each response, and a stream runs at half its speed.
//!
//! # Not here
//!
//! `wrap_ssl`: it is in `eventlet::ssl`, by feature. The argument `family`, as the address
//! determines its family.

mod address;
mod connect;
mod door;
mod error;
#[cfg(feature = "stackful")]
mod green;
mod handler;
mod listen;
mod listener;
mod opening;
mod prefork;
mod serve;
mod stop;
#[cfg(unix)]
mod unix;

pub use address::{Address, Tcp};
pub use connect::{Connect, connect};
#[cfg(feature = "wsgi")]
pub(crate) use door::Door;
pub use handler::HandlerResult;
pub use listen::{Listen, listen};
pub use listener::Listener;
pub use opening::Opening;
pub use prefork::{Prefork, prefork};
pub use serve::serve;
pub use stop::StopServe;
#[cfg(unix)]
pub use unix::Unix;
