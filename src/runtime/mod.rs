//! Starting a hub: [`run`] in a program of its own, [`local`] beside a Tokio runtime.

mod builder;
mod host;
#[cfg(feature = "test-util")]
mod paused;

pub use builder::{Builder, run};
pub use host::local;
