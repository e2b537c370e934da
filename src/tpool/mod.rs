//! A pool of OS threads, for what cannot be waited for: blocking libraries, and long computations.
//!
//! [`execute`] runs a closure in one of the threads and waits for its value, while the hub runs other
//! green threads. [`Proxy`] keeps an object whose every call is made so.
//!
//! The process has one pool, which all hubs share, and runtimes without a hub may use it as well. It has
//! 20 threads: [`set_num_threads`] changes that, or the environment variable
//! `EVENTLET_THREADPOOL_SIZE`, which is read once, when the pool is first used. A thread starts when a
//! job would wait otherwise, and lives as long as the process. Jobs begin in the order in which they
//! came; any number may wait.
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
//! Eventlet's pool belongs to the OS thread that used it first, and hangs the callers of any other.
//! Here it belongs to nobody.
//!
//! # Not here
//!
//! `killall`, which blocks until every job has ended: the threads end with the process, in the middle of
//! a job if need be, so wait for what must be finished. `setup`, as the pool starts by itself.

mod execute;
mod lane;
mod line;
mod pool;
mod proxy;

pub use execute::{Execute, execute};
pub use pool::set_num_threads;
pub use proxy::Proxy;
