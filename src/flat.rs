//! One result in place of two.

use crate::exit::Exit;

/// Makes one result of two: that of the green thread, and that of its function.
///
/// A green thread whose function can fail gives a `Result` within a `Result`. So does a job of a
/// pool, a pile or a map. [`flat`](Flat::flat) merges them, in both colours, so that `?` can be
/// used.
///
/// Corresponds to the exception that eventlet's `wait()` raises, whichever of the two it is.
///
/// # Examples
///
/// ```
/// use std::io;
///
/// use eventlet::{Flat, GreenPool};
///
/// async fn fetch(page: u32) -> io::Result<String> {
///     if page < 3 { Ok(format!("page {page}")) } else { Err(io::ErrorKind::NotFound.into()) }
/// }
///
/// async fn fetch_all() -> io::Result<Vec<String>> {
///     let first = eventlet::spawn(fetch(1)).await.flat()?;
///     let mut pages = vec![first];
///     let mut others = GreenPool::new(10).imap(fetch, 2..5);
///     while let Some(page) = others.next().await {
///         pages.push(page.flat()?);
///     }
///     Ok(pages)
/// }
///
/// assert_eq!(eventlet::run(fetch_all()).unwrap_err().kind(), io::ErrorKind::NotFound);
/// ```
pub trait Flat {
    /// The one result.
    type Result;

    /// Makes one result of two.
    ///
    /// # Errors
    ///
    /// The function's error; or the [`Exit`] of a green thread that ended without a value,
    /// converted to that error type.
    fn flat(self) -> Self::Result;
}

impl<T, E: From<Exit>> Flat for Result<Result<T, E>, Exit> {
    type Result = Result<T, E>;

    fn flat(self) -> Result<T, E> {
        self.unwrap_or_else(|exit| Err(exit.into()))
    }
}
