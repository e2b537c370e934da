//! The tests of eventlet once more, with its shim linked and everything patched. They are the same
//! files: what they know as `eventlet` is the crate in `eventlet/`, which patches before `main`.
