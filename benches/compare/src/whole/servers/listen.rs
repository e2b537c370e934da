//! Where servers listen.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use nix::sys::socket::{self, Backlog};

use crate::whole::wire::send_as_fast_as_it_goes;

/// A blocking listener on a free port of this machine.
pub(crate) fn blocking_listener() -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    make_room(&listener)?;
    Ok(listener)
}

/// Makes room for everybody.
///
/// Where the line of those who wait to be accepted is full, whoever connects waits a second or
/// more, and std makes it no longer than 128.
pub(crate) fn make_room(listener: &TcpListener) -> io::Result<()> {
    send_as_fast_as_it_goes(listener)?;
    Ok(socket::listen(listener, Backlog::new(4096)?)?)
}
