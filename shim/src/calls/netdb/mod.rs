//! Looking names up.
//!
//! What libc's resolver calls inside cannot be replaced. So the hub's resolver is asked where it
//! has one ([`Builder::resolver`](eventlet::runtime::Builder::resolver)), and libc only makes its
//! lists out of the addresses. Where the hub has none, and for the names of addresses and services,
//! an OS thread of `tpool` calls the whole function. It works on copies: a green thread that is
//! killed does not wait for it, and what it finds then is dropped there.

mod addresses;
mod hosts;
mod questions;
mod services;

use std::ffi::{CStr, CString, c_char, c_int};
use std::io::{self, ErrorKind};
use std::net::IpAddr;

use eventlet::runtime;

use super::pool::caught;
use crate::areas::Area;
use crate::gate;

pub(super) use addresses::getaddrinfo;
pub(super) use hosts::{
    gethostbyaddr, gethostbyaddr_r, gethostbyname, gethostbyname_r, gethostbyname2,
    gethostbyname2_r,
};
pub(super) use questions::{__res_nquery, __res_nsearch, res_nquery, res_nsearch};
pub(super) use services::getnameinfo;

unsafe extern "C" {
    /// Returns the place of this OS thread's `h_errno`.
    safe fn __h_errno_location() -> *mut c_int;
}

fn h_errno() -> c_int {
    // SAFETY: that place is there as long as the OS thread.
    unsafe { *__h_errno_location() }
}

fn set_h_errno(error: c_int) {
    // SAFETY: likewise.
    unsafe { *__h_errno_location() = error };
}

/// Returns whether a look-up suspends its green thread. A stack that unwinds is not suspended.
fn is_green() -> bool {
    gate::is_green(Area::Dns) && !gate::is_unwinding() && gate::may_suspend()
}

/// Calls a function in an OS thread. The error is what `errno` is to be.
fn in_thread<T: Send + 'static>(function: impl FnOnce() -> T + Send + 'static) -> Result<T, c_int> {
    wait(eventlet::tpool::execute(function))
}

/// Waits for a future. It may panic, as that of a program's resolver.
fn wait<F: Future>(future: F) -> Result<F::Output, c_int> {
    gate::wait(caught(future))?.ok_or(libc::EAGAIN)
}

/// Why a name has no addresses.
#[derive(Clone, Copy)]
enum Failure {
    /// There is no such name.
    NoName,
    /// Nobody knows: it may be found later.
    Again,
    /// The wait has ended, or the system has failed, with this `errno`.
    System(c_int),
}

impl Failure {
    fn of(error: &io::Error) -> Failure {
        match (error.kind(), error.raw_os_error()) {
            (_, Some(error)) => Failure::System(error),
            (ErrorKind::NotFound | ErrorKind::InvalidInput, None) => Failure::NoName,
            _ => Failure::Again,
        }
    }
}

/// Asks the resolver of this hub for the addresses of a name. `None` where it has none.
fn resolve(name: &CStr) -> Option<Result<Vec<IpAddr>, Failure>> {
    let resolver = runtime::resolver()?;
    let Ok(name) = name.to_str() else {
        return Some(Err(Failure::NoName));
    };
    // The resolver is the program's: it is called where a panic is caught.
    let found = match wait(async { resolver.resolve(name).await }) {
        Ok(Ok(ips)) => Ok(ips),
        Ok(Err(error)) => Err(Failure::of(&error)),
        Err(error) => Err(Failure::System(error)),
    };
    Some(found)
}

/// # Safety
///
/// It is null or a string of C.
unsafe fn copied(text: *const c_char) -> Option<CString> {
    // SAFETY: the caller says so.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned())
}
