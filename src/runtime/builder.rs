//! A hub with a Tokio runtime of its own.

use std::fmt;
use std::io;
use std::panic::Location;

use tokio::runtime::{Handle, LocalOptions};

use super::host::{has_no_value, host};
use super::interrupt::{KeyboardInterrupt, Signals};
use crate::awaitable::Awaitable;
use crate::hub::Stacks;

/// Runs a future as the main green thread of a new hub, and returns its value.
///
/// This makes a current-thread Tokio runtime, so everything made for Tokio works inside. When the future
/// ends, green threads that are left are dropped and their destructors run. [`Builder`] has
/// options.
///
/// Corresponds to running a Python program that uses eventlet: there the hub starts by itself.
///
/// # Panics
///
/// Inside a Tokio runtime or another `run`: use [`local`](super::local) there, or
/// [`spawn`](crate::spawn). When the operating system refuses the runtime its resources. A panic of
/// the future is handed on.
///
/// # Examples
///
/// ```
/// let answer = eventlet::run(async {
///     let gt = eventlet::spawn(async { 42 });
///     gt.await.unwrap()
/// });
/// assert_eq!(answer, 42);
/// ```
#[track_caller]
pub fn run<F, T>(future: F) -> T
where
    F: Awaitable<T> + 'static,
{
    Builder::new().run(future).unwrap_or_else(|error| panic!("cannot start a hub: {error}"))
}

/// Starts a hub with options.
///
/// Corresponds to [`tokio::runtime::Builder`], of which it offers what concerns a hub.
///
/// # Examples
///
/// ```
/// use eventlet::runtime::Builder;
///
/// let answer = Builder::new().thread_name("resolver").max_blocking_threads(4).run(async { 42 });
/// assert_eq!(answer.unwrap(), 42);
/// ```
pub struct Builder {
    pub(super) tokio: tokio::runtime::Builder,
    pub(super) name: String,
    pub(super) stacks: Stacks,
    /// Whether an interrupt is thrown into the main green thread.
    pub(super) keyboard_interrupt: bool,
}

impl Builder {
    /// Makes a builder with the options that [`run`] uses.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::runtime::Builder::new().run(async { 1 }).unwrap(), 1);
    /// ```
    pub fn new() -> Builder {
        let mut tokio = tokio::runtime::Builder::new_current_thread();
        let name = "eventlet".to_owned();
        tokio.enable_all().thread_name(&name);
        Builder { tokio, name, stacks: Stacks::default(), keyboard_interrupt: false }
    }

    /// Names the OS threads of the blocking pool, and that of a [`HubThread`](super::HubThread). The
    /// default is `eventlet`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::runtime::Builder;
    ///
    /// let name = Builder::new().thread_name("resolver").run(async {
    ///     tokio::task::spawn_blocking(|| std::thread::current().name().map(str::to_owned)).await
    /// });
    /// assert_eq!(name.unwrap().unwrap().as_deref(), Some("resolver"));
    /// ```
    pub fn thread_name(&mut self, name: impl Into<String>) -> &mut Builder {
        self.name = name.into();
        self.tokio.thread_name(&self.name);
        self
    }

    /// Sets how many OS threads the blocking pool may have. The default is Tokio's, 512.
    ///
    /// # Panics
    ///
    /// When it is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(eventlet::runtime::Builder::new().max_blocking_threads(20).run(async {}).is_ok());
    /// ```
    #[track_caller]
    pub fn max_blocking_threads(&mut self, threads: usize) -> &mut Builder {
        self.tokio.max_blocking_threads(threads);
        self
    }

    /// Sets the bytes of stack of a stackful green thread that does not ask for a size itself, with
    /// `Stackful::stack_size`. The default is 256 KiB: of address space, as memory is taken page by page
    /// when it is used. The least is 64 KiB.
    ///
    /// Without the feature `stackful` nobody asks for a stack, and this changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(eventlet::runtime::Builder::new().stack_size(64 * 1024).run(async {}).is_ok());
    /// ```
    pub fn stack_size(&mut self, bytes: usize) -> &mut Builder {
        self.stacks.size = bytes;
        self
    }

    /// Sets how many bytes of memory stacks may keep that no green thread uses. The default is 512 MiB.
    ///
    /// A stack that was used is kept for the next green thread, as it is hundreds of times cheaper than a
    /// new one. So an OS thread has about as much memory for stacks as its green threads ever used at a
    /// time. This is a bound on what is left of that when they have ended: what is more goes back to the
    /// system, those first that wait longest. A single stack keeps 32 KiB at most in any case. The pool
    /// looks after itself once for 256 stacks that are given back, so it may have some MiB more for a while.
    ///
    /// Without the feature `stackful` there are no stacks, and this changes nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::runtime::Builder;
    ///
    /// assert!(Builder::new().max_idle_stack_bytes(16 * 1024 * 1024).run(async {}).is_ok());
    /// ```
    pub fn max_idle_stack_bytes(&mut self, bytes: usize) -> &mut Builder {
        self.stacks.max_idle_bytes = bytes;
        self
    }

    /// Runs a future as the main green thread of a new hub, as [`run`] does.
    ///
    /// # Panics
    ///
    /// Inside a Tokio runtime or another `run`: use [`local`](super::local) there, or
    /// [`spawn`](crate::spawn). A panic of the future is handed on.
    ///
    /// # Errors
    ///
    /// When the operating system refuses the runtime what it needs. With
    /// [`keyboard_interrupt`](Builder::keyboard_interrupt), when that ended the future.
    ///
    /// # Examples
    ///
    /// ```
    /// assert_eq!(eventlet::runtime::Builder::new().run(async { 1 }).unwrap(), 1);
    /// ```
    #[track_caller]
    pub fn run<F, T>(&mut self, future: F) -> io::Result<T>
    where
        F: Awaitable<T> + 'static,
    {
        assert!(
            Handle::try_current().is_err(),
            "`run` starts a Tokio runtime, and this OS thread is inside one already: instead of a \
             nested `run`, use `eventlet::local(..).await`, or `eventlet::spawn` where there is a hub"
        );
        let (stacks, interrupts) = (self.stacks, self.keyboard_interrupt);
        let runtime = self.tokio.build_local(LocalOptions::default())?;
        let signals = {
            let _inside = runtime.enter();
            interrupts.then(Signals::listen).transpose()?
        };
        let main = runtime.block_on(host(future.into_future(), Location::caller(), |hub, main| {
            hub.set_stacks(stacks);
            if let Some(signals) = signals {
                signals.throw_into(main);
            }
        }));
        main.map_err(|exit| match KeyboardInterrupt::of(&exit) {
            Some(interrupt) if interrupts => interrupt.into(),
            _ => has_no_value(&exit),
        })
    }
}

impl Default for Builder {
    fn default() -> Builder {
        Builder::new()
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("stack_size", &self.stacks.size)
            .field("max_idle_stack_bytes", &self.stacks.max_idle_bytes)
            .finish_non_exhaustive()
    }
}
