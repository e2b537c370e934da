//! Stacks that others have borrowed from: they are unwound once no borrower is running.
//!
//! This is the half of [`scope`](super::scope) that every ending stack consults. See there for the
//! whole.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::frame::{Frame, is_shielded_at};
use super::limit;
use crate::greenthread::Greenlet;
use crate::hub::State;

/// What an owner has lent to its members.
pub(super) struct Lent {
    /// The address of the frame of the owner's stack: says whose scope this is.
    owner: usize,
    /// The members whose marks are not dropped.
    pub(super) members: RefCell<Slab<Member>>,
    /// Wakes the owner, which waits for the last member to end.
    waiting: RefCell<Option<Waker>>,
    /// Set when the members are being killed: they can no longer be joined.
    pub(super) ending: Cell<bool>,
    pub(super) unseen: Rc<Cell<usize>>,
}

pub(super) struct Member {
    /// `None` while it is being spawned.
    greenlet: Option<Greenlet>,
    /// The address of the frame of its stack. 0 before it has run.
    stack: usize,
}

thread_local! {
    /// How many stacks are to be unwound later: read each time a stack has ended.
    static DEFERRED: Cell<usize> = const { Cell::new(0) };

    static SCOPES: Scopes =
        const { Scopes { open: RefCell::new(BTreeMap::new()), deferred: RefCell::new(Vec::new()) } };
}

/// The scopes that have not ended, outermost first, by owner: ending or waiting looks only at an
/// owner's own.
type Open = BTreeMap<usize, Vec<Rc<Lent>>>;

struct Scopes {
    open: RefCell<Open>,
    /// Stacks to be unwound as soon as none of their borrowers is running.
    deferred: RefCell<Vec<Deferred>>,
}

struct Deferred {
    /// The address of the frame of the stack.
    stack: usize,
    unwind: Box<dyn FnOnce()>,
}

impl Lent {
    #[track_caller]
    pub(super) fn open() -> Rc<Lent> {
        let owner = Frame::with_current(|frame| frame.map(address));
        let Some(owner) = owner else {
            panic!(
                "a scope waits on a green stack, and this code is on none or inside an async fn: run the \
                 closure with `spawn(stackful(closure))`"
            );
        };
        assert!(
            !std::thread::panicking(),
            "a scope would have to wait, while its green stack unwinds: a destructor must do without it then"
        );
        let lent = Rc::new(Lent {
            owner,
            members: RefCell::default(),
            waiting: RefCell::default(),
            ending: Cell::new(false),
            unseen: Rc::default(),
        });
        SCOPES.with(|scopes| {
            scopes.open.borrow_mut().entry(owner).or_default().push(Rc::clone(&lent));
        });
        lent
    }

    /// Removes this scope, the innermost of its owner, from the open ones.
    pub(super) fn close(&self) {
        let _closed = SCOPES.try_with(|scopes| {
            let mut open = scopes.open.borrow_mut();
            let of_owner = open.get_mut(&self.owner)?;
            let closed = of_owner.pop();
            if of_owner.is_empty() {
                open.remove(&self.owner);
            }
            closed
        });
    }

    pub(super) fn is_called(&self, number: usize, greenlet: Greenlet) {
        if let Some(member) = self.members.borrow_mut().get_mut(number) {
            member.greenlet = Some(greenlet);
        }
    }

    /// Waits on the owner's stack, as long as that stack can wait.
    pub(super) fn wait_for_all(&self) {
        Frame::with_current(|frame| {
            let frame = frame.expect("a scope ends on the stack on which it began");
            while frame.poll(pin!(poll_fn(|cx| self.poll_ended(cx)))).is_pending() {
                if let Some(limit) = frame.limit_to_take_effect() {
                    if held_up(self.owner).is_empty() {
                        limit::pass(limit);
                    }
                }
                frame.suspend();
            }
        });
    }

    fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        if self.members.borrow().is_empty() {
            return Poll::Ready(());
        }
        let _previous = self.waiting.replace(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Returns the members that have not ended.
    pub(super) fn left(&self) -> Vec<(usize, Option<Greenlet>)> {
        let members = self.members.borrow();
        members.iter().map(|(number, member)| (number, member.greenlet)).collect()
    }
}

/// Records, when it is dropped, that a member has ended.
pub(super) struct Mark {
    lent: Rc<Lent>,
    pub(super) number: usize,
}

impl Mark {
    pub(super) fn make(lent: &Rc<Lent>) -> Mark {
        let number = lent.members.borrow_mut().insert(Member { greenlet: None, stack: 0 });
        Mark { lent: Rc::clone(lent), number }
    }

    pub(super) fn note_stack(&self) {
        let stack = Frame::with_current(|frame| frame.map_or(0, address));
        self.lent.members.borrow_mut()[self.number].stack = stack;
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let left = {
            let mut members = self.lent.members.borrow_mut();
            members.remove(self.number);
            members.len()
        };
        let owner = if left == 0 { self.lent.waiting.take() } else { None };
        if let Some(owner) = owner {
            owner.wake();
        }
    }
}

fn address(frame: &Frame) -> usize {
    ptr::from_ref(frame).addr()
}

/// Returns the members of scopes on the stack of that frame that keep it from being unwound: those
/// that are running or in a shielded wait. The stacks of the others must be ready to be unwound
/// too.
fn held_up(stack: usize) -> Vec<Option<Greenlet>> {
    let mut running = Vec::new();
    let _ended = SCOPES.try_with(|scopes| {
        let open = scopes.open.borrow();
        if !open.is_empty() {
            look_for_running(&open, stack, &mut running);
        }
    });
    running
}

fn look_for_running(open: &Open, stack: usize, running: &mut Vec<Option<Greenlet>>) {
    for lent in open.get(&stack).into_iter().flatten() {
        for (_, member) in &*lent.members.borrow() {
            match member.greenlet.and_then(Greenlet::state) {
                // A member that has ended but still has its mark is being unwound, or will be
                // later.
                None | Some(State::Running) => running.push(member.greenlet),
                Some(_) if is_shielded_at(member.stack) => running.push(member.greenlet),
                Some(_) => look_for_running(open, member.stack, running),
            }
        }
    }
}

/// Unwinds the stack whose frame is at that address: now, or as soon as none of its borrowers is
/// running.
pub(super) fn unwind_when_free(stack: usize, unwind: impl FnOnce() + 'static) {
    let running = held_up(stack);
    if running.is_empty() {
        return unwind();
    }
    SCOPES.with(|scopes| {
        scopes.deferred.borrow_mut().push(Deferred { stack, unwind: Box::new(unwind) });
    });
    DEFERRED.set(DEFERRED.get() + 1);
    running.into_iter().flatten().for_each(|greenlet| greenlet.kill());
}

/// Unwinds the stacks that a member held up which has now ended. Called once nothing of that member
/// is left on its stack, and not by its mark, because an unwind may be what drops the mark.
#[inline]
pub(super) fn unwind_deferred() {
    if DEFERRED.get() > 0 {
        unwind_all_that_are_free();
    }
}

#[cold]
fn unwind_all_that_are_free() {
    while let Some(unwind) = SCOPES.try_with(Scopes::next_to_unwind).ok().flatten() {
        unwind();
    }
}

impl Scopes {
    fn next_to_unwind(&self) -> Option<Box<dyn FnOnce()>> {
        let mut deferred = self.deferred.borrow_mut();
        let at = deferred.iter().position(|one| held_up(one.stack).is_empty())?;
        DEFERRED.set(DEFERRED.get() - 1);
        Some(deferred.remove(at).unwind)
    }
}
