//! Starting a hub: [`run`] in a program of its own, [`local`] beside a Tokio runtime, [`HubThread`] on an
//! OS thread of its own.

mod aborted;
mod bounded;
mod builder;
mod host;
mod hub_thread;
mod interrupt;
#[cfg(feature = "test-util")]
mod paused;
mod remote;

pub use crate::hub::{Resolve, Resolving};
pub use aborted::Aborted;
pub use builder::{Builder, run};
pub use host::local;
pub use hub_thread::{HubThread, Shutdown};
pub use interrupt::{KeyboardInterrupt, interrupted};
pub use remote::RemoteGreenThread;
