//! Starting a hub: [`run()`] in a program of its own, [`local()`] beside a Tokio runtime,
//! [`HubThread`] on an OS thread of its own.

mod aborted;
mod bounded;
mod builder;
mod host;
mod hub_thread;
mod interrupt;
mod local;
mod orders;
#[cfg(feature = "test-util")]
mod paused;
mod remote;
mod resolver;
mod run;

pub use crate::hub::{Resolve, Resolving};
pub use aborted::Aborted;
pub use builder::Builder;
pub use hub_thread::{HubThread, Shutdown};
pub use interrupt::{KeyboardInterrupt, interrupted};
pub use local::local;
pub use remote::RemoteGreenThread;
pub use resolver::resolver;
pub use run::run;
