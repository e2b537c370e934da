//! Exclusive use of the standard output or the standard error of this process.

use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use tokio::sync::Semaphore;

use super::super::wait::wait;
use crate::hub;

/// A re-entrant lock for all green threads of all hubs, as in `std`.
pub(super) struct Turnstile {
    turn: Semaphore,
    holder: Mutex<Holder>,
}

struct Holder {
    who: Option<Who>,
    times: usize,
}

/// An OS thread, and the green thread that runs on it.
type Who = (ThreadId, Option<u64>);

impl Turnstile {
    pub(super) const fn new() -> Turnstile {
        let holder = Mutex::new(Holder { who: None, times: 0 });
        Turnstile { turn: Semaphore::const_new(1), holder }
    }

    /// Waits until no other green thread is inside. While the green stack unwinds it does not wait,
    /// and excludes no one.
    #[track_caller]
    pub(super) fn enter(&self) -> Inside<'_> {
        let me =
            (thread::current().id(), hub::current().and_then(|hub| Some(hub.current()?.serial())));
        if self.holder().who == Some(me) {
            self.holder().times += 1;
        } else {
            match wait(self.turn.acquire()) {
                Ok(Ok(permit)) => permit.forget(),
                _ => return Inside { turnstile: None, not_send: PhantomData },
            }
            *self.holder() = Holder { who: Some(me), times: 1 };
        }
        Inside { turnstile: Some(self), not_send: PhantomData }
    }

    fn holder(&self) -> MutexGuard<'_, Holder> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to be inside, until it is dropped.
pub(super) struct Inside<'a> {
    /// `None` if it could not wait.
    turnstile: Option<&'a Turnstile>,
    not_send: PhantomData<*const ()>,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let Some(turnstile) = self.turnstile else { return };
        let mut holder = turnstile.holder();
        holder.times -= 1;
        if holder.times == 0 {
            holder.who = None;
            drop(holder);
            turnstile.turn.add_permits(1);
        }
    }
}
