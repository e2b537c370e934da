//! Queues: how items go from one green thread to another.
//!
//! | | gives out first | `task_done`, `join` |
//! |---|---|---|
//! | [`LightQueue`] | the oldest item | no |
//! | [`Queue`] | the oldest item | yes |
//! | [`PriorityQueue`] | the lowest item | yes |
//! | [`LifoQueue`] | the latest item | yes |
//! | [`SharedQueue`] | the oldest item | no; between hubs and OS threads |
//!
//! They are handles: clones name the same queue. Except for the shared one, each derefs to the one
//! it extends, down to [`LightQueue`], which has most of the methods.
//!
//! Each is a stream of its items, too, and a sink for more: [`stream`](LightQueue::stream),
//! [`sink`](LightQueue::sink).
//!
//! All but the shared one keep these promises:
//!
//! - Waiters are served in order, getters and putters alike, and no caller overtakes them, not even
//!   with `put_nowait` or `get_nowait`.
//! - An operation that can complete at once does not yield.
//! - No item is lost when a green thread is killed or times out: an item that was admitted comes
//!   out, and a putter that still waited takes its item with it.
//!
//! Corresponds to eventlet's `eventlet.queue`.
//!
//! # Not here
//!
//! - `block=False` and `timeout=`: these are separate methods, `put_nowait` and `put_timeout`.
//!
//! # Examples
//!
//! ```
//! use eventlet::Queue;
//!
//! eventlet::run(async {
//!     let queue = Queue::new(10);
//!     eventlet::spawn({
//!         let queue = queue.clone();
//!         async move {
//!             for word in ["hello", "world"] {
//!                 queue.put(word).await;
//!             }
//!         }
//!     });
//!     assert_eq!(queue.get().await, "hello");
//!     assert_eq!(queue.get().await, "world");
//! });
//! ```

mod error;
mod exchange;
mod light;
mod ordered;
#[allow(clippy::module_inception)]
mod queue;
mod shared;
mod sink;
mod storage;
#[cfg(test)]
mod tests;

pub use error::{Empty, Full};
pub use light::{Get, Items, LightQueue, Put};
pub use ordered::{LifoQueue, PriorityQueue};
pub use queue::{Join, Queue};
pub use shared::{SharedItems, SharedPutter, SharedQueue};
pub use sink::Putter;
pub(crate) use storage::Storage;
