//! What can be awaited.

/// A value that can be awaited for a `T`: a future, or a type that converts into one, such as that
/// of [`connect`](crate::connect).
///
/// Every function of this crate that takes a future takes this. Every [`IntoFuture`] is one, and no
/// other type needs to implement it: the trait exists for the compiler's message about plain
/// functions.
///
/// # Examples
///
/// ```
/// use eventlet::{connect, listen, spawn};
///
/// # eventlet::run(async {
/// let listener = listen("127.0.0.1:0").await.unwrap();
/// let conn = spawn(connect(listener.local_addr().unwrap()));
/// assert!(conn.await.unwrap().is_ok());
/// # });
/// ```
///
/// A plain function runs on a stack of its own, as `spawn(stackful(move || count(words)))`:
///
/// ```compile_fail,E0277
/// fn count(words: &str) -> usize {
///     words.split(' ').count()
/// }
/// let _gt = eventlet::spawn(count("to be or not"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a future: for a plain function write `stackful(move || f(x))` in place of \
               `f(x)`",
    label = "not a future",
    note = "futures are `stackful(closure)`, `async {{ .. }}`, and what an async fn returns"
)]
pub trait Awaitable<T>: IntoFuture<Output = T> {}

#[diagnostic::do_not_recommend]
impl<F: IntoFuture> Awaitable<F::Output> for F {}
