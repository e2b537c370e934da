//! `pthread_getspecific` and its like: each green thread has values of its own.
//!
//! A key is libc's, so the threads of libc have their values there, and so has the main thread,
//! which may have had them before it was green. A key whose destructor is this library's is
//! `std`'s, which knows OS threads only: it stays as it is.
//!
//! # Invariants
//!
//! - **I1**: a caller keeps libc's contract of the function that it calls.
//! - **I2**: [`Key::destructor`] is zero, or the address of a function that the program gave to
//!   `pthread_key_create`; it is called with values that were set for that key.

use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use eventlet_shim::preload::is_own;
use libc::pthread_key_t;

use crate::own::next;
use crate::threads;

/// The most keys that libc gives (`PTHREAD_KEYS_MAX`).
const MOST: usize = 1024;

/// How often values are destroyed that destructors set again (`PTHREAD_DESTRUCTOR_ITERATIONS`).
const ROUNDS: usize = 4;

pub(crate) type Destructor = unsafe extern "C" fn(*mut c_void);

/// A key of the program's.
struct Key {
    /// Odd while the program has the key. Values of an earlier turn are of a key that is gone.
    turn: AtomicUsize,
    /// The address of its destructor, or zero.
    destructor: AtomicUsize,
}

static KEYS: [Key; MOST] =
    [const { Key { turn: AtomicUsize::new(0), destructor: AtomicUsize::new(0) } }; MOST];

impl Key {
    /// `None` where the program has no such key.
    fn of(key: pthread_key_t) -> Option<(&'static Key, usize)> {
        let key = KEYS.get(key as usize)?;
        let turn = key.turn.load(Ordering::Acquire);
        (turn & 1 == 1).then_some((key, turn))
    }

    fn destructor(&self) -> Option<Destructor> {
        let address = self.destructor.load(Ordering::Acquire);
        // SAFETY: by I2.
        unsafe { std::mem::transmute::<usize, Option<Destructor>>(address) }
    }
}

/// The values of a green thread, and the turn of its key for each.
pub(crate) struct Values(RefCell<Vec<(usize, *mut c_void)>>);

impl Values {
    pub(crate) const fn none() -> Values {
        Values(RefCell::new(Vec::new()))
    }

    fn get(&self, key: pthread_key_t, turn: usize) -> *mut c_void {
        match self.0.borrow().get(key as usize) {
            Some((of, value)) if *of == turn => *value,
            _ => ptr::null_mut(),
        }
    }

    fn set(&self, key: pthread_key_t, turn: usize, value: *mut c_void) {
        let mut values = self.0.borrow_mut();
        let at = key as usize;
        if values.len() <= at {
            values.resize(at + 1, (0, ptr::null_mut()));
        }
        values[at] = (turn, value);
    }
}

/// Destroys the values of the calling thread, as at its end.
pub(crate) fn destroy_values() {
    for _ in 0..ROUNDS {
        let mut found = false;
        for number in 0..MOST as pthread_key_t {
            let Some(destructor) = Key::of(number).and_then(|(key, _)| key.destructor()) else {
                continue;
            };
            // SAFETY: it is a key of the program's.
            let value = unsafe { pthread_getspecific(number) };
            if !value.is_null() {
                found = true;
                // SAFETY: likewise.
                unsafe { pthread_setspecific(number, ptr::null()) };
                // SAFETY: by I2.
                unsafe { destructor(value) };
            }
        }
        if !found {
            return;
        }
    }
}

/// As `pthread_key_create` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_key_create(
    key: *mut pthread_key_t,
    destructor: Option<Destructor>,
) -> c_int {
    let error = next!(c"pthread_key_create", libc::ENOSYS, (
        key => *mut pthread_key_t,
        destructor => Option<Destructor>
    ) -> c_int);
    if error != 0 || destructor.is_some_and(|function| is_own(function as *const c_void)) {
        return error;
    }
    // SAFETY: by I1, libc has written it.
    if let Some(known) = KEYS.get(unsafe { *key } as usize) {
        let address = destructor.map_or(0, |function| function as usize);
        known.destructor.store(address, Ordering::Release);
        known.turn.fetch_add(1, Ordering::AcqRel);
    }
    0
}

/// As `pthread_key_delete` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_key_delete(key: pthread_key_t) -> c_int {
    if let Some((known, _)) = Key::of(key) {
        known.turn.fetch_add(1, Ordering::AcqRel);
    }
    next!(c"pthread_key_delete", libc::ENOSYS, (key => pthread_key_t) -> c_int)
}

/// As `pthread_getspecific` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_getspecific(key: pthread_key_t) -> *mut c_void {
    let ours = Key::of(key)
        .and_then(|(_, turn)| threads::with_current(|thread| thread.values.get(key, turn)));
    ours.unwrap_or_else(
        || next!(c"pthread_getspecific", ptr::null_mut(), (key => pthread_key_t) -> *mut c_void),
    )
}

/// As `pthread_setspecific` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn pthread_setspecific(
    key: pthread_key_t,
    value: *const c_void,
) -> c_int {
    let ours = Key::of(key).and_then(|(_, turn)| {
        threads::with_current(|thread| thread.values.set(key, turn, value.cast_mut()))
    });
    match ours {
        Some(()) => 0,
        None => next!(c"pthread_setspecific", libc::ENOSYS, (
            key => pthread_key_t,
            value => *const c_void
        ) -> c_int),
    }
}
