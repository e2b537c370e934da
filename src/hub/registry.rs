//! Finds the mailbox of a hub by the hub's number, from any OS thread.
//!
//! A waker carries the number instead of an `Arc`, so cloning and dropping it costs nothing. The
//! price is one read lock here, for a wakeup from another OS thread.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use super::current_stack::Outer;
use super::remote::Remote;

/// The most hubs alive at once: what a waker's word has room for.
pub(crate) const MAX_HUBS: usize = 1 << 12;

static HUBS: RwLock<Vec<Option<Arc<Remote>>>> = RwLock::new(Vec::new());

/// The number of a hub, reserved before it starts. It is free again when this is dropped.
///
/// It can be taken before the hub exists, and on another OS thread: so the caller that starts a hub
/// gets the error if there is no room for it.
pub(crate) struct Number {
    id: usize,
    remote: Arc<Remote>,
}

impl Number {
    /// Takes a number that is free.
    ///
    /// # Errors
    ///
    /// If [`MAX_HUBS`] hubs are alive.
    pub(crate) fn take() -> io::Result<Number> {
        let _on_no_stack = Outer::leave();
        let mut hubs = HUBS.write().unwrap_or_else(PoisonError::into_inner);
        let id = free(&hubs).ok_or_else(no_room)?;
        let remote = Arc::new(Remote::new());
        if id == hubs.len() {
            hubs.push(None);
        }
        hubs[id] = Some(Arc::clone(&remote));
        Ok(Number { id, remote })
    }

    pub(super) fn id(&self) -> usize {
        self.id
    }

    pub(super) fn remote(&self) -> Arc<Remote> {
        Arc::clone(&self.remote)
    }
}

impl Drop for Number {
    fn drop(&mut self) {
        let _on_no_stack = Outer::leave();
        let _last = HUBS.write().unwrap_or_else(PoisonError::into_inner)[self.id].take();
    }
}

/// Returns the lowest number that is free, unless all are taken.
fn free<T>(hubs: &[Option<T>]) -> Option<usize> {
    let free = hubs.iter().position(Option::is_none).unwrap_or(hubs.len());
    (free < MAX_HUBS).then_some(free)
}

fn no_room() -> io::Error {
    io::Error::other(format!(
        "{MAX_HUBS} hubs are running, one OS thread each, and a process can have no more: let some \
         end first"
    ))
}

/// Returns the mailbox of hub `id`, unless that hub has ended. The caller must have left the green
/// stack, as this locks.
pub(crate) fn find(id: usize) -> Option<Arc<Remote>> {
    HUBS.read().unwrap_or_else(PoisonError::into_inner).get(id)?.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_taken_until_there_is_none() {
        let mut hubs = vec![Some(()); MAX_HUBS - 1];
        assert_eq!(free(&hubs), Some(MAX_HUBS - 1));
        hubs.push(Some(()));
        assert_eq!(free(&hubs), None);
        assert!(no_room().to_string().starts_with("4096 hubs are running"));
        hubs[7] = None;
        assert_eq!(free(&hubs), Some(7));
    }
}
