//! The ground that code stands on: a green stack, or none.
//!
//! Which green stack executes is the business of [`stackful`](crate::stackful()), and only that room knows what the
//! address means. It is kept here, further down, as the hub is concerned by one thing: *it* stands on no green
//! stack, whoever calls it. What it runs, ends and drops there, be it a destructor or a link, is not part of the
//! stack of whoever happens to call it, and must not put that stack aside in the middle of the hub's work.

use std::cell::Cell;
use std::ptr;

thread_local! {
    static GROUND: Cell<*const ()> = const { Cell::new(ptr::null()) };
}

/// Returns the address that was set for the green stack that executes; null where none does.
#[inline]
pub(crate) fn ground() -> *const () {
    GROUND.get()
}

/// Sets the address by which the green stack that executes is known. The room of the green stacks alone does so.
#[inline]
#[cfg_attr(not(feature = "stackful"), expect(dead_code))]
pub(crate) fn set_ground(ground: *const ()) {
    GROUND.set(ground);
}

/// The ground before something that may change it; dropping it makes it the ground again.
pub(crate) struct Outer(*const ());

impl Outer {
    #[inline]
    #[cfg_attr(not(feature = "stackful"), expect(dead_code))]
    pub(crate) fn save() -> Outer {
        Outer(GROUND.get())
    }

    /// Saves the ground, and stands on no green stack from now on.
    #[inline]
    pub(crate) fn leave() -> Outer {
        Outer(GROUND.replace(ptr::null()))
    }
}

impl Drop for Outer {
    #[inline]
    fn drop(&mut self) {
        GROUND.set(self.0);
    }
}
