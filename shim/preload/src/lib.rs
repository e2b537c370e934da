//! The threads of unmodified programs of C turn green.
//!
#![doc = include_str!("../README.md")]
#![allow(unsafe_code)]

mod c11;
mod exceptions;
mod handles;
mod jump;
mod keys;
mod own;
mod start;
mod threads;
mod verdict;
