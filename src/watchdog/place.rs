//! A place in the source that one OS thread writes and others read.
//!
//! # Invariants
//!
//! - **I1**: the pointer is null, or was made from a `&'static Location<'static>`.
#![allow(unsafe_code)]

use std::panic::Location;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A place, or none.
pub(super) struct AtomicPlace(AtomicPtr<Location<'static>>);

impl AtomicPlace {
    pub(super) const fn none() -> AtomicPlace {
        AtomicPlace(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    pub(super) fn set(&self, place: &'static Location<'static>) {
        self.0.store(ptr::from_ref(place).cast_mut(), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> Option<&'static Location<'static>> {
        // SAFETY: by I1 it is null or lives forever. Nobody ever writes through it.
        unsafe { self.0.load(Ordering::Relaxed).as_ref() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_was_written() {
        let (place, here) = (AtomicPlace::none(), Location::caller());
        assert!(place.get().is_none());
        place.set(here);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(place.get(), Some(here)));
        });
    }
}
