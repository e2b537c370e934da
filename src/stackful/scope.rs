//! Green threads that borrow from the one that starts them.
//!
//! ```text
//!    owner's stack              member's stack
//!   +------------------+       +------------------+
//!   | data             | <---- | body: &data      |
//!   | scope(|s| ..)    |       |                  |
//!   |   waits here     |       | Mark: the body   |
//!   |   until all Marks| <---- |   is gone        |
//!   |   are dropped    |       +------------------+
//!   +------------------+
//! ```
//!
//! Spawning needs `'static`, and a body borrows for less. The lifetime is erased here, and upheld
//! by the invariants below instead of by the compiler.
//!
//! # How a scope ends
//!
//! - Its function returns or panics: the owner waits for all members, as in std.
//! - The owner is killed, or a limit passes: it cannot wait any more. All members are killed then,
//!   before the owner unwinds. A kill ends its victim before it returns, whatever the victim was
//!   doing, but for two. One *is running*: it may be a member that kills the owner, or one that is
//!   being ended itself and whose destructor does so. A running stack cannot be unwound by another.
//!   The other is in a shielded wait, or comes to one on its way out, and then is an
//!   [`orphan`](super::orphan). So the owner's stack is left as it is
//!   ([`borrowed`](super::borrowed)) until the last member has ended, and ends right after it. If
//!   that was running, no other green thread has a turn in between.
//! - The owner's stack is never unwound, because its future was forgotten (`mem::forget`): then it
//!   is never freed either.
//!
//! # Invariants
//!
//! - **I1**: a [`Mark`] is dropped after the body that it was made for, whether the body was
//!   called, unwound, or never called; and nothing is done with the body, or with what it left,
//!   after that. The mark is the last field of the called closure, and the last local of the call.
//! - **I2**: [`scope`] neither returns nor unwinds into its caller while the `Mark` of one of its
//!   members is left: [`Ending`] sees to it, and ends the process where it cannot.
//! - **I3**: what a body borrows outlives the call of `scope`, as `'scope` does. It is on stacks,
//!   or reached from them, that are unwound past that call only by code that comes through it.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::process;
use std::rc::Rc;

use super::borrowed::{Lent, Mark};
use super::coroutine::{Stackful, stackful};
use crate::exit::Exit;
use crate::greenthread::{GreenThread, spawn};
use crate::report;

/// Starts green threads that may borrow from outside the scope and end before it does: what
/// [`scope`] passes to its function.
///
/// Corresponds to [`std::thread::Scope`].
pub struct Scope<'scope, 'env: 'scope> {
    lent: Rc<Lent>,
    /// Neither lifetime may be shortened or lengthened, as in std.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// The green thread of a member, before it is spawned.
pub(crate) type Body = Stackful<Box<dyn FnOnce()>, ()>;

/// Calls a function that can start green threads that borrow, and waits for them all.
///
/// Corresponds to [`std::thread::scope`].
///
/// # Panics
///
/// Where waiting is impossible: off green stacks, and while the stack unwinds. With a panic of the
/// function, once all its green threads have ended. If one of those that were not joined has
/// panicked.
///
/// # Yields
///
/// Wherever the function does, and at its end while green threads are left.
///
/// # Killed
///
/// All green threads of the scope are killed before anything that they could have borrowed is
/// dropped; likewise when a limit passes. If one of them is running, because it is the killer, it
/// ends at its next wait, and the owner of the scope right after it, before any other green thread
/// has a turn. If one is in a wait that nothing cancels
/// ([`wait_shielded`](crate::lowlevel::wait_shielded)), the owner ends when that is over.
///
/// # Differences
///
/// Nothing has to be `Send`.
///
/// # Examples
///
/// ```
/// use eventlet::green::thread;
///
/// eventlet::run(eventlet::stackful(|| {
///     let mut numbers = vec![1, 2, 3];
///     let mut count = 0;
///     thread::scope(|s| {
///         s.spawn(|| numbers.push(4));
///         s.spawn(|| count += 1);
///     });
///     assert_eq!((numbers.len(), count), (4, 1));
/// }));
/// ```
///
/// A value that ends before the scope cannot be borrowed:
///
/// ```compile_fail,E0373
/// use eventlet::green::thread;
///
/// thread::scope(|s| {
///     let number = 1;
///     s.spawn(|| assert_eq!(number, 1));
/// });
/// ```
///
/// Nor can a green thread, or its handle, leave the scope:
///
/// ```compile_fail
/// use eventlet::green::thread;
///
/// let handle = thread::scope(|s| s.spawn(|| 1));
/// ```
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    let scope = Scope { lent: Lent::open(), scope: PhantomData, env: PhantomData };
    let ending = Ending(&scope.lent);
    let result = catch_unwind(AssertUnwindSafe(|| f(&scope)));
    // If that was not a panic but the end of this green thread, this unwinds again unless no member
    // is left. It is caught all the same: while this OS thread unwinds, killed members that catch
    // their first unwind could not be unwound again at their next wait.
    let waited = catch_unwind(AssertUnwindSafe(|| scope.lent.wait_for_all()));
    drop(ending);
    match (waited, result) {
        (Err(unwind), result) => {
            // Not while this unwinds: a destructor that panicked would end the process.
            report::discard("in what a scope has left", result);
            resume_unwind(unwind)
        }
        (_, Err(unwind)) => resume_unwind(unwind),
        _ if scope.lent.unseen.get() > 0 => panic!("a scoped thread panicked"),
        (_, Ok(value)) => value,
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a member. `prepare` may give it another stack.
    #[track_caller]
    pub(crate) fn start(
        &'scope self,
        body: impl FnOnce() + 'scope,
        prepare: impl FnOnce(Body) -> io::Result<Body>,
    ) -> io::Result<GreenThread<()>> {
        if self.lent.ending.get() {
            return Ok(GreenThread::ended(Err(Exit::killed()), Location::caller()));
        }
        let mark = Mark::make(&self.lent);
        let number = mark.number;
        let marked = Marked { body, mark };
        let body: Box<dyn FnOnce() + 'scope> = Box::new(move || marked.call());
        // SAFETY: the closure is used no longer than its borrows live. By I1 it is gone when its
        // mark is dropped, by I2 that is before the call of `scope` is over, and by I3 what it
        // borrows lives until then.
        let body = unsafe { mem::transmute::<Box<dyn FnOnce() + 'scope>, Box<dyn FnOnce()>>(body) };
        let gt = spawn(prepare(stackful(body))?);
        self.lent.is_called(number, *gt);
        let unseen = Rc::clone(&self.lent.unseen);
        gt.link(move |result| {
            if result.as_ref().is_err_and(|exit| !exit.is_killed()) {
                unseen.set(unseen.get() + 1);
            }
        });
        Ok(gt)
    }

    /// Returns the number of members that failed and were not joined.
    pub(crate) fn unseen(&self) -> &Rc<Cell<usize>> {
        &self.lent.unseen
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = self.lent.members.borrow().len();
        f.debug_struct("Scope").field("members", &members).finish_non_exhaustive()
    }
}

/// Kills the members that are left, and closes the scope.
struct Ending<'a>(&'a Lent);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.ending.set(true);
        // No member is added any more.
        for (number, greenlet) in self.0.left() {
            if let Some(greenlet) = greenlet {
                greenlet.kill_now();
            }
            // Its number cannot have been reused.
            if self.0.members.borrow().contains(number) {
                cannot_end();
            }
        }
        self.0.close();
    }
}

/// Ends the process. Code that unwinds an owner ends its members first, so this is never reached.
#[cold]
fn cannot_end() -> ! {
    report::print(
        "eventlet: a scope ends, and a green thread that may borrow from outside of it is running and cannot \
         be ended: going on would let it use memory that is gone. This is a bug in eventlet. Aborting",
    );
    process::abort();
}

/// A body with its mark. The fields are dropped in this order.
struct Marked<F> {
    body: F,
    mark: Mark,
}

impl<F: FnOnce()> Marked<F> {
    fn call(self) {
        let Marked { body, mark } = self;
        body();
        drop(mark);
    }
}
