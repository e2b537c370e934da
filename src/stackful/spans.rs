//! The `tracing` spans that a green stack has entered.
//!
//! A subscriber keeps the spans that are entered for the OS thread, as a stack: it has no way to know that a
//! green stack was put aside with the guard of a span on it. So a green stack leaves its spans when it is put aside, and
//! enters them again when it goes on, as [`tracing::Instrument`] does it for a future at each poll.
//!
//! Which spans are its own? Those above the span that was current when the stack was resumed: that one belongs to whoever
//! polls it. A subscriber tells which span is current and no more, so a span that is entered on a green stack while it
//! is entered around it already is not told from the one outside.
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

/// The spans of a green stack that is put aside, innermost first.
pub(super) struct Left(Vec<Span>);

impl Spans {
    /// Notes what is current when the green stack starts.
    #[inline]
    pub(super) fn start(&self) {
        if is_traced() {
            self.note_outer();
        }
    }

    /// Leaves the spans that were entered since this stack was resumed.
    #[inline]
    pub(super) fn leave(&self) -> Left {
        if is_traced() { self.leave_all() } else { Left(Vec::new()) }
    }

    /// Enters them again, in whatever is current now.
    #[inline]
    pub(super) fn enter(&self, left: &mut Left) {
        if is_traced() || !left.0.is_empty() {
            self.enter_all(left);
        }
    }

    #[cold]
    fn leave_all(&self) -> Left {
        let outer = self.outer.take();
        let mut left = Vec::new();
        loop {
            let span = Span::current();
            if span.is_disabled() || span.id() == outer {
                return Left(left);
            }
            span.with_subscriber(|(id, subscriber)| subscriber.exit(id));
            left.push(span);
        }
    }

    #[cold]
    fn enter_all(&self, left: &mut Left) {
        self.note_outer();
        while let Some(span) = left.0.pop() {
            span.with_subscriber(|(id, subscriber)| subscriber.enter(id));
        }
    }

    #[cold]
    fn note_outer(&self) {
        self.outer.set(Span::current().id());
    }
}

/// Whether some subscriber wants to hear of spans.
#[inline]
fn is_traced() -> bool {
    LevelFilter::current() != LevelFilter::OFF
}
