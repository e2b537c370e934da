//! Hears what the crate reports.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span;

/// Collects what the crate reports on this OS thread while the guard lives.
pub(crate) fn reports() -> (Reports, tracing::subscriber::DefaultGuard) {
    let reports = Reports::default();
    let guard = tracing::subscriber::set_default(reports.clone());
    (reports, guard)
}

#[derive(Clone, Default)]
pub(crate) struct Reports(Arc<Mutex<Vec<String>>>);

impl Reports {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl tracing::Subscriber for Reports {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "eventlet"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let message = Message(RefCell::default());
        event.record(&mut &message);
        self.0.lock().unwrap().push(message.0.into_inner());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

struct Message(RefCell<String>);

impl Visit for &Message {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        self.0.borrow_mut().push_str(&format!("{value:?}"));
    }
}
