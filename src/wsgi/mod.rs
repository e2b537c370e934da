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
//! client slows down its own handler only.
//!
//! Corresponds to `eventlet.wsgi`.
//!
//! # Bad clients
//!
//! Whatever a client sends ends in a response or in a closed connection. Heads, idle connections
//! and waits for bodies have time limits, and heads have a size limit as well. A client causes no
//! output but lines of the log.
//!
//! # Not here
//!
//! Several `100 Continue`, and headers in one: hyper sends it. Names of request headers as they
//! were sent: hyper gives them in lower case. `wsgi.errors`: log with `tracing`.

// | file | what it holds |
// |---|---|
// | `condition` | waiting for a condition that other green threads bring about |
// | `traceback` | the place and backtrace of the last panic, for the option `debug` |
// | `secure`, `plain` | TLS below a server, with the feature `ssl` and without it: `tls` |
// | `address` | the addresses of both ends of a connection |
// | `log_format`, `log` | the lines of the log, and where they go |
// | `protocol`, `options` | versions and limits of HTTP; all options of a server |
// | `activity`, `socket` | what a connection is doing, and the socket that notes it |
// | `connection` | the state of one connection |
// | `sweeper` | ends connections that are idle, slow, or stuck |
// | `channel`, `body` | the body of a response: written piece by piece, or of any kind |
// | `error_response` | the answers that the server itself gives to what failed |
// | `request_body` | receives the body of a request |
// | `exchange` | a request and its answer: what environ, input and `start_response` share |
// | `server` | a running server: its counters, connections and handlers, and how it ends |
// | `input`, `input_blocking` | the body of a request as a site reads it |
// | `hijack` | connections that a site takes over |
// | `environ`, `environ_*` | what a site knows of a request |
// | `response`, `start_response` | what a site returns, or begins with `start_response` |
// | `site` | what a server serves, and what answers its requests |
// | `function`, `application`, `service` | the kinds of sites |
// | `validate` | refuses requests that no site may see |
// | `in_flight` | a request that is being answered: counted, then logged |
// | `framing` | makes the head of a response fit its connection and its body |
// | `dispatch` | what hyper calls with each request: all of the above |
// | `graceful`, `http1`, `http2` | a connection of hyper's, run to its end or shut down |
// | `serve_connection` | one connection: the TLS handshake, HTTP, and what took it over |
// | `accept` | accepts connections, and spawns a green thread for each |
// | `listener`, `listener_*` | what a server may listen with |
// | `serving` | starting a server: its options, and its life |
//
// Each imports from those above it only. `ask.rs` is no module: examples in the documentation
// include it as their client.

mod accept;
mod activity;
mod address;
#[cfg(feature = "stackful")]
mod application;
mod body;
mod channel;
mod condition;
mod connection;
mod dispatch;
mod environ;
mod environ_addresses;
mod environ_keys;
#[cfg(feature = "ssl")]
mod environ_tls;
mod error_response;
mod exchange;
mod framing;
mod function;
mod graceful;
mod hijack;
mod http1;
#[cfg(feature = "http2")]
mod http2;
mod in_flight;
mod input;
#[cfg(feature = "stackful")]
mod input_blocking;
mod listener;
#[cfg(feature = "stackful")]
mod listener_green;
#[cfg(all(feature = "ssl", feature = "stackful"))]
mod listener_green_tls;
mod log;
mod log_format;
mod options;
#[cfg(not(feature = "ssl"))]
mod plain;
mod protocol;
mod request_body;
mod response;
#[cfg(feature = "ssl")]
mod secure;
mod serve_connection;
mod server;
mod service;
mod serving;
mod site;
mod socket;
mod start_response;
mod sweeper;
mod traceback;
mod validate;

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
#[cfg(feature = "websocket")]
pub(crate) use validate::header_has_token;
