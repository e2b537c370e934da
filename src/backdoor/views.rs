//! What the commands show.

use std::rc::Rc;
use std::time::Duration;

use super::table::{Cell, Table};
#[cfg(not(feature = "stackful"))]
use crate::debug::format_green_threads as dump_all;
#[cfg(feature = "stackful")]
use crate::debug::format_green_threads_with_backtraces as dump_all;
use crate::debug::{self, GreenThreadInfo, State};
use crate::greenthread::{Greenlet, sleep};
use crate::hub::{self, Hub};
use crate::hubs::get_hub;
#[cfg(not(feature = "stackful"))]
use no_stacks::{backtraces, numbers};
#[cfg(feature = "stackful")]
use with_stacks::{backtraces, numbers};

/// What is known of stacks where there are some.
#[cfg(feature = "stackful")]
mod with_stacks {
    use crate::debug::GreenThreadInfo;
    use crate::stackful::stack_stats;

    pub(super) fn numbers() -> Vec<(&'static str, u64)> {
        let stats = stack_stats();
        vec![
            ("stacks in use", stats.in_use as u64),
            ("stacks kept for the next", stats.pooled as u64),
            ("bytes of stacks resident", stats.resident as u64),
            ("bytes of the deepest stack", stats.high_water as u64),
        ]
    }

    pub(super) fn backtraces(info: &GreenThreadInfo) -> String {
        let stacks = info.parked_stacks();
        stacks.iter().map(|stack| format!("  stack made at {}\n{stack}", stack.made_at)).collect()
    }
}

/// The same, where there are none.
#[cfg(not(feature = "stackful"))]
mod no_stacks {
    use crate::debug::GreenThreadInfo;

    pub(super) fn numbers() -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    pub(super) fn backtraces(_info: &GreenThreadInfo) -> String {
        String::new()
    }
}

pub(super) fn threads() -> Table {
    let mut table = Table::new(&["id", "name", "state", "stackful", "idle", "spawned at"]);
    for info in debug::green_threads() {
        let state = match info.state {
            State::New => "new",
            State::Ready => "ready",
            State::Running => "running",
            State::Waiting => "waiting",
        };
        table.row([
            info.greenlet.id().into(),
            name(info.name.as_deref()),
            state.into(),
            info.stackful.into(),
            info.idle.into(),
            info.spawned_at.to_string().into(),
        ]);
    }
    table
}

fn name(name: Option<&str>) -> Cell {
    name.into()
}

pub(super) fn dump() -> String {
    dump_all()
}

pub(super) fn dump_of(greenlet: Greenlet) -> String {
    let all = debug::green_threads();
    let info = all.iter().find(|info| info.greenlet == greenlet);
    let text = |info: &GreenThreadInfo| format!("{info}\n{}", backtraces(info));
    info.map_or_else(String::new, text)
}

/// Has the hub count for so long, unless the program has it count already.
pub(super) async fn top(time: Duration) -> Table {
    let mut table = Table::new(&[
        "id",
        "name",
        "last second",
        "time",
        "processor",
        "turns",
        "longest turn",
        "spawned at",
    ]);
    let hub = hub::expect("counting who uses it");
    let counting = hub.usage().is_none().then(|| Counting::begin(hub));
    if counting.is_some() {
        sleep(time).await;
    }
    for usage in debug::top().green_threads {
        table.row([
            usage.greenlet.id().into(),
            name(usage.name.as_deref()),
            usage.last_second.into(),
            usage.time.into(),
            usage.cpu.into(),
            usage.turns.into(),
            usage.longest.into(),
            usage.spawned_at.to_string().into(),
        ]);
    }
    table
}

/// The hub counts until this is dropped.
struct Counting(Rc<Hub>);

impl Counting {
    fn begin(hub: Rc<Hub>) -> Counting {
        hub.keep_usage(true, true);
        Counting(hub)
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.0.keep_usage(false, false);
    }
}

pub(super) async fn waits() -> Table {
    let columns = &["what", "state", "held by", "waiting", "green threads"];
    let mut table = Table::new(columns);
    for point in debug::meeting_points(false).await {
        let ids = point.waiters.iter().map(|waiter| waiter.greenlet.id().to_string());
        table.row([
            point.what.into(),
            point.state.into(),
            point.held_by.into(),
            point.waiting.into(),
            ids.collect::<Vec<_>>().join(" ").into(),
        ]);
    }
    table
}

pub(super) fn stats() -> Table {
    let (stalls, stalled) = debug::stalls();
    let hub = get_hub();
    let mut table = Table::new(&["what", "value"]);
    let numbers = [
        ("green threads", hub.green_threads() as u64),
        ("timers", hub.timers() as u64),
        ("listeners", debug::hub_listeners().len() as u64),
        ("stalls", stalls),
    ];
    for (what, number) in numbers.into_iter().chain(numbers_of_stacks()) {
        table.row([what.into(), number.into()]);
    }
    table.row(["seconds stalled".into(), stalled.into()]);
    table
}

fn numbers_of_stacks() -> Vec<(&'static str, u64)> {
    numbers()
}

pub(super) fn timers() -> Table {
    let mut table = Table::new(&["due in", "green thread"]);
    for timer in debug::hub_timers() {
        table.row([timer.due_in.into(), timer.greenlet.map(|it| it.id()).into()]);
    }
    table
}

pub(super) fn listeners() -> Table {
    let mut table = Table::new(&["descriptor", "interest", "waiting", "green thread"]);
    for listener in debug::hub_listeners() {
        table.row([
            u64::try_from(listener.fd).ok().into(),
            listener.interest.to_string().into(),
            listener.waiting.into(),
            listener.greenlet.map(|it| it.id()).into(),
        ]);
    }
    table
}

pub(super) fn stacks() -> Table {
    let mut table = Table::new(&["what", "value"]);
    for (what, number) in numbers_of_stacks() {
        table.row([what.into(), number.into()]);
    }
    table
}
