//! A `RefCell` whose value is pinned when the cell is: it holds a green thread's future.
//!
//! # Invariants
//!
//! - **I1**: a value is reached only through [`PinCell::borrow_mut`], by a `Pin` of its cell.
//!   Nothing here moves it or gives out `&mut` of it, so a pinned value stays where it is until it
//!   is dropped there.
#![allow(unsafe_code)]

use std::cell::{RefCell, RefMut};
use std::pin::Pin;

pub(crate) struct PinCell<T> {
    value: RefCell<T>,
}

impl<T> PinCell<T> {
    pub(crate) fn new(value: T) -> PinCell<T> {
        PinCell { value: RefCell::new(value) }
    }

    /// Returns whether the value is borrowed.
    pub(crate) fn is_borrowed(&self) -> bool {
        self.value.try_borrow().is_err()
    }

    /// Borrows the value.
    ///
    /// # Panics
    ///
    /// If it is borrowed already.
    #[inline]
    pub(crate) fn borrow_mut(self: Pin<&Self>) -> PinMut<'_, T> {
        PinMut { value: self.get_ref().value.borrow_mut() }
    }
}

/// The borrow of a pinned value.
pub(crate) struct PinMut<'a, T> {
    value: RefMut<'a, T>,
}

impl<T> PinMut<'_, T> {
    #[inline]
    pub(crate) fn as_mut(&mut self) -> Pin<&mut T> {
        // SAFETY: its cell was pinned, and by I1 the value is pinned with it.
        unsafe { Pin::new_unchecked(&mut *self.value) }
    }
}
