//! The `tracing` spans that a green stack has entered.
//!
//! A subscriber keeps the spans that are entered for the OS thread, as a stack: it has no way to
//! know that a green stack was suspended with the guard of a span on it. So a green stack leaves
//! its spans when it is suspended, and enters them again when it goes on, as
//! [`tracing::Instrument`] does it for a future at each poll.
//!
//! Which spans are its own? Those above the span that was current when the stack was resumed: that
//! one belongs to whoever polls it. A subscriber tells which span is current and no more, so a span
//! that is entered on a green stack while it is entered around it already is not told from the one
//! outside.
//!
//! Where nothing is traced, all this is a look at a number.

use std::cell::Cell;

use tracing::Span;
use tracing::level_filters::LevelFilter;
use tracing::span::Id;

/// What a green stack has to know to tell its own spans.
#[derive(Default)]
pub(super) struct Spans {
    /// The span that was current when this stack was resumed.
    outer: Cell<Option<Id>>,
}

impl Spans {
    /// Notes what is current when the stack is resumed and has no spans.
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

/// Returns whether some subscriber wants to hear of spans.
#[inline]
pub(super) fn are_traced() -> bool {
    LevelFilter::current() != LevelFilter::OFF
}
