//! Green threads under the names of [`std::thread`].
//!
//! ```
//! use eventlet::green::thread;
//!
//! eventlet::run(eventlet::stackful(|| {
//!     let words = ["one", "two", "three"];
//!     let lengths: Vec<usize> = thread::scope(|s| {
//!         let threads = words.map(|word| s.spawn(move || word.len()));
//!         threads.into_iter().map(|thread| thread.join().unwrap()).collect()
//!     });
//!     assert_eq!(lengths, [3, 3, 5]);
//! }));
//! ```
//!
//! The counterpart of the macro [`std::thread_local!`] is
//! [`green::thread_local!`](super::thread_local).
//!
//! Corresponds to [`std::thread`], and to `eventlet.green.threading` and `eventlet.green.thread`.
//!
//! # Not here
//!
//! `Builder::spawn_unchecked`, which is unsafe, `sleep_ms` and `park_timeout_ms`, which are
//! deprecated, and unstable items of `std`. For features that `std` lacks, such as killing, use
//! [`eventlet::spawn`](crate::spawn) and [`stackful`](crate::stackful()); a [`JoinHandle`] converts
//! from and into a [`GreenThread`](crate::GreenThread).

mod builder;
mod current;
mod local;
mod scope;
mod sleep;
mod spawn;

pub use crate::stackful::scope::{Scope, scope};
pub use builder::Builder;
pub use current::{Thread, ThreadId, current, park, park_timeout};
pub use local::{AccessError, LocalKey};
pub use scope::ScopedJoinHandle;
pub use sleep::{sleep, yield_now};
pub use spawn::{JoinHandle, spawn};
#[doc(no_inline)]
pub use std::thread::{Result, available_parallelism, panicking};
