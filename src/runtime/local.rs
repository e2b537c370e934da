//! A hub inside the program's own Tokio runtime.

use std::panic::Location;

use tokio::task::LocalSet;

use super::builder::Builder;
use super::host::{has_no_value, host};
use crate::awaitable::Awaitable;
use crate::hub::Number;

/// Runs a future as the main green thread of a hub, inside the program's own Tokio runtime.
///
/// Inside the future and everything it spawns, all of this crate works; so do Tokio's own tasks,
/// timers, sockets and `spawn_local`. It suits `current_thread` and multi-thread runtimes alike.
/// The hub stays on the OS thread that first polls the future, so the future is `!Send`: wait for
/// it in `main`, in `block_on` or in a `LocalSet`, not in `tokio::spawn`.
///
/// When the future ends, green threads that are left are dropped and their destructors run.
///
/// Corresponds to the main greenlet of an eventlet program.
///
/// # Panics
///
/// If it is first polled on an OS thread that runs a hub already: `spawn` there instead. If 4,096
/// hubs are running. A panic of the future is passed on.
///
/// # Killed
///
/// Dropping it ends its hub, with every green thread in it.
///
/// # Examples
///
/// ```
/// #[tokio::main]
/// async fn main() {
///     let answer = eventlet::local(async {
///         let gt = eventlet::spawn(async { 42 });
///         gt.await.unwrap()
///     });
///     assert_eq!(answer.await, 42);
/// }
/// ```
#[track_caller]
pub fn local<F, T>(future: F) -> impl Future<Output = T> + use<F, T>
where
    F: Awaitable<T> + 'static,
{
    Builder::new().local(future)
}

impl Builder {
    /// Runs a future as the main green thread of a hub inside the program's own Tokio runtime, as
    /// [`local`] does.
    ///
    /// Only the options for the resolver, stacks and reports apply: the others concern the runtime,
    /// which exists already.
    ///
    /// # Panics
    ///
    /// As [`local`].
    ///
    /// # Killed
    ///
    /// Dropping it ends its hub, with every green thread in it.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::runtime::Builder;
    ///
    /// #[tokio::main]
    /// async fn main() {
    ///     let small = Builder::new().stack_size(64 * 1024).local(async {
    ///         let gt = eventlet::spawn(async { 42 });
    ///         gt.await.unwrap()
    ///     });
    ///     assert_eq!(small.await, 42);
    /// }
    /// ```
    #[track_caller]
    pub fn local<F, T>(&self, future: F) -> impl Future<Output = T> + use<F, T>
    where
        F: Awaitable<T> + 'static,
    {
        let (options, spawned_at) = (self.options.clone(), Location::caller());
        async move {
            let number =
                Number::take().unwrap_or_else(|error| panic!("cannot start a hub: {error}"));
            let main =
                host(future.into_future(), number, spawned_at, move |hub, _| options.apply(hub));
            let main = LocalSet::new().run_until(main).await;
            main.unwrap_or_else(|exit| has_no_value(&exit))
        }
    }
}
