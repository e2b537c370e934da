//! A waker that tells `tracing` when it is cloned, used and dropped, as those of Tokio's tasks do.
//!
//! # Invariants
//!
//! - **I1**: the data pointer of such a waker is that of an `Arc<Told>`, and the waker has one of
//!   its counts. Only the one that [`Told::lend`] makes has none: it is never dropped nor woken by
//!   value.
#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::current_stack::Outer;

/// What is told of, and of whom: the number of a span.
pub(super) struct Told {
    pub(super) waker: Waker,
    pub(super) span: u64,
}

impl Told {
    /// Lends a waker, of which clones and wakeups are told.
    pub(super) fn lend<R>(self: &Arc<Told>, to: impl FnOnce(&Waker) -> R) -> R {
        // SAFETY: by I1 the functions of the table do with the counts what `RawWaker` asks, and a
        // `Told` may be used and dropped on any OS thread.
        let waker = unsafe { Waker::new(Arc::as_ptr(self).cast(), &TABLE) };
        to(&ManuallyDrop::new(waker))
    }

    fn tell(&self, op: &'static str) {
        let _on_no_stack = Outer::leave();
        tracing::trace!(target: "tokio::task::waker", op, task.id = self.span);
    }
}

static TABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop);

fn clone(told: *const ()) -> RawWaker {
    // SAFETY: by I1, as the waker that is cloned is there.
    unsafe { &*told.cast::<Told>() }.tell("waker.clone");
    // SAFETY: by I1.
    unsafe { Arc::increment_strong_count(told.cast::<Told>()) };
    RawWaker::new(told, &TABLE)
}

fn wake(told: *const ()) {
    // SAFETY: by I1: the waker is gone, and its count is this one's.
    let told = unsafe { Arc::from_raw(told.cast::<Told>()) };
    told.tell("waker.wake");
    told.waker.wake_by_ref();
}

fn wake_by_ref(told: *const ()) {
    // SAFETY: by I1, as the waker is there.
    let told = unsafe { &*told.cast::<Told>() };
    told.tell("waker.wake_by_ref");
    told.waker.wake_by_ref();
}

fn drop(told: *const ()) {
    // SAFETY: as in `wake`.
    unsafe { Arc::from_raw(told.cast::<Told>()) }.tell("waker.drop");
}
