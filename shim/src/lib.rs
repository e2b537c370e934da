//! Unmodified synchronous code turns green: what eventlet's `monkey_patch` is, for Rust and C.
//!
//! A program that names this crate has functions of libc's names of its own, such as `read`,
//! `connect` and `poll`. All that the program is linked with calls them: `std`, crates, and
//! libraries of C. Called on a [green stack](eventlet::stackful()), they suspend their green thread
//! where libc's block the OS thread. Everywhere else they do what libc's do.
//!
//! ```
//! use eventlet::{Block, spawn, stackful};
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! eventlet_shim::monkey_patch();
//! eventlet::run(stackful(|| {
//!     let listener = TcpListener::bind("127.0.0.1:0").unwrap();
//!     let address = listener.local_addr().unwrap();
//!     let server = spawn(stackful(move || {
//!         let (mut client, _) = listener.accept().unwrap();
//!         client.write_all(b"hello").unwrap();
//!     }));
//!     let mut text = String::new();
//!     TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
//!     assert_eq!(text, "hello");
//!     server.block().unwrap();
//! }));
//! ```
//!
#![doc = include_str!("../README.md")]
#![allow(unsafe_code)]

#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
compile_error!(
    "eventlet-shim has the system calls of Linux on x86-64 and AArch64 with glibc: elsewhere leave it out, and call \
     what blocks with `eventlet::tpool::execute`"
);

#[cfg(target_feature = "crt-static")]
compile_error!(
    "eventlet-shim has libc's functions of the same names behind it, such as `getaddrinfo`, which a static program has \
     only once: link with glibc dynamically (without `-C target-feature=+crt-static`), or leave the crate out, and call \
     what blocks with `eventlet::tpool::execute`"
);

mod areas;
mod blocked;
mod calls;
mod channel;
mod clock;
mod doctor;
mod futex;
mod gate;
mod identity;
mod objects;
mod parking;
mod reactor;
mod real;
mod spin;

pub use areas::{Patch, monkey_patch};
pub use blocked::{Blocked, Why, blocked_calls, set_blocking_hook};
pub use doctor::{Doctor, Symbol, doctor};
pub use eventlet::patcher::{Area, is_monkey_patched};
pub use gate::{Stats, stats};
pub use objects::Object;

/// What `eventlet-preload` needs of this crate. It is no part of the interface.
#[doc(hidden)]
pub mod preload {
    pub use crate::calls::join_with;
    pub use crate::objects::{Loaded, is_own, loaded};
    pub use crate::real::Next;
}

/// Calls a function whose calls block the OS thread, as without this crate.
///
/// Corresponds to `eventlet.patcher.original`, which imports a module unpatched.
///
/// # Examples
///
/// ```
/// use eventlet::stackful;
/// use std::time::Duration;
///
/// eventlet_shim::monkey_patch();
/// eventlet::run(stackful(|| {
///     let before = eventlet_shim::stats();
///     eventlet_shim::original(|| std::thread::sleep(Duration::from_millis(1)));
///     assert_eq!(eventlet_shim::stats(), before);
/// }));
/// ```
pub fn original<R>(function: impl FnOnce() -> R) -> R {
    eventlet::lowlevel::without_waiting(function)
}
