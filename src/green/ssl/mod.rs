//! TLS for code on a green stack.
//!
//! Corresponds to `eventlet.green.ssl`.

mod listener;
mod stream;

pub use stream::TlsStream;
