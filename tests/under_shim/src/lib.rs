//! The tests of eventlet once more, with its shim linked and everything patched. They are the same
//! files: what they know as `eventlet` is the crate in `eventlet/`, which patches before `main`.
//!
//! One of them returns at once here, as it cannot hold: it joins an OS thread on a green stack
//! while the clock is paused. With the shim that suspends the green thread, so the hub has nothing
//! left to do, and the clock goes on to the next timer.
