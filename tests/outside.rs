//! What needs a runtime says so where there is none, at the line that calls it.
#![cfg(all(feature = "stackful", unix))]

#[allow(dead_code, unused_imports, unused_macros)]
#[path = "it/support.rs"]
mod support;

use std::os::fd::OwnedFd;

use eventlet::debug::dump_on_signal;
use eventlet::green::io::{PipeReader, pipe};
use eventlet::green::net::{TcpListener, TcpStream, UdpSocket};
use eventlet::green::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use eventlet::green::process::Command;
use eventlet::interrupted;
use support::panics_here;
use tokio::signal::unix::SignalKind;

const CURE: &str =
    "needs a Tokio runtime, and this OS thread is inside none: call it inside `eventlet::run(..)`";

#[test]
fn sockets() {
    panics_here!(CURE, TcpListener::bind("127.0.0.1:0"));
    panics_here!(CURE, UdpSocket::bind("127.0.0.1:0"));
    let nowhere = "/no/such/folder/socket";
    panics_here!(CURE, UnixListener::bind(nowhere));
    panics_here!(CURE, UnixDatagram::bind(nowhere));
    panics_here!(CURE, UnixDatagram::unbound());
    panics_here!(CURE, UnixDatagram::pair());
    panics_here!(CURE, UnixStream::pair());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    panics_here!(CURE, TcpStream::try_from(stream));
}

#[test]
fn pipes() {
    panics_here!(CURE, pipe());
    let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    panics_here!(CURE, PipeReader::try_from(OwnedFd::from(one)));
}

#[test]
fn processes() {
    panics_here!(CURE, Command::new("true").spawn());
    panics_here!(CURE, Command::new("true").status());
    panics_here!(CURE, Command::new("true").output());
}

#[test]
fn signals() {
    panics_here!(CURE, drop(interrupted()));
    let signal = SignalKind::user_defined1();
    panics_here!("needs a hub", drop(dump_on_signal(signal)));
}
