//! What changes how a descriptor waits, as `fcntl` does, too. The calls are as they were; the
//! reactor is told afterwards.

use std::ffi::{c_int, c_ulong, c_void};

use libc::socklen_t;

use crate::areas;
use crate::reactor::settings_changed;
use crate::real::Call;

/// Makes a call after which some descriptor may wait otherwise.
pub(super) fn change(call: Call) -> isize {
    let result = call.answer();
    if areas::is_any_patched() {
        settings_changed();
    }
    result
}

/// As `setsockopt` of libc.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn setsockopt(
    descriptor: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    length: socklen_t,
) -> c_int {
    let at = [descriptor as usize, level as usize, name as usize, value.addr(), length as usize];
    // SAFETY: I1.
    let call = unsafe { Call::new(libc::SYS_setsockopt, at) };
    let sets_limit =
        level == libc::SOL_SOCKET && matches!(name, libc::SO_RCVTIMEO | libc::SO_SNDTIMEO);
    let result = if sets_limit { change(call) } else { call.answer() };
    result as c_int
}

/// As `ioctl` of libc, which has a variable number of arguments: there is one at most, and it is
/// passed as here.
///
/// # Safety
///
/// As libc's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn ioctl(
    descriptor: c_int,
    request: c_ulong,
    argument: *mut c_void,
) -> c_int {
    let at = [descriptor as usize, request as usize, argument.addr()];
    // SAFETY: I1.
    let call = unsafe { Call::new(libc::SYS_ioctl, at) };
    let result = if request == libc::FIONBIO { change(call) } else { call.answer() };
    result as c_int
}
