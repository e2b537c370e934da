//! A hub with a Tokio runtime of its own.

use std::io;
use std::panic::Location;

use tokio::runtime::{Handle, LocalOptions};

use super::aborted::Aborted;
use super::bounded::Bounded;
use super::builder::Builder;
use super::host::{has_no_value, host};
use super::interrupt::{KeyboardInterrupt, Signals};
use crate::awaitable::Awaitable;
use crate::hub::{Deadlock, Number};

/// Runs a future as the main green thread of a new hub, and returns its value.
///
/// This makes a current-thread Tokio runtime, so everything made for Tokio works inside. When the
/// future ends, green threads that are left are dropped and their destructors run. Calls that
/// cannot be interrupted are waited for no longer than [a limit](Builder::shutdown_timeout).
/// [`Builder`] has options.
///
/// Corresponds to running a Python program that uses eventlet: there the hub starts by itself.
///
/// # Panics
///
/// Inside a Tokio runtime or another `run`: use [`local`](super::local()) there, or
/// [`spawn`](crate::spawn). If the operating system refuses the runtime's resources, or 4,096 hubs
/// are running. A panic of the future is passed on.
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
    Builder::new().run(future).unwrap_or_else(|error| match Aborted::is_in(&error) {
        true => panic!("the main green thread has no value to return: {error}"),
        false => panic!("cannot start a hub: {error}"),
    })
}

impl Builder {
    /// Runs a future as the main green thread of a new hub, as [`run`] does.
    ///
    /// # Panics
    ///
    /// Inside a Tokio runtime or another `run`: use [`local`](super::local()) there, or
    /// [`spawn`](crate::spawn). A panic of the future is passed on.
    ///
    /// # Errors
    ///
    /// If the operating system refuses the runtime's resources, or 4,096 hubs are running. With
    /// [`keyboard_interrupt`](Builder::keyboard_interrupt), when that ended the future.
    /// [`Aborted`], when the hub was. With [`deadlock_detection`](Builder::deadlock_detection),
    /// when nothing could wake it any more.
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
        let (options, interrupts) = (self.options.clone(), self.keyboard_interrupt);
        let number = Number::take()?;
        let runtime = self.tokio.build_local(LocalOptions::default())?;
        let runtime = Bounded::new(runtime, self.shutdown_timeout);
        let signals = {
            let _inside = runtime.enter();
            interrupts.then(Signals::listen).transpose()?
        };
        let main = host(future.into_future(), number, Location::caller(), |hub, main| {
            hub.detect_deadlocks(options.deadlock_detection);
            options.apply(hub);
            if let Some(signals) = signals {
                signals.throw_into(main);
            }
        });
        runtime.block_on(main).map_err(|exit| {
            let interrupt = KeyboardInterrupt::of(&exit).filter(|_| interrupts);
            let interrupt = interrupt.map(io::Error::from);
            let aborted = Aborted::of(&exit).map(io::Error::from);
            let deadlock = Deadlock::of(&exit).map(|deadlock| deadlock.clone().into());
            interrupt.or(aborted).or(deadlock).unwrap_or_else(|| has_no_value(&exit))
        })
    }
}
