//! The green stack that executes on this OS thread, or none.
//!
//! Only the room of the stacks knows what the address means. It is kept down here because of one
//! rule of the hub: the hub itself runs on no green stack, whoever calls it. What it runs, ends and
//! drops, such as a destructor or a link, does not belong to the stack of whoever calls, and must
//! not suspend that stack in the middle of the hub's work.

use std::cell::Cell;
use std::ptr;

thread_local! {
    static CURRENT_STACK: Cell<*const ()> = const { Cell::new(ptr::null()) };
}

/// Returns the address that was set for the green stack that executes; null where none does.
#[inline]
pub(crate) fn current_stack() -> *const () {
    CURRENT_STACK.get()
}

/// Sets the address by which the green stack that executes is known. The room of the green stacks
/// alone does so.
#[inline]
#[cfg_attr(not(feature = "stackful"), expect(dead_code))]
pub(crate) fn set_current_stack(stack: *const ()) {
    CURRENT_STACK.set(stack);
}

/// The current stack before something that may change it. Its drop restores that.
pub(crate) struct Outer(*const ());

impl Outer {
    #[inline]
    #[cfg_attr(not(feature = "stackful"), expect(dead_code))]
    pub(crate) fn save() -> Outer {
        Outer(CURRENT_STACK.get())
    }

    /// Saves the current stack, and sets that no green stack executes.
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
