//! A threaded server of `std`, which knows of nothing else: a thread for each client, whoever makes
//! it.

use std::io;
use std::net::{TcpListener, TcpStream};

use crate::whole::blocking::handle;
use crate::whole::wire::Program;

/// Serves for ever. What starts a thread is `std::thread::spawn`, or has its shape.
pub(crate) fn serve(
    listener: TcpListener,
    program: Program,
    start_thread: impl Fn(Box<dyn FnOnce() + Send>),
) -> io::Result<()> {
    for client in listener.incoming() {
        let client = client?;
        start_thread(Box::new(move || {
            // A client that goes away is no concern of the others.
            let _done = serve_one(client, program);
        }));
    }
    Ok(())
}

fn serve_one(client: TcpStream, program: Program) -> io::Result<()> {
    client.set_nodelay(true)?;
    handle(program, client)
}
