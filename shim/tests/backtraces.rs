//! Panics on green stacks, and their backtraces: the unwinder waits for locks of C itself, among
//! them a `pthread_once` at each start, and several OS threads unwind at once.

mod support;

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use eventlet::{Block, spawn, stackful};
use support::{child, run};

const OS_THREADS: usize = 4;

#[inline(never)]
fn breaks_down(round: usize) -> usize {
    assert!(black_box(round) > 100, "it broke down, in round {round}");
    round
}

/// Runs a test on a green stack of each of some OS threads at once.
fn on_each(test: impl Fn() + Clone + Send + 'static) {
    let test = || {
        let test = test.clone();
        thread::spawn(move || run(test))
    };
    let all: Vec<_> = (0..OS_THREADS).map(|_| test()).collect();
    all.into_iter().for_each(|one| one.join().unwrap());
}

#[test]
fn green_stacks_of_several_os_threads_unwind_at_once() {
    on_each(|| {
        for round in 0..2_000 {
            let unwound = catch_unwind(AssertUnwindSafe(|| resume_unwind(Box::new(round))));
            assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&round));
        }
    });
}

/// Every green stack has the default size, and the binary is a debug build's, with all its symbols.
#[test]
fn panics_of_several_os_threads_print_their_backtraces() {
    const ROUNDS: usize = 5;

    if child::is_child() {
        on_each(|| {
            for round in 0..ROUNDS {
                let panicked = spawn(stackful(move || breaks_down(round))).block().unwrap_err();
                assert!(panicked.is_panic());
            }
        });
        return;
    }
    for shim in ["on", "off"] {
        for backtraces in ["1", "full"] {
            let mut child = child::command("panics_of_several_os_threads_print_their_backtraces");
            child.env("RUST_BACKTRACE", backtraces).env("EVENTLET_SHIM", shim);
            let output = child.output().unwrap();
            let text = String::from_utf8_lossy(&output.stderr);
            let case = format!("shim {shim}, RUST_BACKTRACE={backtraces}:\n{text}");
            assert!(output.status.success(), "{case}");
            for words in ["it broke down, in round", "backtraces::breaks_down"] {
                let count = text.matches(words).count();
                assert_eq!(count, OS_THREADS * ROUNDS, "{words}, {case}");
            }
        }
    }
}
