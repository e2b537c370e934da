//! Finds the letter box of a hub by the hub's number, from any OS thread.
//!
//! A waker carries the number instead of an `Arc`, so that cloning and dropping it costs nothing.
//! The price is paid here, on the path of a wakeup from another OS thread: one read lock.

use std::sync::{Arc, PoisonError, RwLock};

use super::remote::Remote;

/// Numbers of hubs alive at once: what the waker has room for.
pub(crate) const MAX_HUBS: usize = 1 << 12;

static HUBS: RwLock<Vec<Option<Arc<Remote>>>> = RwLock::new(Vec::new());

/// Enters a new hub and returns its number, which is free again after [`leave`].
///
/// # Panics
///
/// When `MAX_HUBS` hubs are alive.
pub(crate) fn enter(remote: Arc<Remote>) -> usize {
    let mut hubs = HUBS.write().unwrap_or_else(PoisonError::into_inner);
    let free = hubs.iter().position(Option::is_none);
    let id = free.unwrap_or_else(|| {
        assert!(
            hubs.len() < MAX_HUBS,
            "{MAX_HUBS} hubs are running, one OS thread each, and a process can have no more: \
             let some end first"
        );
        hubs.push(None);
        hubs.len() - 1
    });
    hubs[id] = Some(remote);
    id
}

/// Forgets a hub that ended.
pub(crate) fn leave(id: usize) {
    let _last = HUBS.write().unwrap_or_else(PoisonError::into_inner)[id].take();
}

/// Returns the letter box of hub `id`, unless that hub has ended.
pub(crate) fn find(id: usize) -> Option<Arc<Remote>> {
    HUBS.read().unwrap_or_else(PoisonError::into_inner).get(id)?.clone()
}
