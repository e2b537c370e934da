//! Green threads with stacks of their own, and the two doors between the colours.
//!
//! A *stackless* green thread is an async fn: it waits with `.await`. A *stackful* one is a plain closure on
//! a stack of its own: it waits with [`.block()`](Block::block), which puts the whole stack
//! aside until the future is ready. Nothing else differs: both are futures, run by the same hub on the same
//! reactor, and share every queue, pool and socket.
//!
//! | from | to | through |
//! |---|---|---|
//! | a plain closure | a future | [`stackful`] |
//! | any future, on a green stack | its output | [`Block::block`] |
//! | any stream, on a green stack | an iterator | [`Blocking::blocking`] |
//!
//! # Limits
//!
//! - A green stack has 256 KiB unless it asks for [another size](Stackful::stack_size). Running over
//!   its end ends the process with a segmentation fault: there is a guard page, but no message yet.
//! - A thread-local, or a lock of `std`, that is held across a `.block()` is held for the whole OS thread:
//!   another green thread that wants the lock blocks all of them, for ever.
//! - Killing a stackful green thread unwinds its stack, so `std::thread::panicking()` is true in the
//!   destructors it runs, and a `std::sync::Mutex` that it held is poisoned. Code that catches the unwind
//!   with `catch_unwind` meets it again at its next wait.
//! - While it unwinds, a green thread cannot wait: see [`Block::block`].

mod block;
mod coroutine;
mod frame;
mod limit;
mod stack;

#[cfg(not(panic = "unwind"))]
compile_error!(
    "eventlet's feature `stackful` ends a green thread by unwinding its stack, which `panic = \
     \"abort\"` cannot do: build with `panic = \"unwind\"`, or without the feature"
);

pub use block::{Block, Blocking, BlockingIter};
pub use coroutine::{Stackful, stackful};
pub use stack::{StackStats, stack_stats, trim_stacks};

pub(crate) use block::{Refused, try_block};
