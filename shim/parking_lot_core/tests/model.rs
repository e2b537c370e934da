//! Random operations on a few keys, each compared with what a plain model of the queues says.

mod support;

use std::collections::VecDeque;

use parking_lot_core::{FilterOp, RequeueOp, UnparkResult, UnparkToken};
use support::{Crew, Key, unparked};

const KEYS: usize = 3;
const CREW: usize = 8;
const STEPS: usize = 3_000;

/// What an operation does: who is unparked, how many are requeued, and whether others are left.
type Done = (Vec<usize>, usize, bool);

/// Who waits at each key, in order.
#[derive(Default)]
struct Model {
    queues: [VecDeque<usize>; KEYS],
}

impl Model {
    fn is_parked(&self, who: usize) -> bool {
        self.queues.iter().any(|queue| queue.contains(&who))
    }

    fn unpark(&mut self, key: usize, most: usize) -> Done {
        let queue = &mut self.queues[key];
        let unparked: Vec<_> = queue.drain(..most.min(queue.len())).collect();
        let others = !unparked.is_empty() && !queue.is_empty();
        (unparked, 0, others)
    }

    fn requeue(&mut self, from: usize, to: usize, op: RequeueOp) -> Done {
        let (unparks, requeues) = match op {
            RequeueOp::Abort => return Done::default(),
            RequeueOp::UnparkOne => (1, 0),
            RequeueOp::RequeueOne => (0, 1),
            RequeueOp::UnparkOneRequeueRest => (1, CREW),
            RequeueOp::RequeueAll => (0, CREW),
        };
        let (unparked, ..) = self.unpark(from, unparks);
        let queue = &mut self.queues[from];
        let moved: Vec<_> = queue.drain(..requeues.min(queue.len())).collect();
        let others = !queue.is_empty();
        self.queues[to].extend(&moved);
        (unparked, moved.len(), others)
    }

    fn filter(&mut self, key: usize, ops: &[FilterOp; CREW]) -> Done {
        let queue = &mut self.queues[key];
        let end = queue.iter().position(|who| ops[*who] == FilterOp::Stop).unwrap_or(queue.len());
        let unparks = |who: &usize| ops[*who] == FilterOp::Unpark;
        let unparked: Vec<_> = queue.iter().take(end).copied().filter(unparks).collect();
        queue.retain(|who| !unparked.contains(who));
        (unparked, 0, !queue.is_empty())
    }
}

/// Numbers without a pattern, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn pick<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[self.roll(N)]
    }
}

const OPS: [RequeueOp; 5] = [
    RequeueOp::Abort,
    RequeueOp::UnparkOne,
    RequeueOp::RequeueOne,
    RequeueOp::UnparkOneRequeueRest,
    RequeueOp::RequeueAll,
];

#[test]
fn random_operations_do_what_the_model_does() {
    let keys: [&Key; KEYS] = std::array::from_fn(|_| &*Box::leak(Box::<Key>::default()));
    let (crew, mut model, mut dice) = (Crew::new(CREW), Model::default(), Dice(1));
    for step in 0..STEPS {
        let (from, to, token) = (dice.roll(KEYS), dice.roll(KEYS), UnparkToken(step));
        let (result, done) = match dice.roll(8) {
            0 => (keys[from].unpark_one_with(|_| token), model.unpark(from, 1)),
            1 => {
                let result = keys[from].unpark_all(token);
                let (all, ..) = model.unpark(from, CREW);
                assert_eq!(result, all.len(), "step {step}");
                crew.expect(all, token);
                continue;
            }
            2 if from != to => {
                let op = dice.pick(OPS);
                (keys[from].requeue(keys[to], op, token), model.requeue(from, to, op))
            }
            3 => {
                let kinds = [FilterOp::Unpark, FilterOp::Skip, FilterOp::Stop];
                let ops = std::array::from_fn(|_| dice.pick(kinds));
                (keys[from].filter(|who| ops[who.0], token), model.filter(from, &ops))
            }
            _ => {
                let who = dice.roll(CREW);
                if !model.is_parked(who) {
                    crew.park(who, keys[from]);
                    model.queues[from].push_back(who);
                }
                continue;
            }
        };
        let (all, requeued, others) = done;
        let UnparkResult { unparked_threads, requeued_threads, have_more_threads, .. } = result;
        let did = (unparked_threads, requeued_threads, have_more_threads);
        assert_eq!(did, (all.len(), requeued, others), "step {step}");
        crew.expect(all, token);
    }
    for (number, key) in keys.iter().enumerate() {
        key.unpark_all(UnparkToken(STEPS));
        crew.expect(model.unpark(number, CREW).0, UnparkToken(STEPS));
    }
    crew.end();
}

impl Crew {
    /// Waits until these, and nobody else, were unparked with a token.
    fn expect(&self, mut all: Vec<usize>, token: UnparkToken) {
        all.sort_unstable();
        let expected: Vec<_> = all.into_iter().map(|who| unparked(who, token.0)).collect();
        assert_eq!(self.ended(expected.len()), expected);
    }
}
