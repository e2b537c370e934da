//! One server for each peer, every one with the same handlers as far as its ways allow.

mod bare_epoll;
mod foreign;
mod may;
mod stackful;
mod stackless;
mod tokio;

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use nix::sys::socket::{self, Backlog};

use super::wire::{Program, send_as_fast_as_it_goes};
use crate::child::{be_child, say};
use crate::peer::Peer;

pub(crate) use foreign::{Foreign, build};

/// Who has a server that this program holds itself.
pub(crate) const NATIVE: [Peer; 5] =
    [Peer::Stackless, Peer::Stackful, Peer::Tokio, Peer::Epoll, Peer::May];

/// Serves for ever, in a child process that says its address first.
pub(crate) fn serve(peer: Peer, program: Program, foreign: &Foreign) -> io::Result<()> {
    be_child();
    match peer {
        Peer::Stackless => stackless::serve(listen()?, program),
        Peer::Stackful => stackful::serve(listen()?, program),
        Peer::Tokio => tokio::serve(listen()?, program),
        Peer::Epoll => bare_epoll::serve(listen()?, program),
        Peer::May => may::serve(program),
        peer => foreign.become_server(peer, &program.word()),
    }
}

pub(crate) fn listen() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    announce(&listener)?;
    Ok(listener)
}

/// Makes room for everybody, and tells the parent where it is.
///
/// Where the line of those who wait to be accepted is full, whoever connects waits a second or
/// more, and std makes it no longer than 128.
fn announce(listener: &TcpListener) -> io::Result<()> {
    send_as_fast_as_it_goes(listener)?;
    socket::listen(listener, Backlog::new(4096)?)?;
    say(&listener.local_addr()?.to_string());
    Ok(())
}
