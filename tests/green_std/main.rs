//! What `green` mirrors of std beside sockets: `green::sync` and `green::thread`.
#![cfg(feature = "stackful")]

#[path = "../it/support.rs"]
#[allow(dead_code, unused_imports, unused_macros)]
mod support;

mod sync;
