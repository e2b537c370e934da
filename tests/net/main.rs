//! Sockets: `connect`, `listen`, `serve` and `green::net`, over the loopback interface.

mod connect;
#[path = "../it/ear.rs"]
mod ear;
#[cfg(feature = "stackful")]
mod green_tcp;
#[cfg(feature = "stackful")]
mod green_udp;
#[cfg(all(feature = "stackful", unix))]
mod green_unix;
#[cfg(feature = "stackful")]
mod green_waits;
mod serve;
#[cfg(feature = "stackful")]
mod serve_stackful;
mod support;
#[cfg(unix)]
mod unix;
