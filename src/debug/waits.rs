//! Finding waits that are unsound.

use crate::stackful;

/// Sets whether debug builds look for waits on green stacks that are unsound, and panic there.
///
/// No code may wait inside the initializer of a [`std::thread_local!`], nor inside a `set` of the
/// crate `scoped-tls`: see `docs/soundness.md`. With this such a wait panics, before it is one,
/// with a message that names the cure. Turn it on in tests. It is off at first, holds for all OS
/// threads, and does nothing in a build without debug assertions.
///
/// Each new way to a wait has its backtrace taken, a quarter of a second for the first of a program
/// and then a quarter of a millisecond. A way is known by what is waited for and how deep the stack
/// is there, so a wait is missed that is equally deep as another of its type was. It is missed,
/// too, in a program without symbols, or where the stack has less than 32 KiB left.
///
/// What is called from C ([`lowlevel::wait`](crate::lowlevel::wait)) is not looked at.
///
/// Eventlet has none: Python has no such values.
///
/// # Yields
///
/// Never.
///
/// # Examples
///
/// ```
/// use eventlet::{Block, debug, sleep, spawn, stackful};
/// use std::time::Duration;
///
/// thread_local! {
///     static CONNECTION: String = {
///         sleep(Duration::from_millis(1)).block();
///         "connected".into()
///     };
/// }
///
/// debug::check_waits(true);
/// # if cfg!(debug_assertions) {
/// eventlet::run(async {
///     let user = spawn(stackful(|| CONNECTION.with(String::len)));
///     let message = user.await.unwrap_err().to_string();
///     assert!(message.contains("inside the initializer of a `std::thread_local!`"), "{message}");
/// });
/// # }
/// ```
pub fn check_waits(check: bool) {
    stackful::check_waits(check);
}
