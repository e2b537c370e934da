//! Pools of items that are expensive to make and that one green thread at a time uses: connections,
//! for example.
//!
//! [`Pool`] makes its items when they are needed, up to a number; [`TokenPool`] has items that
//! stand for something else.
//!
//! Corresponds to `eventlet.pools`.
//!
//! # Not here
//!
//! Subclassing: instead of overriding `create`, a pool gets it when it is made.

mod item;
mod pool;
mod token_pool;

pub use item::Item;
pub use pool::Pool;
pub use token_pool::{Token, TokenPool};
