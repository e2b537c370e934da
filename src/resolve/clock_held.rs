//! Holds a paused clock while a name is being looked up: otherwise it would advance to the lookup's
//! time limit.
//!
//! Tokio holds a paused clock while its blocking pool has work, and offers no other way to hold it.
//! So one OS thread of that pool waits until the last lookup is over. Only tests of programs with
//! the feature pay for it.

use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

thread_local! {
    /// What holds the clock of this OS thread's runtime, if anything does.
    static HELD: RefCell<Weak<Held>> = const { RefCell::new(Weak::new()) };
}

pub(super) struct Held {
    job: JoinHandle<()>,
    _end: Sender<()>,
}

/// Holds the clock of this runtime, if there is one, until the last guard is dropped.
pub(super) fn hold() -> Option<Arc<Held>> {
    let held = HELD.with_borrow(Weak::upgrade);
    held.or_else(|| {
        let new = Arc::new(Held::start()?);
        HELD.set(Arc::downgrade(&new));
        Some(new)
    })
}

impl Held {
    fn start() -> Option<Held> {
        let runtime = Handle::try_current().ok()?;
        let (end, ended) = channel();
        let job = runtime.spawn_blocking(move || {
            let _disconnected = ended.recv();
        });
        Some(Held { job, _end: end })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // In case it has not begun.
        self.job.abort();
    }
}
