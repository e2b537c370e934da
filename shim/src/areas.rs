//! Which areas are patched.

use std::env;
use std::fmt;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// A group of functions that are patched together: eventlet's keywords of `monkey_patch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Area {
    /// Reading, writing, connecting and accepting.
    Socket,
    /// Looking names up.
    Dns,
    /// `poll`, `select`, `epoll_wait`.
    Select,
    /// Sleeping.
    Time,
    /// Pipes and terminals, file locks.
    Os,
    /// Locks of `std`, and what else waits with futexes through libc's `syscall`.
    Thread,
    /// Waiting for child processes.
    Subprocess,
}

impl Area {
    /// All of them.
    pub const ALL: [Area; 7] = [
        Area::Socket,
        Area::Dns,
        Area::Select,
        Area::Time,
        Area::Os,
        Area::Thread,
        Area::Subprocess,
    ];

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// The patched areas, a bit for each.
static PATCHED: AtomicU32 = AtomicU32::new(0);

#[inline]
pub(crate) fn is_patched(area: Area) -> bool {
    PATCHED.load(Ordering::Relaxed) & area.bit() != 0
}

#[inline]
pub(crate) fn is_any_patched() -> bool {
    PATCHED.load(Ordering::Relaxed) != 0
}

/// Which areas to patch: `monkey_patch` with keywords.
///
/// Corresponds to `eventlet.monkey_patch(socket=True, time=True)`: where none is named true, all
/// are patched that are not named false.
///
/// # Examples
///
/// ```
/// use eventlet_shim::{Area, Patch, is_monkey_patched};
///
/// Patch::new().set(Area::Time, true).apply();
/// assert!(is_monkey_patched(Area::Time) && !is_monkey_patched(Area::Socket));
/// Patch::new().set(Area::Thread, false).apply();
/// assert!(is_monkey_patched(Area::Socket) && !is_monkey_patched(Area::Thread));
/// ```
#[derive(Clone, Copy, Default)]
#[must_use = "nothing is patched before `apply`"]
pub struct Patch {
    on: u32,
    off: u32,
}

impl Patch {
    /// Names no area.
    pub fn new() -> Patch {
        Patch::default()
    }

    /// Names an area to be patched, or not to be.
    pub fn set(mut self, area: Area, patch: bool) -> Patch {
        let (named, other) = match patch {
            true => (&mut self.on, &mut self.off),
            false => (&mut self.off, &mut self.on),
        };
        *named |= area.bit();
        *other &= !area.bit();
        self
    }

    /// Patches the areas. What is patched already stays so.
    ///
    /// Calls that wait when it is applied go on as they began.
    pub fn apply(self) {
        if is_switched_off() {
            return;
        }
        static FORKS: Once = Once::new();
        FORKS.call_once(forget_in_children);
        let all = Area::ALL.iter().fold(0, |bits, area| bits | area.bit());
        let on = if self.on == 0 { all & !self.off } else { self.on };
        PATCHED.fetch_or(on, Ordering::SeqCst);
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |bits: u32| Area::ALL.into_iter().filter(move |area| bits & area.bit() != 0);
        f.debug_struct("Patch")
            .field("on", &named(self.on).collect::<Vec<_>>())
            .field("off", &named(self.off).collect::<Vec<_>>())
            .finish()
    }
}

/// Patches everything: from now on synchronous code that waits on a green stack suspends its green
/// thread.
///
/// It may be called at any time and any number of times. With `EVENTLET_SHIM=off` in the
/// environment it does nothing.
///
/// Corresponds to `eventlet.monkey_patch()`.
///
/// # Examples
///
/// ```
/// use eventlet::{Block, spawn, stackful};
/// use std::time::{Duration, Instant};
///
/// eventlet_shim::monkey_patch();
/// eventlet::run(stackful(|| {
///     let start = Instant::now();
///     let nap = || std::thread::sleep(Duration::from_millis(20));
///     let sleepers: Vec<_> = (0..100).map(|_| spawn(stackful(nap))).collect();
///     for sleeper in sleepers {
///         sleeper.block().unwrap();
///     }
///     assert!(start.elapsed() < Duration::from_millis(1000));
/// }));
/// ```
pub fn monkey_patch() {
    Patch::new().apply();
}

/// Returns whether an area is patched.
///
/// Corresponds to `eventlet.patcher.is_monkey_patched`.
pub fn is_monkey_patched(area: Area) -> bool {
    is_patched(area)
}

/// Returns whether the environment says that nothing is to be patched.
pub(crate) fn is_switched_off() -> bool {
    env::var_os("EVENTLET_SHIM").is_some_and(|value| value == "off")
}

/// Has the children of `fork` call libc's functions as they are: the hub is not theirs.
fn forget_in_children() {
    extern "C" fn in_child() {
        PATCHED.store(0, Ordering::SeqCst);
    }
    // SAFETY: the function only stores a number, which may be done in a child.
    let error = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    assert_eq!(error, 0, "the system has no memory for a handler of `fork`");
}
