//! Says whether the shim works here: `cargo run -p eventlet-shim --example doctor`. Of another
//! program `EVENTLET_SHIM=doctor` says it.

use std::process::ExitCode;

fn main() -> ExitCode {
    eventlet_shim::monkey_patch();
    let doctor = eventlet_shim::doctor();
    println!("{doctor}");
    if doctor.is_well() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
