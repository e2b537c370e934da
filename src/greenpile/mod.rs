//! Results of pool jobs, in the order of the jobs: [`GreenPile`], and `imap` and `starmap` of
//! [`GreenPool`](crate::GreenPool).
//!
//! Corresponds to `eventlet.greenpool.GreenPile` and `GreenMap`.

mod map;
mod pile;

pub use map::GreenMap;
pub use pile::{GreenPile, Next};
