//! Which green stack runs now, and how it is suspended.
//!
//! ```text
//!    OS thread's stack                         green stack
//!   +-------------------+                   +------------------+
//!   | hub               |                   | closure          |
//!   | Stackful::poll(cx)| ---- resume ----> | ...              |
//!   |   saves current,  |     (cx)          | future.block()   |
//!   |   restores it     |                   |   Frame::poll    |
//!   |                   | <--- suspend ---- |   Frame::suspend |
//!   +-------------------+                   +------------------+
//! ```
//!
//! Green stacks nest: the hub itself may run on top of a green stack, as when a green stack waits
//! for a `stackful` future or kills another green thread. So code that switches to a green stack
//! saves the current stack and restores it when it gets control back, by return or unwind
//! ([`Outer`](crate::hub::Outer)). Code that gets control on a green stack enters its own frame,
//! again by return or unwind ([`Frame::suspend`]). For the hub the current stack is null: what it
//! runs and ends cannot suspend the stack of its caller.
//!
//! A stack that is resumed without a context is either asked where it was suspended
//! ([`parked`](super::parked)), or its green thread is being ended. Then code that waits with
//! [`Frame::put_aside`] may have frames of C above it, through which no unwind may pass: it sees
//! [`Frame::is_ending`] and returns through them. All other code waits with [`Frame::suspend`],
//! which unwinds the stack from there with [`Ended`]. Code that catches that and waits again
//! suspends the stack once more, and is resumed likewise. Code in [`Frame::wait_shielded`] is not
//! told, and its stack is not unwound, before that wait is over: an [`orphan`](super::orphan) owns
//! the stack until then.
//!
//! # Invariants
//!
//! - **I1**: the [`current_stack`] is null, or points to a `Frame` that lives on the green stack
//!   that is executing. It is set in this file only, by code on that stack, and
//!   [`Outer`](crate::hub::Outer) restores what was there before control goes on elsewhere. A frame
//!   outlives all code that runs on its stack between the frame's creation and the return of the
//!   closure, and no other code sees it.
//! - **I2**: `Frame::context` is `Some` only while its stack executes and the `Stackful::poll` that
//!   resumed it is below, waiting for it to come back: so the `Context` that it points to is alive,
//!   and nothing else uses it.
//! - **I3**: `Frame::yielder` points to the yielder of the stack that the frame lives on, which is
//!   valid as long as that stack is.
//! - **I4**: while [`Frame::poll`] polls a future the current stack is null, so no code inside that
//!   can switch stacks under it. A future that other code polls on a green stack, such as
//!   `futures::executor::block_on`, is plain code to us: it is suspended with the whole stack, that
//!   poll included, and goes on when the stack does.
//! - **I5**: `Frame::front` points to the front of the future that owns the stack, until `ending`
//!   is set: that is done before the future goes. `Front::frame` points to the frame, until that is
//!   dropped.
//! - **I6**: `NEWEST` begins a list, through [`Links`], of exactly the frames of this OS thread
//!   that are alive. Each is entered once it is at its final address, and removed when it is
//!   dropped.
#![allow(unsafe_code)]

use std::cell::{Cell, OnceCell, RefCell};
use std::panic::{Location, resume_unwind};
use std::pin::{Pin, pin};
use std::ptr::{self, NonNull};
use std::task::{Context, Poll, Waker};

use corosensei::Yielder;

use super::asked;
use super::spans::{self, Spans};
use crate::hub::{self, Enclosing, Moment, Timer, current_stack, set_current_stack};
use crate::report;

/// What a green stack is resumed with: the context of the poll that resumes it, or `None` when it
/// is asked where it was suspended, or when its green thread is being ended.
pub(super) type Resume = Option<NonNull<Context<'static>>>;

/// The type-erased part of a stackful future.
pub(super) struct Front {
    /// Where `stackful(..)` was called.
    pub(super) place: &'static Location<'static>,
    /// Resumes its coroutine.
    pub(super) resume: unsafe fn(NonNull<Front>),
    /// The number of the green thread that started it. 0 outside green threads.
    pub(super) id: u64,
    /// The number of its slot. Outside green threads one that no slot has.
    pub(super) slot: u32,
    /// The lowest address of the stack.
    pub(super) limit: usize,
    /// The frame on its stack. Null before there is one.
    pub(super) frame: Cell<*const Frame>,
}

impl Front {
    /// Resumes the coroutine of a future without a context, until it is suspended again.
    ///
    /// # Safety
    ///
    /// The future is alive. Its coroutine is suspended and not being ended, and suspends itself
    /// again when it is resumed.
    pub(super) unsafe fn resume(front: NonNull<Front>) {
        // SAFETY: the caller promises that it is alive.
        let resume = unsafe { front.as_ref() }.resume;
        // SAFETY: it was made for this future. The rest is the caller's promise.
        unsafe { resume(front) }
    }

    /// Records that the stack is being ended, if there is code on it.
    #[inline]
    pub(super) fn set_ending(&self) {
        // SAFETY: by I5.
        if let Some(frame) = unsafe { self.frame.get().as_ref() } {
            frame.set_ending();
        }
    }
}

/// A green stack, as the code that runs on it sees it.
///
/// It fills one cache line, as each wait needs most of it.
#[repr(C, align(64))]
pub(crate) struct Frame {
    /// The currently entered spans that were entered on this stack.
    ///
    /// First field, so `&frame.spans` and `&frame` are one address: no second pointer is kept live
    /// across the switch, in a cache line of the stack that nothing else needs.
    spans: Spans,
    yielder: NonNull<Yielder<Resume, ()>>,
    /// `None` while the stack is suspended, and for good once its green thread is being ended.
    context: Cell<Resume>,
    /// Set when its green thread is being ended: from then on it executes without a context.
    ending: Cell<bool>,
    /// Some of [`LIMITED`], [`SHIELDED`] and [`ABANDONED`].
    marks: Cell<u8>,
    /// The low bits of the address, in words, where it was last suspended.
    noted: Cell<u16>,
    /// The number of the slot of the green thread that started it; outside green threads one that
    /// no slot has.
    slot: u32,
    front: NonNull<Front>,
    links: Links,
    /// Made when there is a deadline: few stacks have one.
    limits: OnceCell<Box<Limits>>,
}

const _: () = assert!(size_of::<Frame>() == 64);

/// There are `limits`.
const LIMITED: u8 = 1;
/// The code on the stack is in a wait that only its future can end.
const SHIELDED: u8 = 2;
/// The stack is resumed only once more, so that its shielded wait drops its future.
const ABANDONED: u8 = 4;

thread_local! {
    /// The newest frame.
    static NEWEST: Cell<*const Frame> = const { Cell::new(ptr::null()) };

    /// The address of the frame that was unwound last, and how many times in a row. Kept in debug
    /// builds.
    static UNWINDS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// So many unwinds of one stack in a row mean that its code catches each and waits again.
const MANY_UNWINDS: usize = 1_000;

/// The deadlines around the code that runs on a stack, outermost first, each earlier than all those
/// around it. A later one could never take effect, so only the last needs to be checked.
type Limits = RefCell<Vec<Timer>>;

impl Frame {
    /// Runs a closure with a frame of its own. Called at the bottom of a new green stack.
    pub(super) fn run<T>(
        yielder: &Yielder<Resume, ()>,
        context: Resume,
        front: NonNull<Front>,
        closure: impl FnOnce() -> T,
    ) -> T {
        // SAFETY: by I5, which begins here.
        let slot = unsafe { front.as_ref() }.slot;
        let frame = Frame {
            spans: Spans::default(),
            yielder: NonNull::from(yielder),
            context: Cell::new(context),
            ending: Cell::new(false),
            marks: Cell::new(0),
            noted: Cell::new(0),
            slot,
            front,
            links: Links::none(),
            limits: OnceCell::new(),
        };
        enter_list(&frame);
        frame.enter();
        frame.spans.start();
        closure()
    }

    /// Calls `code` with the green stack that it runs on, or with `None` if it is on none or inside
    /// a poll.
    #[inline(always)]
    pub(crate) fn with_current<R>(code: impl FnOnce(Option<&Frame>) -> R) -> R {
        // SAFETY: `code` runs on that stack, and has returned before this function does.
        code(unsafe { Frame::current() })
    }

    /// Returns the green stack that this code runs on, or `None` if it is on none or inside a poll.
    ///
    /// For waits that have to be inlined up to the switch (see
    /// [`Block::block`](super::Block::block)): the compiler need not inline the closure that
    /// [`with_current`](Frame::with_current) takes.
    ///
    /// # Safety
    ///
    /// The frame is not used after the function that asked for it has returned.
    #[inline(always)]
    pub(super) unsafe fn current<'a>() -> Option<&'a Frame> {
        let current = current_stack().cast::<Frame>();
        // SAFETY: by I1 a frame that is not null is alive, and stays so until this stack's closure
        // returns: after the function that asks, as that runs on this stack.
        unsafe { current.as_ref() }
    }

    #[inline]
    fn enter(&self) {
        set_current_stack(ptr::from_ref(self).cast());
    }

    /// Polls a future with the context that this stack was resumed with.
    ///
    /// A stack whose green thread is being ended has none, and polls with a no-op waker.
    #[inline(always)]
    pub(crate) fn poll<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        let _entered_again = Enters(self);
        set_current_stack(ptr::null());
        if self.has(LIMITED) {
            return self.poll_limited(future);
        }
        self.with_context(|cx| future.poll(cx))
    }

    /// As [`poll`](Frame::poll), with deadlines: the polled future can tell that one of them has
    /// passed.
    #[inline(never)]
    fn poll_limited<F: Future>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        let passed = self.first_limit(|limit| limit.has_passed().then(|| limit.moment()));
        match passed {
            None => self.with_context(|cx| future.poll(cx)),
            Some(limit) => self.poll_late(future, limit),
        }
    }

    #[cold]
    fn poll_late<F: Future>(&self, future: Pin<&mut F>, limit: Option<Moment>) -> Poll<F::Output> {
        let _enclosing = Enclosing::enter(limit);
        self.with_context(|cx| future.poll(cx))
    }

    // A single call of `code`, so that it is inlined.
    #[inline(always)]
    fn with_context<R>(&self, code: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let mut nobody;
        let cx = match self.context.get() {
            // SAFETY: by I2 the context is alive and ours alone, and the poll is over before this
            // stack is suspended.
            Some(context) => unsafe { &mut *context.as_ptr() },
            None => {
                nobody = Context::from_waker(Waker::noop());
                &mut nobody
            }
        };
        code(cx)
    }

    /// Calls `code` with one more deadline around it.
    pub(super) fn with_limit<R>(&self, limit: Timer, code: impl FnOnce() -> R) -> R {
        let _innermost = self.add_limit(limit);
        code()
    }

    /// Adds a deadline until the guard is dropped, if it can take effect.
    fn add_limit(&self, limit: Timer) -> Option<Innermost<'_>> {
        let mut limits = self.limits().borrow_mut();
        let moment = limit.moment()?;
        let around = limits.last().and_then(Timer::moment);
        if around.is_some_and(|around| around <= moment) {
            return None;
        }
        limits.push(limit);
        self.mark(LIMITED, true);
        Some(Innermost(self))
    }

    fn limits(&self) -> &Limits {
        self.limits.get_or_init(Box::default)
    }

    /// Checks the earliest deadline, if there is one.
    #[inline]
    fn first_limit<R>(&self, ask: impl FnOnce(&mut Timer) -> Option<R>) -> Option<R> {
        self.limits.get()?.borrow_mut().last_mut().and_then(ask)
    }

    /// Returns the deadline that takes effect, if one does. If not, this stack is polled when one
    /// passes.
    #[inline]
    pub(crate) fn limit_to_take_effect(&self) -> Option<Moment> {
        if self.has(LIMITED) { self.ask_limit() } else { None }
    }

    #[inline(never)]
    fn ask_limit(&self) -> Option<Moment> {
        let ends = |limit: &mut Timer| self.with_context(|cx| limit.ends_wait(cx));
        self.first_limit(|limit| ends(limit).then(|| limit.moment())?)
    }

    /// Suspends this stack until it is polled again. Unwinds if its green thread is ended instead,
    /// on every call: code on the stack may have caught the first unwind.
    #[inline(always)]
    pub(super) fn suspend(&self) {
        if cfg!(debug_assertions) && self.ending.get() {
            self.count_unwind();
        }
        if !self.put_aside() {
            unwind();
        }
    }

    /// Reports, in a debug build, that ending this stack may take forever.
    fn count_unwind(&self) {
        let this = ptr::from_ref(self).addr();
        let unwinds = match UNWINDS.get() {
            (last, unwinds) if last == this => unwinds + 1,
            _ => 1,
        };
        UNWINDS.set((this, unwinds));
        if unwinds == MANY_UNWINDS {
            let id = hub::current().and_then(|hub| hub.current()).map_or(0, hub::Key::serial);
            report::warning(&format!(
                "green thread {id} is being ended, and its code has caught the unwind {MANY_UNWINDS} times and waited \
                 again: its killer waits until it lets the unwind pass (`resume_unwind`)"
            ));
        }
    }

    /// Suspends this stack until it is polled again, or until its green thread is being ended, and
    /// returns whether it was polled. If not, the caller can finish what must not be unwound; the
    /// next suspension unwinds the stack.
    #[inline(always)]
    pub(crate) fn put_aside(&self) -> bool {
        if spans::are_traced() {
            return self.switch_without_spans();
        }
        let polled = self.switch();
        self.spans.start();
        polled
    }

    #[cold]
    #[inline(never)]
    fn switch_without_spans(&self) -> bool {
        let _entered_again = self.spans.leave();
        self.switch()
    }

    #[inline(always)]
    fn switch(&self) -> bool {
        debug_assert!(
            !hub::is_borrowed(),
            "a green stack is suspended in the middle of its hub's work"
        );
        // Entered again on the way out, by a return or an unwind.
        let _entered_again = Enters(self);
        self.context.set(None);
        self.note_suspended();
        // SAFETY: by I3.
        let yielder = unsafe { self.yielder.as_ref() };
        let mut context = yielder.suspend(());
        if context.is_none() {
            context = self.answer();
        }
        self.context.set(context);
        context.is_some()
    }

    /// Captures where this stack was suspended, as long as it is resumed for that only.
    #[cold]
    #[inline(never)]
    fn answer(&self) -> Resume {
        while asked::is_asked() {
            // SAFETY: by I5.
            asked::answer(unsafe { self.front.as_ref() }.limit);
            // SAFETY: by I3.
            let context = unsafe { self.yielder.as_ref() }.suspend(());
            if context.is_some() {
                return context;
            }
        }
        self.ending.set(true);
        None
    }

    /// Returns whether this stack is suspended and its green thread is not being ended.
    pub(super) fn is_put_aside(&self) -> bool {
        self.context.get().is_none() && !self.ending.get()
    }

    /// Returns whether the green thread of this stack is being ended. Then the future that owns it
    /// may have moved.
    #[inline]
    pub(crate) fn is_ending(&self) -> bool {
        self.ending.get()
    }

    #[inline(always)]
    fn has(&self, mark: u8) -> bool {
        self.marks.get() & mark != 0
    }

    fn mark(&self, mark: u8, on: bool) {
        let others = self.marks.get() & !mark;
        self.marks.set(if on { others | mark } else { others });
    }

    /// Returns whether the code on this stack is in a shielded wait.
    pub(super) fn is_shielded(&self) -> bool {
        self.has(SHIELDED)
    }

    /// Records that this stack is to be resumed once more and never again.
    pub(super) fn set_abandoned(&self) {
        self.mark(ABANDONED, true);
    }

    /// Waits for a future, whatever happens to the green thread. If the green thread is ended
    /// meanwhile, the stack is orphaned: see [`orphan`](super::orphan).
    pub(crate) fn wait_shielded<F: Future>(&self, future: F) -> F::Output {
        if let Some(output) = self.poll_shielded(future) {
            return output;
        }
        // The future has been dropped, and an abandoned stack is not resumed again.
        loop {
            self.put_aside();
        }
    }

    fn poll_shielded<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let _shield = Shield::raise(self);
        while !self.has(ABANDONED) {
            if let Poll::Ready(output) = self.poll(future.as_mut()) {
                return Some(output);
            }
            self.put_aside();
        }
        None
    }

    /// Records that the green thread of this stack is being ended.
    pub(super) fn set_ending(&self) {
        self.ending.set(true);
    }

    /// Tells the hub where this stack is suspended. Most stacks wait where they waited before, so
    /// the hub has the address already; storing it again would take a twentieth of a turn.
    #[inline(always)]
    fn note_suspended(&self) {
        let here = hub::stack_pointer();
        let noted = (here / size_of::<usize>()) as u16;
        if noted != self.noted.get() {
            self.noted.set(noted);
            hub::note_suspended(self.slot as usize, here, ptr::from_ref(self).addr());
        }
    }

    /// Returns the lowest address of this stack, unless its green thread is being ended.
    pub(super) fn limit(&self) -> Option<usize> {
        if self.is_ending() {
            return None;
        }
        // SAFETY: by I5, as it is not being ended.
        Some(unsafe { self.front.as_ref() }.limit)
    }

    /// Returns whether that address is on this stack. `None` if its green thread is being ended:
    /// that is not known then.
    pub(crate) fn holds(&self, address: usize) -> Option<bool> {
        Some((self.limit()?..ptr::from_ref(self).addr()).contains(&address))
    }

    /// Returns the front of the future that owns this stack.
    pub(super) fn front(&self) -> NonNull<Front> {
        self.front
    }
}

/// What unwinds a stack whose green thread is being ended. It goes no further than the bottom of
/// the stack.
pub(super) struct Ended;

#[cold]
#[inline(never)]
fn unwind() -> ! {
    resume_unwind(Box::new(Ended))
}

/// A dropped frame is not current (I1), not even until the resumer has restored its own frame: the
/// value of a closure may be dropped before that.
impl Drop for Frame {
    #[inline]
    fn drop(&mut self) {
        set_current_stack(ptr::null());
        if cfg!(debug_assertions) && self.is_ending() {
            // The next frame may be at the same address.
            UNWINDS.set((0, 0));
        }
        leave_list(self);
    }
}

/// Marks a stack as shielded until it is dropped.
struct Shield<'a>(&'a Frame);

impl<'a> Shield<'a> {
    fn raise(frame: &'a Frame) -> Shield<'a> {
        frame.mark(SHIELDED, true);
        Shield(frame)
    }
}

impl Drop for Shield<'_> {
    fn drop(&mut self) {
        self.0.mark(SHIELDED, false);
    }
}

/// Removes the innermost deadline when its code has returned or unwound.
struct Innermost<'a>(&'a Frame);

impl Drop for Innermost<'_> {
    fn drop(&mut self) {
        let mut timers = self.0.limits().borrow_mut();
        let _lifted = timers.pop();
        self.0.mark(LIMITED, !timers.is_empty());
    }
}

/// Enters a frame when it is dropped: when a poll is over, or control comes back to the code of the
/// frame.
struct Enters<'a>(&'a Frame);

impl Drop for Enters<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.enter();
    }
}

/// The links of a frame in the list of all. Both are null while it is in none.
struct Links {
    newer: Cell<*const Frame>,
    older: Cell<*const Frame>,
}

impl Links {
    const fn none() -> Links {
        Links { newer: Cell::new(ptr::null()), older: Cell::new(ptr::null()) }
    }
}

/// Adds a frame, which does not move from now on.
#[inline]
fn enter_list(frame: &Frame) {
    // SAFETY: by I5, as it is new.
    unsafe { frame.front().as_ref() }.frame.set(frame);
    NEWEST.with(|newest| {
        let second = newest.replace(frame);
        frame.links.older.set(second);
        // SAFETY: by I6.
        if let Some(second) = unsafe { second.as_ref() } {
            second.links.newer.set(frame);
        }
    });
}

/// Removes a frame that is in the list.
#[inline]
fn leave_list(frame: &Frame) {
    if !frame.is_ending() {
        // SAFETY: by I5.
        unsafe { frame.front().as_ref() }.frame.set(ptr::null());
    }
    let (newer, older) = (frame.links.newer.get(), frame.links.older.get());
    // SAFETY: by I6.
    match unsafe { newer.as_ref() } {
        Some(newer) => newer.links.older.set(older),
        None => NEWEST.set(older),
    }
    // SAFETY: by I6.
    if let Some(older) = unsafe { older.as_ref() } {
        older.links.newer.set(newer);
    }
}

/// Calls `see` with all frames of this OS thread, the newest first. `see` must start or end no
/// frame.
pub(super) fn for_each_frame(mut see: impl FnMut(&Frame)) {
    let mut at = NEWEST.get();
    // SAFETY: by I6. No frame starts or ends meanwhile: only our code runs.
    while let Some(frame) = unsafe { at.as_ref() } {
        see(frame);
        at = frame.links.older.get();
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use crate::{Block, getcurrent, hub, sleep, spawn, stackful};

    #[test]
    fn where_a_stack_is_put_aside_is_noted_each_time() {
        crate::run(async {
            let shallow = || sleep(Duration::ZERO).block();
            #[inline(never)]
            fn deep() {
                let buffer = std::hint::black_box([1_u8; 4096]);
                sleep(Duration::ZERO).block();
                std::hint::black_box(buffer);
            }
            let slot = Rc::new(Cell::new(0));
            let slot_there = Rc::clone(&slot);
            let green_thread = spawn(stackful(move || {
                slot_there.set(getcurrent().key().slot());
                shallow();
                deep();
            }));
            sleep(Duration::ZERO).await;
            let (first, frame) = hub::suspended_at(slot.get());
            sleep(Duration::ZERO).await;
            let (second, same_frame) = hub::suspended_at(slot.get());
            green_thread.await.unwrap();
            assert_eq!(frame, same_frame);
            assert!(first < frame && second + 4096 < first);
        });
    }
}
