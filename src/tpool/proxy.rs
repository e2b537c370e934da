//! An object whose calls are made in the pool.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use super::execute::{Execute, Where};
use super::lane::Lane;

/// A blocking object, all of whose calls are made in the pool.
///
/// Calls are made one at a time, in the order in which they were first polled, and occupy at most
/// one thread of the pool. Clones are the same object. It is dropped with the last of them, on that
/// OS thread, or in the pool after the last call.
///
/// Corresponds to `eventlet.tpool.Proxy`.
///
/// # Differences
///
/// Eventlet's mirrors the object attribute by attribute, and wraps the results that its `autowrap`
/// names; here [`call`](Proxy::call) takes a function. Eventlet lets two calls overlap in the
/// object.
///
/// # Examples
///
/// ```
/// use eventlet::tpool::{self, Proxy};
///
/// # eventlet::run(async {
/// let lines = Proxy::new(tpool::execute(Vec::new).await);
/// lines.call(|lines| lines.push("one")).await;
/// lines.call(|lines| lines.push("two")).await;
/// assert_eq!(lines.call(|lines| lines.join(", ")).await, "one, two");
/// # });
/// ```
pub struct Proxy<T> {
    object: Arc<Object<T>>,
    lane: Arc<Lane>,
}

struct Object<T> {
    /// Uncontended, except for calls that run on their callers' OS threads, which have no order.
    value: Mutex<T>,
    /// The OS thread that is inside a call.
    user: Mutex<Option<ThreadId>>,
}

impl<T: Send + 'static> Proxy<T> {
    /// Wraps an object. To make one in the pool, use [`execute`](super::execute()).
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::tpool::Proxy;
    ///
    /// # eventlet::run(async {
    /// assert_eq!(Proxy::new(41).call(|number| *number + 1).await, 42);
    /// # });
    /// ```
    pub fn new(object: T) -> Proxy<T> {
        let object = Object { value: Mutex::new(object), user: Mutex::new(None) };
        Proxy { object: Arc::new(object), lane: Arc::new(Lane::new()) }
    }

    /// Calls a function with the object, on an OS thread of the pool, and waits for its value.
    ///
    /// From inside the pool, and if the pool has no threads, it is called on the same OS thread,
    /// once no other call is running.
    ///
    /// Corresponds to calling a method of an `eventlet.tpool.Proxy`.
    ///
    /// # Yields
    ///
    /// Until the function has returned, unless it ran on this OS thread.
    ///
    /// # Killed
    ///
    /// A call that has not begun never does. One that has begun runs to its end, and the next waits
    /// for that; its value is dropped there, and its panic is reported.
    ///
    /// # Panics
    ///
    /// As [`execute`](super::execute()) does. A panic leaves the object as it is at that moment,
    /// for the next call. A call from inside a call of the same object panics, as it would wait for
    /// itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use eventlet::tpool::Proxy;
    ///
    /// # eventlet::run(async {
    /// let total = Proxy::new(0);
    /// let adding: Vec<_> = (1..=10)
    ///     .map(|number| {
    ///         let total = total.clone();
    ///         eventlet::spawn(async move { total.call(move |total| *total += number).await })
    ///     })
    ///     .collect();
    /// for call in adding {
    ///     call.await.unwrap();
    /// }
    /// assert_eq!(total.call(|total| *total).await, 55);
    /// # });
    /// ```
    pub fn call<F, R>(&self, call: F) -> Execute<R>
    where
        F: FnOnce(&mut T) -> R + Send + 'static,
        R: Send + 'static,
    {
        let object = Arc::clone(&self.object);
        Execute::new(Where::Lane(Arc::clone(&self.lane)), move || object.with(call))
    }
}

impl<T> Object<T> {
    fn with<R>(&self, call: impl FnOnce(&mut T) -> R) -> R {
        assert!(
            *self.user.lock().unwrap_or_else(PoisonError::into_inner)
                != Some(thread::current().id()),
            "a call of a `Proxy` called the same proxy, and would wait for itself: use the object \
             that the function was given"
        );
        let mut value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        let _inside = Inside::enter(&self.user);
        call(&mut value)
    }
}

/// Marks this OS thread as the one inside a call, until it is dropped.
struct Inside<'a>(&'a Mutex<Option<ThreadId>>);

impl Inside<'_> {
    fn enter(user: &Mutex<Option<ThreadId>>) -> Inside<'_> {
        *user.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
        Inside(user)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl<T> Clone for Proxy<T> {
    fn clone(&self) -> Proxy<T> {
        Proxy { object: Arc::clone(&self.object), lane: Arc::clone(&self.lane) }
    }
}

impl<T> fmt::Debug for Proxy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy").finish_non_exhaustive()
    }
}
