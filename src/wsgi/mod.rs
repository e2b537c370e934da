//! Serving the web.
//!
//! ```
//! use eventlet::wsgi::{self, Environ};
//!
//! # async fn serve() -> std::io::Result<()> {
//! let listener = eventlet::listen("127.0.0.1:8080").await?;
//! wsgi::server(listener, |env: Environ| async move { format!("hello {}\n", env.remote_addr()) }).await
//! # }
//! ```
//!
//! [`server()`] takes a [listener](IntoListener) and a [`Site`], and serves HTTP/1.1 and HTTP/1.0,
//! by hyper. Sites are functions of an [`Environ`], eventlet's own kind with [`StartResponse`], and
//! tower services, so axum routers as well. Bodies are streams in both directions, and a slow
//! client slows nobody but its own handler.
//!
//! Corresponds to `eventlet.wsgi`.
//!
//! # Bad clients
//!
//! Whatever a client sends ends in a response or in a closed connection. Heads, idle connections,
//! and waits for bodies have limits of time, and heads of size as well. Nothing is printed on a
//! client's behalf but lines of the log.
//!
//! # Not here
//!
//! Several `100 Continue`, and headers in one: hyper sends it. Names of request headers as they
//! were sent: hyper gives them in lower case. `wsgi.errors`: log with `tracing`.

mod accept;
#[cfg(feature = "stackful")]
mod application;
mod body;
mod channel;
mod check;
mod connection;
mod environ;
mod exchange;
mod failure;
mod format;
mod front;
mod function;
mod hijack;
#[cfg(feature = "http2")]
mod http2;
mod input;
#[cfg(feature = "stackful")]
mod input_blocking;
mod listener;
#[cfg(feature = "stackful")]
mod listener_green;
#[cfg(all(feature = "ssl", feature = "stackful"))]
mod listener_green_tls;
mod log;
mod options;
mod peer;
#[cfg(not(feature = "ssl"))]
mod plain;
mod protocol;
mod pulse;
mod response;
#[cfg(feature = "ssl")]
mod secure;
mod server;
mod service;
mod serving;
mod site;
mod speak;
#[cfg(not(feature = "http2"))]
mod speaker;
mod start_response;
mod sweeper;
mod tap;
mod ticket;
mod traceback;

#[cfg(feature = "http2")]
use http2 as speaker;
#[cfg(not(feature = "ssl"))]
use plain as tls;
#[cfg(feature = "ssl")]
use secure as tls;

#[cfg(feature = "stackful")]
pub use application::{Application, application};
pub use body::Body;
pub use channel::Write;
pub use environ::Environ;
pub use hijack::Hijacked;
pub use input::Input;
pub use listener::IntoListener;
pub use protocol::Protocol;
pub use response::{IntoHeader, IntoHeaders, IntoResponse, IntoStatus, Status};
pub use server::{ConnectionInfo, Drained, Server, Stats};
pub use service::{Tower, service};
pub use serving::{KeepAlive, Served, Serving, server};
pub use site::Site;
pub use start_response::StartResponse;
