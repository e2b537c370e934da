//! A console in a running program: who lives, what each waits for, who uses the hub, and whatever
//! else the program shows.
//!
//! ```console
//! $ nc 127.0.0.1 3000
//! eventlet backdoor of process 4242, `help` lists the commands
//! >>> threads
//! id  name    state    stackful  idle  spawned at
//! 1           waiting  no              src/main.rs:12:5
//! 2   "door"  waiting  no              src/main.rs:14:11
//! >>> quit
//! ```
//!
//! Clients are whatever sends lines: `nc`, `telnet`, `socat - UNIX-CONNECT:door.sock`, and for a
//! history and editing `rlwrap nc`. Lines end in LF or CRLF. A listing with `--json` is one line,
//! for programs.
//!
//! | command | shows or does |
//! |---|---|
//! | `help`, `version`, `quit` | |
//! | `threads [--json]` | all green threads, as [`debug::green_threads`](crate::debug::green_threads) has them |
//! | `dump [ID]` | the same, or one, with the backtraces of parked stacks |
//! | `top [SECONDS] [--json]` | who uses the hub, which counts for a second meanwhile; see [`debug::top`](crate::debug::top) |
//! | `waits [--json]` | what is waited for, and by whom; see [`debug::meeting_points`](crate::debug::meeting_points) |
//! | `stats [--json]` | numbers: green threads, timers, listeners, stalls, stacks |
//! | `timers [--json]`, `listeners [--json]` | what is waited for, and by whom |
//! | `stacks [--json]` | the stacks of the OS thread |
//! | `block on MILLISECONDS`, `block off` | switches the [blocking detector](crate::debug::hub_blocking_detection) |
//! | `kill ID` | ends a green thread |
//! | `log LEVEL` | where [`Commands::log`] was given: changes what is logged |
//!
//! # Who may
//!
//! Whoever gets in may kill green threads. So a TCP listener must be on a loopback address, unless
//! [`Commands::allow_remote`] has a password for it, and of a Unix socket the file is made `0600`,
//! and clients must be of the same user or root. On a loopback address, every user of the machine
//! gets in: a Unix socket is better where there are others. What is said is not encrypted.
//! [`Commands::read_only`] takes `kill`, `block` and `log` away.
//!
//! A client costs the program what it asks for: its lines are 4 KiB at most, it is served a command
//! at a time, and others have their turns in between. It is sent away after 10 minutes without a
//! command, and when it does not read what it asked for within 10 seconds. No more than 32 are in
//! at a time; others wait outside.
//!
//! Corresponds to `eventlet.backdoor`.
//!
//! # Differences
//!
//! Eventlet's backdoor is a Python interpreter, with the variables of the program. Rust has none: a
//! program adds [commands](Commands::command) of its own.

mod commands;
mod door;
mod own;
mod session;
mod table;
mod views;

pub use commands::{Args, Commands, Output};
pub use door::{Door, backdoor_server};
pub use session::backdoor;
