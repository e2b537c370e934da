//! Time limits for plain code on a green stack.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::frame::Frame;
use crate::hub::{Moment, Timer};
use crate::timeout::Timeout;

/// The payload that unwinds a green stack to the scope of the limit that has passed.
struct Passed(Moment);

impl Timeout {
    /// Calls a plain function on a green stack, with a time limit.
    ///
    /// When the limit passes while the function waits, its stack is unwound from there to here, and
    /// every destructor on the way runs. It is not a panic: no hook is called and nothing is
    /// printed. A function that does not wait is not interrupted, and one that returns after all
    /// counts as in time.
    ///
    /// Corresponds to eventlet's `with Timeout(seconds):`.
    ///
    /// # Panics
    ///
    /// If this code is not on a green stack. A panic of the function is passed on.
    ///
    /// # Yields
    ///
    /// Wherever the function does.
    ///
    /// # Killed
    ///
    /// The stack is unwound, which removes the limit.
    ///
    /// # Errors
    ///
    /// This very limit, when it passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::{Block, Timeout, sleep, stackful};
    /// use std::time::Duration;
    ///
    /// eventlet::run(stackful(|| {
    ///     let limit = Timeout::new(Duration::from_millis(1));
    ///     let result = limit.run_blocking(|| sleep(Duration::from_secs(60)).block());
    ///     assert_eq!(result, Err(limit));
    /// }));
    /// ```
    #[track_caller]
    pub fn run_blocking<T>(&self, function: impl FnOnce() -> T) -> Result<T, Timeout> {
        let Some(limit) = self.limit() else {
            return Ok(function());
        };
        let limit = Timer::after(limit);
        let moment = limit.moment();
        let bounded = || Frame::with_current(|frame| Some(frame?.with_limit(limit, function)));
        match catch_unwind(AssertUnwindSafe(bounded)) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => panic!("{NEEDS_STACK}"),
            Err(payload) => match payload.downcast_ref::<Passed>() {
                Some(Passed(passed)) if Some(*passed) == moment => Err(*self),
                _ => resume_unwind(payload),
            },
        }
    }
}

const NEEDS_STACK: &str = "`run_blocking` needs a green stack, and this code is on none or inside an \
    async fn: bound a future with `run`, or run the closure with `spawn(stackful(closure))`";

/// Unwinds to the scope of the limit that takes effect, if one does.
#[inline]
pub(super) fn check(frame: &Frame) {
    if let Some(limit) = frame.limit_to_take_effect() {
        pass(limit);
    }
}

/// Unwinds to the scope of a limit.
#[cold]
pub(super) fn pass(limit: Moment) -> ! {
    resume_unwind(Box::new(Passed(limit)));
}
