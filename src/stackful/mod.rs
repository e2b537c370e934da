//! Green threads with stacks of their own, and the two doors between the colours.
//!
//! A *stackless* green thread is an async fn: it waits with `.await`. A *stackful* one is a plain
//! closure on a stack of its own: it waits with [`.block()`](Block::block), which suspends the
//! whole stack until the future is ready. Nothing else differs: both are futures, run by the same
//! hub on the same reactor, and share every queue, pool and socket.
//!
//! | from | to | through |
//! |---|---|---|
//! | a plain closure | a future | [`stackful`] |
//! | a plain function and its arguments | a future | [`call`] |
//! | any future, on a green stack | its output | [`Block::block`] |
//! | any stream, on a green stack | an iterator | [`Blocking::blocking`] |
//! | an iterator that waits | a stream | [`stream()`] |
//!
//! # Stacks
//!
//! A green stack has 256 KiB unless it asks for [another size](Stackful::stack_size), or its hub
//! has [another default](crate::runtime::Builder::stack_size). That is address space: memory is
//! taken page by page as the stack is used, so a small green thread takes 4 KiB. On Linux many
//! stacks share a mapping, and a process has room for a million without any setting changed; where
//! the kernel is older than 6.13, for 32,000 (`vm.max_map_count`). If there is no room left, the
//! green thread that was to start ends with an error that names the limit, and all others go on.
//!
//! A used stack is kept for the next green thread. It keeps at most 32 KiB of the memory that it
//! used, and all idle stacks together no more than [a
//! budget](crate::runtime::Builder::max_idle_stack_bytes). [`stack_stats`] tells how many there
//! are, what they take, and how deep the deepest was: choose a size with it.
//!
//! Running over the end of a stack ends the process, as it does on an OS thread, with a message
//! that names the green thread, where it was made, the size of its stack and what to do (Linux;
//! elsewhere it is a bare segmentation fault):
//!
//! ```text
//! green thread 2 has overflowed its stack of 262144 bytes
//! it runs the `stackful(..)` of src/main.rs:76:24
//! recurse less deep, or ask for more: with `stackful(..).stack_size(bytes)` for one green thread, ..
//! ```
//!
//! Below each stack are 16 KiB of guard pages. Rust code cannot step over them. C code can, if it
//! has a larger array in a function and was not compiled with `-fstack-clash-protection`.
//!
//! # Spans
//!
//! A `tracing` span that is entered on a green stack, with a guard or by an `#[instrument]`ed
//! function, may be held across a `.block()`: it is left when the stack is suspended and entered
//! again when it resumes, so no other green thread is ever in it. The one case that this misses is
//! a span entered on the stack that is already entered around it, as in `stackful(|| span.enter()
//! ..).instrument(span)`.
//!
//! # Limits
//!
//! - A thread-local, or a lock of `std`, that is held across a `.block()` is held for the whole OS
//!   thread: another green thread that wants the lock blocks all of them, forever.
//! - Killing a stackful green thread unwinds its stack, so `std::thread::panicking()` is true in
//!   the destructors it runs, and a `std::sync::Mutex` that it held is poisoned. Code that catches
//!   the unwind with `catch_unwind` is unwound again at its next wait; a loop that catches it each
//!   time hangs the killer forever.
//! - The initializer of a `std::thread_local!` must not wait: another green thread would make the
//!   value a second time, and the first would be dropped while in use. The initializer of a
//!   `green::thread_local!` may. The same holds for all code that is sound only because nothing
//!   else runs on the OS thread meanwhile: see `docs/soundness.md`. Debug builds find such waits
//!   with [`debug::check_waits`](crate::debug::check_waits).
//! - A stack that is kept in a thread-local when its OS thread ends is not unwound, as the values
//!   that it borrows may be gone.
//! - While it unwinds, a green thread cannot wait: see [`Block::block`].

mod asked;
mod block;
mod borrowed;
mod checked;
mod coroutine;
mod exiting;
mod frame;
mod limit;
mod orphan;
mod parked;
pub(crate) mod scope;
mod spans;
mod stack;
mod stream;

#[cfg(not(panic = "unwind"))]
compile_error!(
    "eventlet's feature `stackful` ends a green thread by unwinding its stack, which `panic = \
     \"abort\"` cannot do: build with `panic = \"unwind\"`, or without the feature"
);

pub use block::{Block, Blocking, BlockingIter};
pub use coroutine::{Stackful, call, stackful};
pub use stack::{StackStats, stack_stats, trim_stacks};
pub use stream::stream;

pub(crate) use block::{Refused, try_block};
pub(crate) use checked::check_waits;
pub(crate) use frame::Frame;
pub(crate) use parked::{Seen, is_bottom, look, owners};
#[cfg(all(feature = "backtrace", target_os = "linux"))]
pub(crate) use stack::end_of_stack;
