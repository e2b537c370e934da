//! One server for each peer, every one with the same handlers as far as its ways allow.

mod bare_epoll;
mod foreign;
mod listen;
mod may;
mod stackful;
mod stackless;
mod threads;
mod tokio;

use std::io;
use std::net::TcpListener;
use std::thread;

use super::wire::Program;
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
        Peer::Threads => {
            let listener = listen::blocking_listener()?;
            announce(&listener)?;
            threads::serve(listener, program, |closure| drop(thread::spawn(closure)))
        }
        Peer::Shim => foreign::become_shimmed(&program.word()),
        peer => foreign.become_server(peer, &program.word()),
    }
}

pub(crate) fn listen() -> io::Result<TcpListener> {
    let listener = listen::blocking_listener()?;
    listener.set_nonblocking(true)?;
    announce(&listener)?;
    Ok(listener)
}

/// Tells the parent where it is.
fn announce(listener: &TcpListener) -> io::Result<()> {
    say(&listener.local_addr()?.to_string());
    Ok(())
}
