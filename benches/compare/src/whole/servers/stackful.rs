//! Green threads with stacks of their own, and plain code that looks blocking.

use std::io;
use std::net;

use eventlet::green::net::TcpStream;
use eventlet::{run, serve as serve_all, stackful};
use tokio::net::TcpListener;

use crate::whole::blocking::handle;
use crate::whole::wire::Program;

/// As many as the largest crowd of clients.
const CONCURRENCY: usize = 10_000;

pub(crate) fn serve(listener: net::TcpListener, program: Program) -> io::Result<()> {
    run(async move {
        let listener = TcpListener::from_std(listener)?;
        let handler = move |stream, _| stackful(move || handle(program, TcpStream::from(stream)));
        serve_all(listener, handler, CONCURRENCY).await.map_err(io::Error::other)
    })
}
