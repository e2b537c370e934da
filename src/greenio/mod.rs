//! Streams of bytes that many hold, and what is done with two of them.
//!
//! | call | what it does |
//! |---|---|
//! | [`GreenSocket`] | a stream of any kind, with handles that are cheap to clone |
//! | [`copy_bidirectional`] | joins two streams, as a proxy does |
//! | [`shutdown_safe`] | tells the other end that this was all, whatever became of it |
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
