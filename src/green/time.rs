//! Time under the names of [`std::time`], which need no green version.
//!
//! Corresponds to [`std::time`], and to `eventlet.green.time`.
//!
//! # A paused clock
//!
//! Sleeps and limits of green threads follow the clock of their hub. In a test that
//! [pauses](https://docs.rs/tokio/latest/tokio/time/fn.pause.html) it, they pass at once when all
//! green threads wait, while [`Instant::now`] and [`SystemTime::now`] still return the real time,
//! in which next to nothing has passed. Such a test uses `tokio::time::Instant` instead. In a
//! program whose clock is not paused both are the same.

#[doc(no_inline)]
pub use std::time::{
    Duration, Instant, SystemTime, SystemTimeError, TryFromFloatSecsError, UNIX_EPOCH,
};
