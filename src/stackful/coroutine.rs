//! A closure on a stack of its own, as a future.

use std::fmt;
use std::io;
use std::mem;
use std::ops::Range;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use corosensei::stack::Stack as _;
use corosensei::{CoroutineResult, Yielder};

use super::frame::{Frame, Resume};
use super::scope;
use super::stack::{self, GreenStack, Label, ShortName};
use crate::exit::Exit;
use crate::hub::{self, Hub, Outer, Stacks};
use crate::report;

type Coroutine<T> = corosensei::Coroutine<Resume, (), T, GreenStack>;

/// Makes a future of a plain closure that waits with [`.block()`](super::Block::block).
///
/// The closure gets a stack of its own when the future is first polled. It can be spawned, awaited, raced
/// and put in pools like any future, and panics like any future: in whoever polls it. Dropping the future
/// unwinds the stack, so every destructor on it runs.
///
/// The future is `!Send`: a stack stays on the OS thread on which it was started.
///
/// ```compile_fail
/// fn send<T: Send>(_: T) {}
/// send(eventlet::stackful(|| ()));
/// ```
///
/// Corresponds to how every green thread of eventlet works.
///
/// # Panics
///
/// Nothing panics here. When the operating system refuses a stack, the green thread that polls the future
/// ends with an [`Exit`] whose [`error`](Exit::error) names the limit; outside a green thread, the poll
/// unwinds with that `Exit`. As often nobody waits for the green thread, it is reported too: the first
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
    let wanted = Wanted { size: None, place: Location::caller(), taken: None };
    Stackful { state: State::New { closure, wanted } }
}

/// The future of [`stackful`].
#[must_use = "futures do nothing unless spawned or waited for"]
pub struct Stackful<F, T: 'static> {
    state: State<F, T>,
}

enum State<F, T: 'static> {
    New { closure: F, wanted: Wanted },
    Started(Started<T>),
    Ended,
}

/// What stack a closure is to have.
struct Wanted {
    size: Option<usize>,
    place: &'static Location<'static>,
    /// Taken ahead of time.
    taken: Option<GreenStack>,
}

struct Started<T: 'static> {
    coroutine: Coroutine<T>,
    /// Where its stack is.
    stack: Range<usize>,
}

impl<F, T: 'static> Stackful<F, T> {
    /// Asks for a stack of so many bytes. The hub's default is 256 KiB.
    ///
    /// It is rounded up to a multiple of 64 KiB, so that is the least: a panic must find room on it to
    /// print its message and a backtrace. It is address space, of which memory is taken page by page as it
    /// is used. [`stack_stats`](super::stack_stats) tells how much was.
    ///
    /// # Panics
    ///
    /// When it has been polled: a stack does not grow.
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
            State::New { wanted, .. } => wanted.size = Some(bytes),
            _ => panic!("the stack size of a stackful future is chosen before it is first polled"),
        }
        self
    }

    /// Takes the stack now, so that the caller hears of it when there is none.
    pub(crate) fn with_stack_now(mut self) -> io::Result<Stackful<F, T>> {
        if let State::New { wanted, .. } = &mut self.state {
            wanted.taken = Some(wanted.take(hub::current().as_deref())?);
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
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let coroutine = self.state.coroutine();
        let _outer = Outer::save();
        match coroutine.resume(Some(NonNull::from(cx).cast())) {
            CoroutineResult::Yield(()) => Poll::Pending,
            CoroutineResult::Return(value) => {
                self.end();
                Poll::Ready(value)
            }
        }
    }
}

impl<F, T> State<F, T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    /// Returns the coroutine, which starts when it is first asked for.
    fn coroutine(&mut self) -> &mut Coroutine<T> {
        if matches!(self, State::New { .. }) {
            self.start();
        }
        match self {
            State::Started(started) => &mut started.coroutine,
            _ => panic!("a stackful future was polled after it had ended"),
        }
    }

    fn start(&mut self) {
        if let State::New { closure, wanted } = mem::replace(self, State::Ended) {
            let stack = wanted.taken_or_unwind();
            let (limit, base) = (stack.limit().get(), stack.base().get());
            let coroutine = if mem::size_of::<F>() <= BIG {
                Coroutine::with_stack(stack, body(closure))
            } else {
                Coroutine::with_stack(stack, body(Box::new(closure)))
            };
            *self = State::Started(Started { coroutine, stack: limit..base });
        }
    }
}

/// Returns what a coroutine runs: the closure, in a frame.
fn body<T>(closure: impl FnOnce() -> T) -> impl FnOnce(&Yielder<Resume, ()>, Resume) -> T {
    |yielder, context| Frame::run(yielder, context, closure)
}

/// How many bytes a closure may have to be put on its stack as it is. corosensei refuses, with a panic, what
/// has more than 1024: a future that somebody waits for in a closure is often bigger.
const BIG: usize = 512;

impl Wanted {
    fn take(&self, hub: Option<&Hub>) -> io::Result<GreenStack> {
        let stacks = hub.map_or_else(Stacks::default, Hub::stacks);
        stack::take(self.size.unwrap_or(stacks.size))
    }

    /// Returns a stack for the green thread that runs now. Unwinds with the error when there is none.
    fn taken_or_unwind(mut self) -> GreenStack {
        let hub = hub::current();
        match self.taken.take().map_or_else(|| self.take(hub.as_deref()), Ok) {
            Ok(mut stack) => {
                stack.set_label(label(hub.as_deref(), self.place));
                stack
            }
            Err(error) => {
                report_refusal(&error);
                resume_unwind(Box::new(Exit::thrown(error.into())))
            }
        }
    }
}

/// One that was taken and not used, as the closure never ran.
impl Drop for Wanted {
    fn drop(&mut self) {
        self.taken.take().into_iter().for_each(stack::give_back);
    }
}

/// Says whose stack it is, and to the hub that this green thread has one.
fn label(hub: Option<&Hub>, place: &'static Location<'static>) -> Label {
    let running = hub.and_then(|hub| Some((hub, hub.current()?)));
    let (id, name) = running.map_or((0, None), |(hub, key)| {
        hub.set_stackful(key);
        (key.serial(), hub.name(key))
    });
    Label { id, name: name.as_deref().map_or(ShortName::NONE, ShortName::of), place: Some(place) }
}

/// Says aloud that there is no stack. Who waits for the green thread gets the error; but often nobody does,
/// and who runs into a limit does so many times over: of those the first, second, fourth and so on is
/// reported.
#[cold]
fn report_refusal(error: &io::Error) {
    static REFUSALS: AtomicUsize = AtomicUsize::new(0);
    let refusals = REFUSALS.fetch_add(1, Ordering::Relaxed) + 1;
    if refusals.is_power_of_two() {
        report::failure(&format!("no stack for a green thread, for the {refusals}. time"), error);
    }
}

impl<T: 'static> Started<T> {
    /// Unwinds the stack if it is in use, and puts it back into the pool.
    fn end(self) {
        if self.coroutine.done() {
            stack::give_back(self.coroutine.into_stack());
        } else {
            scope::end(self.stack.clone(), || self.unwind());
        }
    }

    fn unwind(mut self) {
        // The unwind itself stays inside; this is a panic that replaced it on its way.
        report::contain("in a green thread that was being ended", || unwind(&mut self.coroutine));
        stack::give_back(self.coroutine.into_stack());
    }
}

/// Unwinds a stack, after it has left the frames that cannot be unwound.
fn unwind<T>(coroutine: &mut Coroutine<T>) {
    let _value_if_any = {
        let _outer = Outer::save();
        // It comes back at once, unless there are such frames.
        coroutine.resume(None)
    };
    if !coroutine.done() {
        let _outer = Outer::save();
        coroutine.force_unwind();
    }
}

impl<F, T: 'static> Stackful<F, T> {
    fn end(&mut self) {
        if let State::Started(started) = mem::replace(&mut self.state, State::Ended) {
            started.end();
            scope::unwind_who_waited();
        }
    }
}

impl<F, T: 'static> Drop for Stackful<F, T> {
    fn drop(&mut self) {
        self.end();
    }
}

/// Nothing in it is pinned: what must not move is on the stack, which does not.
impl<F, T: 'static> Unpin for Stackful<F, T> {}

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
