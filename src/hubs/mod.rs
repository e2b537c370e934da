//! The hub of this OS thread, as seen from outside, and waiting for file descriptors.
//!
//! Corresponds to `eventlet.hubs`.
//!
//! # Not here
//!
//! `use_hub` and `EVENTLET_HUB`, as there is one kind of hub, over Tokio. `notify_opened`: while somebody
//! waits for a descriptor it is borrowed, so its number cannot be given to another.

mod hub;
#[cfg(unix)]
mod trampoline;

pub use hub::{Hub, get_hub};
#[cfg(unix)]
pub use trampoline::{Interest, notify_close, prevent_multiple_readers, trampoline};
