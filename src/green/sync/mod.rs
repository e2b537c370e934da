//! Locks, conditions and channels under the names of [`std::sync`].
//!
//! What waits here lets other green threads of its hub run, where the locks of `std` would stop the
//! whole hub, and forever if the one who has the lock belongs to it.
//!
//! ```
//! use std::collections::HashMap;
//!
//! use eventlet::green::sync::{Arc, Mutex, mpsc};
//! use eventlet::green::thread;
//!
//! static VISITS: Mutex<u32> = Mutex::new(0);
//!
//! eventlet::run(eventlet::stackful(|| {
//!     let names = Arc::new(Mutex::new(HashMap::new()));
//!     let (done, wait_for) = mpsc::channel();
//!     for name in ["one", "two"] {
//!         let (names, done) = (Arc::clone(&names), done.clone());
//!         thread::spawn(move || {
//!             *VISITS.lock().unwrap() += 1;
//!             names.lock().unwrap().insert(name, name.len());
//!             done.send(()).unwrap();
//!         });
//!     }
//!     drop(done);
//!     assert_eq!(wait_for.iter().count(), 2);
//!     assert_eq!((*VISITS.lock().unwrap(), names.lock().unwrap().len()), (2, 2));
//! }));
//! ```
//!
//! Everything here is `Send` and `Sync` where its counterpart is, may be a `static`, and works
//! between green threads of several hubs, as it is built on Tokio's own types.
//!
//! Corresponds to [`std::sync`], and to `eventlet.green.threading` and `eventlet.green.Queue`.
//!
//! # Where one may wait
//!
//! What can be had at once is had at once, wherever the code runs: a lock that is free can be taken
//! in an async fn, on a plain OS thread, and in a destructor while a green stack unwinds, and an
//! item that is there can be received.
//!
//! What has to be waited for needs a green stack. Elsewhere it panics, in the caller's line. While
//! a green stack unwinds nobody can wait on it either: what can give up does so, as when its time
//! limit is zero or the other end is gone, and the rest panics: a destructor that must not do so
//! asks with `try_lock`.
//!
//! # Who comes first
//!
//! Those who wait are served in the order in which they came, and nobody overtakes them. In `std`
//! that is left open.
//!
//! # Poisoning
//!
//! A lock is poisoned as in `std`, when a green stack unwinds while it has the lock. That includes
//! the unwind that ends a green thread that is killed: what the lock protects may be half changed
//! then, too.
//!
//! # Not here
//!
//! `Exclusive`, `ReentrantLock`, `mpmc`, the mapped guards and `nonpoison`, which `std` has not
//! made stable, and `Once::wait` and `OnceLock::wait`. For what `std` does not have, priorities for
//! one, there are [`queue`](crate::queue) and [`semaphore`](crate::semaphore).

mod barrier;
mod condvar;
mod lazy_lock;
pub mod mpsc;
mod mutex;
mod once;
mod once_lock;
mod poison;
mod rwlock;

pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use lazy_lock::LazyLock;
pub use mutex::{Mutex, MutexGuard};
pub use once::{Once, OnceState};
pub use once_lock::OnceLock;
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
#[doc(no_inline)]
pub use std::sync::{Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak, atomic};
