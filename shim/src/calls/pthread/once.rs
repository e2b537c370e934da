//! What is initialized once. The green thread that does it may be suspended meanwhile, and then the
//! others of its hub must not wait for it inside libc.

use std::ffi::c_int;
use std::sync::atomic::{AtomicI32, Ordering};

use libc::pthread_once_t;

use super::{is_green, libc_own, may_suspend};
use crate::clock::Deadline;
use crate::futex::{self, Word};
use crate::spin::Spin;

/// Where green threads are at it.
static RUNNING: Spin<Vec<usize>> = Spin::new(Vec::new());

/// Begins, unless a green thread is at it.
fn attempt(control: *mut pthread_once_t) -> c_int {
    RUNNING.with(|running| {
        if running.contains(&control.addr()) {
            return libc::EBUSY;
        }
        running.push(control.addr());
        0
    })
}

/// Says, until it is dropped, that a green thread is at it.
struct Runs(*mut pthread_once_t);

impl Drop for Runs {
    fn drop(&mut self) {
        RUNNING.with(|running| running.retain(|control| *control != self.0.addr()));
        futex::wake(word(self.0), usize::MAX, !0);
    }
}

fn word(control: *mut pthread_once_t) -> Word {
    // SAFETY: nobody reads what is there: it is waited for by its address alone.
    unsafe { Word::at(control.addr()) }
}

/// Returns whether it is done: all that are look alike.
///
/// # Safety
///
/// As `pthread_once`.
unsafe fn is_done(control: *mut pthread_once_t) -> bool {
    static DONE: AtomicI32 = AtomicI32::new(libc::PTHREAD_ONCE_INIT);

    extern "C" fn nothing() {}

    // SAFETY: it stays where it is, and is nothing but a `pthread_once_t`.
    unsafe { libc_own::once(DONE.as_ptr(), nothing) };
    // SAFETY: the caller says so. Others may write to it.
    let control = unsafe { AtomicI32::from_ptr(control) };
    control.load(Ordering::Relaxed) == DONE.load(Ordering::Relaxed)
}

/// As `pthread_once` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(in crate::calls) unsafe extern "C" fn pthread_once(
    control: *mut pthread_once_t,
    routine: extern "C" fn(),
) -> c_int {
    // SAFETY: I1.
    let is_ours = is_green() && !unsafe { is_done(control) };
    let mut begun = if is_ours { attempt(control) } else { libc::EAGAIN };
    if begun == libc::EBUSY && may_suspend() {
        let attempt = || attempt(control);
        begun = futex::acquire(word(control), &mut Deadline::default(), || None, attempt);
    }
    let _runs = (begun == 0).then(|| Runs(control));
    // SAFETY: I1.
    unsafe { libc_own::once(control, routine) }
}
