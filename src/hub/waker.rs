//! The waker of a green thread: a number that names it.
//!
//! Tokio's own wakers count references, an atomic operation for each clone and each drop. Ours is
//! one word, a [`WakeId`]: cloning copies it, dropping does nothing, and waking on the hub's own OS
//! thread touches no atomic and no lock.
//!
//! # Invariants
//!
//! - **I1**: the data pointer of our wakers is a number. Nothing reads through it, and it owns
//!   nothing, so it can be copied and dropped on any OS thread at any time.
//! - **I2**: `wake` and `wake_by_ref` touch only the waker's number, the calling OS thread's own
//!   hub, and [`registry`] and [`Remote`](super::remote::Remote), which are `Sync`.
#![allow(unsafe_code)]

use std::ptr;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::current;
use super::current_stack::Outer;
use super::registry;
use super::wake_id::WakeId;

/// Returns the waker of a green thread.
#[inline]
pub(super) fn waker(id: WakeId) -> Waker {
    // SAFETY: by I1 and I2 the functions of the table are sound for any number, from any OS
    // thread, in any order and number of calls, which is all that `RawWaker` asks.
    unsafe { Waker::new(ptr::without_provenance(id.bits()), &TABLE) }
}

/// Returns the green thread that a waker wakes, if it is one of ours.
pub(super) fn id_of(waker: &Waker) -> Option<WakeId> {
    ptr::eq(waker.vtable(), &TABLE).then(|| WakeId::from_bits(waker.data().addr()))
}

fn wake_up(id: WakeId) {
    if !current::wake(id) {
        wake_elsewhere(id);
    }
}

fn wake_elsewhere(id: WakeId) {
    let _on_no_stack = Outer::leave();
    if let Some(remote) = registry::find(id.hub()) {
        remote.wake(id.bits());
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, drop);

fn clone(id: *const ()) -> RawWaker {
    RawWaker::new(id, &TABLE)
}

fn wake(id: *const ()) {
    wake_up(WakeId::from_bits(id.addr()));
}

fn drop(_id: *const ()) {}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::hub::job::Key;
    use crate::hub::registry::MAX_HUBS;

    #[test]
    fn a_waker_of_nobody_wakes_nobody() {
        let waker = waker(WakeId::new(MAX_HUBS - 1, Key::new(7, NonZeroU64::MIN)));
        assert!(waker.will_wake(&waker.clone()));
        waker.wake_by_ref();
        std::thread::spawn(move || waker.wake()).join().unwrap();
    }
}
