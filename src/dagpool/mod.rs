//! Green threads that wait for each other's values: a graph of dependencies, run as far in parallel
//! as it allows.
//!
//! A [`DAGPool`] has a value for each key, or a green thread that is going to give it, and each
//! green thread says on which keys it depends. The values come to it as [`Results`], each as soon
//! as it is there.
//!
//! Corresponds to `eventlet.dagpool`.
//!
//! # Errors and the end of waiting
//!
//! A green thread that ends without a value, because its function failed or panicked, because it
//! was killed, or because a time limit ended it, leaves a [`PropagateError`] under its key. Those
//! that depend on it get that error; one that fails for that reason leaves a `PropagateError`
//! around it. So whoever waits for a key that was spawned gets an answer.
//!
//! Two mistakes would make somebody wait forever:
//!
//! - Dependencies in a circle. They are refused when they are spawned, with [`SpawnError::Cycle`].
//! - A key that nobody spawns or posts. The pool cannot know what the program will do later, so it
//!   never gives up by itself. [`DAGPool::missing`] tells which keys are waited for and promised by
//!   nobody: at a point where the program has nothing to add, those are mistakes, and
//!   [`DAGPool::post_exception`] tells everybody so.
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
