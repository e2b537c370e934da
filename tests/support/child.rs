//! A test that runs in a process of its own: it starts itself again, and finds out which it is.

use std::env;
use std::process::Command;

const CHILD: &str = "EVENTLET_TEST_CHILD";

/// Returns whether this is the process that [`command`] started.
pub(crate) fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

/// Returns the command that runs one test of this binary, alone, in a child process.
pub(crate) fn command(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "--test-threads=1", test]).env(CHILD, "1");
    command
}
