//! Stacks that others have borrowed from: they are unwound once all borrowers have ended.
//!
//! This is the half of [`scope`](super::scope) that every ending stack consults. See there for the
//! whole.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::ptr;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::frame::Frame;
use super::limit;
use crate::greenthread::Greenlet;

/// What an owner has lent to its members.
pub(super) struct Lent {
    /// The address of the frame of the owner's stack: says whose scope this is.
    owner: usize,
    /// The members whose marks are not dropped. `None` while one is being spawned.
    pub(super) members: RefCell<Slab<Option<Greenlet>>>,
    /// Wakes the owner, which waits for the last member to end.
    waiting: RefCell<Option<Waker>>,
    /// Set when the members are being killed: no more are started.
    pub(super) ending: Cell<bool>,
    pub(super) unseen: Rc<Cell<usize>>,
}

thread_local! {
    /// How many stacks are to be unwound later: read each time a stack has ended.
    static DEFERRED: Cell<usize> = const { Cell::new(0) };

    static SCOPES: Scopes = const {
        Scopes {
            open: RefCell::new(BTreeMap::new()),
            deferred: RefCell::new(BTreeMap::new()),
            free: RefCell::new(VecDeque::new()),
        }
    };
}

/// The scopes that have not ended, outermost first, by owner: ending or waiting looks only at an
/// owner's own.
type Open = BTreeMap<usize, Vec<Rc<Lent>>>;

struct Scopes {
    open: RefCell<Open>,
    /// How to unwind the stacks that wait for their borrowers to end, by the address of the frame.
    deferred: RefCell<BTreeMap<usize, Box<dyn FnOnce()>>>,
    /// Those of them of which a scope has lost its last member.
    free: RefCell<VecDeque<usize>>,
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
            *member = Some(greenlet);
        }
    }

    /// Waits on the owner's stack, as long as that stack can wait. When a limit passes the members
    /// are killed, and it waits for those that end later.
    pub(super) fn wait_for_all(&self) {
        Frame::with_current(|frame| {
            let frame = frame.expect("a scope ends on the stack on which it began");
            let mut passed = None;
            while frame.poll(pin!(poll_fn(|cx| self.poll_ended(cx)))).is_pending() {
                passed = frame.limit_to_take_effect();
                if passed.is_some() && self.kill_members() {
                    break;
                }
                frame.suspend();
            }
            if let Some(limit) = passed {
                limit::pass(limit);
            }
        });
    }

    /// Kills the members that are left, and returns whether all have ended. One that is running
    /// ends later, and so does one that is in a shielded wait or comes to one on its way.
    fn kill_members(&self) -> bool {
        self.ending.set(true);
        self.left().into_iter().filter_map(|(_, greenlet)| greenlet).for_each(|it| it.kill());
        self.members.borrow().is_empty()
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
        members.iter().map(|(number, greenlet)| (number, *greenlet)).collect()
    }
}

/// Records, when it is dropped, that a member has ended.
pub(super) struct Mark {
    lent: Rc<Lent>,
    pub(super) number: usize,
}

impl Mark {
    pub(super) fn make(lent: &Rc<Lent>) -> Mark {
        let number = lent.members.borrow_mut().insert(None);
        Mark { lent: Rc::clone(lent), number }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        let left = {
            let mut members = self.lent.members.borrow_mut();
            members.remove(self.number);
            members.len()
        };
        if left > 0 {
            return;
        }
        if DEFERRED.get() > 0 {
            let _ended = SCOPES.try_with(|scopes| scopes.note_free(self.lent.owner));
        }
        if let Some(owner) = self.lent.waiting.take() {
            owner.wake();
        }
    }
}

fn address(frame: &Frame) -> usize {
    ptr::from_ref(frame).addr()
}

/// Kills all that have borrowed from the stack whose frame is at that address, and unwinds it: now,
/// or as soon as they have ended.
pub(super) fn unwind_when_free(stack: usize, unwind: impl FnOnce() + 'static) {
    let mut all_ended = true;
    for lent in of_owner(stack).iter().rev() {
        all_ended &= lent.kill_members();
    }
    if all_ended {
        return unwind();
    }
    SCOPES.with(|scopes| {
        scopes.deferred.borrow_mut().insert(stack, Box::new(unwind));
    });
    DEFERRED.set(DEFERRED.get() + 1);
}

/// Returns the scopes of an owner, outermost first.
fn of_owner(stack: usize) -> Vec<Rc<Lent>> {
    let of_owner = |scopes: &Scopes| scopes.open.borrow().get(&stack).cloned();
    SCOPES.try_with(of_owner).ok().flatten().unwrap_or_default()
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
    fn note_free(&self, owner: usize) {
        if self.deferred.borrow().contains_key(&owner) {
            self.free.borrow_mut().push_back(owner);
        }
    }

    fn next_to_unwind(&self) -> Option<Box<dyn FnOnce()>> {
        loop {
            let owner = self.free.borrow_mut().pop_front()?;
            // It may be in there twice, and have another scope.
            if self.has_no_members(owner) {
                if let Some(unwind) = self.deferred.borrow_mut().remove(&owner) {
                    DEFERRED.set(DEFERRED.get() - 1);
                    return Some(unwind);
                }
            }
        }
    }

    fn has_no_members(&self, owner: usize) -> bool {
        let open = self.open.borrow();
        let mut scopes = open.get(&owner).into_iter().flatten();
        scopes.all(|lent| lent.members.borrow().is_empty())
    }
}
