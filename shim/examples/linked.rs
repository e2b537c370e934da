//! Says whether the functions of this crate are those that a program calls, however it is built:
//! `cargo run -p eventlet-shim --example linked`. It fails where they are not.
//!
//! CI runs it with the options that could lose them: link-time optimization of the whole program,
//! one codegen unit, and no symbols but those that are needed.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use eventlet::{Block, spawn, stackful};

/// Lets many sleep as `std` does, and returns whether they did so at once.
fn sleeps_at_once() -> bool {
    eventlet::run(stackful(|| {
        let start = Instant::now();
        let nap = || std::thread::sleep(Duration::from_millis(50));
        let sleepers: Vec<_> = (0..100).map(|_| spawn(stackful(nap))).collect();
        let all_slept = sleepers.into_iter().all(|sleeper| sleeper.block().is_ok());
        all_slept && start.elapsed() < Duration::from_millis(2_500)
    }))
}

fn main() -> ExitCode {
    eventlet_shim::monkey_patch();
    let doctor = eventlet_shim::doctor();
    println!("{doctor}");
    match doctor.is_well() && doctor.channel == Some(true) && sleeps_at_once() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
