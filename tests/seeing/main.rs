//! Seeing what a program does, and testing it under every schedule.

#[macro_use]
mod colours;

mod blocking;
mod deadlock;
mod schedules;
