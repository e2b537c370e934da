//! One that waits. Its node lies in the frame of [`park`](crate::park), so on a green stack it is
//! the green thread's own.
//!
//! # Invariants
//!
//! - **I1**: a node that waits is in the queue of the bucket of its key. Who has locked that bucket
//!   is the only one to use its links, and to change its key and its state. But `eventlet-shim` may
//!   have given it up: then its stack is left as it is, for good, and so is the node.
//! - **I2**: who makes it [`TAKEN`] takes it from the queue, and is the only one to use its links
//!   from then on. The last that it does with the node is to make it [`WOKEN`].
//! - **I3**: [`Node::leave`] returns when the node is woken, which nobody uses any more. So a node
//!   that was pushed is there at least until that.

use std::cell::Cell;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Instant;

use crate::bucket::{self, Locked};
use crate::{DEFAULT_UNPARK_TOKEN, ParkToken, UnparkToken, sys};

/// It is in a queue.
const WAITS: u32 = 0;
/// It is in no queue, and about to be woken.
const TAKEN: u32 = 1;
/// Its wait is over.
const WOKEN: u32 = 2;

pub(crate) type Link = Cell<Option<NonNull<Node>>>;

/// See the head of this file. Links are those of the queue that it is in.
pub(crate) struct Node {
    /// What a futex waits at.
    state: AtomicU32,
    key: AtomicUsize,
    pub(crate) previous: Link,
    pub(crate) next: Link,
    park_token: ParkToken,
    unpark_token: Cell<UnparkToken>,
}

impl Node {
    pub(crate) fn new(key: usize, park_token: ParkToken) -> Node {
        Node {
            state: AtomicU32::new(WAITS),
            key: AtomicUsize::new(key),
            previous: Cell::new(None),
            next: Cell::new(None),
            park_token,
            unpark_token: Cell::new(DEFAULT_UNPARK_TOKEN),
        }
    }

    pub(crate) fn key(&self) -> usize {
        self.key.load(Ordering::Relaxed)
    }

    /// Changes the key, while both buckets are locked.
    pub(crate) fn set_key(&self, key: usize) {
        self.key.store(key, Ordering::Relaxed);
    }

    pub(crate) fn park_token(&self) -> ParkToken {
        self.park_token
    }

    /// Returns what the waker gave, when it is woken.
    pub(crate) fn unpark_token(&self) -> UnparkToken {
        self.unpark_token.get()
    }

    /// Returns whether nobody will ever return from its wait.
    pub(crate) fn is_given_up(&self) -> bool {
        self.state.load(Ordering::Relaxed) == sys::GIVEN_UP
    }

    /// Marks it as taken, with its bucket locked.
    pub(crate) fn set_taken(&self) {
        self.state.store(TAKEN, Ordering::Relaxed);
    }

    /// Ends the wait of a node that the caller has taken. It may be gone when this returns.
    ///
    /// # Safety
    ///
    /// The caller has taken it, and uses it no more.
    pub(crate) unsafe fn wake(node: NonNull<Node>, token: UnparkToken) {
        // SAFETY: by I2 and I3 it is there until it is woken.
        let this = unsafe { node.as_ref() };
        this.unpark_token.set(token);
        let address = this.state.as_ptr();
        this.state.store(WOKEN, Ordering::Release);
        sys::wake(address);
    }

    /// Waits, and returns whether it is woken. Else the time is over.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        loop {
            let state = self.state.load(Ordering::Acquire);
            if state == WOKEN {
                return true;
            }
            let limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            // It is not asked again what time it is: on virtual time it is earlier than that.
            if sys::wait(&self.state, state, limit) == sys::Waited::Late {
                return self.state.load(Ordering::Acquire) == WOKEN;
            }
        }
    }

    /// Leaves the queue, and calls a function with it locked, unless a waker has taken the node.
    /// Then it waits to be woken, which is soon. Returns whether it has left.
    pub(crate) fn leave(&self, left: impl FnOnce(usize, bool)) -> bool {
        if self.state.load(Ordering::Acquire) == WOKEN {
            return false;
        }
        let queue = self.lock();
        if self.state.load(Ordering::Relaxed) != WAITS {
            drop(queue);
            self.wait(None);
            return false;
        }
        queue.remove(self);
        self.state.store(WOKEN, Ordering::Relaxed);
        left(self.key(), queue.at(self.key()).next().is_none());
        true
    }

    /// Locks the bucket of its key, which may change until then.
    fn lock(&self) -> Locked<'static> {
        loop {
            let key = self.key();
            let queue = bucket::lock(key);
            if self.key() == key {
                return queue;
            }
        }
    }
}
