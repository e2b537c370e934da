//! A closure on a stack of its own, as a future.
//!
//! # Invariants
//!
//! - **I1**: from its first poll to its end a `Stackful` stays where it is, as it is pinned and not
//!   `Unpin`. That first poll tells the frame on its stack where its [`Front`] is, which tells
//!   [`Front::frame`] where the frame is. So a suspended stack can be inspected without its future:
//!   see [`parked`](super::parked).
//! - **I2**: code that resumes a coroutine by its [`Front`] knows that it is suspended and not
//!   being ended. Then no code is polling or dropping its `Stackful`, and no other reference to it
//!   is in use.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::io;
use std::marker::PhantomPinned;
use std::mem;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use corosensei::stack::Stack as _;
use corosensei::{CoroutineResult, Yielder};

use super::borrowed;
use super::exiting;
use super::frame::{Ended, Frame, Front, Resume};
use super::orphan::{Coroutine, give_back};
use super::stack::{self, GreenStack, MadeAt};
use crate::apply::Apply;
use crate::exit::Exit;
use crate::hub::{self, Hub, Key, Outer, Stacks};
use crate::report;

/// Makes a future of a plain closure that waits with [`.block()`](super::Block::block).
///
/// The closure gets a stack of its own when the future is first polled. It can be spawned, awaited,
/// raced and put in pools like any future, and a panic in it reaches its poller, as with any
/// future. Dropping the future unwinds the stack, so every destructor on it runs. Like the future
/// of an async fn it must be pinned to be polled, by hand or as `&mut` in a `select!`.
///
/// The future is `!Send`: a stack stays on the OS thread on which it was started.
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(eventlet::stackful(|| ()));
/// ```
///
/// Code in the closure must not assume that nothing else runs on its OS thread while it waits, as
/// the initializer of a `std::thread_local!` does: see `# Soundness` at
/// [`Block::block`](super::Block::block).
///
/// Corresponds to how every green thread of eventlet works.
///
/// # Errors
///
/// When the operating system refuses a stack, the green thread that polls the future ends with an
/// [`Exit`] whose [`error`](Exit::error) names the limit; outside a green thread, the poll unwinds
/// with that `Exit`. Often nothing waits for the green thread, so it is reported too: the first
/// time, the second, the fourth, the eighth and so on.
///
/// # Examples
///
/// ```
/// use eventlet::{Block, sleep, spawn, stackful};
/// use std::time::Duration;
///
/// eventlet::run(stackful(|| {
///     let gt = spawn(stackful(|| {
///         sleep(Duration::from_millis(1)).block();
///         42
///     }));
///     assert_eq!(gt.block().unwrap(), 42);
/// }));
/// ```
#[track_caller]
pub fn stackful<F, T>(closure: F) -> Stackful<F, T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    let front = Front {
        place: Location::caller(),
        resume: resume::<F, T>,
        id: 0,
        slot: u32::MAX,
        limit: 0,
        frame: Cell::new(ptr::null()),
    };
    let wanted = Wanted { size: None, taken: Taken(None) };
    Stackful { front, state: State::New { closure, wanted }, _pinned: PhantomPinned }
}

/// Makes a future of a call of a plain function, with its arguments in a tuple.
///
/// It is [`stackful`] of a closure that makes only this call, and can be spawned, awaited, raced
/// and put in pools likewise. Arguments are cloned in the call's own expression, with no `let`
/// before it.
///
/// Corresponds to the arguments of `eventlet.spawn(function, *arguments)`.
///
/// # Examples
///
/// ```
/// use eventlet::{Block, Queue, spawn, stackful};
///
/// fn produce(queue: Queue<u32>, count: u32) {
///     for n in 0..count {
///         queue.put(n).block();
///     }
/// }
///
/// eventlet::run(stackful(|| {
///     let queue = Queue::new(1);
///     spawn(stackful::call(produce, (queue.clone(), 3)));
///     assert_eq!([queue.get().block(), queue.get().block(), queue.get().block()], [0, 1, 2]);
/// }));
/// ```
#[track_caller]
pub fn call<F, A, T>(
    mut function: F,
    arguments: A,
) -> Stackful<impl FnOnce() -> T + use<F, A, T>, T>
where
    F: Apply<A, Output = T> + 'static,
    A: 'static,
    T: 'static,
{
    stackful(move || function.apply(arguments))
}

/// The future of [`stackful`] and of [`call`].
#[must_use = "futures do nothing unless spawned or waited for"]
pub struct Stackful<F, T: 'static> {
    front: Front,
    state: State<F, T>,
    _pinned: PhantomPinned,
}

/// Resumes the coroutine of a future that has this front.
///
/// # Safety
///
/// It is the front of a `Stackful<F, T>`, and the requirements of [`Front::resume`] hold.
unsafe fn resume<F, T: 'static>(front: NonNull<Front>) {
    // SAFETY: the caller says so.
    let future = unsafe { front.byte_sub(mem::offset_of!(Stackful<F, T>, front)) };
    let future = future.cast::<Stackful<F, T>>().as_ptr();
    // SAFETY: by I1 it is alive, and by I2 nothing else uses it now.
    if let State::Started(coroutine) = unsafe { &mut (*future).state } {
        let _put_aside = coroutine.resume(None);
    }
}

enum State<F, T: 'static> {
    New { closure: F, wanted: Wanted },
    Started(Coroutine<T>),
    Ended,
}

impl<F, T: 'static> State<F, T> {
    fn take_new(&mut self) -> Option<(F, Wanted)> {
        match mem::replace(self, State::Ended) {
            State::New { closure, wanted } => Some((closure, wanted)),
            other => {
                *self = other;
                None
            }
        }
    }

    fn take_started(&mut self) -> Option<Coroutine<T>> {
        match mem::replace(self, State::Ended) {
            State::Started(coroutine) => Some(coroutine),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// The stack that a closure is to have.
struct Wanted {
    size: Option<NonZero<usize>>,
    /// Taken ahead of time.
    taken: Taken,
}

impl<F, T: 'static> Stackful<F, T> {
    /// Asks for a stack of so many bytes. The hub's default is 256 KiB.
    ///
    /// It is rounded up to a multiple of 64 KiB, which is the minimum: a panic needs room to print
    /// its message and a backtrace. This is address space: memory is taken page by page as it is
    /// used. [`stack_stats`](super::stack_stats) tells how much was.
    ///
    /// # Panics
    ///
    /// If it has been polled: a stack does not grow.
    ///
    /// # Examples
    ///
    /// ```
    /// # use eventlet::stackful;
    /// let deep = stackful(|| vec![1, 2, 3].len()).stack_size(1024 * 1024);
    /// assert_eq!(eventlet::run(deep), 3);
    /// ```
    #[track_caller]
    pub fn stack_size(mut self, bytes: usize) -> Stackful<F, T> {
        match &mut self.state {
            State::New { wanted, .. } => wanted.size = NonZero::new(bytes.max(1)),
            _ => panic!("the stack size of a stackful future is chosen before it is first polled"),
        }
        self
    }

    /// Takes the stack now, so that the caller gets the error if there is none.
    pub(crate) fn with_stack_now(mut self) -> io::Result<Stackful<F, T>> {
        if let State::New { wanted, .. } = &mut self.state {
            wanted.taken = Taken(Some(wanted.take(hub::current().as_deref())?));
        }
        Ok(self)
    }
}

impl<F, T> Future for Stackful<F, T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    type Output = T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        // SAFETY: nothing is moved out of it before it has ended.
        let this = unsafe { self.get_unchecked_mut() };
        let coroutine = this.coroutine();
        let _outer = Outer::save();
        match coroutine.resume(Some(NonNull::from(cx).cast())) {
            CoroutineResult::Yield(()) => Poll::Pending,
            CoroutineResult::Return(Some(value)) => {
                this.release_stack();
                Poll::Ready(value)
            }
            CoroutineResult::Return(None) => ended_by_another(),
        }
    }
}

impl<F, T> Stackful<F, T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    /// Returns the coroutine, to be resumed next. The first call starts it.
    #[inline]
    fn coroutine(&mut self) -> &mut Coroutine<T> {
        if matches!(self.state, State::New { .. }) {
            self.start();
        } else {
            hub::fetch_frame(self.front.frame.get().addr());
        }
        match &mut self.state {
            // One whose closure panicked has ended, too.
            State::Started(coroutine) if !coroutine.done() => coroutine,
            _ => panic!("a stackful future was polled after it had ended"),
        }
    }

    #[inline(never)]
    fn start(&mut self) {
        if let Some((closure, wanted)) = self.state.take_new() {
            let stack = wanted.taken_or_unwind(&mut self.front);
            let front = front_of(NonNull::from(&mut *self));
            let coroutine = if mem::size_of::<F>() <= BIG {
                Coroutine::with_stack(stack, body(closure, front))
            } else {
                Coroutine::with_stack(stack, body(Box::new(closure), front))
            };
            self.state = State::Started(coroutine);
        }
    }
}

/// Returns what a coroutine runs: the closure, in a frame. It has no value where it was ended.
fn body<T>(
    closure: impl FnOnce() -> T,
    front: NonNull<Front>,
) -> impl FnOnce(&Yielder<Resume, ()>, Resume) -> Option<T> {
    move |yielder, context| {
        let run = AssertUnwindSafe(|| Frame::run(yielder, context, front, closure));
        match catch_unwind(run) {
            Ok(value) => Some(value),
            Err(payload) if payload.is::<Ended>() => None,
            Err(payload) => resume_unwind(payload),
        }
    }
}

/// Ends a green thread whose code has caught the end of another, and resumed that unwind here.
#[cold]
fn ended_by_another() -> ! {
    resume_unwind(Box::new(Exit::killed()))
}

/// Returns the address of a future's front, as a pointer whose provenance is the whole future.
fn front_of<F, T>(future: NonNull<Stackful<F, T>>) -> NonNull<Front> {
    // SAFETY: it is a part of it.
    unsafe { future.byte_add(mem::offset_of!(Stackful<F, T>, front)) }.cast()
}

/// The largest closure, in bytes, that goes on its stack unboxed. corosensei panics on more than
/// 1024, and a future that a closure waits for is often bigger.
const BIG: usize = 512;

impl Wanted {
    /// Returns a stack for the current green thread, and records both. Unwinds with the error if
    /// there is no stack.
    #[inline(never)]
    fn taken_or_unwind(mut self, front: &mut Front) -> GreenStack {
        let hub = hub::current();
        let hub = hub.as_deref();
        let taken = match self.taken.0.take() {
            Some(stack) => Ok(stack),
            None => self.take(hub),
        };
        match taken {
            Ok(mut stack) => {
                exiting::begin();
                front.limit = stack.limit().get();
                label(&mut stack, front, hub.and_then(|hub| Some((hub, hub.current()?))));
                stack
            }
            Err(error) => refuse(error),
        }
    }

    #[inline]
    fn take(&self, hub: Option<&Hub>) -> io::Result<GreenStack> {
        let stacks = hub.map_or_else(Stacks::default, Hub::stacks);
        stack::take(self.size.map_or(stacks.size, NonZero::get))
    }
}

/// Records whose stack it is, in the future and on the stack.
#[inline]
fn label(stack: &mut GreenStack, front: &mut Front, running: Option<(&Hub, Key)>) {
    let name = running.and_then(|(hub, key)| {
        (front.id, front.slot) = (key.serial(), key.slot() as u32);
        hub.name(key)
    });
    stack.set_label(front.id, name.as_deref(), front.place);
}

/// A stack that was taken ahead of time. It goes back if the closure never ran.
struct Taken(Option<GreenStack>);

impl Drop for Taken {
    #[inline]
    fn drop(&mut self) {
        if let Some(stack) = self.0.take() {
            give_back_unused(stack);
        }
    }
}

#[cold]
#[inline(never)]
fn give_back_unused(stack: GreenStack) {
    stack::give_back(stack);
}

#[cold]
fn refuse(error: io::Error) -> ! {
    report_refusal(&error);
    resume_unwind(Box::new(Exit::thrown(error.into())))
}

/// Reports that there is no stack. A waiter of the green thread gets the error, but often there is
/// none; and a program at a limit hits it many times, so the first, second, fourth and so on are
/// reported.
#[cold]
fn report_refusal(error: &io::Error) {
    static REFUSALS: AtomicUsize = AtomicUsize::new(0);
    let refusals = REFUSALS.fetch_add(1, Ordering::Relaxed) + 1;
    if refusals.is_power_of_two() {
        report::trouble(&format!("no stack for a green thread, for the {refusals}. time"), error);
    }
}

/// Returns whether values that the stacks of this OS thread have borrowed may be gone.
fn is_thread_ending() -> bool {
    match hub::current() {
        Some(hub) if hub.is_at_work() => false,
        Some(hub) => hub.ends_with_thread(exiting::thread_is_ending),
        None => exiting::thread_is_ending(),
    }
}

/// Leaves a stack as it is, for good.
#[cold]
fn abandon<T>(coroutine: Coroutine<T>, place: MadeAt) {
    static ABANDONED: AtomicUsize = AtomicUsize::new(0);
    mem::forget(coroutine);
    let abandoned = ABANDONED.fetch_add(1, Ordering::Relaxed) + 1;
    if abandoned.is_power_of_two() {
        report::warning(&format!(
            "a green stack outlives its OS thread, in a thread-local, for the {abandoned}. time: what it has borrowed may \
             be gone, so it is not unwound, and its destructors do not run. It runs the `stackful(..)` of {place}"
        ));
    }
}

impl<F, T: 'static> Stackful<F, T> {
    /// Ends a coroutine that is dropped before it has completed.
    #[cold]
    #[inline(never)]
    fn drop_started(&mut self) {
        self.release_stack();
    }

    /// Drops the closure of a coroutine that never started. It may be a member of a scope, and its
    /// captures may end the owner, whose stack is unwound after that.
    #[cold]
    #[inline(never)]
    fn drop_new(&mut self) {
        let new = self.state.take_new();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(new)));
        borrowed::unwind_deferred();
        if let Err(payload) = dropped {
            resume_unwind(payload);
        }
    }

    #[inline]
    fn release_stack(&mut self) {
        if let Some(coroutine) = self.state.take_started() {
            // It was moved out, perhaps to be unwound later, and must not be touched any more.
            self.front.set_ending();
            if !coroutine.done() && is_thread_ending() {
                return abandon(coroutine, self.front.place);
            }
            give_back(coroutine, self.front.frame.get());
            borrowed::unwind_deferred();
        }
    }
}

impl<F, T: 'static> Drop for Stackful<F, T> {
    #[inline]
    fn drop(&mut self) {
        match self.state {
            State::New { .. } => self.drop_new(),
            State::Started(_) => self.drop_started(),
            State::Ended => {}
        }
    }
}

impl<F, T: 'static> fmt::Debug for Stackful<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::New { .. } => "new",
            State::Started(_) => "started",
            State::Ended => "ended",
        };
        f.debug_struct("Stackful").field("state", &state).finish()
    }
}
