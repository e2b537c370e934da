//! The threaded server of `std` on green stacks, a contestant of `eventlet-compare`. A program of
//! its own, as the shim changes all calls of whatever it is linked into.

/// The same files as the other contestants have.
#[path = "../whole"]
mod whole {
    pub(crate) mod blocking;
    #[path = "servers/listen.rs"]
    pub(crate) mod listen;
    #[path = "servers/threads.rs"]
    pub(crate) mod threads;
    #[allow(dead_code, reason = "the loader needs the rest")]
    pub(crate) mod wire;
}

use clap::Parser;
use eventlet::{green, stackful};

use whole::wire::Program;
use whole::{listen, threads};

/// Serves for ever, and says its address first.
#[derive(Parser)]
struct Arguments {
    program: Program,
}

fn main() -> std::io::Result<()> {
    let Arguments { program } = Arguments::parse();
    eventlet_shim::monkey_patch();
    eventlet::run(stackful(move || {
        let listener = listen::blocking_listener()?;
        println!("{}", listener.local_addr()?);
        threads::serve(listener, program, |closure| drop(green::thread::spawn(closure)))
    }))
}
