//! The items of [`std::os::unix`] that wait.
//!
//! Corresponds to [`std::os::unix`].

pub mod fs;
pub mod net;
pub mod process;
