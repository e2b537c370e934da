//! The hub: runs the green threads of one OS thread.
//!
//! A hub is one local task of a Tokio runtime. It owns every green thread of its OS thread and
//! polls them itself, first come, first served, so that Tokio brings the reactor, the blocking pool
//! and the ecosystem, and the hub brings eventlet's order, a kill that ends its victim at once, and
//! turns that cost little.
//!
//! | file | what it holds |
//! |---|---|
//! | `scheduler` | the hub itself: its green threads, who runs, kill |
//! | `slots` | where its green threads are, and the queue of those who are ready |
//! | `turn` | one poll of the hub by Tokio: when green threads run and when I/O is looked at |
//! | `far` | whose memory is fetched before its turn comes |
//! | `clock`, `wheel` | moments to come: a timer wheel of its own over one Tokio sleep |
//! | `locals` | what green threads keep for themselves |
//! | `census` | who lives in the hub, for whoever looks in |
//! | `observer` | what is done around each turn for whoever observes the hub |
//! | `ground` | on which green stack code runs: the hub on none |
//! | `limit` | waiting no longer than until a moment, and which of several limits takes effect |
//! | `waker` | the waker of a green thread: a number, not an allocation |
//! | `remote` | wakeups that come from other OS threads |
//! | `resolver` | who resolves names instead of the system |
//! | `registry` | finds a hub by its number, from any OS thread |
//! | `thread` | the hub of this OS thread |

mod census;
mod clock;
mod far;
mod ground;
mod limit;
mod locals;
mod observer;
mod registry;
mod remote;
mod resolver;
mod scheduler;
mod slots;
mod thread;
mod turn;
mod waker;
mod wheel;

/// What `remote` is built from; `tests/interleavings/tests/remote.rs` builds it from loom's instead.
mod sync {
    pub(crate) use std::sync::Mutex;
    pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
}

pub use census::State;
pub use resolver::{Resolve, Resolving};

pub(crate) use clock::Timer;
pub(crate) use ground::Outer;
pub(crate) use limit::{Within, within};
pub(crate) use locals::Found;
pub(crate) use registry::Number;
pub(crate) use scheduler::{Hub, Job, Key, SpawnedAt, Stacks};
pub(crate) use thread::{Seat, check, current, expect};

#[cfg(feature = "stackful")]
pub(crate) use {
    clock::Moment,
    ground::{ground, set_ground},
    limit::Enclosing,
};
