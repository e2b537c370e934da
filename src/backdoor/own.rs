//! The commands that every backdoor has.

use std::time::Duration;

use super::commands::{Args, Commands, Output};
use super::views;
use crate::debug;
use crate::greenthread::Greenlet;

/// The names of the commands, with what `help` says of them. Those that change something come last.
const COMMANDS: [(&str, &str); 13] = [
    ("help", "lists the commands"),
    ("version", "the version of eventlet"),
    ("threads", "all green threads [--json]"),
    ("dump", "all green threads, or one by its ID, with the backtraces of parked stacks"),
    ("top", "who uses the hub: counts for a second, or SECONDS [--json]"),
    ("stats", "numbers of the hub [--json]"),
    ("waits", "what is waited for, and by whom: locks, queues, events and such [--json]"),
    ("timers", "what time is waited for, and by whom [--json]"),
    ("listeners", "which descriptors are waited for, and by whom [--json]"),
    ("stacks", "the stacks of this OS thread [--json]"),
    ("quit", "ends this session"),
    ("kill", "ends a green thread: kill ID"),
    ("block", "reports who blocks the hub: block on MILLISECONDS, block off"),
];

/// The longest that `top` counts.
const MOST_SECONDS: u64 = 60;

/// Does what a command says.
pub(super) async fn run(name: &str, args: &Args, out: &Output, commands: &Commands) {
    let listing = match name {
        "threads" => views::threads(),
        "top" => match seconds(args) {
            Some(time) => views::top(time).await,
            None => return out.line("it is `top` or `top SECONDS`, of 60 at most"),
        },
        "waits" => views::waits().await,
        "stats" => views::stats(),
        "timers" => views::timers(),
        "listeners" => views::listeners(),
        "stacks" => views::stacks(),
        _ => return answer(name, args, out, commands),
    };
    let text = if args.has("--json") { listing.json() } else { listing.text() };
    out.line(text.trim_end());
}

/// Returns for how long `top` counts.
fn seconds(args: &Args) -> Option<Duration> {
    let seconds = args.get(0).map_or(Ok(1), str::parse).ok()?;
    (seconds <= MOST_SECONDS).then(|| Duration::from_secs(seconds))
}

/// Does what a command says that is no listing.
fn answer(name: &str, args: &Args, out: &Output, commands: &Commands) {
    match name {
        "" => {}
        "help" => help(out, commands),
        "version" => out.line(concat!("eventlet ", env!("CARGO_PKG_VERSION"))),
        "dump" => dump(args, out),
        "kill" | "block" | "log" if commands.read_only => {
            out.line("this backdoor is for looking only");
        }
        "kill" => kill(args, out),
        "block" => block(args, out),
        "log" => log(args, out, commands),
        _ => out.line(format_args!("{name:?} is no command: `help` lists them")),
    }
}

fn help(out: &Output, commands: &Commands) {
    let own = commands.own.iter().map(|(name, command)| (name.as_str(), command.help.as_str()));
    let log = commands.log.iter().map(|_| ("log", "changes what is logged: log LEVEL"));
    let changes = |name: &str| ["kill", "block", "log"].contains(&name);
    for (name, help) in COMMANDS.into_iter().chain(log).chain(own) {
        if !(commands.read_only && changes(name)) {
            out.line(format_args!("{name:10} {help}"));
        }
    }
}

fn dump(args: &Args, out: &Output) {
    match args.get(0) {
        None => out.line(views::dump().trim_end()),
        Some(id) => match find(id) {
            Some(greenlet) => out.line(views::dump_of(greenlet).trim_end()),
            None => out.line(format_args!("there is no green thread {id:?}: `threads` lists them")),
        },
    }
}

fn kill(args: &Args, out: &Output) {
    let id = args.get(0).unwrap_or_default();
    match find(id) {
        None => out.line(format_args!("there is no green thread {id:?}: `threads` lists them")),
        Some(main) if is_main(main) && !args.has("really") => {
            out.line(format_args!(
                "it is the first, with which the program may end: `kill {id} really`"
            ));
        }
        Some(greenlet) => {
            greenlet.kill();
            out.line(format_args!("green thread {id} is killed"));
        }
    }
}

fn is_main(greenlet: Greenlet) -> bool {
    debug::green_threads().first().is_some_and(|first| first.greenlet == greenlet)
}

fn find(id: &str) -> Option<Greenlet> {
    let id: u64 = id.parse().ok()?;
    debug::green_threads().iter().map(|info| info.greenlet).find(|greenlet| greenlet.id() == id)
}

fn block(args: &Args, out: &Output) {
    let limit = args.get(1).and_then(|limit| limit.parse().ok()).map(Duration::from_millis);
    let done = match (args.get(0), limit) {
        (Some("on"), Some(limit)) => debug::hub_blocking_detection(true, limit),
        (Some("off"), None) => debug::hub_blocking_detection(false, Duration::ZERO),
        _ => return out.line("it is `block on MILLISECONDS` or `block off`"),
    };
    match done {
        Ok(()) => out.line("done"),
        Err(error) => out.line(error),
    }
}

fn log(args: &Args, out: &Output, commands: &Commands) {
    match (&commands.log, args.get(0)) {
        (None, _) => out.line("this program has no `log`: `Commands::log` adds it"),
        (Some(_), None) => out.line("it is `log LEVEL`"),
        (Some(change), Some(level)) => match change(level) {
            Ok(()) => out.line("done"),
            Err(error) => out.line(error),
        },
    }
}
