//! The `tracing` spans that a green stack has entered.
//!
//! A subscriber keeps the spans that are entered for the OS thread, as a stack: it has no way to
//! know that a green stack was suspended with the guard of a span on it. So a green stack leaves
//! its spans when it is suspended, and enters them again when it goes on, as
//! [`tracing::Instrument`] does it for a future at each poll.
//!
//! Which spans are its own? Those above the span that was current when the stack was resumed: that
//! one belongs to the poller. A subscriber reports only the current span, so a span entered on a
//! green stack that is already entered around it cannot be told from the outer one.
//!
//! If nothing is traced, all this costs one load and compare.

use std::cell::Cell;

use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing::span::Id;

/// What a green stack records to recognise its own spans.
#[derive(Default)]
pub(super) struct Spans {
    /// The span that was current when this stack was resumed.
    outer: Cell<Option<Id>>,
}

impl Spans {
    /// Records what is current when the stack is resumed and has no spans.
    #[inline]
    pub(super) fn start(&self) {
        if are_traced() {
            self.note_outer();
        }
    }

    /// Leaves the spans that were entered since this stack was resumed, until the guard is dropped.
    pub(super) fn leave(&self) -> Left<'_> {
        let outer = self.outer.take();
        let mut left = Vec::new();
        loop {
            let span = Span::current();
            if span.is_disabled() || span.id() == outer {
                return Left { spans: self, left };
            }
            span.with_subscriber(|(id, subscriber)| subscriber.exit(id));
            left.push(span);
        }
    }

    #[cold]
    fn note_outer(&self) {
        self.outer.set(Span::current().id());
    }
}

/// Enters spans again, in whatever is current then, when it is dropped.
pub(super) struct Left<'a> {
    spans: &'a Spans,
    /// Innermost first.
    left: Vec<Span>,
}

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.spans.note_outer();
        while let Some(span) = self.left.pop() {
            span.with_subscriber(|(id, subscriber)| subscriber.enter(id));
        }
    }
}

/// Returns whether any subscriber is interested in spans.
#[inline]
pub(super) fn are_traced() -> bool {
    LevelFilter::current() != LevelFilter::OFF
}
