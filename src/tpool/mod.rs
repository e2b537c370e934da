//! A pool of OS threads, for what cannot be waited for: blocking libraries, and long computations.
//!
//! [`execute()`] runs a closure in one of the threads and waits for its value, while the hub runs
//! other green threads. [`Proxy`] keeps an object whose every call is made so.
//!
//! Each hub has a pool of its own, and those who have no hub share one. A pool has 20 threads:
//! [`set_num_threads`] changes that, or the environment variable `EVENTLET_THREADPOOL_SIZE`, which
//! is read once, when a pool is first used. A thread starts when a job would wait otherwise, and
//! lives as long as the hub, or until [`killall`]. Jobs begin in the order in which they came; any
//! number may wait.
//!
//! So a job may wait for another hub, with
//! [`RemoteGreenThread::join`](crate::runtime::RemoteGreenThread::join) for one, and that hub's
//! pool is there for it. What cannot work is a circle: as many jobs as a pool has threads, which
//! wait for a hub that waits for one more job of the same pool.
//!
//! ```
//! use eventlet::tpool;
//!
//! # eventlet::run(async {
//! let manifest = tpool::execute(|| std::fs::read_to_string("Cargo.toml")).await;
//! assert!(manifest.unwrap().contains("[package]"));
//! # });
//! ```
//!
//! Corresponds to `eventlet.tpool`.
//!
//! # Differences
//!
//! Eventlet has one pool. It belongs to the OS thread that used it first, and hangs the callers of
//! any other.
//!
//! A hub that ends does not wait for jobs that nobody waits for any more: they go on, and end with
//! the process, in the middle if need be. Wait for what must be finished, or for [`killall`].
//!
//! # Not here
//!
//! `setup`, as a pool starts by itself.

mod execute;
mod hubs;
mod job_queue;
mod lane;
mod pool;
mod proxy;

pub use execute::{Execute, execute};
pub use hubs::{killall, set_num_threads};
pub use proxy::Proxy;

pub(crate) use execute::execute_on;
pub(crate) use pool::Pool;
