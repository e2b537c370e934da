//! Green threads as `tracing` spans, with the names and fields by which tokio-console knows a task.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use tracing::Span;

use super::job::{Key, SpawnedAt};
use super::told_waker::Told;

/// The spans of a hub's green threads.
#[derive(Default)]
pub(super) struct Spans {
    on: Cell<bool>,
    /// By the serial numbers of their green threads.
    of: RefCell<HashMap<u64, Traced>>,
}

/// A span, and the waker of its green thread.
#[derive(Clone)]
pub(super) struct Traced {
    span: Span,
    told: Option<Arc<Told>>,
}

impl Spans {
    pub(super) fn is_on(&self) -> bool {
        self.on.get()
    }

    pub(super) fn switch(&self, on: bool) {
        self.on.set(on);
        if !on {
            // Dropped after the borrow, as a subscriber hears of it.
            let _spans = self.of.take();
        }
    }

    /// Returns the span of a green thread, which is made when that has its first turn.
    pub(super) fn of(
        &self,
        key: Key,
        name: Option<&str>,
        spawned_at: SpawnedAt,
        waker: &Waker,
    ) -> Traced {
        let known = self.of.borrow().get(&key.serial()).cloned();
        known.unwrap_or_else(|| {
            let traced = Traced::new(key, name, spawned_at, waker);
            self.of.borrow_mut().insert(key.serial(), traced.clone());
            traced
        })
    }

    pub(super) fn is_borrowed(&self) -> bool {
        self.of.try_borrow_mut().is_err()
    }

    pub(super) fn forget(&self, id: u64) {
        let _span = self.of.borrow_mut().remove(&id);
    }
}

impl Traced {
    fn new(key: Key, name: Option<&str>, spawned_at: SpawnedAt, waker: &Waker) -> Traced {
        let span = tracing::trace_span!(
            target: "tokio::task",
            parent: None,
            "runtime.spawn",
            kind = "green",
            task.name = name.unwrap_or_default(),
            task.id = key.serial(),
            loc.file = spawned_at.file(),
            loc.line = spawned_at.line(),
            loc.col = spawned_at.column(),
        );
        let told = span.id().map(|id| Arc::new(Told { waker: waker.clone(), span: id.into_u64() }));
        Traced { span, told }
    }

    /// Polls in the span, with a waker that tells of its use where somebody listens.
    pub(super) fn poll<R>(&self, waker: &Waker, poll: impl FnOnce(&Waker) -> R) -> R {
        let _entered = self.span.enter();
        match &self.told {
            Some(told) => told.lend(poll),
            None => poll(waker),
        }
    }
}
