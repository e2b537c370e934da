//! may's coroutines, on one worker thread.

use std::io;
use std::net::Ipv4Addr;

use may::net::{TcpListener, TcpStream};
use may::{config, go};

use super::listen::make_room;
use crate::whole::blocking;
use crate::whole::wire::Program;

pub(crate) fn serve(program: Program) -> io::Result<()> {
    config().set_workers(1);
    go!(move || accept(program)).join().expect("no panic comes this far")
}

fn accept(program: Program) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    make_room(listener.inner())?;
    super::announce(listener.inner())?;
    loop {
        let (stream, _) = listener.accept()?;
        go!(move || handle(program, stream));
    }
}

fn handle(program: Program, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    blocking::handle(program, stream)
}
