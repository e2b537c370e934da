//! A program with a backdoor: two green threads take turns, and a client that connects can inspect
//! and command them.
//!
//! ```console
//! $ cargo run --example backdoor -- 3000
//! $ nc 127.0.0.1 3000
//! >>> threads
//! >>> beats
//! >>> top
//! >>> quit
//! ```
//!
//! With a path in place of the port it is a Unix socket: `socat - UNIX-CONNECT:door.sock`. With
//! `--stackful` the workers and the command are plain code on stacks of their own, and `dump` shows
//! where they wait.

use std::cell::Cell;
use std::env;
use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use eventlet::backdoor::{Args, Commands, Output, backdoor_server};
use eventlet::{Block, listen, sleep, spawn_n, stackful};

const BEAT: Duration = Duration::from_millis(100);

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let stackful = args.iter().any(|arg| arg == "--stackful");
    let door = args.iter().find(|arg| !arg.starts_with("--")).cloned();
    eventlet::run(serve(door.unwrap_or_else(|| "3000".to_owned()), stackful))
}

async fn serve(door: String, in_the_other_colour: bool) -> io::Result<()> {
    let beats = Rc::new(Cell::new(0));
    let commands = if in_the_other_colour { plain(&beats) } else { stackless(&beats) };
    match door.parse::<u16>() {
        Ok(port) => {
            let listener = listen(("127.0.0.1", port)).await?;
            println!("listening on {}", listener.local_addr()?);
            backdoor_server(listener, commands).await
        }
        Err(_) => {
            let listener = listen(Path::new(&door)).await?;
            println!("listening on {door}");
            backdoor_server(listener, commands).await
        }
    }
}

fn stackless(beats: &Rc<Cell<u64>>) -> Commands {
    for name in ["left", "right"] {
        let beats = Rc::clone(beats);
        let heart = spawn_n(async move {
            loop {
                sleep(BEAT).await;
                beats.set(beats.get() + 1);
            }
        });
        heart.set_name(name);
    }
    let beats = Rc::clone(beats);
    Commands::new().command("beats", "counts beats for a second", move |_: Args, out: Output| {
        let beats = Rc::clone(&beats);
        async move {
            let before = beats.get();
            sleep(Duration::from_secs(1)).await;
            out.line(format_args!("{} beats", beats.get() - before));
        }
    })
}

fn plain(beats: &Rc<Cell<u64>>) -> Commands {
    for name in ["left", "right"] {
        let beats = Rc::clone(beats);
        let heart = spawn_n(stackful(move || {
            loop {
                sleep(BEAT).block();
                beats.set(beats.get() + 1);
            }
        }));
        heart.set_name(name);
    }
    let beats = Rc::clone(beats);
    Commands::new().command("beats", "counts beats for a second", move |_: Args, out: Output| {
        let beats = Rc::clone(&beats);
        stackful(move || {
            let before = beats.get();
            sleep(Duration::from_secs(1)).block();
            out.line(format_args!("{} beats", beats.get() - before));
        })
    })
}
