//! Locks of C: each function on green stacks and off, and both at once.

#![allow(unsafe_code)]

#[path = "../support/mod.rs"]
mod support;

mod barrier;
mod c;
mod c11;
mod condition;
mod limits;
mod mutex;
mod once;
mod rwlock;
mod semaphore;
mod stress;
