//! Libraries of C that are opened while a test runs.

#![allow(unsafe_code)]

use std::ffi::{CStr, c_void};

/// A library, which stays open.
pub(crate) struct Library(*mut c_void);

impl Library {
    /// Opens the first of these that is installed, or says that the test is skipped.
    pub(crate) fn open(names: &[&CStr]) -> Option<Library> {
        // SAFETY: it opens a library whose start does nothing but prepare itself.
        let open = |name: &&CStr| unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        let opened = names.iter().map(open).find(|library| !library.is_null());
        if opened.is_none() {
            println!("SKIPPED: none of {names:?} is installed");
        }
        opened.map(Library)
    }

    /// Returns one of its functions.
    ///
    /// # Safety
    ///
    /// The function of that name has the type `F`.
    pub(crate) unsafe fn function<F: Copy>(&self, name: &CStr) -> F {
        assert_eq!(size_of::<F>(), size_of::<*mut c_void>());
        // SAFETY: the library is open.
        let function = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!function.is_null(), "{name:?}");
        // SAFETY: the caller says so.
        unsafe { std::mem::transmute_copy(&function) }
    }
}
