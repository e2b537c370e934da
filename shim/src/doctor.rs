//! Which functions are really this program's, and whether they work.

use std::env;
use std::ffi::{CStr, c_int};
use std::fmt;
use std::fs;
use std::mem;
use std::os::fd::RawFd;
use std::process;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::areas::{self, Area};
use crate::blocked::blocked_calls;
use crate::calls::{SYMBOLS, ring};
use crate::objects::{self, Object, owner_of};
use crate::real::Call;

/// One function of libc's name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Symbol {
    /// Its name.
    pub name: &'static str,
    /// Its area. `close` and its like are of none: they tell those that wait.
    pub area: Option<Area>,
    /// Whether the name leads to this crate, for those who look it up when the program starts.
    pub interposed: bool,
    /// The object that it leads to instead. `None`, too, where nobody can look it up: this libc has
    /// it for old libraries only, or not at all.
    pub owner: Option<String>,
}

impl Symbol {
    /// Returns whether the name leads elsewhere.
    pub fn is_bypassed(&self) -> bool {
        self.owner.is_some()
    }
}

/// What [`doctor`] has found. It is printed as a table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Doctor {
    /// Each function of this crate.
    pub symbols: Vec<Symbol>,
    /// Whether `EVENTLET_SHIM=off` is in the environment.
    pub switched_off: bool,
    /// Whether a byte went through a pipe from one green thread to another. `None` where no area of
    /// it is patched, or this OS thread has a runtime already.
    pub round_trip: Option<bool>,
    /// Whether an item went through a channel of `std` from one green thread to another. `None`
    /// where [`Area::Thread`] is not patched, or this OS thread has a runtime already.
    pub channel: Option<bool>,
    /// Whether the kernel has descriptors of processes.
    pub has_pidfd: bool,
    /// Whether the kernel reads from pipes without waiting when it is asked to (`RWF_NOWAIT`).
    pub has_nowait: bool,
    /// Whether the kernel accepts clients without waiting when it is asked to, by its rings.
    pub has_accept: bool,
    /// The program and its libraries, where they call functions of this crate's names.
    pub objects: Vec<Object>,
    /// The signals with a handler that has no stack of its own (`SA_ONSTACK`). What it calls on a
    /// green stack looks like a call of the green thread: it must not wait.
    pub handlers: Vec<c_int>,
    /// Crates and libraries that are in the program, by the traces that they leave in its file, and
    /// what to know of them.
    pub traces: Vec<(&'static str, &'static str)>,
}

impl Doctor {
    /// Returns whether all is as it should be.
    pub fn is_well(&self) -> bool {
        !self.switched_off
            && self.round_trip != Some(false)
            && self.channel != Some(false)
            && !self.symbols.iter().any(Symbol::is_bypassed)
            && !self.objects.iter().any(Object::bypasses)
    }
}

/// Looks whether the functions of this crate are those that the program and its libraries call, and
/// lets two green threads talk.
///
/// With `EVENTLET_SHIM=doctor` in the environment the first [`monkey_patch`](crate::monkey_patch)
/// prints this and ends the process: with 0 where all [is well](Doctor::is_well), else with 1. What
/// a program opens only later is not there yet. `cargo run -p eventlet-shim --example doctor` does
/// so in a program that has nothing else.
///
/// # Examples
///
/// ```
/// eventlet_shim::monkey_patch();
/// let doctor = eventlet_shim::doctor();
/// println!("{doctor}");
/// assert!(doctor.is_well());
/// assert_eq!(doctor.round_trip, Some(true));
/// ```
pub fn doctor() -> Doctor {
    Doctor {
        symbols: SYMBOLS.iter().map(|(name, area, ours)| examine(name, *area, *ours)).collect(),
        switched_off: areas::is_switched_off(),
        round_trip: round_trip(),
        channel: channel(),
        has_pidfd: has_pidfd(),
        has_nowait: has_nowait(),
        has_accept: ring::is_there(),
        objects: objects::all(),
        handlers: (1..=64).filter(|signal| is_handled_on_any_stack(*signal)).collect(),
        traces: traces(),
    }
}

/// Sends an item to a green thread that waits for one. One that is not woken finds it when its
/// limit has passed.
fn channel() -> Option<bool> {
    const LIMIT: Duration = Duration::from_secs(1);
    if !areas::is_patched(Area::Thread) || tokio::runtime::Handle::try_current().is_ok() {
        return None;
    }
    let trip = || {
        let (sender, receiver) = mpsc::channel();
        eventlet::spawn_n(async move { sender.send(()) });
        let start = Instant::now();
        receiver.recv_timeout(LIMIT).is_ok() && start.elapsed() < LIMIT
    };
    Some(eventlet::runtime::Builder::new().run(eventlet::stackful(trip)).unwrap_or(false))
}

/// Prints what the doctor has found, and ends the process.
pub(crate) fn print_and_exit() -> ! {
    // On an OS thread of its own, where there is no runtime.
    let examined = crate::original(|| std::thread::spawn(doctor).join());
    match examined {
        Ok(found) => {
            println!("{found}");
            process::exit(if found.is_well() { 0 } else { 1 })
        }
        Err(_panicked) => process::exit(1),
    }
}

fn is_handled_on_any_stack(signal: c_int) -> bool {
    // SAFETY: all zeroes is a value of it.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: there is room for the answer.
    let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &mut action) };
    asked == 0
        && ![libc::SIG_DFL, libc::SIG_IGN].contains(&action.sa_sigaction)
        && action.sa_flags & libc::SA_ONSTACK == 0
}

/// What to look for in the program's file, backwards, as it would find itself; what that is, and
/// what to know of it.
const TRACES: [(&str, &str, &str); 3] = [
    (
        "-eroc_tol_gnikrap",
        "parking_lot",
        "two green threads of one hub must not contend for a lock of it, unless its core is patched",
    ),
    (
        "eroc_tol_gnikrap s'mihs-teltneve",
        "parking_lot, patched",
        "green threads may contend for its locks",
    ),
    ("-lennahc-maebssorc", "crossbeam-channel", "a green thread does not wake another of its hub"),
];

fn traces() -> Vec<(&'static str, &'static str)> {
    let program = fs::read("/proc/self/exe").unwrap_or_default();
    let has = |backwards: &str| {
        let text: Vec<u8> = backwards.bytes().rev().collect();
        let (start, length) = (program.as_ptr().cast(), program.len());
        // SAFETY: both are there for the call.
        !unsafe { libc::memmem(start, length, text.as_ptr().cast(), text.len()) }.is_null()
    };
    let there = TRACES.into_iter().filter(|(text, ..)| has(text));
    there.map(|(_, name, advice)| (name, advice)).collect()
}

fn has_nowait() -> bool {
    let mut ends: [RawFd; 2] = [0; 2];
    // SAFETY: there is room for two.
    if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
        return false;
    }
    let mut byte = [0_u8; 1];
    let part = libc::iovec { iov_base: byte.as_mut_ptr().cast(), iov_len: 1 };
    let arguments = [
        ends[0] as usize,
        (&raw const part).addr(),
        1,
        usize::MAX,
        usize::MAX,
        libc::RWF_NOWAIT as usize,
    ];
    // SAFETY: there is room for the byte.
    let read = unsafe { Call::new(libc::SYS_preadv2, arguments) }.make();
    for end in ends {
        // SAFETY: it is ours.
        unsafe { libc::close(end) };
    }
    read == -(libc::EAGAIN as isize)
}

fn examine(name: &'static CStr, area: Option<Area>, ours: *const ()) -> Symbol {
    // SAFETY: it looks a name up.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    let interposed = std::ptr::addr_eq(found, ours);
    let owner = if interposed { None } else { owner_of(found) };
    Symbol { name: name.to_str().unwrap_or_default(), area, interposed, owner }
}

fn has_pidfd() -> bool {
    // SAFETY: it has no arguments but numbers.
    let opened =
        unsafe { Call::new(libc::SYS_pidfd_open, [std::process::id() as usize, 0]) }.make();
    if opened >= 0 {
        // SAFETY: it is ours.
        unsafe { libc::close(opened as c_int) };
    }
    opened >= 0
}

fn round_trip() -> Option<bool> {
    let patched = areas::is_patched(Area::Socket) && areas::is_patched(Area::Os);
    if !patched || tokio::runtime::Handle::try_current().is_ok() {
        return None;
    }
    let before = crate::stats().waits;
    let trip = || {
        let mut ends: [RawFd; 2] = [0; 2];
        // SAFETY: there is room for two.
        if unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) } != 0 {
            return false;
        }
        let [reads, writes] = ends;
        let writer = eventlet::spawn(eventlet::stackful(move || {
            // SAFETY: the byte is there.
            unsafe { libc::write(writes, [7_u8].as_ptr().cast(), 1) }
        }));
        let mut byte = [0_u8];
        // SAFETY: there is room for the byte.
        let read = unsafe { libc::read(reads, byte.as_mut_ptr().cast(), 1) };
        drop(writer);
        for end in ends {
            // SAFETY: it is ours.
            unsafe { libc::close(end) };
        }
        read == 1 && byte == [7]
    };
    let arrived = eventlet::runtime::Builder::new().run(eventlet::stackful(trip));
    Some(arrived.unwrap_or(false) && crate::stats().waits > before)
}

impl fmt::Display for Doctor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = env!("CARGO_PKG_VERSION");
        writeln!(f, "eventlet-shim {version}, {} of {}", env::consts::ARCH, env::consts::OS)?;
        for Symbol { name, area, interposed, owner } in &self.symbols {
            let patched = area.map_or_else(areas::is_any_patched, areas::is_patched);
            let area = area.map_or("-".to_owned(), |area| format!("{area:?}").to_lowercase());
            let state = match (interposed, patched) {
                (true, true) => "interposed",
                (true, false) => "interposed, not patched",
                (false, _) if owner.is_none() => "not a name of this libc",
                (false, _) => "BYPASSED",
            };
            let owner = owner.as_deref().map(|owner| format!(" by {owner}")).unwrap_or_default();
            writeln!(f, "  {name:18} {area:11} {state}{owner}")?;
        }
        let tried = |works| match works {
            Some(true) => "works",
            Some(false) => "FAILS",
            None => "not tried: it is not patched, or a runtime is there already",
        };
        writeln!(f, "  a round trip between two green threads: {}", tried(self.round_trip))?;
        writeln!(f, "  a channel of std between two green threads: {}", tried(self.channel))?;
        self.write_surroundings(f)?;
        for (function, count) in blocked_calls() {
            writeln!(f, "  {function} has blocked an OS thread, {count} times")?;
        }
        if self.switched_off {
            writeln!(f, "  EVENTLET_SHIM=off is in the environment: nothing is patched")?;
        }
        write!(f, "  not covered: see \"Not covered\" in the documentation of eventlet-shim")
    }
}

impl Doctor {
    fn write_surroundings(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for object in &self.objects {
            write_object(f, object)?;
        }
        let there = |there, otherwise| if there { "there" } else { otherwise };
        let pidfd = there(self.has_pidfd, "missing: children are looked at every 50 ms");
        writeln!(f, "  descriptors of processes: {pidfd}")?;
        let nowait = there(self.has_nowait, "missing: pipes are asked by `poll` first");
        writeln!(f, "  reads that do not wait: {nowait}")?;
        let accept = there(self.has_accept, "missing: listeners are asked by `poll` first");
        writeln!(f, "  an `accept` that does not wait: {accept}")?;
        if !self.handlers.is_empty() {
            let signals = &self.handlers;
            writeln!(
                f,
                "  handlers of signals without SA_ONSTACK, which must not wait: {signals:?}"
            )?;
        }
        for (name, advice) in &self.traces {
            writeln!(f, "  {name} is in the program: {advice}")?;
        }
        Ok(())
    }
}

fn write_object(f: &mut fmt::Formatter<'_>, object: &Object) -> fmt::Result {
    let file = if object.file.is_empty() { "the program" } else { &object.file };
    let symbolic = if object.symbolic { " (-Bsymbolic)" } else { "" };
    writeln!(f, "  {file}{symbolic}:")?;
    for (name, owner) in &object.bypassed {
        let owner = owner.as_deref().unwrap_or("somewhere else");
        writeln!(f, "    {name} BYPASSES: it is bound to {owner}")?;
    }
    for name in &object.own {
        writeln!(f, "    {name} BYPASSES: it calls its own")?;
    }
    for (what, names) in [("here", &object.bound), ("at the first call", &object.unbound)] {
        if !names.is_empty() {
            writeln!(f, "    bound {what}: {}", names.join(" "))?;
        }
    }
    Ok(())
}
