//! `green::fs`, `green::io` and `green::process`.
#![cfg(all(feature = "stackful", unix))]

mod fs;
mod io;
mod pipe;
mod process;
mod support;
