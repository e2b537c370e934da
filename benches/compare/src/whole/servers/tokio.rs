//! Tokio's own local tasks.

use std::io;
use std::net;

use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local};

use crate::whole::awaiting::handle;
use crate::whole::wire::Program;

pub(crate) fn serve(listener: net::TcpListener, program: Program) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    // As a future directly in `block_on`, it would pay more for every wakeup.
    LocalSet::new().block_on(&runtime, async { spawn_local(accept(listener, program)).await? })
}

async fn accept(listener: net::TcpListener, program: Program) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        spawn_local(handle(program, stream));
    }
}
