//! Calls that block the OS thread all the same are counted by their names, and told to a hook. In a
//! process of its own, as the counts are of all its OS threads.

#![allow(unsafe_code)]

mod support;

use std::panic::{catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use eventlet::{spawn, stackful};
use eventlet_shim::{Why, blocked_calls, set_blocking_hook, stats};
use support::{MS, errno, run};

/// What the hook was told: a call's name, why it blocked, and the backtrace.
type Seen = Vec<(Option<&'static str>, Why, String)>;

static SEEN: Mutex<Seen> = Mutex::new(Vec::new());

/// One test at a time: what is counted is counted for all.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    let alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    set_blocking_hook(|blocked| {
        let seen = (blocked.function, blocked.why, format!("{blocked}\n{}", blocked.backtrace));
        SEEN.lock().unwrap().push(seen);
        // It blocks itself, and is not told of.
        std::thread::sleep(MS);
        // SAFETY: it takes a number, and sets `errno`.
        unsafe { libc::close(-1) };
    });
    SEEN.lock().unwrap().clear();
    alone
}

fn count(function: &str) -> u64 {
    let calls = blocked_calls();
    calls.iter().find(|(name, _)| *name == function).map_or(0, |(_, count)| *count)
}

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[inline(never)]
fn a_careless_async_fn() {
    std::thread::sleep(MS);
    // The call is not the last thing done, or an optimised build jumps there without a frame.
    std::hint::black_box(());
}

#[test]
fn a_sleep_in_a_poll_is_told_with_its_caller() {
    let _alone = alone();
    let before = (count("clock_nanosleep"), stats().blocked);
    eventlet_shim::monkey_patch();
    eventlet::run(async {
        a_careless_async_fn();
    });
    let seen = std::mem::take(&mut *SEEN.lock().unwrap());
    let [(function, why, text)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((*function, *why), (Some("clock_nanosleep"), Why::InPoll));
    assert!(text.contains("a_careless_async_fn"), "{text}");
    assert!(
        text.starts_with("clock_nanosleep blocks the OS thread, as it is called inside a poll")
    );
    assert_eq!((count("clock_nanosleep"), stats().blocked), (before.0 + 1, before.1 + 1));
}

#[test]
fn what_a_destructor_waits_for_while_its_stack_unwinds_is_told() {
    let _alone = alone();
    run(|| {
        let unwound = catch_unwind(|| {
            let _sleeps = OnDrop(|| {
                // SAFETY: it takes a number.
                unsafe { libc::usleep(1000) };
            });
            resume_unwind(Box::new(()));
        });
        assert!(unwound.is_err());
    });
    let seen = SEEN.lock().unwrap();
    assert!(
        seen.iter().any(|(function, why, _)| (*function, *why) == (Some("usleep"), Why::Unwinding)),
        "{seen:?}"
    );
}

#[test]
fn a_signal_that_is_not_masked_is_told_and_errno_is_the_calls_own() {
    let _alone = alone();
    run(|| {
        let time = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
        // SAFETY: all zeroes is a set of it.
        let mut signals: libc::sigset_t = unsafe { std::mem::zeroed() };
        // SAFETY: it is a set.
        unsafe { libc::sigaddset(&mut signals, libc::SIGUSR1) };
        // SAFETY: the set and the time are there for the call.
        let waited = unsafe { libc::sigtimedwait(&signals, std::ptr::null_mut(), &time) };
        assert_eq!((waited, errno()), (-1, libc::EAGAIN));
    });
    let seen = SEEN.lock().unwrap();
    let (function, why, _) = &seen[0];
    assert_eq!((*function, *why), (Some("sigtimedwait"), Why::Arguments));
}

#[test]
fn a_green_stack_that_no_hub_polls_is_told() {
    let _alone = alone();
    eventlet_shim::monkey_patch();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(stackful(|| std::thread::sleep(MS)));
    let seen = SEEN.lock().unwrap();
    let [(function, why, _)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((*function, *why), (Some("clock_nanosleep"), Why::NoHub));
}

#[test]
fn what_suspends_and_what_others_do_is_not_told() {
    let _alone = alone();
    run(|| {
        let other = std::thread::spawn(|| std::thread::sleep(MS));
        std::thread::sleep(2 * MS);
        other.join().unwrap();
        let task = spawn(async { tokio::time::sleep(Duration::from_millis(1)).await });
        eventlet::Block::block(task).unwrap();
    });
    let seen = SEEN.lock().unwrap();
    let told: Vec<_> = seen.iter().map(|(function, why, _)| (function, why)).collect();
    assert!(told.iter().all(|(function, _)| **function == Some("syscall")), "{told:?}");
}

#[test]
fn a_hook_that_panics_harms_nobody() {
    let _alone = alone();
    set_blocking_hook(|_| panic!("on purpose"));
    eventlet_shim::monkey_patch();
    eventlet::run(async { a_careless_async_fn() });
}
