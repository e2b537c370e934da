//! A green thread that runs over its stack ends the process with words, and nobody else's fault is
//! taken for that.
//!
//! Each test runs its own body in a child process, which dies of it.
#![cfg(all(feature = "stackful", target_os = "linux"))]
#![allow(unsafe_code)]

#[path = "support/child.rs"]
mod child;

use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::mem;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr;

use eventlet::{Block, HubThread, getcurrent, run, spawn, stackful};

/// How a child died, and what it wrote on standard error.
struct Death {
    status: ExitStatus,
    errors: String,
}

impl Death {
    /// Runs `body` in a child process, as the test of that name. Returns in the parent only.
    fn of(test: &str, body: impl FnOnce()) -> Death {
        if child::is_child() {
            body();
            panic!("it lives");
        }
        let output = child::command(test).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        Death { status: output.status, errors }
    }

    fn assert_signal(&self, signal: c_int) {
        assert_eq!(self.status.signal(), Some(signal), "{}", self.errors);
    }

    #[track_caller]
    fn assert_says(&self, words: &str) {
        assert!(self.errors.contains(words), "no {words:?} in:\n{}", self.errors);
    }

    #[track_caller]
    fn assert_is_silent_about_green_threads(&self) {
        assert!(!self.errors.contains("green thread"), "{}", self.errors);
    }
}

/// Uses up any stack, in frames of so many words.
#[inline(never)]
fn recurse_by<const WORDS: usize>(depth: u64) -> u64 {
    let frame = black_box([depth; WORDS]);
    let deeper = if depth == u64::MAX { 0 } else { recurse_by::<WORDS>(depth + 1) };
    black_box(deeper) + frame[7]
}

fn recurse() -> u64 {
    recurse_by::<16>(0)
}

/// A step of C's `qsort`, which sorts on, deeper and deeper.
extern "C" fn compare(_: *const c_void, _: *const c_void) -> c_int {
    let mut items = black_box([2, 1, 3, 0]);
    // SAFETY: it sorts four numbers, and `compare` does not look at them.
    unsafe { libc::qsort(items.as_mut_ptr().cast(), 4, mem::size_of::<i32>(), Some(compare)) };
    black_box(items[0])
}

async fn recurse_in_a_poll() -> u64 {
    recurse()
}

/// Does what makes the crate watch, so that later faults pass through its handler.
fn use_a_green_stack() {
    assert_eq!(run(stackful(|| spawn(stackful(|| 1)).block().unwrap())), 1);
}

#[test]
fn a_recursion_says_who_where_and_what_to_do() {
    let line = line!() + 4;
    let death = Death::of("a_recursion_says_who_where_and_what_to_do", || {
        run(async {
            let _other = spawn(async {});
            let deep = stackful(|| {
                eprintln!("I am {}", getcurrent().id());
                recurse()
            });
            let digger = spawn(deep.stack_size(100_000));
            digger.set_name("a digger with a name that is much too long");
            digger.await.unwrap();
        });
    });
    death.assert_signal(libc::SIGABRT);
    let id = death.errors.split("I am ").nth(1).unwrap().lines().next().unwrap();
    death.assert_says(&format!(
        "green thread {id} \"a digger with a name that is mu\" has overflowed its stack of 131072 bytes\n"
    ));
    death.assert_says(&format!("it runs the `stackful(..)` of {}:{line}:", file!()));
    death.assert_says("`stackful(..).stack_size(bytes)`");
    death.assert_says("`eventlet::runtime::Builder::stack_size(bytes)`");
    death.assert_says("fatal runtime error: stack overflow, aborting\n");
}

#[test]
fn a_recursion_through_c_says_so_too() {
    let death = Death::of("a_recursion_through_c_says_so_too", || {
        run(stackful(|| compare(ptr::null(), ptr::null())));
    });
    death.assert_signal(libc::SIGABRT);
    death.assert_says("has overflowed its stack of 262144 bytes\n");
}

#[test]
fn a_large_frame_does_not_step_over_the_guard() {
    let death = Death::of("a_large_frame_does_not_step_over_the_guard", || {
        run(stackful(|| recurse_by::<{ 1 << 16 }>(0)));
    });
    death.assert_signal(libc::SIGABRT);
    death.assert_says("has overflowed its stack of 262144 bytes\n");
}

#[test]
fn a_stack_within_a_stack_is_told_apart() {
    let line = line!() + 4;
    let death = Death::of("a_stack_within_a_stack_is_told_apart", || {
        run(stackful(|| {
            stackful(|| 1).block();
            stackful(recurse).stack_size(65536).block()
        }));
    });
    death.assert_signal(libc::SIGABRT);
    death.assert_says("has overflowed its stack of 65536 bytes\n");
    death.assert_says(&format!("it runs the `stackful(..)` of {}:{line}:", file!()));
}

#[test]
fn a_future_that_is_polled_on_a_green_stack_is_on_that_stack() {
    let death = Death::of("a_future_that_is_polled_on_a_green_stack_is_on_that_stack", || {
        run(stackful(|| recurse_in_a_poll().block()));
    });
    death.assert_signal(libc::SIGABRT);
    death.assert_says("has overflowed its stack of 262144 bytes\n");
}

#[test]
fn a_stack_that_was_used_before_names_its_present_user() {
    let line = line!() + 4;
    let death = Death::of("a_stack_that_was_used_before_names_its_present_user", || {
        run(async {
            spawn(stackful(|| 1)).await.unwrap();
            spawn(stackful(recurse)).await.unwrap();
        });
    });
    death.assert_signal(libc::SIGABRT);
    death.assert_says(&format!("it runs the `stackful(..)` of {}:{line}:", file!()));
}

#[test]
fn outside_green_threads_there_is_no_number() {
    let death = Death::of("outside_green_threads_there_is_no_number", || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(stackful(recurse));
    });
    death.assert_signal(libc::SIGABRT);
    death.assert_says("a stackful future outside green threads has overflowed its stack");
}

#[test]
fn every_os_thread_can_say_so() {
    let death = Death::of("every_os_thread_can_say_so", || {
        use_a_green_stack();
        let hub = HubThread::start();
        hub.spawn(|| stackful(recurse)).join().unwrap();
    });
    death.assert_signal(libc::SIGABRT);
    death.assert_says("has overflowed its stack of 262144 bytes\n");
}

#[test]
fn an_os_thread_without_a_signal_stack_gets_one() {
    let death = Death::of("an_os_thread_without_a_signal_stack_gets_one", || {
        let foreign = std::thread::spawn(|| {
            remove_signal_stack();
            run(stackful(recurse))
        });
        foreign.join().unwrap();
    });
    death.assert_signal(libc::SIGABRT);
    death.assert_says("has overflowed its stack of 262144 bytes\n");
}

#[test]
fn a_signal_stack_goes_with_its_os_thread() {
    let mappings = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
    let round = || {
        let foreign = std::thread::spawn(|| {
            remove_signal_stack();
            use_a_green_stack();
        });
        foreign.join().unwrap();
    };
    round();
    let before = mappings();
    (0..100).for_each(|_| round());
    assert!(mappings() < before + 50, "{before} mappings grew to {}", mappings());
}

#[test]
fn an_ordinary_overflow_is_reported_by_std() {
    let death = Death::of("an_ordinary_overflow_is_reported_by_std", || {
        use_a_green_stack();
        let plain = std::thread::Builder::new().name("plain".to_owned());
        plain.spawn(recurse).unwrap().join().unwrap();
    });
    death.assert_signal(libc::SIGABRT);
    death.assert_says("thread 'plain'");
    death.assert_says("has overflowed its stack\n");
    death.assert_is_silent_about_green_threads();
}

#[test]
fn an_ordinary_fault_is_one() {
    let death = Death::of("an_ordinary_fault_is_one", || {
        use_a_green_stack();
        fault();
    });
    death.assert_signal(libc::SIGSEGV);
    death.assert_is_silent_about_green_threads();
}

#[test]
fn an_ordinary_fault_on_a_green_stack_is_one() {
    let death = Death::of("an_ordinary_fault_on_a_green_stack_is_one", || {
        run(stackful(fault));
    });
    death.assert_signal(libc::SIGSEGV);
    death.assert_is_silent_about_green_threads();
}

#[test]
fn a_signal_that_was_sent_does_what_it_did() {
    let death = Death::of("a_signal_that_was_sent_does_what_it_did", || {
        default_action();
        use_a_green_stack();
        // SAFETY: it ends this process.
        unsafe { libc::raise(libc::SIGSEGV) };
    });
    death.assert_signal(libc::SIGSEGV);
}

#[test]
fn who_handled_faults_before_still_does() {
    extern "C" fn mine(_: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
        // SAFETY: the kernel's information about a signal.
        let fault = unsafe { &*info };
        // SAFETY: the signal is a fault, which has an address.
        let address = unsafe { fault.si_addr() } as i32;
        // SAFETY: it may be called at any time.
        unsafe { libc::_exit(address) };
    }
    let death = Death::of("who_handled_faults_before_still_does", || {
        // SAFETY: all zero is an action.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction = mine as extern "C" fn(_, _, _) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        // SAFETY: the handler may be called at any time.
        unsafe { libc::sigaction(libc::SIGSEGV, &action, ptr::null_mut()) };
        use_a_green_stack();
        fault();
    });
    assert_eq!(death.status.code(), Some(FAULT as i32), "{}", death.errors);
}

/// An address where nothing is.
const FAULT: usize = 64;

fn fault() {
    // SAFETY: none; that is what the test is about.
    unsafe { ptr::write_volatile(black_box(FAULT) as *mut u8, 1) };
}

/// Makes this OS thread like one that std did not start.
fn remove_signal_stack() {
    let none = libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: nobody handles a signal meanwhile.
    assert_eq!(unsafe { libc::sigaltstack(&none, ptr::null_mut()) }, 0);
}

fn default_action() {
    // SAFETY: the default action has no handler.
    unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
}
