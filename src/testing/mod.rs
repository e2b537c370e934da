//! Testing a program under many orders of turns.
//!
//! A hub gives turns first come, first served, so a test sees one order of events, and the bug
//! waits for another. [`check()`] runs a program many times on a clock that stands still, and lets
//! chance say whose turn is next of those who are ready. It may kill green threads and end waits,
//! too, [where it is asked to](may_kill). All of it follows from a number, the *seed*: the first
//! seed that fails is named, with the shortest [schedule](Failure::schedule) that was found to fail
//! as well, and both can be run again, exactly, as often as it takes to understand them.
//!
//! It works for either colour. A stackful green thread is switched at its waits, as ever: code
//! between two waits is never torn apart.
//!
//! A program fails when its future panics, when a green thread fails and nobody hears of it, in a
//! [`Deadlock`](crate::debug::Deadlock), when it takes too many turns, and when it leaves something
//! behind: green threads that wait, timers, or what [`unchanged`] was told to look at.
//!
//! ```should_panic
//! use std::cell::Cell;
//! use std::rc::Rc;
//! use std::time::Duration;
//!
//! use eventlet::{sleep, spawn, testing};
//!
//! testing::check(0..1000, || async {
//!     let account = Rc::new(Cell::new(0));
//!     let deposits = [(); 2].map(|()| {
//!         let account = account.clone();
//!         spawn(async move {
//!             let before = account.get();
//!             sleep(Duration::ZERO).await; // as for an answer of the database
//!             account.set(before + 1);
//!         })
//!     });
//!     for deposit in deposits {
//!         deposit.await.unwrap();
//!     }
//!     assert_eq!(account.get(), 2);
//! });
//! ```
//!
//! # Again
//!
//! A failure says with which value of the environment variable `EVENTLET_SEED` the test runs that
//! schedule and no other:
//!
//! ```text
//! EVENTLET_SEED=17 cargo test name_of_the_test
//! EVENTLET_SEED=3=1,9=2 cargo test name_of_the_test
//! ```
//!
//! The first is a seed, the second a schedule: the choices that are not the hub's usual ones, by
//! their numbers.
//!
//! # Not here
//!
//! What comes from outside the hub has an order of its own: sockets, OS threads, the blocking pool,
//! real time, and the random order of a `HashMap`. A program that uses them may pass and fail with
//! the same seed, and one that waits for them is taken forward in time meanwhile. Talk through
//! [queues](crate::Queue) and Tokio's `duplex` pipes instead. Not every order is tried, but as many
//! as there are seeds.

mod check;
mod choices;
mod failure;
mod faults;
mod run;
mod schedule;
mod shrink;

pub use check::{check, find, replay};
pub use failure::Failure;
pub use faults::{choose, may_kill, may_time_out, unchanged};
