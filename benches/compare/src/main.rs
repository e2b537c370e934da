//! Green threads of both colours beside their peers, measured and shown.
//!
//! ```text
//! cargo run --release -p eventlet-compare                   all of it, about half an hour
//! cargo run --release -p eventlet-compare -- --quick        about two minutes
//! cargo run --release -p eventlet-compare -- --only echo    one work, or some: --only echo --only spawn
//! ```
//!
//! It draws a page, `compare.html` in Cargo's target directory, and prints the table.
//!
//! Every contestant is a process of its own, this program started again, on one core; what drives
//! it has another, if there is one. How they are compared is said in `contest`, and what they do in
//! `whole` (servers), `web` (servers of the web), `micro` (operations) and `crowd` (many that do
//! nothing).

#[cfg(not(target_os = "linux"))]
compile_error!("the comparison counts on epoll and /proc: it runs on Linux");

mod arguments;
mod child;
mod contest;
mod cores;
mod crowd;
mod machine;
mod micro;
mod peer;
mod report;
mod run;
mod show;
mod stage;
mod statistics;
mod versions;
mod web;
mod whole;
mod worker;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Role};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.role {
        Some(Role::Serve { peer, program }) => {
            whole::servers::serve(peer, program, &arguments.foreign)
        }
        Some(Role::Page { peer, site }) => web::servers::serve(peer, site, &arguments.foreign),
        Some(Role::Work { peer }) => {
            worker::work(peer);
            Ok(())
        }
        None => compare(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(arguments: &Arguments) -> io::Result<()> {
    let report = match &arguments.from {
        Some(earlier) => serde_json::from_slice(&std::fs::read(earlier)?)?,
        None => run::run(arguments)?,
    };
    show::show(&report, arguments)
}
