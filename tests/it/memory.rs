//! How much memory the tests have and did not give back: the allocator counts it.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that were allocated and not freed, on all OS threads.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Returns how many bytes are allocated.
pub(crate) fn held() -> usize {
    HELD.load(Ordering::Relaxed)
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The system's allocator, and a count.
struct Counting;

// SAFETY: every call is handed on as it came, and its result handed back.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: what the caller promises us is what the system's allocator asks of us. So it is
        // below.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: as for `alloc`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        HELD.fetch_add(size.wrapping_sub(layout.size()), Ordering::Relaxed);
        // SAFETY: as for `alloc`.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as for `alloc`.
        unsafe { System.dealloc(old, layout) }
    }
}
