//! Cheap green threads and plain, blocking-looking network code on one OS thread.

mod exit;

pub use exit::Exit;
