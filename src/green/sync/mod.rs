//! Locks, conditions and channels under the names of [`std::sync`].
//!
//! Waiting here lets other green threads of the hub run. A lock of `std` would stop the whole hub,
//! and forever if its holder belongs to the same hub.
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
//! An operation that need not wait works everywhere: a free lock can be taken, and a stored item
//! received, in an async fn, on a plain OS thread, and in a destructor while a green stack unwinds.
//!
//! An operation that has to wait needs a green stack; elsewhere it panics, at the caller's line. A
//! green stack that unwinds cannot be suspended either: operations that can fail then do so, as if
//! their time limit were zero or the other end were gone, and the rest panic. A destructor that
//! must not panic uses `try_lock`.
//!
//! # Who comes first
//!
//! Waiters are served in the order in which they came, and a later caller cannot overtake them.
//! `std` leaves the order open.
//!
//! # Poisoning
//!
//! A lock is poisoned as in `std`, when a green stack unwinds while it holds the lock. That
//! includes the unwind of a killed green thread: the protected value may be half changed then, too.
//!
//! # Not here
//!
//! `Exclusive`, `ReentrantLock`, `mpmc`, the mapped guards and `nonpoison`, which `std` has not
//! made stable, and `Once::wait` and `OnceLock::wait`. For features that `std` lacks, such as
//! priorities, there are [`queue`](crate::queue) and [`semaphore`](crate::semaphore).

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
