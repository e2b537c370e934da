//! An item that goes back to its pool when it is dropped.

use std::convert::Infallible;
use std::fmt;
use std::ops::{Deref, DerefMut};

use super::pool::Pool;

/// An item of a pool, which goes back when this is dropped.
///
/// It holds a handle of its pool, so it may be kept anywhere, for any time. [`Pool::item`] makes
/// it.
///
/// # Examples
///
/// ```
/// use eventlet::pools::Pool;
///
/// # eventlet::run(async {
/// let pool = Pool::<Vec<u8>>::infallible(1, || async { Vec::new() });
/// let Ok(mut item) = pool.item().await;
/// item.push(1);
/// assert_eq!(*item, [1]);
/// # });
/// ```
#[must_use = "the item goes back when this is dropped"]
pub struct Item<T, E = Infallible> {
    /// `None` once it was taken out.
    item: Option<T>,
    pool: Pool<T, E>,
}

impl<T, E> Pool<T, E> {
    /// Takes an item that goes back by itself when it is dropped.
    ///
    /// Corresponds to eventlet's `with pool.item() as item:`.
    ///
    /// # Yields
    ///
    /// If all items are taken, and wherever `create` does.
    ///
    /// # Killed
    ///
    /// Nothing is lost, and the item of a killed green thread goes back with everything else it
    /// has.
    ///
    /// # Errors
    ///
    /// The error of `create`.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::Pool;
    ///
    /// # eventlet::run(async {
    /// let pool = Pool::new(1, || async { "12".parse::<u32>() });
    /// {
    ///     let mut item = pool.item().await.unwrap();
    ///     *item += 1;
    ///     assert_eq!(pool.free(), 0);
    /// }
    /// assert_eq!(pool.get().await, Ok(13));
    /// # });
    /// ```
    pub async fn item(&self) -> Result<Item<T, E>, E> {
        let item = self.get().await?;
        Ok(Item { item: Some(item), pool: self.clone() })
    }
}

impl<T, E> Item<T, E> {
    /// Drops the item instead of putting it back, as [`Pool::discard`] does.
    ///
    /// It is called as `Item::discard(item)`, as the item may have a method of that name.
    ///
    /// # Yields
    ///
    /// Never.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::pools::{Item, TokenPool};
    ///
    /// # eventlet::run(async {
    /// let pool = TokenPool::new(2);
    /// Item::discard(pool.item().await);
    /// assert_eq!(pool.current_size(), 0);
    /// # });
    /// ```
    pub fn discard(mut item: Item<T, E>) {
        if let Some(inner) = item.item.take() {
            item.pool.discard(inner);
        }
    }
}

const OUT: &str = "an item is only taken out of its guard when the guard goes";

impl<T, E> Deref for Item<T, E> {
    type Target = T;

    fn deref(&self) -> &T {
        self.item.as_ref().expect(OUT)
    }
}

impl<T, E> DerefMut for Item<T, E> {
    fn deref_mut(&mut self) -> &mut T {
        self.item.as_mut().expect(OUT)
    }
}

impl<T, E> Drop for Item<T, E> {
    fn drop(&mut self) {
        if let Some(item) = self.item.take() {
            self.pool.put(item);
        }
    }
}

impl<T: fmt::Debug, E> fmt::Debug for Item<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
