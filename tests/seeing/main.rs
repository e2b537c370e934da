//! Seeing what a program does, and testing it under every schedule.

#[macro_use]
mod colours;

#[cfg(unix)]
mod backdoor;
mod blocking;
mod console;
mod deadlock;
#[cfg(target_os = "linux")]
mod gdb;
#[cfg(feature = "metrics")]
mod metrics;
mod schedules;
mod usage;
mod waits;
