//! The green stack that executes on this OS thread, or none.
//!
//! Only `stackful` knows what the address means. It is kept in the hub because of one rule: while
//! the hub works, the current stack is null, even if a green stack called the hub. The code that it
//! runs and drops, such as a destructor or a link, does not belong to the caller's stack, and must
//! not suspend that stack in the middle of the hub's work.
//!
//! Nor must a lock of `std`, or a write to Tokio's eventfd. With libc's functions replaced
//! (`eventlet-shim`), both suspend the green stack that they are on. So code of this crate that
//! locks, or wakes code that may lock, [leaves](Outer::leave) the stack first; [`hold`] does both.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

thread_local! {
    static CURRENT_STACK: Cell<*const ()> = const { Cell::new(ptr::null()) };
}

/// Returns the address that was set for the green stack that executes; null if none does.
#[inline]
pub(crate) fn current_stack() -> *const () {
    CURRENT_STACK.get()
}

/// Sets the address that identifies the green stack that executes. Only `stackful` calls this.
#[inline]
#[cfg_attr(not(feature = "stackful"), expect(dead_code))]
pub(crate) fn set_current_stack(stack: *const ()) {
    CURRENT_STACK.set(stack);
}

/// Saves the current stack around code that may change it. Its drop restores the stack.
pub(crate) struct Outer(*const ());

impl Outer {
    #[inline]
    #[cfg_attr(not(feature = "stackful"), expect(dead_code))]
    pub(crate) fn save() -> Outer {
        Outer(CURRENT_STACK.get())
    }

    /// Saves the current stack, and sets it to none.
    #[inline]
    pub(crate) fn leave() -> Outer {
        Outer(CURRENT_STACK.replace(ptr::null()))
    }
}

impl Drop for Outer {
    #[inline]
    fn drop(&mut self) {
        CURRENT_STACK.set(self.0);
    }
}

/// Locks a mutex of this crate's own. Until it is unlocked the current stack is null, so no code
/// that holds it or waits for it is suspended.
#[inline]
pub(crate) fn hold<T>(mutex: &Mutex<T>) -> Held<'_, T> {
    let outer = Outer::leave();
    Held { guard: mutex.lock().unwrap_or_else(PoisonError::into_inner), _outer: outer }
}

/// The lock that [`hold`] took. It is released before the stack is restored.
pub(crate) struct Held<'a, T> {
    guard: MutexGuard<'a, T>,
    _outer: Outer,
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}
