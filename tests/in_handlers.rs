//! A signal handler may call a function that is replaced, such as `close` of `eventlet-shim`, at
//! any moment. So what that asks of `lowlevel` works in the middle of whatever was interrupted.
#![cfg(all(feature = "stackful", target_os = "linux"))]
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::panic::catch_unwind;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use eventlet::{lowlevel, run, stackful};

const ENOUGH: usize = 500;

static HANDLED: AtomicUsize = AtomicUsize::new(0);
static PANICKED: AtomicUsize = AtomicUsize::new(0);

/// Asks all that `eventlet-shim` asks before it has found out whether it may wait.
fn ask() {
    let (_place, _stack) = (lowlevel::place(), lowlevel::stack_id());
    let (_hub, _borrowed) = (lowlevel::has_hub(), lowlevel::hub_is_borrowed());
    let _ = (lowlevel::executes_on_stack(), lowlevel::inside_poll());
    lowlevel::without_waiting(|| ());
}

extern "C" fn handle(_signal: c_int) {
    PANICKED.fetch_add(usize::from(catch_unwind(ask).is_err()), Ordering::Relaxed);
    HANDLED.fetch_add(1, Ordering::Relaxed);
}

/// Interrupts an OS thread again and again, until that was enough.
fn interrupt(thread: libc::pthread_t) {
    while HANDLED.load(Ordering::Relaxed) < ENOUGH {
        // SAFETY: the thread joins this one.
        assert_eq!(unsafe { libc::pthread_kill(thread, libc::SIGUSR1) }, 0);
        std::thread::yield_now();
    }
}

#[test]
fn what_is_asked_there_works_amid_the_same_question() {
    // SAFETY: all zeroes is a value of it.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handle as *const () as usize;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler asks, and counts.
    assert_eq!(unsafe { libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()) }, 0);
    // SAFETY: it has no arguments.
    let this = unsafe { libc::pthread_self() };
    std::thread::scope(|scope| {
        scope.spawn(move || interrupt(this));
        run(stackful(|| {
            while HANDLED.load(Ordering::Relaxed) < ENOUGH {
                ask();
            }
        }));
    });
    assert_eq!(PANICKED.load(Ordering::Relaxed), 0);
}
