//! Notices hubs that do not reach their next turn, and says who keeps them from it.
//!
//! A hub that is watched writes into its `Pulse` whose turn it is, which takes a few stores. One OS
//! thread of the process, the watchdog, looks at all pulses again and again. A turn that it sees
//! for longer than the hub's limit is a
//! [`Stall`]: it has the hub's OS thread capture where it is, without disturbing it, and reports that.
//!
//! | file | what it holds |
//! |---|---|
//! | `pulse` | what a hub and the watchdog share |
//! | `place` | a place in the source that another OS thread may read |
//! | `watch` | the watchdog: its OS thread, and what it has seen |
//! | `stall` | what is reported, and to whom |
//! | `capture` | the frames of an OS thread that runs |

#[cfg(all(
    feature = "backtrace",
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
))]
mod capture;
#[cfg(not(all(
    feature = "backtrace",
    target_os = "linux",
    any(target_arch = "aarch64", target_arch = "x86_64")
)))]
#[path = "no_capture.rs"]
mod capture;
mod place;
mod pulse;
mod stall;
mod watch;

pub use stall::Stall;

pub(crate) use pulse::Stalls;
pub(crate) use stall::set_hook;
pub(crate) use watch::{Watched, check_limit};
