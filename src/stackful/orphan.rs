//! How a stack that is in use is ended: it is unwound, unless it is in a shielded wait. Then it
//! outlives its green thread.
//!
//! A wait for a lock below C frames has no error to return: it can be neither told to give up nor
//! unwound. So ending such a green thread does not wait for its stack. The stack becomes an orphan,
//! owned by a green thread of its own, which has no name, no handle and no locals of the one that
//! ended. When the shielded wait is over its code goes on as that of any green thread that is being
//! ended: each cancellable wait returns at once, and the first ordinary one unwinds.
//!
//! # How a hub ends
//!
//! No green thread has a turn any more, but a shielded wait may still be satisfied: by the
//! destructors of other green threads, or by another OS thread. Each orphan is polled at the end of
//! every generation (see [`hub`]) and may wait a short while: [`GRACE`] for all of them together.
//! What is left then is abandoned, with a warning: its future is dropped, so that it takes no
//! wakeup meant for others, but the stack is never unwound and never freed.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::mem::{self, ManuallyDrop};
use std::pin::Pin;
use std::ptr::NonNull;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use super::borrowed;
use super::frame::{Frame, Resume};
use super::stack::{self, GreenStack};
use crate::greenthread::spawn_n;
use crate::hub::{self, Hub, Outer};
use crate::report;

pub(super) type Coroutine<T> = corosensei::Coroutine<Resume, (), Option<T>, GreenStack>;

/// Returns the stack of a coroutine to the pool. If it is in use, by this frame, it is unwound
/// first.
pub(super) fn give_back<T: 'static>(coroutine: Coroutine<T>, frame: *const Frame) {
    if coroutine.done() {
        stack::give_back(coroutine.into_stack());
    } else {
        // If its OS thread ends before that, it is left as it is.
        let coroutine = ManuallyDrop::new(coroutine);
        borrowed::unwind_when_free(frame.addr(), move || {
            unwind_and_give_back(ManuallyDrop::into_inner(coroutine), frame)
        });
    }
}

fn unwind_and_give_back<T: 'static>(mut coroutine: Coroutine<T>, frame: *const Frame) {
    // The unwind itself stays inside; this is a panic that replaced it on its way.
    report::contain("in a green thread that was being ended", || unwind(&mut coroutine, frame));
    if coroutine.done() {
        stack::give_back(coroutine.into_stack());
    } else {
        leave_to_itself(coroutine, frame);
    }
}

/// Unwinds a stack, after it has left the frames that cannot be unwound. A stack that is in a
/// shielded wait, or reaches one on its way, is left there.
fn unwind<T>(coroutine: &mut Coroutine<T>, frame: *const Frame) {
    // More than once, if its code catches the unwind and waits again.
    while !coroutine.done() && !is_shielded(coroutine, frame) {
        let outer = Outer::save();
        let value_if_any = coroutine.resume(None);
        drop(outer);
        drop(value_if_any);
    }
}

/// Returns whether the coroutine with that frame is in a shielded wait.
fn is_shielded<T>(coroutine: &Coroutine<T>, frame: *const Frame) -> bool {
    // SAFETY: the frame is on the stack of the coroutine, of which the closure has not ended.
    !coroutine.done() && unsafe { frame.as_ref() }.is_some_and(Frame::is_shielded)
}

/// How long an ending hub waits for its orphans.
const GRACE: Duration = Duration::from_secs(1);

/// The generations over which that is spread.
const LOOKS: u32 = 5;

/// The pause between two polls of an orphan of an ending hub.
const PAUSE: Duration = Duration::from_millis(1);

thread_local! {
    /// The hub of this OS thread that last began to wait for its orphans, and when.
    static BEGUN: RefCell<(Weak<Hub>, Option<Instant>)> = const { RefCell::new((Weak::new(), None)) };
}

/// The owner of an orphaned stack: the future of a green thread.
struct Orphan<T: 'static> {
    /// `None` once it has ended.
    coroutine: Option<Coroutine<T>>,
    /// On the stack of the coroutine.
    frame: *const Frame,
    /// How often it was polled while its hub was ending.
    looks: u32,
}

/// Orphans a stack that is in a shielded wait.
#[cold]
pub(super) fn leave_to_itself<T: 'static>(coroutine: Coroutine<T>, frame: *const Frame) {
    Orphan { coroutine: Some(coroutine), frame, looks: 0 }.find_owner();
}

impl<T: 'static> Orphan<T> {
    fn find_owner(mut self) {
        match hub::current() {
            // Also while the hub is ending: then it is dropped with the next generation.
            Some(_) if self.looks < LOOKS => drop(spawn_n(self)),
            Some(_) => self.abandon(),
            None => {
                self.wait_until(Instant::now() + GRACE);
                self.abandon();
            }
        }
    }

    /// Resumes the stack unless it has ended. Unwinds it when it comes to an ordinary wait.
    fn resume(&mut self, context: Option<NonNull<Context<'static>>>) {
        let Some(mut coroutine) = self.coroutine.take() else { return };
        report::contain("in a green thread that was being ended", || {
            let _outer = Outer::save();
            let _value_if_any = coroutine.resume(context);
        });
        if is_shielded(&coroutine, self.frame) {
            self.coroutine = Some(coroutine);
            return;
        }
        give_back(coroutine, self.frame);
        borrowed::unwind_deferred();
    }

    /// Polls it repeatedly until it has left its shielded wait or that moment has come.
    fn wait_until(&mut self, end: Instant) {
        self.resume(None);
        while self.coroutine.is_some() && Instant::now() < end {
            thread::sleep(PAUSE);
            self.resume(None);
        }
    }

    /// Leaves the stack as it is, for good.
    fn abandon(&mut self) {
        // SAFETY: while the coroutine is in a shielded wait, its frame is alive.
        if let Some(frame) = self.coroutine.is_some().then(|| unsafe { &*self.frame }) {
            frame.set_abandoned();
            self.resume_abandoned();
            report::warning(
                "a hub ended, and a green thread that had been ended before was still in a wait that cannot be \
                 cancelled, such as for a lock: its stack is left as it is, and its destructors do not run",
            );
        }
    }

    fn resume_abandoned(&mut self) {
        if let Some(mut coroutine) = self.coroutine.take() {
            report::contain("in a wait that is given up", || {
                let _outer = Outer::save();
                let _put_aside_for_good = coroutine.resume(None);
            });
            mem::forget(coroutine);
        }
    }
}

impl<T: 'static> Future for Orphan<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.resume(Some(NonNull::from(cx).cast()));
        if self.coroutine.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }
}

impl<T: 'static> Drop for Orphan<T> {
    fn drop(&mut self) {
        let Some(coroutine) = self.coroutine.take() else { return };
        let (frame, hub) = (self.frame, hub::current());
        let mut left = Orphan { coroutine: Some(coroutine), frame, looks: self.looks };
        // An orphan that is killed just gets another owner.
        if !hub.as_deref().is_some_and(Hub::is_at_work) {
            left.looks += 1;
            left.wait_until(begun() + GRACE / LOOKS * left.looks);
        }
        if left.coroutine.is_some() {
            left.find_owner();
        }
    }
}

/// Returns when the hub of this OS thread began to wait for its orphans: now, if it had not.
fn begun() -> Instant {
    let hub = hub::current().map_or_else(Weak::new, |hub| Rc::downgrade(&hub));
    BEGUN.with_borrow_mut(|(of, at)| {
        if !of.ptr_eq(&hub) {
            (*of, *at) = (hub, None);
        }
        *at.get_or_insert_with(Instant::now)
    })
}
