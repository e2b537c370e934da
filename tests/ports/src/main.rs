//! Seven programs in Python, and each in both colours. `docs/porting.md` says what they are for.
//!
//!     cargo run -p eventlet-ports stackful chat

mod stackful;
mod stackless;

use std::io;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["stackful", name] => stackful::run(name),
        ["stackless", name] => stackless::run(name),
        _ => Err(io::Error::other("usage: ports stackful|stackless PROGRAM")),
    }
}
