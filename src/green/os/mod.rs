//! What is there on some operating systems only, under the names of [`std::os`].
//!
//! Corresponds to [`std::os`].

#[cfg(unix)]
pub mod unix;
