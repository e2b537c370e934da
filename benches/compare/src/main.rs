//! Green threads of both colours beside their peers, measured and shown.
//!
//! ```text
//! cargo run --release -p eventlet-compare                   all of it, about twenty minutes
//! cargo run --release -p eventlet-compare -- --quick        about two minutes
//! cargo run --release -p eventlet-compare -- --only echo    one work, or some: --only echo --only spawn
//! ```
//!
//! Every contestant is a process of its own, this program started again, on one core; what drives it has
//! another, if there is one. See [`contest`] for how they are compared.

#[cfg(not(target_os = "linux"))]
compile_error!("the comparison counts on epoll and /proc: it runs on Linux");

mod child;
mod contest;
mod cores;
mod crowd;
mod machine;
mod micro;
mod peer;
mod report;
mod stage;
mod statistics;
mod whole;
mod worker;

use clap::{Parser, Subcommand};

use contest::Effort;
use peer::Peer;
use whole::Program;
use whole::servers::Foreign;

/// Compares green threads of both colours with their peers.
#[derive(Parser)]
struct Arguments {
    /// Fewer rounds and sizes: two minutes.
    #[arg(long)]
    quick: bool,
    /// Just see that it runs.
    #[arg(long, hide = true, conflicts_with = "quick")]
    smoke: bool,
    #[command(flatten)]
    foreign: Foreign,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What a child process is told to be.
#[derive(Subcommand)]
#[command(hide = true)]
enum Role {
    Serve { peer: Peer, program: Program },
    Work { peer: Peer },
}

fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    match arguments.role {
        Some(Role::Serve { peer, program }) => {
            whole::servers::serve(peer, program, &arguments.foreign)
        }
        Some(Role::Work { peer }) => {
            worker::work(peer);
            Ok(())
        }
        None => {
            let files = cores::allow_open_files();
            let (present, absent) = whole::servers::build(&arguments.foreign);
            println!("{present:?} {absent:?}");
            let guests: Vec<_> = present.iter().map(|p| p.0).collect();
            let effort = if arguments.quick { Effort::Quick } else { Effort::Full };
            let cores = cores::Cores::choose();
            if let Some(c) = cores {
                cores::pin_to(c.driver);
            }
            let stage =
                stage::Stage { effort, cores, files, guests, foreign: arguments.foreign.clone() };
            for mut c in crowd::contests(&stage) {
                println!("{}", c.title());
                for line in c.hold(|| ()) {
                    print!("   {:30}", line.measure.title());
                    for cell in line.cells {
                        match cell.outcome {
                            report::Outcome::Measured(s) => print!(
                                " {}={:.2} ({:.2})",
                                cell.peer.word(),
                                s.median,
                                s.ratio.unwrap_or(0.0)
                            ),
                            report::Outcome::Refused(w) => print!(" {}={}", cell.peer.word(), w),
                        }
                    }
                    println!();
                }
            }
            Ok(())
        }
    }
}
