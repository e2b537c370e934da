//! Which areas are patched.

use std::env;
use std::fmt;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use eventlet::patcher;
pub(crate) use eventlet::patcher::{Area, is_monkey_patched as is_patched};

use crate::doctor;

/// Whether anything is patched in this process: not in the child of a `fork`, which has no hub.
static PATCHED: AtomicBool = AtomicBool::new(false);

#[inline]
pub(crate) fn is_any_patched() -> bool {
    PATCHED.load(Ordering::Relaxed)
}

/// Some areas, a bit for each.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Areas(u32);

impl Areas {
    fn with(self, area: Area) -> Areas {
        Areas(self.0 | 1 << area as u32)
    }

    fn without(self, area: Area) -> Areas {
        Areas(self.0 & !(1 << area as u32))
    }

    fn iter(self) -> impl Iterator<Item = Area> {
        Area::ALL.into_iter().filter(move |area| self.with(*area) == self)
    }
}

/// Which areas to patch: `monkey_patch` with keywords.
///
/// Corresponds to `eventlet.monkey_patch(socket=True, time=True)`: where none is named true, all
/// are patched that are not named false, but [`Area::File`].
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
/// assert!(!is_monkey_patched(Area::File));
/// Patch::new().set(Area::File, true).apply();
/// assert!(is_monkey_patched(Area::File));
/// ```
#[derive(Clone, Copy, Default)]
#[must_use = "nothing is patched before `apply`"]
pub struct Patch {
    on: Areas,
    off: Areas,
}

impl Patch {
    /// Names no area.
    pub fn new() -> Patch {
        Patch::default()
    }

    /// Names an area to be patched, or not to be.
    pub fn set(self, area: Area, patch: bool) -> Patch {
        let (on, off) = (self.on.without(area), self.off.without(area));
        match patch {
            true => Patch { on: on.with(area), off },
            false => Patch { on, off: off.with(area) },
        }
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
        PATCHED.store(true, Ordering::SeqCst);
        let none_is_named_true = self.on == Areas::default();
        let not_off = all_but_files().filter(|area| self.off.without(*area) == self.off);
        let on = if none_is_named_true { not_off.fold(self.on, Areas::with) } else { self.on };
        on.iter().for_each(|area| patcher::note_patched(area, true));
        if is_in_environment("doctor") {
            doctor::print_and_exit();
        }
    }
}

/// What is patched where no area is named. A regular file is ready always, and each call for one
/// that waits for its disk takes an OS thread.
fn all_but_files() -> impl Iterator<Item = Area> {
    Area::ALL.into_iter().filter(|area| *area != Area::File)
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patch")
            .field("on", &self.on.iter().collect::<Vec<_>>())
            .field("off", &self.off.iter().collect::<Vec<_>>())
            .finish()
    }
}

/// Patches everything but [`Area::File`]: from now on synchronous code that waits on a green stack
/// suspends its green thread.
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

/// Returns whether the environment says that nothing is to be patched.
pub(crate) fn is_switched_off() -> bool {
    is_in_environment("off")
}

fn is_in_environment(wanted: &str) -> bool {
    env::var_os("EVENTLET_SHIM").is_some_and(|value| value == wanted)
}

/// Has the children of `fork` call libc's functions as they are: the hub is not theirs.
fn forget_in_children() {
    extern "C" fn in_child() {
        PATCHED.store(false, Ordering::SeqCst);
        Area::ALL.into_iter().for_each(|area| patcher::note_patched(area, false));
    }
    // SAFETY: the function only stores numbers, which may be done in a child.
    let error = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    assert_eq!(error, 0, "the system has no memory for a handler of `fork`");
}
