//! Seeing what a program does, and testing it under every schedule.

#[cfg(unix)]
mod blocking;
