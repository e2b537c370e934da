//! The hub of this OS thread, as seen from outside, and waiting for file descriptors.
//!
//! | to | call |
//! |---|---|
//! | wait for a descriptor | [`trampoline()`] |
//! | wait for several | [`select()`], [`Poll`] |
//! | be called when one is ready | [`Hub::add`], [`Hub::remove`] |
//! | be called at a time | [`Hub::schedule_call_global`], [`Hub::schedule_call_local`] |
//! | end the hub | [`Hub::abort`] |
//!
//! Corresponds to `eventlet.hubs`.
//!
//! # Not here
//!
//! `use_hub` and `EVENTLET_HUB`, as there is one kind of hub, over Tokio. `notify_opened`: a
//! descriptor is borrowed while it is waited for, so its number cannot be reused.

mod calls;
mod hub;
#[cfg(unix)]
mod listener;
#[cfg(unix)]
mod poll;
#[cfg(unix)]
mod ready;
#[cfg(unix)]
mod select;
#[cfg(unix)]
mod trampoline;

pub use calls::ScheduledCall;
pub use hub::{Hub, get_hub};
#[cfg(unix)]
pub use listener::Listener;
#[cfg(unix)]
pub use poll::{Events, Poll};
#[cfg(unix)]
pub use select::{Selected, select};
#[cfg(unix)]
pub use trampoline::{Interest, notify_close, prevent_multiple_readers, trampoline};
#[cfg(unix)]
pub(crate) use trampoline::{keep_places, listeners};
