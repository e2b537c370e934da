//! A pool of OS threads, for blocking libraries and long computations.
//!
//! [`execute()`] runs a closure on one of the threads and waits for its value, while the hub runs
//! other green threads. [`Proxy`] wraps an object and makes all its calls that way.
//!
//! Each hub has a pool of its own, and callers without a hub share one. A pool has 20 threads:
//! [`set_num_threads`] changes that, or the environment variable `EVENTLET_THREADPOOL_SIZE`, which
//! is read once, when a pool is first used. A thread is started when a job would have to wait, and
//! lives as long as the hub, or until [`killall`]. Jobs begin in the order in which they came; any
//! number may wait.
//!
//! So a job may wait for another hub, with
//! [`RemoteGreenThread::join`](crate::runtime::RemoteGreenThread::join) for example, and that hub's
//! pool serves it. A cycle deadlocks: as many jobs as a pool has threads, which wait for a hub that
//! waits for one more job of the same pool.
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
//! Eventlet has one pool. It belongs to the OS thread that used it first, and callers on any other
//! hang.
//!
//! A hub that ends does not wait for jobs without a waiter: they go on, and the exit of the process
//! may cut them off. Wait for jobs that must be finished, or for [`killall`].
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
