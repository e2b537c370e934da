//! The options of a hub.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::bounded::DEFAULT_LIMIT;
use crate::hub::{Hub, Resolve, Stacks};
use crate::report;
use crate::watchdog::{self, Watched};

/// Starts a hub with options.
///
/// Corresponds to [`tokio::runtime::Builder`], of which it offers the options that concern a hub.
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
    pub(super) options: Options,
    /// Whether an interrupt is thrown into the main green thread.
    pub(super) keyboard_interrupt: bool,
    pub(super) shutdown_timeout: Duration,
}

/// The settings of a hub.
#[derive(Clone)]
pub(super) struct Options {
    stacks: Stacks,
    hub_exceptions: bool,
    resolver: Option<Arc<dyn Resolve>>,
    /// How long a turn may take before it is reported.
    blocking_detection: Option<Duration>,
    pub(super) deadlock_detection: bool,
}

impl Options {
    /// Called on the hub's OS thread.
    pub(super) fn apply(self, hub: &Hub) {
        hub.set_stacks(self.stacks);
        hub.set_resolver(self.resolver);
        report::report_failures(self.hub_exceptions);
        match self.blocking_detection.map(Watched::start) {
            Some(Ok(watched)) => hub.set_watched(Some(watched)),
            Some(Err(error)) => report::trouble("the blocking detector does not start", &error),
            None => {}
        }
    }
}

impl Builder {
    /// Makes a builder with the options that [`run`](super::run()) uses.
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
        Builder {
            tokio,
            name,
            options: Options {
                stacks: Stacks::default(),
                hub_exceptions: true,
                resolver: None,
                blocking_detection: None,
                deadlock_detection: false,
            },
            keyboard_interrupt: false,
            shutdown_timeout: DEFAULT_LIMIT,
        }
    }

    /// Names the OS threads of the blocking pool, and that of a [`HubThread`](super::HubThread).
    /// The default is `eventlet`.
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
    /// `Stackful::stack_size`. The default is 256 KiB: of address space, as memory is taken page by
    /// page when it is used. The minimum is 64 KiB.
    ///
    /// Without the feature `stackful` this has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(eventlet::runtime::Builder::new().stack_size(64 * 1024).run(async {}).is_ok());
    /// ```
    pub fn stack_size(&mut self, bytes: usize) -> &mut Builder {
        self.options.stacks.size = bytes;
        self
    }

    /// Sets how many bytes of memory idle stacks may keep. The default is 512 MiB.
    ///
    /// A used stack is kept for the next green thread, as that is hundreds of times cheaper than a
    /// new one. So an OS thread has about as much memory for stacks as its green threads ever used
    /// at a time. This bounds what remains of that when they have ended: the excess goes back to
    /// the system, from the longest idle stacks first. A single idle stack keeps at most 32 KiB in
    /// any case. The pool is trimmed once for every 256 stacks that are given back, so it may have
    /// some MiB more for a while.
    ///
    /// Without the feature `stackful` this has no effect.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::runtime::Builder;
    ///
    /// assert!(Builder::new().max_idle_stack_bytes(16 * 1024 * 1024).run(async {}).is_ok());
    /// ```
    pub fn max_idle_stack_bytes(&mut self, bytes: usize) -> &mut Builder {
        self.options.stacks.max_idle_bytes = bytes;
        self
    }

    /// Sets whether the hub reports failures of green threads that are not waited for. It does by
    /// default; see also [`debug::hub_exceptions`](crate::debug::hub_exceptions), which says more.
    ///
    /// Corresponds to `eventlet.debug.hub_exceptions`.
    ///
    /// # Examples
    ///
    /// ```
    /// eventlet::runtime::Builder::new().hub_exceptions(false).run(async {
    ///     eventlet::spawn(async { Err::<(), _>("nobody hears of this") });
    /// }).unwrap();
    /// ```
    pub fn hub_exceptions(&mut self, report: bool) -> &mut Builder {
        self.options.hub_exceptions = report;
        self
    }

    /// Reports a turn that takes longer than this while it lasts, with its green thread and what
    /// that is doing, from the start of the hub on. It switches on
    /// [`debug::hub_blocking_detection`](crate::debug::hub_blocking_detection), which says more. It
    /// is off by default.
    ///
    /// If the system refuses the OS thread of the watchdog, the hub starts without it, and that is
    /// reported.
    ///
    /// Corresponds to `eventlet.debug.hub_blocking_detection`.
    ///
    /// # Panics
    ///
    /// If it is less than a millisecond.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use eventlet::runtime::Builder;
    ///
    /// let limit = Duration::from_millis(100);
    /// assert!(Builder::new().blocking_detection(limit).run(async {}).is_ok());
    /// ```
    #[track_caller]
    pub fn blocking_detection(&mut self, resolution: Duration) -> &mut Builder {
        if let Err(error) = watchdog::check_limit(resolution) {
            panic!("{error}");
        }
        self.options.blocking_detection = Some(resolution);
        self
    }

    /// Sets whether [`run`](Builder::run) ends with an error when nothing can wake any green thread
    /// any more: each waits for another, as in a circle of locks, and no timer, no socket and no
    /// other OS thread has a waker of one of them. It is off by default: then the program hangs
    /// forever.
    ///
    /// The error is a [`Deadlock`](crate::debug::Deadlock): its text says which green thread waits
    /// for what, and where. The main green thread is ended where it waits, its destructors run, and
    /// then those of all others. To have a panic, `unwrap` it.
    ///
    /// There is never a false alarm. Not every deadlock is found: not one of some green threads
    /// while others can go on, nor one while a task of Tokio's own is alive on this OS thread, as
    /// with [`keyboard_interrupt`](Builder::keyboard_interrupt); and futures that have wakers of
    /// their own, such as `FuturesUnordered`, are assumed to be woken by something else. It is only
    /// for `run`: a [`HubThread`](super::HubThread) waits for orders, and other tasks of the
    /// runtime of a [`local`](super::local()) hub are not known. On a paused clock it is found at
    /// once, before time advances.
    ///
    /// It costs some ten nanoseconds for each wait, and when the hub has nothing to do, a spurious
    /// poll of one green thread.
    ///
    /// Corresponds to what Go does in every program.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::runtime::Builder;
    /// use eventlet::{Queue, debug::Deadlock};
    ///
    /// let empty = Queue::<u32>::new(1);
    /// let error = Builder::new()
    ///     .deadlock_detection(true)
    ///     .run(async move { empty.get().await })
    ///     .unwrap_err();
    /// assert!(Deadlock::from_error(&error).is_some());
    /// ```
    pub fn deadlock_detection(&mut self, detect: bool) -> &mut Builder {
        self.options.deadlock_detection = detect;
        self
    }

    /// Sets how long an ending hub waits for calls that cannot be interrupted. The default is 5
    /// seconds.
    ///
    /// Such calls are the closures that were given to Tokio's `spawn_blocking`, and those of
    /// `green::fs`: a green thread that is killed while it opens a FIFO, or reads from a network
    /// drive, leaves its call behind. When the time is up the hub ends without them, and reports
    /// them as a `tracing` event, or on standard error if the program has no subscriber. They go on
    /// in their OS threads, and end with the process, in the middle if need be.
    ///
    /// Name lookups and jobs of [`tpool`](crate::tpool) are never waited for. Lookups that are left
    /// behind are reported, too.
    ///
    /// Corresponds to [`tokio::runtime::Runtime::shutdown_timeout`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::mpsc::channel;
    /// use std::time::Duration;
    ///
    /// use eventlet::runtime::Builder;
    ///
    /// let (_end, ended) = channel::<()>();
    /// let limit = Duration::from_millis(1);
    /// Builder::new().shutdown_timeout(limit).run(async move {
    ///     tokio::task::spawn_blocking(move || ended.recv());
    /// }).unwrap();
    /// ```
    pub fn shutdown_timeout(&mut self, limit: Duration) -> &mut Builder {
        self.shutdown_timeout = limit;
        self
    }

    /// Sets the resolver of host names, for [`connect`](crate::connect), [`listen`](crate::listen)
    /// and `green::net`, and for calls of libc's `getaddrinfo` on a green stack of a program with
    /// `eventlet-shim`. The default is the system's `getaddrinfo`, in OS threads of its own.
    ///
    /// Numeric addresses are not passed to it. The hubs that a builder starts share its resolver.
    ///
    /// Corresponds to `EVENTLET_NO_GREENDNS`, which chooses between eventlet's two.
    ///
    /// # Examples
    ///
    /// See [`Resolve`].
    pub fn resolver(&mut self, resolver: impl Resolve) -> &mut Builder {
        self.options.resolver = Some(Arc::new(resolver));
        self
    }

    /// Sets whether Ctrl-C and SIGTERM end the main green thread, as Ctrl-C does in Python. The
    /// default is `false`: they end the process at once.
    ///
    /// A [`KeyboardInterrupt`](super::KeyboardInterrupt) is thrown into the main green thread,
    /// which ends at its current wait. Its destructors run, then those of all other green threads,
    /// and [`run`](Builder::run) returns the interrupt as an error.
    ///
    /// # Differences
    ///
    /// Python interrupts code that computes, too. Here the hub does not see the signal while a
    /// green thread computes without waiting.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std::future::pending;
    /// use std::io;
    /// use std::process::ExitCode;
    ///
    /// use eventlet::runtime::{Builder, KeyboardInterrupt};
    ///
    /// fn main() -> io::Result<ExitCode> {
    ///     match Builder::new().keyboard_interrupt(true).run(pending::<()>()) {
    ///         Ok(()) => Ok(ExitCode::SUCCESS),
    ///         Err(error) => match KeyboardInterrupt::from_error(&error) {
    ///             Some(interrupt) => Ok(interrupt.exit_code().into()),
    ///             None => Err(error),
    ///         },
    ///     }
    /// }
    /// ```
    pub fn keyboard_interrupt(&mut self, throw: bool) -> &mut Builder {
        self.keyboard_interrupt = throw;
        self
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
            .field("stack_size", &self.options.stacks.size)
            .field("max_idle_stack_bytes", &self.options.stacks.max_idle_bytes)
            .field("hub_exceptions", &self.options.hub_exceptions)
            .field("shutdown_timeout", &self.shutdown_timeout)
            .finish_non_exhaustive()
    }
}
