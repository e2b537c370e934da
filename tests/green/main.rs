//! `green::fs`, `green::io` and `green::process`.
#![cfg(all(feature = "stackful", unix))]

mod fs;
mod io;
mod pipe;
mod process;
#[path = "../net/reports.rs"]
mod reports;
mod support;
