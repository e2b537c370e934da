//! Pools of things that are expensive to make and that one green thread at a time uses:
//! connections, say.
//!
//! [`Pool`] makes its items when they are needed, up to a number; [`TokenPool`] has items that
//! stand for something else.
//!
//! Corresponds to `eventlet.pools`.
//!
//! # Not here
//!
//! A pool is not derived from to give it a `create`: it gets one when it is made.

mod item;
mod pool;
mod token_pool;

pub use item::Item;
pub use pool::Pool;
pub use token_pool::{Token, TokenPool};
