//! Which functions are really this program's, and whether they work.

use std::env;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::fmt;
use std::os::fd::RawFd;

use crate::areas::{self, Area};
use crate::calls::SYMBOLS;
use crate::real::Call;

/// One function of libc's name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Symbol {
    /// Its name.
    pub name: &'static str,
    /// Its area. `close` and its like are of none: they tell whoever waits.
    pub area: Option<Area>,
    /// Whether the name leads to this crate, for those who look it up when the program starts.
    pub interposed: bool,
    /// The object that has it where it does not.
    pub owner: Option<String>,
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
    /// Whether the kernel has descriptors of processes.
    pub has_pidfd: bool,
}

impl Doctor {
    /// Returns whether all is as it should be.
    pub fn is_well(&self) -> bool {
        !self.switched_off
            && self.round_trip != Some(false)
            && self.symbols.iter().all(|symbol| symbol.interposed)
    }
}

/// Looks whether the functions of this crate are those that the program calls, and lets two green
/// threads talk.
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
        has_pidfd: has_pidfd(),
    }
}

fn examine(name: &'static CStr, area: Option<Area>, ours: *const ()) -> Symbol {
    // SAFETY: it looks a name up.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    let interposed = std::ptr::addr_eq(found, ours);
    let owner = if interposed { None } else { owner_of(found) };
    Symbol { name: name.to_str().unwrap_or_default(), area, interposed, owner }
}

/// Returns the file of the object that a function is in.
fn owner_of(function: *const c_void) -> Option<String> {
    // SAFETY: all zeroes is a value of it.
    let mut about: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: there is room for the answer.
    let found = unsafe { libc::dladdr(function, &mut about) };
    (found != 0 && !about.dli_fname.is_null()).then(|| text(about.dli_fname))
}

fn text(text: *const c_char) -> String {
    // SAFETY: it is a string of the dynamic linker's.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
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
                (false, _) => "BYPASSED",
            };
            let owner = owner.as_deref().map(|owner| format!(" by {owner}")).unwrap_or_default();
            writeln!(f, "  {name:18} {area:11} {state}{owner}")?;
        }
        let round_trip = match self.round_trip {
            Some(true) => "works",
            Some(false) => "FAILS",
            None => "not tried: nothing is patched, or a runtime is there already",
        };
        writeln!(f, "  a round trip between two green threads: {round_trip}")?;
        let pidfd =
            if self.has_pidfd { "there" } else { "missing: children are looked at every 50 ms" };
        writeln!(f, "  descriptors of processes: {pidfd}")?;
        if self.switched_off {
            writeln!(f, "  EVENTLET_SHIM=off is in the environment: nothing is patched")?;
        }
        write!(f, "  not covered: see \"Not covered\" in the documentation of eventlet-shim")
    }
}
