//! Green threads that are async fns.

use std::io;
use std::net;

use eventlet::{run, serve as serve_all};
use tokio::net::TcpListener;

use crate::whole::awaiting::handle;
use crate::whole::wire::Program;

/// As many as the largest crowd of clients.
const CONCURRENCY: usize = 10_000;

pub(crate) fn serve(listener: net::TcpListener, program: Program) -> io::Result<()> {
    run(async move {
        let listener = TcpListener::from_std(listener)?;
        serve_all(listener, move |stream, _| handle(program, stream), CONCURRENCY)
            .await
            .map_err(io::Error::other)
    })
}
