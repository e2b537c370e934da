//! Byte streams with many handles, and copying between two of them.
//!
//! | call | what it does |
//! |---|---|
//! | [`GreenSocket`] | a stream of any kind, with handles that are cheap to clone |
//! | [`copy_bidirectional`] | joins two streams, as a proxy does |
//! | [`shutdown_safe`] | shuts a socket down, even if that has happened already |
//!
//! Libraries over `futures-io` take a [`GreenSocket`], and give it their streams, by
//! `tokio_util::compat`: see `docs/bridges.md`.
//!
//! Corresponds to `eventlet.greenio`.
//!
//! # Not here
//!
//! `GreenPipe`: a pipe of `green::io`, or `tokio::net::unix::pipe`.

mod copy;
mod shutdown;
mod socket;

pub use copy::copy_bidirectional;
#[cfg(unix)]
pub use shutdown::shutdown_safe;
pub use socket::GreenSocket;
