//! Stacks that others have borrowed from: they are unwound when nobody is running who borrows.
//!
//! This is the half of [`scope`](super::scope) that the end of every stack asks. See there for the
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
    /// Where the frame of the owner's stack is: tells whose scope this is.
    owner: usize,
    /// Those whose marks are not dropped.
    pub(super) members: RefCell<Slab<Member>>,
    /// Wakes the owner, who waits for the last member to end.
    waiting: RefCell<Option<Waker>>,
    /// Set when the members are being killed: nobody can join them any more.
    pub(super) ending: Cell<bool>,
    pub(super) unseen: Rc<Cell<usize>>,
}

pub(super) struct Member {
    /// `None` while it is being spawned.
    greenlet: Option<Greenlet>,
    /// Where the frame of its stack is. 0 before it has run.
    stack: usize,
}

thread_local! {
    /// How many stacks are to be unwound later: asked each time a stack has ended.
    static DEFERRED: Cell<usize> = const { Cell::new(0) };

    static SCOPES: Scopes =
        const { Scopes { open: RefCell::new(BTreeMap::new()), deferred: RefCell::new(Vec::new()) } };
}

/// The scopes that have not ended, outermost first, of each owner: nobody's end or wait looks at
/// those of others.
type Open = BTreeMap<usize, Vec<Rc<Lent>>>;

struct Scopes {
    open: RefCell<Open>,
    /// Stacks to be unwound as soon as nobody who borrows from them is running.
    deferred: RefCell<Vec<Deferred>>,
}

struct Deferred {
    /// Where the frame of the stack is.
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

    /// Takes the innermost scope of its owner, which this is, out of those that are open.
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

    /// Waits on the owner's stack, for as long as that can be done.
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

    /// Returns those that have not ended.
    pub(super) fn left(&self) -> Vec<(usize, Option<Greenlet>)> {
        let members = self.members.borrow();
        members.iter().map(|(number, member)| (number, member.greenlet)).collect()
    }
}

/// Tells, when it is dropped, that a member has ended.
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
/// that are running, or in a shielded wait. Of those that are not, the stacks must be ready to be
/// unwound, too.
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
                // One that has ended and has its mark is being unwound, or will be later.
                None | Some(State::Running) => running.push(member.greenlet),
                Some(_) if is_shielded_at(member.stack) => running.push(member.greenlet),
                Some(_) => look_for_running(open, member.stack, running),
            }
        }
    }
}

/// Unwinds the stack that has its frame at that address: now, or as soon as nobody who borrows from
/// it is running.
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

/// Unwinds the stacks that were held up by a member that has ended now. Called when nothing is left
/// of that member on its stack, rather than by its mark, as it may be an unwind that drops the
/// mark.
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
