//! What the tests stand on: one body in both colours, turns that are looked for, a hub that is left
//! clean, and a watchdog in place of a test that hangs.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process::Command;
use std::rc::Rc;
use std::sync::Once;
use std::time::Duration;

use eventlet::debug::format_green_threads;
use eventlet::hubs::get_hub;
use eventlet::runtime::Builder;
use eventlet::{Greenlet, sleep, spawn_n};

#[path = "ear.rs"]
mod ear;

#[allow(unused_imports)]
pub(crate) use ear::Ear;

/// Makes two tests of each body: in module `stackless` the body is an async fn, in module
/// `stackful` a closure on a stack of its own.
///
/// In the body `wait!(future)` waits, and `green!({ .. })` makes a future of the same colour as the
/// test, to be spawned. Each test has a hub of its own with a paused clock, which it must leave
/// empty.
///
/// Bodies are boxed: a runtime and a coroutine compiled once more for each of a thousand bodies
/// would be half of what these tests take to compile.
macro_rules! both_colours {
    ($( $(#[$meta:meta])* fn $name:ident() $body:block )*) => {
        mod stackless {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use crate::support::stackless::{green, wait};

            $( #[test] $(#[$meta])* fn $name() { crate::support::run(async move $body) } )*
        }

        #[cfg(feature = "stackful")]
        mod stackful {
            #[allow(unused_imports)]
            use super::*;
            #[allow(unused_imports)]
            use crate::support::stackful::{green, wait};

            $( #[test] $(#[$meta])* fn $name() {
                let body: Box<dyn FnOnce()> = Box::new(move || $body);
                crate::support::run(eventlet::stackful(body))
            } )*
        }
    };
}
pub(crate) use both_colours;

/// How a stackless test waits.
pub(crate) mod stackless {
    macro_rules! wait_stackless {
        ($future:expr) => {
            $future.await
        };
    }
    macro_rules! green_stackless {
        ($body:block) => {{
            let body: std::pin::Pin<Box<dyn Future<Output = _>>> = Box::pin(async move $body);
            body
        }};
    }
    #[allow(unused_imports)]
    pub(crate) use {green_stackless as green, wait_stackless as wait};
}

/// How a stackful test waits.
#[cfg(feature = "stackful")]
pub(crate) mod stackful {
    macro_rules! wait_stackful {
        ($future:expr) => {
            eventlet::Block::block($future)
        };
    }
    macro_rules! green_stackful {
        ($body:block) => {{
            let body: Box<dyn FnOnce() -> _> = Box::new(move || $body);
            eventlet::stackful(body)
        }};
    }
    #[allow(unused_imports)]
    pub(crate) use {green_stackful as green, wait_stackful as wait};
}

/// Evaluates a call, and asserts that it gave up its turn.
macro_rules! yields {
    ($call:expr) => {{
        let turn = $crate::support::Turn::watch();
        let value = $call;
        assert!(turn.was_given(), "kept its turn: {}", stringify!($call));
        value
    }};
}
pub(crate) use yields;

/// Evaluates a call, and asserts that it kept its turn.
macro_rules! keeps_turn {
    ($call:expr) => {{
        let turn = $crate::support::Turn::watch();
        let value = $call;
        assert!(!turn.was_given(), "gave up its turn: {}", stringify!($call));
        value
    }};
}
pub(crate) use keeps_turn;

/// Tells whether anybody else got to run: a green thread that is ready and has one thing to do.
pub(crate) struct Turn {
    given: Rc<Cell<bool>>,
    other: Greenlet,
}

impl Turn {
    pub(crate) fn watch() -> Turn {
        let given = Rc::new(Cell::new(false));
        let other = spawn_n({
            let given = Rc::clone(&given);
            async move { given.set(true) }
        });
        Turn { given, other }
    }

    pub(crate) fn was_given(&self) -> bool {
        self.given.get()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.other.kill();
    }
}

/// Returns how long this OS thread has worked so far. What else the machine does is no part of it.
pub(crate) fn worked() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Longer than any test sleeps, and well within what Tokio's timer can hold.
const TOO_LONG: Duration = Duration::from_secs(400 * 24 * 60 * 60);

/// Runs a test under a hub with a paused clock, and asserts that it leaves the hub empty:
/// eventlet's `verify_hub_empty`.
///
/// When nobody can go on any more the paused clock runs to the watchdog: a stranded waiter fails
/// its test instead of hanging it. So what waits for another OS thread needs [`run_in_real_time`].
pub(crate) fn run(test: impl Future<Output = ()> + 'static) {
    Builder::new().start_paused(true).run(guarded(Box::pin(test), TOO_LONG)).unwrap();
}

/// Like [`run`], for a test that waits for other OS threads: the clock is the wall's. No test
/// sleeps on it.
pub(crate) fn run_in_real_time(test: impl Future<Output = ()> + 'static) {
    Builder::new().run(guarded(Box::pin(test), Duration::from_secs(60))).unwrap();
}

/// The future of a test with the watchdog and the look at the hub that [`run`] adds.
pub(crate) async fn guarded(test: Pin<Box<dyn Future<Output = ()>>>, limit: Duration) {
    if tokio::time::timeout(limit, test).await.is_err() {
        let who = format_green_threads();
        panic!(
            "everybody waits and nobody can go on: a wakeup was lost, or a waiter forgotten\n{who}"
        );
    }
    let hub = get_hub();
    assert_eq!(
        hub.green_threads(),
        1,
        "the test left green threads behind:\n{}",
        format_green_threads()
    );
    assert_eq!(hub.timers(), 0, "the test left timers behind");
}

/// Waits until everybody else waits for something. Under a paused clock only.
pub(crate) fn idle() -> impl Future<Output = ()> {
    sleep(Duration::from_nanos(1))
}

/// Shorthand, as most durations of a test are made up.
pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Waits on a turn only.
pub(crate) const ZERO: Duration = Duration::ZERO;

/// What happened, in order. Clones are the same log.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn new() -> Log {
        Log::default()
    }

    pub(crate) fn add(&self, what: impl Display) {
        self.0.borrow_mut().push(what.to_string());
    }

    /// Adds a line when the returned guard is dropped.
    pub(crate) fn at_drop(&self, what: impl Display) -> OnDrop<Box<dyn FnMut()>> {
        let (log, what) = (self.clone(), what.to_string());
        OnDrop(Box::new(move || log.add(&what)))
    }

    /// Returns all lines, separated by spaces.
    pub(crate) fn text(&self) -> String {
        self.0.borrow().join(" ")
    }
}

/// A destructor.
pub(crate) struct OnDrop<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Where and with what words something panicked.
#[derive(Clone, Debug)]
pub(crate) struct Panicked {
    pub(crate) message: String,
    pub(crate) file: String,
    pub(crate) line: u32,
}

thread_local! {
    static LAST_PANIC: RefCell<Option<Panicked>> = const { RefCell::new(None) };
}

/// Returns where and how the last panic on this OS thread since the last call came about.
///
/// It adds a look to the panic hook and leaves the rest of the hook, and all other threads, as they
/// were.
pub(crate) fn last_panic() -> Option<Panicked> {
    watch_panics();
    LAST_PANIC.take()
}

fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload.downcast_ref::<&'static str>().map(|text| text.to_string());
            let message = text.or_else(|| payload.downcast_ref::<String>().cloned());
            let message = message.unwrap_or_default();
            let (file, line) =
                info.location().map_or((String::new(), 0), |at| (at.file().to_owned(), at.line()));
            let panicked = Panicked { message, file, line };
            let _ = LAST_PANIC.try_with(|last| last.replace(Some(panicked)));
            usual(info);
        }));
    });
}

/// Runs code that must panic, and returns where and how it did.
pub(crate) fn panics<R>(code: impl FnOnce() -> R) -> Panicked {
    last_panic();
    let caught = catch_unwind(AssertUnwindSafe(code));
    assert!(caught.is_err(), "it did not panic");
    last_panic().expect("it unwound without a panic")
}

/// Asserts that a call panics in this very line, with these words in its message.
macro_rules! panics_here {
    ($words:expr, $call:expr) => {{
        let panicked = $crate::support::panics(|| $call);
        assert!(panicked.message.contains($words), "the words were: {}", panicked.message);
        assert_eq!((panicked.file.as_str(), panicked.line), (file!(), line!()), "the wrong place");
    }};
}
pub(crate) use panics_here;

/// Runs one test of this binary, marked `#[ignore]`, in a process of its own, and returns whether
/// it passed and what it wrote.
#[allow(dead_code)]
pub(crate) fn in_a_process_of_its_own(test: &str) -> (bool, String) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("running 1 test"), "there is no test {test}:\n{text}");
    (output.status.success(), text)
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
