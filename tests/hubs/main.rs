//! What programs import of `eventlet.hubs` and `eventlet.green.select`.
#![cfg(unix)]

mod abort;
mod calls;
mod listeners;
mod poll;
mod select;
#[path = "../bridges/support.rs"]
mod support;
