//! WebSockets, server and client (RFC 6455), with compression (RFC 7692).
//!
//! Corresponds to `eventlet.websocket`.
//!
//! # What it costs
//!
//! | 100 connections, 64 bytes, server's CPU | a message | |
//! |---|---|---|
//! | tokio-tungstenite, on a `LocalSet` | 11.2 to 12.3 µs | 1.00 |
//! | an async handler | 6.3 to 6.6 µs | 0.57 |
//! | a handler on a green stack | 6.3 to 7.1 µs | 0.59 |
//!
//! Three rounds in turn on a busy machine of two cores, fat LTO. An idle websocket of a server
//! costs 5.4 KB with the connection, its green thread and the request's head; 9.1 KB on a green
//! stack; 134 KB with tokio-tungstenite's defaults.
//!
//! # Not here
//!
//! The drafts before RFC 6455, hixie-75 and 76. Sending a message in several frames:
//! [`WebSocket::send`] takes a whole one. Proxies: a client speaks [`over`](Connect::over) any
//! stream.

// | file | what it holds |
// |---|---|
// | `defaults` | the limits that hold unless others are set |
// | `message`, `close` | what is sent and received |
// | `mask` | what a client masks its frames with |
// | `deflate`, `negotiate` | compression, and agreeing on it |
// | `reader`, `writer` | frames to messages and back, without I/O |
// | `connection` | one connection: reading, writing, closing |
// | `request` | what both sides know from the handshake |
// | `socket` | the handle of a connection |
// | `secure`, `plain` | `wss://`, with the feature `ssl` and without it: `tls` |
// | `client`, `client_tls`, `server` | the handshake of either side |
//
// Each imports from those above it only. Headers of frames are tungstenite's, compression is
// flate2's.

mod client;
#[cfg(feature = "ssl")]
mod client_tls;
mod close;
mod connection;
mod defaults;
mod deflate;
mod mask;
mod message;
mod negotiate;
#[cfg(not(feature = "ssl"))]
mod plain;
mod reader;
mod request;
#[cfg(feature = "ssl")]
mod secure;
mod server;
mod socket;
mod writer;

#[cfg(not(feature = "ssl"))]
use plain as tls;
#[cfg(feature = "ssl")]
use secure as tls;

pub use client::{Connect, Connecting, FailedConnectionError, connect};
pub use close::{Close, IntoClose};
pub use deflate::Deflate;
pub use message::Message;
pub use server::WebSocketWSGI;
pub use socket::WebSocket;
#[doc(no_inline)]
pub use {bytes::Bytes, tungstenite::Utf8Bytes};

mod sealed {
    /// Keeps [`IntoClose`](super::IntoClose) to what can be sent.
    pub trait Sealed {}
}

#[cfg(test)]
mod tests;
