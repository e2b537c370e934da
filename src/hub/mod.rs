//! The hub: runs the green threads of one OS thread.
//!
//! A hub is one local task of a Tokio runtime. It owns every green thread of its OS thread and
//! polls them itself, first come, first served. Tokio provides the reactor, the blocking pool and
//! the ecosystem; the hub provides eventlet's order, a kill that ends its victim at once, and cheap
//! turns.
//!
//! | file | what it holds |
//! |---|---|
//! | `job` | what it runs, and the number of a green thread |
//! | `current_stack` | the green stack that executes; null in the hub |
//! | `remote`, `registry` | wakeups from other OS threads; finds a hub by its number |
//! | `wake_id` | the number by which a waker knows its green thread |
//! | `slots` | where its green threads are, and the queue of the ready ones |
//! | `pin_cell` | the cell of a future that the hub shares with handles |
//! | `places` | backtraces of where waits began |
//! | `timer_wheel`, `clock` | deadlines, over one Tokio sleep |
//! | `prefetch` | loads the memory of the next green threads into the caches |
//! | `locals`, `notes` | values of green-thread locals; names and states for debugging |
//! | `processor`, `no_processor` | what the processor has done for this OS thread |
//! | `told_waker`, `spans` | green threads as `tracing` spans, and wakers that tell of their use |
//! | `usage` | how long each green thread has used the hub |
//! | `detector` | the wakers of a hub that looks for deadlocks |
//! | `question` | asks all waiting green threads what they wait for |
//! | `observer` | observers of the hub: the watchdog, counters, and choosers of the next turn |
//! | `settings`, `resolver` | the settings of a hub; the name resolver |
//! | `scheduler` | the hub itself: its green threads, the current one, kill |
//! | `current`, `holder` | the hub of this OS thread; the holders of locks |
//! | `waker` | the waker of a green thread: a number, not an allocation |
//! | `timer`, `deadline` | waiting for a moment, and for a future until one |
//! | `turn` | one poll of the hub by Tokio: when green threads run, when the driver is polled |
//! | `questions` | what all that wait wait for |
//! | `deadlock` | whether anything can ever wake the hub again |
//! | `census` | the green threads of the hub, for debugging |
//!
//! Each imports from those above it only.

mod census;
mod clock;
mod current;
mod current_stack;
mod deadline;
mod deadlock;
mod detector;
mod holder;
mod job;
mod locals;
mod notes;
mod observer;
mod pin_cell;
mod places;
// Needed only with stacks.
#[cfg_attr(not(feature = "stackful"), expect(dead_code))]
mod prefetch;
#[cfg(unix)]
mod processor;
#[cfg(not(unix))]
#[path = "no_processor.rs"]
mod processor;
mod question;
mod questions;
mod registry;
mod remote;
mod resolver;
mod scheduler;
mod settings;
mod slots;
mod spans;
mod timer;
mod timer_wheel;
mod told_waker;
mod turn;
mod usage;
mod wake_id;
mod waker;

/// What `remote` is built from; `tests/interleavings/tests/remote.rs` builds it from loom's
/// instead.
mod sync {
    pub(crate) use std::sync::Mutex;
    pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
}

pub use deadlock::{Deadlock, Stuck};
#[cfg(feature = "wsgi")]
pub(crate) use notes::Names;
pub use notes::State;
pub use resolver::{Resolve, Resolving};

pub(crate) use census::Living;
pub(crate) use clock::Pending;
pub(crate) use current::{Seat, check, check_runtime, current, expect};
pub(crate) use current_stack::{Held, Outer, hold};
pub(crate) use deadline::{Within, within};
pub(crate) use holder::Holder;
pub(crate) use job::{Job, Key, SpawnedAt};
pub(crate) use locals::Found;
#[cfg(feature = "test-util")]
pub(crate) use observer::Schedule;
pub(crate) use pin_cell::PinCell;
pub(crate) use question::Waiting;
pub(crate) use registry::Number;
pub(crate) use scheduler::Hub;
pub(crate) use settings::Stacks;
pub(crate) use timer::Timer;
pub(crate) use usage::Accounts;

#[cfg(all(feature = "stackful", target_os = "linux"))]
pub(crate) use prefetch::fetch_top;
#[cfg(all(test, feature = "stackful", target_arch = "x86_64"))]
pub(crate) use prefetch::suspended_at;
#[cfg(feature = "stackful")]
pub(crate) use {
    clock::Moment,
    current::is_borrowed,
    current_stack::{current_stack, set_current_stack},
    deadline::Enclosing,
    prefetch::{fetch_frame, note_suspended, stack_pointer},
};
