//! Green threads that wait for each other's values: a graph of dependencies, run as far in parallel
//! as it allows.
//!
//! A [`DAGPool`] has for each key a value or a green thread that is to provide it, and each green
//! thread declares the keys it depends on. It gets their values as [`Results`], each as soon as it
//! is available.
//!
//! Corresponds to `eventlet.dagpool`.
//!
//! # Errors and the end of waiting
//!
//! A green thread that ends without a value, because its function failed or panicked, because it
//! was killed, or because a time limit ended it, leaves a [`PropagateError`] under its key. Those
//! that depend on it get that error; one that fails because of it leaves a `PropagateError` around
//! it. So every waiter of a spawned key gets an answer.
//!
//! Two mistakes would make a waiter wait forever:
//!
//! - A cycle of dependencies. Spawning it is refused, with [`SpawnError::Cycle`].
//! - A key that is never spawned or posted. The pool cannot know what the program will do later, so
//!   it never gives up by itself. [`DAGPool::missing`] returns the keys that are waited for and
//!   have neither a value nor a green thread. If the program has nothing to add at that point they
//!   are mistakes, and [`DAGPool::post_exception`] passes an error to their waiters.
//!
//! # Not here
//!
//! `pool[key]` is [`DAGPool::wait_one`], and leaving out the keys is
//! [`known_keys`](DAGPool::known_keys).

mod error;
mod graph;
mod inspect;
mod pool;
mod results;

pub use error::{Collision, PropagateError, SpawnError};
pub use pool::DAGPool;
pub use results::{Exceptions, Results, Successes, Wait, WaitOne};
