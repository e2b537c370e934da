//! Queues stepped by hand, by example and against a model.

use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Poll::{Pending, Ready};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::waiters::stepping::{Stepped, paused};

fn put<T>(queue: &LightQueue<T>, item: T) -> Stepped<Put<'_, T>> {
    let mut put = Stepped::new(queue.put(item));
    assert!(put.step().is_pending());
    put
}

fn get<T>(queue: &LightQueue<T>) -> Stepped<Get<'_, T>> {
    let mut get = Stepped::new(queue.get());
    assert!(get.step().is_pending());
    get
}

#[test]
fn what_can_be_had_at_once_keeps_the_turn() {
    let queue = LightQueue::new(1);
    assert_eq!(Stepped::new(queue.put('a')).step(), Ready(()));
    assert_eq!(Stepped::new(queue.get()).step(), Ready('a'));
}

#[test]
fn a_full_queue_makes_the_putter_wait() {
    let queue = LightQueue::new(2);
    queue.put_nowait(1).unwrap();
    queue.put_nowait(2).unwrap();
    let mut third = put(&queue, 3);
    assert_eq!((queue.qsize(), queue.putting()), (2, 1));
    assert_eq!(queue.get_nowait(), Ok(1));
    assert!(third.take_wakeup());
    assert_eq!((queue.qsize(), queue.putting()), (2, 0));
    assert_eq!(third.step(), Ready(()));
    assert_eq!([queue.get_nowait(), queue.get_nowait()], [Ok(2), Ok(3)]);
}

#[test]
fn a_channel_hands_over_in_order_from_both_sides() {
    let channel = LightQueue::new(0);
    let mut getters = [get(&channel), get(&channel)];
    assert_eq!(channel.getting(), 2);
    channel.put_nowait('a').unwrap();
    channel.put_nowait('b').unwrap();
    assert_eq!(channel.put_nowait('c'), Err(Full('c')));
    assert_eq!(getters.each_mut().map(Stepped::step), [Ready('a'), Ready('b')]);

    let mut putters = [put(&channel, 'd'), put(&channel, 'e')];
    assert_eq!([channel.get_nowait(), channel.get_nowait()], [Ok('d'), Ok('e')]);
    assert_eq!(channel.get_nowait(), Err(Empty));
    assert_eq!(putters.each_mut().map(Stepped::step), [Ready(()), Ready(())]);
    assert!(channel.empty() && channel.full());
}

#[test]
fn a_woken_waiter_is_not_overtaken() {
    let queue = LightQueue::new(None);
    let mut getter = get(&queue);
    queue.put_nowait('a').unwrap();
    assert_eq!(queue.get_nowait(), Err(Empty));
    assert_eq!(getter.step(), Ready('a'));

    let queue = LightQueue::new(1);
    queue.put_nowait('a').unwrap();
    let _putter = put(&queue, 'b');
    assert_eq!(queue.get_nowait(), Ok('a'));
    assert_eq!(queue.put_nowait('c'), Err(Full('c')));
    assert_eq!(queue.get_nowait(), Ok('b'));
}

#[test]
fn a_killed_getter_passes_its_item_on() {
    let queue = LightQueue::new(1);
    let (first, mut second) = (get(&queue), get(&queue));
    queue.put_nowait('a').unwrap();
    first.kill();
    assert!(second.take_wakeup());
    assert_eq!(second.step(), Ready('a'));
}

#[test]
fn a_killed_getter_puts_its_item_back_in_front() {
    let queue = LightQueue::new(1);
    let getter = get(&queue);
    queue.put_nowait('a').unwrap();
    queue.put_nowait('b').unwrap();
    getter.kill();
    assert_eq!(queue.qsize(), 2); // more than fits, for nothing may be lost
    assert_eq!([queue.get_nowait(), queue.get_nowait()], [Ok('a'), Ok('b')]);
}

#[test]
fn killed_getters_put_their_items_back_in_the_order_in_which_these_came() {
    for killed_first in [0, 1, 2] {
        let queue = LightQueue::new(None);
        let mut getters = vec![get(&queue), get(&queue), get(&queue)];
        "abcd".chars().for_each(|item| queue.put_nowait(item).unwrap());
        getters.remove(killed_first).kill();
        getters.into_iter().for_each(|getter| drop(getter.kill()));
        assert_eq!([(); 4].map(|()| queue.get_nowait().unwrap()), ['a', 'b', 'c', 'd']);
    }
}

#[test]
fn what_killed_getters_put_back_on_a_stack_is_below_what_came_later() {
    for killed_first in [0, 1, 2] {
        let stack = LifoQueue::new(None);
        let mut getters: Vec<_> = (0..3).map(|_| Stepped::new(stack.get())).collect();
        assert!(getters.iter_mut().all(|getter| getter.step().is_pending()));
        "abcd".chars().for_each(|item| stack.put_nowait(item).unwrap());
        getters.remove(killed_first).kill();
        assert_eq!(stack.get_nowait(), Ok('d'));
        stack.put_nowait('e').unwrap();
        getters.into_iter().for_each(|getter| drop(getter.kill()));
        assert_eq!([(); 4].map(|()| stack.get_nowait().unwrap()), ['e', 'c', 'b', 'a']);
    }
}

#[test]
fn what_was_put_back_and_taken_counts_no_more() {
    let queue = LightQueue::new(None);
    let [first, second, third] = [get(&queue), get(&queue), get(&queue)];
    "abc".chars().for_each(|item| queue.put_nowait(item).unwrap());
    second.kill();
    assert_eq!(queue.get_nowait(), Ok('b'));
    queue.put_nowait('d').unwrap();
    third.kill();
    first.kill();
    assert_eq!([(); 3].map(|()| queue.get_nowait().unwrap()), ['a', 'c', 'd']);
}

#[test]
fn a_killed_putter_takes_its_item_along_unless_admitted() {
    let queue = LightQueue::new(1);
    let item = Rc::new(());
    queue.put_nowait(item.clone()).unwrap();
    let (admitted, waiting) = (put(&queue, item.clone()), put(&queue, item.clone()));
    queue.get_nowait().unwrap();
    admitted.kill();
    waiting.kill();
    assert_eq!((queue.qsize(), queue.putting()), (1, 0));
    assert_eq!(Rc::strong_count(&item), 2);
}

#[test]
fn zero_length_queue_with_killed_getters_loses_nothing() {
    let queue = LightQueue::new(0);
    let getters: Vec<_> = (0..20).map(|_| get(&queue)).collect();
    let mut good = Vec::new();
    for (i, getter) in getters.into_iter().enumerate() {
        if i % 2 == 0 {
            good.push(getter);
        } else {
            getter.kill();
        }
    }
    for (i, getter) in good.iter_mut().enumerate() {
        queue.put_nowait(i).unwrap();
        assert_eq!(getter.step(), Ready(i));
    }
}

#[test]
fn resizing_up_admits_as_many_as_fit() {
    for (size, admitted) in [(Some(1), 1), (Some(2), 2), (None, 3)] {
        let queue = LightQueue::new(0);
        let putters = [put(&queue, 1), put(&queue, 2), put(&queue, 3)];
        queue.resize(size);
        assert_eq!(putters.iter().filter(|putter| putter.take_wakeup()).count(), admitted);
        assert_eq!((queue.qsize(), queue.putting()), (admitted, 3 - admitted));
        assert_eq!([(); 3].map(|()| queue.get_nowait().unwrap()), [1, 2, 3]);
    }
}

#[test]
fn resizing_down_keeps_what_is_stored() {
    let queue = LightQueue::new(5);
    (0..5).for_each(|i| queue.put_nowait(i).unwrap());
    queue.resize(1);
    let mut putter = put(&queue, 5);
    queue.resize(0);
    assert!((0..5).all(|i| queue.get_nowait() == Ok(i)));
    assert_eq!(putter.step(), Pending);
    assert_eq!(queue.get_nowait(), Ok(5));
    assert_eq!(putter.step(), Ready(()));
}

#[test]
fn a_put_that_times_out_gives_its_item_back() {
    paused(async {
        let channel = LightQueue::new(0);
        assert_eq!(channel.put_timeout('a', Duration::from_secs(1)).await, Err(Full('a')));
        assert_eq!(channel.get_nowait(), Err(Empty));
    });
}

#[test]
fn a_get_that_times_out_takes_nothing() {
    paused(async {
        let queue = LightQueue::new(None);
        assert_eq!(queue.get_timeout(Duration::from_secs(1)).await, Err(Empty));
        queue.put_nowait('a').unwrap();
        assert_eq!(queue.get_timeout(Duration::ZERO).await, Ok('a'));
    });
}

#[test]
fn joiners_wait_for_the_last_task() {
    let queue = Queue::new(0);
    assert!(Stepped::new(queue.join()).step().is_ready());
    let mut getter = get(&queue);
    queue.put_nowait('a').unwrap();
    assert_eq!(queue.unfinished_tasks(), 1);
    let mut joiners = [Stepped::new(queue.join()), Stepped::new(queue.join())];
    assert!(joiners.iter_mut().all(|joiner| joiner.step().is_pending()));
    assert_eq!(getter.step(), Ready('a'));
    queue.task_done();

    let mut next = get(&queue);
    queue.put_nowait('b').unwrap(); // does not hold up who was woken
    assert!(joiners.iter_mut().all(|joiner| joiner.take_wakeup() && joiner.step().is_ready()));
    assert!(Stepped::new(queue.join()).step().is_pending());
    assert!(next.step().is_ready());
}

#[test]
#[should_panic = "more often"]
fn task_done_too_often_panics() {
    let queue = Queue::new(None);
    queue.put_nowait(1).unwrap();
    queue.task_done();
    queue.task_done();
}

#[test]
fn an_item_whose_destructor_comes_back_finds_nothing_borrowed() {
    struct Nosy(LightQueue<Option<Nosy>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            assert_eq!(self.0.qsize(), 0);
            assert!(self.0.put_nowait(None).is_err());
        }
    }

    let channel = LightQueue::new(0);
    put(&channel, Some(Nosy(channel.clone()))).kill();
    assert!(channel.put_nowait(Some(Nosy(channel.clone()))).is_err());
}

/// What happens to a queue. Numbers name one of the green threads that are waiting.
#[derive(Clone, Debug)]
enum Op {
    Put,
    Get,
    PutNowait,
    GetNowait,
    Step(usize),
    Kill(usize),
    Resize(Option<usize>),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => Just(Op::Put),
        3 => Just(Op::Get),
        1 => Just(Op::PutNowait),
        1 => Just(Op::GetNowait),
        4 => (0_usize..64).prop_map(Op::Step),
        2 => (0_usize..64).prop_map(Op::Kill),
        1 => proptest::option::of(0_usize..4).prop_map(Op::Resize),
    ]
}

#[derive(Clone, Copy)]
enum Order {
    Fifo,
    Lifo,
    Lowest,
}

/// A queue by its promises only: lists and names of green threads.
struct Model {
    order: Order,
    maxsize: Option<usize>,
    /// The next item to leave is first.
    stored: VecDeque<u32>,
    getters: VecDeque<usize>,
    putters: VecDeque<(usize, u32)>,
    /// Those that were served but have not resumed; getters with their item.
    served: Vec<(usize, Option<u32>)>,
    /// All items that were admitted, the oldest first.
    admitted: Vec<u32>,
}

impl Model {
    fn room(&self) -> bool {
        self.maxsize.is_none_or(|maxsize| self.stored.len() < maxsize)
    }

    fn age(&self, item: u32) -> usize {
        self.admitted.iter().rev().position(|&admitted| admitted == item).unwrap()
    }

    fn store(&mut self, item: u32) {
        let at = self.stored.partition_point(|&other| match self.order {
            Order::Fifo => self.age(other) > self.age(item),
            Order::Lifo => self.age(other) < self.age(item),
            Order::Lowest => other < item,
        });
        self.stored.insert(at, item);
    }

    fn hand_over_or_store(&mut self, item: u32) {
        match self.getters.pop_front() {
            Some(getter) => self.served.push((getter, Some(item))),
            None => self.store(item),
        }
    }

    fn put(&mut self, item: u32) -> bool {
        let admitted = !self.getters.is_empty() || self.room();
        if admitted {
            self.admitted.push(item);
            self.hand_over_or_store(item);
        }
        admitted
    }

    fn take_from_putter(&mut self) -> Option<u32> {
        let (putter, item) = self.putters.pop_front()?;
        self.served.push((putter, None));
        self.admitted.push(item);
        Some(item)
    }

    fn admit(&mut self) {
        while self.room() {
            let Some(item) = self.take_from_putter() else { break };
            self.store(item);
        }
    }

    fn get(&mut self) -> Option<u32> {
        let item = self.stored.pop_front();
        self.admit();
        item.or_else(|| self.take_from_putter())
    }

    fn served(&mut self, task: usize) -> Option<Option<u32>> {
        let at = self.served.iter().position(|&(served, _)| served == task)?;
        Some(self.served.remove(at).1)
    }

    fn kill(&mut self, task: usize) {
        self.getters.retain(|&getter| getter != task);
        self.putters.retain(|&(putter, _)| putter != task);
        if let Some(Some(item)) = self.served(task) {
            self.hand_over_or_store(item);
        }
    }
}

/// A green thread that waits at the queue, and gives what it got.
type Task<'a> = Stepped<Box<dyn Future<Output = Option<u32>> + Unpin + 'a>>;

/// Does everything to a queue and to its model, and compares what can be seen.
struct Trial<'a> {
    queue: &'a LightQueue<u32>,
    model: Model,
    tasks: Vec<(usize, Task<'a>)>,
    /// Names tasks and items.
    next: usize,
}

impl<'a> Trial<'a> {
    /// Makes an item; no two are equal, and they do not come in order.
    fn item(&mut self) -> u32 {
        self.next += 1;
        (self.next as u32).wrapping_mul(0x9E37_79B1)
    }

    fn start(&mut self, task: Box<dyn Future<Output = Option<u32>> + Unpin + 'a>) {
        self.next += 1;
        self.tasks.push((self.next, Stepped::new(task)));
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Put => self.put(),
            Op::Get => self.get(),
            Op::PutNowait => {
                let item = self.item();
                assert_eq!(self.queue.put_nowait(item).is_ok(), self.model.put(item));
            }
            Op::GetNowait => assert_eq!(self.queue.get_nowait().ok(), self.model.get()),
            Op::Step(n) => self.step(n),
            Op::Kill(n) if !self.tasks.is_empty() => {
                let (name, task) = self.tasks.remove(n % self.tasks.len());
                self.model.kill(name);
                task.kill();
            }
            Op::Kill(_) => {}
            Op::Resize(maxsize) => {
                self.queue.resize(maxsize);
                self.model.maxsize = maxsize;
                self.model.admit();
            }
        }
        self.compare();
    }

    fn put(&mut self) {
        use futures::FutureExt;
        let item = self.item();
        self.start(Box::new(self.queue.put(item).map(|()| None)));
        let (name, mut task) = self.tasks.pop().unwrap();
        if self.model.put(item) {
            assert_eq!(task.step(), Ready(None));
        } else {
            assert_eq!(task.step(), Pending);
            self.model.putters.push_back((name, item));
            self.tasks.push((name, task));
        }
    }

    fn get(&mut self) {
        use futures::FutureExt;
        self.start(Box::new(self.queue.get().map(Some)));
        let (name, mut task) = self.tasks.pop().unwrap();
        match self.model.get() {
            Some(item) => assert_eq!(task.step(), Ready(Some(item))),
            None => {
                assert_eq!(task.step(), Pending);
                self.model.getters.push_back(name);
                self.tasks.push((name, task));
            }
        }
    }

    fn step(&mut self, n: usize) {
        if self.tasks.is_empty() {
            return;
        }
        let n = n % self.tasks.len();
        let (name, task) = &mut self.tasks[n];
        let served = self.model.served(*name);
        // Woken if and only if served: no waiter is stranded, and none is woken in vain.
        assert_eq!(task.take_wakeup(), served.is_some());
        match served {
            Some(got) => {
                assert_eq!(task.step(), Ready(got));
                self.tasks.remove(n);
            }
            None => assert_eq!(task.step(), Pending),
        }
    }

    fn compare(&self) {
        let (queue, model) = (self.queue, &self.model);
        assert_eq!(queue.qsize(), model.stored.len());
        assert_eq!(queue.getting(), model.getters.len());
        assert_eq!(queue.putting(), model.putters.len());
        assert_eq!(queue.full(), !model.room());
        assert_eq!(queue.exchange.unfinished.get(), model.admitted.len());
        // The two promises that the exchange relies on.
        assert!(model.getters.is_empty() || (model.stored.is_empty() && model.putters.is_empty()));
        assert!(model.putters.is_empty() || !model.room());
    }

    /// Gives every waiter a turn and takes all items out.
    fn finish(mut self) {
        for n in (0..self.tasks.len()).rev() {
            self.step(n);
        }
        loop {
            let item = self.model.get();
            assert_eq!(self.queue.get_nowait().ok(), item);
            if item.is_none() {
                break;
            }
        }
        self.compare();
    }
}

fn try_out(order: Order, items: Storage<u32>, maxsize: Option<usize>, ops: Vec<Op>) {
    let queue = LightQueue::with_storage(maxsize, items);
    let model = Model {
        order,
        maxsize,
        stored: VecDeque::new(),
        getters: VecDeque::new(),
        putters: VecDeque::new(),
        served: Vec::new(),
        admitted: Vec::new(),
    };
    let mut trial = Trial { queue: &queue, model, tasks: Vec::new(), next: 0 };
    ops.into_iter().for_each(|op| trial.apply(op));
    trial.finish();
}

proptest! {
    #[test]
    fn nothing_is_lost_doubled_or_overtaken(
        maxsize in proptest::option::of(0_usize..4),
        ops in vec(op(), 0..200),
    ) {
        try_out(Order::Fifo, Storage::fifo([]), maxsize, ops.clone());
        try_out(Order::Lifo, Storage::lifo(), maxsize, ops.clone());
        try_out(Order::Lowest, Storage::lowest(), maxsize, ops);
    }
}
