//! Runs a program once.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Once;
use std::thread;
use std::time::Duration;

use super::choices::{Script, Source};
use super::schedule::{self, Schedule, Step};
use crate::awaitable::Awaitable;
use crate::debug;
use crate::greenthread::sleep;
use crate::hub::{self, Hub};
use crate::report;
use crate::runtime::Builder;

/// A run that is over.
pub(super) struct Ran {
    /// How it failed. Formatted when it is needed, as a backtrace takes long to be.
    pub(super) failed: Option<Box<dyn Display + Send>>,
    pub(super) taken: Script,
    pub(super) steps: Vec<Step>,
}

/// Runs a program on an OS thread of its own, so that no run finds anything of another one, not
/// even its numbers.
pub(super) fn run<M, F>(program: &M, source: Source) -> Ran
where
    M: Fn() -> F + Sync,
    F: Awaitable<()> + 'static,
{
    thread::scope(|scope| {
        let run = scope.spawn(|| run_here(program(), source));
        run.join().unwrap_or_else(|payload| panic::resume_unwind(payload))
    })
}

fn run_here(program: impl Awaitable<()> + 'static, source: Source) -> Ran {
    let schedule = Schedule::new(source);
    let _entered = schedule::enter(&schedule);
    let _quiet = Quiet::enter();
    let main = main(program, Rc::clone(&schedule));
    let (outcome, unheard) = report::unheard_in(|| {
        catch_unwind(AssertUnwindSafe(|| {
            Builder::new().start_paused(true).deadlock_detection(true).run(main)
        }))
    });
    let failed: Option<Box<dyn Display + Send>> = match outcome {
        Err(payload) => Some(Box::new(panicked(payload))),
        Ok(Err(error)) => Some(Box::new(error)),
        Ok(Ok(Some(left))) => Some(Box::new(left)),
        Ok(Ok(None)) if unheard.is_empty() => None,
        Ok(Ok(None)) => Some(Box::new(unheard.join("\n"))),
    };
    Ran { failed, taken: schedule.taken(), steps: schedule.steps() }
}

/// The main green thread: the program, and a look at what it leaves behind.
async fn main(program: impl Awaitable<()>, schedule: Rc<Schedule>) -> Option<String> {
    let hub = hub::expect("a check");
    if let Some(main) = hub.current() {
        schedule.begin(main);
    }
    hub.set_schedule(schedule.clone());
    program.await;
    while hub.ready() > 0 {
        sleep(Duration::ZERO).await;
    }
    left_behind(&hub, &schedule)
}

/// Says what a program has left behind, if anything.
fn left_behind(hub: &Hub, schedule: &Schedule) -> Option<String> {
    let mut left = Vec::new();
    if hub.len() > 1 {
        let all: String =
            debug::green_threads()[1..].iter().map(|info| format!("\n{info}")).collect();
        left.push(format!("it has ended, and left green threads behind:{all}"));
    } else if hub.timers() > 0 {
        left.push(format!("it has ended, and left {} timers behind", hub.timers()));
    }
    for (what, changed) in schedule.unchanged.take() {
        left.extend(changed().map(|how| format!("it has ended, and {what} has changed: {how}")));
    }
    (!left.is_empty()).then(|| left.join("\n"))
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// Where the last panic was.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps the panics of this OS thread from being printed: there may be hundreds, of which one is
/// reported in the end.
struct Quiet;

impl Quiet {
    fn enter() -> Quiet {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            let usual = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                if !QUIET.try_with(Cell::get).unwrap_or(false) {
                    return usual(info);
                }
                let place = info.location().map(|place| place.to_string());
                let _too_late = PLACE.try_with(|last| last.replace(place));
            }));
        });
        QUIET.set(true);
        Quiet
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        QUIET.set(false);
    }
}

/// Says what a panic said, and where.
fn panicked(payload: Box<dyn Any + Send>) -> String {
    let message = report::message(&*payload).unwrap_or_else(|| "it has no message".to_owned());
    match PLACE.take() {
        Some(place) => format!("panic at {place}: {message}"),
        None => format!("panic: {message}"),
    }
}
