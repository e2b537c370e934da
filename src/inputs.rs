//! The inputs of a map.

use std::fmt;
use std::iter::Peekable;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

/// The inputs of a [`GreenMap`](crate::greenpile::GreenMap): an iterator or a stream, whose next
/// item is peeked before the map has a slot for it.
pub trait Inputs {
    /// An input.
    type Item;

    /// Returns whether there is another one, when that is known.
    #[doc(hidden)]
    fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<bool>;

    /// Takes the peeked item.
    #[doc(hidden)]
    fn take(&mut self) -> Option<Self::Item>;

    /// Returns how many there will be, as [`Iterator::size_hint`] does.
    #[doc(hidden)]
    fn size_hint(&self) -> (usize, Option<usize>);
}

impl<I: Iterator> Inputs for Peekable<I> {
    type Item = I::Item;

    #[inline]
    fn poll_peek(&mut self, _: &mut Context<'_>) -> Poll<bool> {
        Poll::Ready(self.peek().is_some())
    }

    #[inline]
    fn take(&mut self) -> Option<I::Item> {
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        Iterator::size_hint(self)
    }
}

/// The inputs of [`GreenPool::imap_stream`](crate::GreenPool::imap_stream).
pub struct Streamed<S: Stream> {
    stream: Pin<Box<S>>,
    seen: Option<S::Item>,
}

impl<S: Stream> Streamed<S> {
    pub(crate) fn new(stream: S) -> Streamed<S> {
        Streamed { stream: Box::pin(stream), seen: None }
    }
}

impl<S: Stream> fmt::Debug for Streamed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed").finish_non_exhaustive()
    }
}

impl<S: Stream> Inputs for Streamed<S> {
    type Item = S::Item;

    fn poll_peek(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if self.seen.is_none() {
            self.seen = ready!(self.stream.as_mut().poll_next(cx));
        }
        Poll::Ready(self.seen.is_some())
    }

    fn take(&mut self) -> Option<S::Item> {
        self.seen.take()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (seen, (least, most)) = (usize::from(self.seen.is_some()), self.stream.size_hint());
        (least.saturating_add(seen), most.and_then(|most| most.checked_add(seen)))
    }
}
