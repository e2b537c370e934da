//! Where the code on green stacks waits.

use std::backtrace::Backtrace;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::panic::Location;

use super::{GreenThreadInfo, green_threads};
use crate::frames;
use crate::stackful::{Seen, is_bottom, look};

/// A green stack that is suspended, and where the code on it waits.
///
/// Its `Display` is the backtrace, without the calls that wait and without those by which the stack
/// was started.
#[derive(Debug)]
#[non_exhaustive]
pub struct ParkedStack {
    /// The line that made the [`stackful`](crate::stackful()) future.
    pub made_at: &'static Location<'static>,
    backtrace: Option<Backtrace>,
}

impl ParkedStack {
    fn new(seen: Seen) -> ParkedStack {
        ParkedStack { made_at: seen.place, backtrace: seen.backtrace }
    }

    /// Returns the backtrace, from the wait to the bottom of the stack and further on to whoever
    /// looked. `None` where the stack had less than 32 KiB left: to capture a backtrace takes room,
    /// too.
    pub fn backtrace(&self) -> Option<&Backtrace> {
        self.backtrace.as_ref()
    }
}

impl GreenThreadInfo {
    /// Looks at the stacks of this green thread: each is resumed at the place where it was
    /// suspended, captures a backtrace, and is suspended again.
    ///
    /// A stackful green thread has one, and those on which it waits for `stackful` futures within,
    /// in the order in which they were started: of stacks within stacks the last one says what is
    /// waited for. There is none while it runs, before it has started, and for one that is
    /// stackless altogether. A stackful future that several green threads poll in turn is that of
    /// the first.
    ///
    /// This takes some ten microseconds for each stack, and memory of it: the stack is used some
    /// kilobytes deeper than it was. It goes through all green stacks of the OS thread: to see all
    /// of them, use [`format_green_threads_with_backtraces`].
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Block, debug, sleep, spawn, stackful};
    /// use std::time::Duration;
    ///
    /// fn waits_for_ever() {
    ///     std::future::pending::<()>().block();
    /// }
    ///
    /// eventlet::run(stackful(|| {
    ///     let gt = spawn(stackful(waits_for_ever));
    ///     sleep(Duration::ZERO).block();
    ///     let [_main, info] = &debug::green_threads()[..] else { panic!("two are alive") };
    ///     let [stack] = &info.parked_stacks()[..] else { panic!("it has one stack") };
    ///     assert!(stack.to_string().contains("waits_for_ever"), "{stack}");
    ///     gt.kill();
    /// }));
    /// ```
    pub fn parked_stacks(&self) -> Vec<ParkedStack> {
        let id = self.greenlet.id();
        look(|owner| owner == id).into_iter().map(ParkedStack::new).collect()
    }
}

/// Green threads whose stacks are shown at once.
const MOST_SHOWN: usize = 500;

/// Returns what [`format_green_threads`](super::format_green_threads) does, and below each green
/// thread the backtraces of its [stacks](GreenThreadInfo::parked_stacks).
///
/// The hub stands still meanwhile, a tenth of a millisecond for each stack. So of many green
/// threads, the first 500 are shown with backtraces, and then the text says how many are not.
///
/// Stacks of this OS thread that are no green thread's, but those of a Tokio task, come last.
///
/// # Panics
///
/// Where there is no hub: outside [`run`](crate::run) and [`local`](crate::local).
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use eventlet::{Block, debug, sleep, spawn, stackful};
/// use std::time::Duration;
///
/// eventlet::run(async {
///     let gt = spawn(stackful(|| sleep(Duration::from_secs(60)).block()));
///     sleep(Duration::ZERO).await;
///     let text = debug::format_green_threads_with_backtraces();
///     assert!(text.contains("stackful, waiting, spawned at "), "{text}");
///     assert!(text.contains("  stack made at "), "{text}");
///     gt.kill();
/// });
/// ```
#[track_caller]
pub fn format_green_threads_with_backtraces() -> String {
    let living = green_threads();
    let ids: HashSet<u64> = living.iter().map(|info| info.greenlet.id()).collect();
    let shown: HashSet<u64> =
        living.iter().take(MOST_SHOWN).map(|info| info.greenlet.id()).collect();
    let is_shown = |id| shown.contains(&id) || !ids.contains(&id) && ids.len() <= MOST_SHOWN;
    let mut stacks = HashMap::<u64, Vec<ParkedStack>>::new();
    for seen in look(is_shown) {
        stacks.entry(seen.id).or_default().push(ParkedStack::new(seen));
    }
    let mut text = String::new();
    for info in living {
        text += &format!("{info}\n");
        text += &format_stacks(stacks.remove(&info.greenlet.id()));
    }
    if !stacks.is_empty() {
        text += "no green thread\n";
        text.extend(stacks.into_values().map(|stacks| format_stacks(Some(stacks))));
    }
    let hidden = ids.len().saturating_sub(MOST_SHOWN);
    if hidden > 0 {
        text += &format!("no backtraces of {hidden} more: ask `GreenThreadInfo::parked_stacks`\n");
    }
    text
}

fn format_stacks(stacks: Option<Vec<ParkedStack>>) -> String {
    let stacks = stacks.into_iter().flatten();
    stacks.map(|stack| format!("  stack made at {}\n{stack}", stack.made_at)).collect()
}

impl fmt::Display for ParkedStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.backtrace {
            Some(backtrace) => f.write_str(&frames::of_stack(&backtrace.to_string(), is_bottom)),
            None => f.write_str("  it has no room left for a backtrace\n"),
        }
    }
}
