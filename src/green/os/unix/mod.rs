//! What [`std::os::unix`] has that waits.
//!
//! Corresponds to [`std::os::unix`].

pub mod fs;
pub mod net;
pub mod process;
