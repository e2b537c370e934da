//! `green::fs`, `green::io` and `green::process`.
#![cfg(all(feature = "stackful", unix))]

#[path = "../support/child.rs"]
mod child;
#[path = "../it/ear.rs"]
mod ear;
mod fs;
mod io;
mod pipe;
mod process;
mod support;
