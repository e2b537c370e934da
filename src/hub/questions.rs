//! Answers, between two turns, what all waiting green threads wait for.
//!
//! Waiting green threads are polled once, spuriously, and the meeting points that they wait for
//! [record](crate::probe) themselves. Nothing is recorded beforehand, so it costs nothing without a
//! question.

use std::future::poll_fn;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tokio::task::coop::unconstrained;

use super::job::Key;
use super::notes::State;
use super::question::{Question, Waiting};
use super::scheduler::Hub;
use super::wake_id::WakeId;
use super::waker::waker;
use crate::probe::{self, END, Wait};

/// The future of [`Hub::ask`].
pub(crate) struct Answers {
    hub: Rc<Hub>,
    question: Rc<Question>,
}

impl Future for Answers {
    type Output = Vec<Waiting>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<Waiting>> {
        let answers = self.question.poll(cx);
        if answers.is_pending() {
            self.hub.observer.ask(&self.question);
            self.hub.rouse();
        }
        answers
    }
}

impl Hub {
    /// Asks all waiting green threads what they wait for.
    pub(crate) fn ask(self: &Rc<Hub>, backtraces: bool) -> Answers {
        Answers { hub: Rc::clone(self), question: Question::new(backtraces) }
    }

    /// Puts all questions that were asked, and returns whether there were any. Called between two
    /// turns.
    ///
    /// A poll may panic: then this is called again, and goes on with the next.
    pub(super) fn put_questions(&self) -> bool {
        let mut any = false;
        while let Some(question) = self.observer.question() {
            any = true;
            while let Some(key) = question.next(|| self.map_slots(|key, _slot| key)) {
                if self.state(key) == Some(State::Waiting) {
                    let waits = self.probe(key, question.backtraces);
                    question.answer(Waiting { key, waits });
                }
            }
            self.observer.forget_question();
            question.close();
        }
        any
    }

    /// Polls a green thread once more, and returns what it waits for.
    pub(super) fn probe(&self, key: Key, backtraces: bool) -> Vec<Wait> {
        let Some(job) = self.job(key) else { return Vec::new() };
        let waker = waker(WakeId::new(self.id(), key));
        probe::waits_in(backtraces, || unbudgeted(|| self.run(key, job, waker)))
    }

    /// Returns where the outcomes of all green threads are.
    pub(crate) fn outcomes(&self) -> Outcomes {
        let all = self.map_slots(|key, _slot| key).into_iter();
        let mut ranges: Vec<_> = all.map(|key| (self.range_of(key), key)).collect();
        ranges.sort_by_key(|(range, _key)| range.start);
        Outcomes { ranges }
    }
}

/// The addresses of the outcomes of green threads.
pub(crate) struct Outcomes {
    ranges: Vec<(Range<usize>, Key)>,
}

impl Outcomes {
    /// Returns the green thread whose end is waited for, if that is what it is.
    pub(crate) fn whose(&self, wait: &Wait) -> Option<Key> {
        let after = self.ranges.partition_point(|(range, _key)| range.start <= wait.line);
        let (range, key) = self.ranges.get(after.checked_sub(1)?)?;
        (wait.point.what == END && range.contains(&wait.line)).then_some(*key)
    }
}

/// Calls a function that polls, outside Tokio's cooperative budget: a future that finds it used up
/// would wake itself.
fn unbudgeted<R>(poll: impl FnOnce() -> R) {
    let mut poll = Some(poll);
    let call = poll_fn(|_cx| Poll::Ready(poll.take().map(|poll| poll())));
    let _done = pin!(unconstrained(call)).poll(&mut Context::from_waker(Waker::noop()));
}
