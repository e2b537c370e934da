//! Wakeups of green threads that come from other OS threads.
//!
//! The blocking pool, another runtime or a plain thread may wake a green thread at any moment. It
//! pushes the green thread's name here and wakes the hub's Tokio task; the hub collects the names
//! at the start of its next poll.
//!
//! No wakeup is lost, whatever the interleaving:
//!
//! - A name is pushed, and `pending` set, before the hub's task is woken. A hub that read `pending`
//!   too early is woken after that, and Tokio polls a task again that was woken during its poll.
//! - An OS thread that finds names already in the mailbox need not wake the hub: the one that
//!   pushed the first of them does, and the hub takes all of them at once.
//! - A name that is in the mailbox already is not pushed again: the hub takes it later, and then
//!   the green thread has its turn. So there is at most one name for a green thread, however often
//!   it is woken.
//! - The hub attaches its waker before it reads `pending` for the first time.
//!
//! `tests/interleavings/tests/remote.rs` runs this file under loom, in every interleaving.

use std::collections::HashSet;
use std::mem;
use std::task::Waker;

use super::sync::{AtomicBool, Mutex, Ordering};

/// The mailbox of one hub.
pub(crate) struct Remote {
    /// Whether `names` may be anything but empty: lets the hub skip the lock on almost every poll.
    pending: AtomicBool,
    letters: Mutex<Letters>,
}

struct Letters {
    /// The green threads to wake, in the order of their wakeups.
    names: Vec<usize>,
    /// The same as a set: a name in it is not pushed again.
    left: HashSet<usize>,
    /// The hub's Tokio task.
    hub: Option<Waker>,
}

impl Remote {
    pub(crate) fn new() -> Remote {
        Remote {
            pending: AtomicBool::new(false),
            letters: Mutex::new(Letters { names: Vec::new(), left: HashSet::new(), hub: None }),
        }
    }

    /// Sets the Tokio task to wake. Called by the hub before its first `collect`.
    pub(crate) fn attach(&self, hub: Waker) {
        let _previous = self.letters.lock().unwrap().hub.replace(hub);
    }

    /// Pushes the name of a green thread and wakes the hub. Called on any OS thread.
    pub(crate) fn wake(&self, name: usize) {
        let hub = {
            let mut letters = self.letters.lock().unwrap();
            if letters.names.last() == Some(&name) || !letters.left.insert(name) {
                return;
            }
            letters.names.push(name);
            self.pending.store(true, Ordering::Release);
            if letters.names.len() == 1 { letters.hub.clone() } else { None }
        };
        // Outside the lock: waking runs Tokio's code, which must not run under our lock.
        if let Some(hub) = hub {
            hub.wake();
        }
    }

    /// Takes the names pushed so far. Called by the hub on its own OS thread.
    pub(crate) fn collect(&self) -> Vec<usize> {
        if !self.pending.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut letters = self.letters.lock().unwrap();
        self.pending.store(false, Ordering::Relaxed);
        // This frees its memory too, so a spike leaves nothing behind.
        letters.left = HashSet::new();
        mem::take(&mut letters.names)
    }
}
