//! Items of particular operating systems, under the names of [`std::os`].
//!
//! Corresponds to [`std::os`].

#[cfg(unix)]
pub mod unix;
