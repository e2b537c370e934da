//! What programs import of `eventlet.hubs` and `eventlet.green.select`.
#![cfg(unix)]

mod abort;
mod calls;
mod listeners;
mod poll;
mod select;
#[allow(dead_code, unused_imports, unused_macros)]
#[path = "../it/support.rs"]
mod support;
