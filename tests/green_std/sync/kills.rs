//! Random kills and limits: nothing is lost or doubled, and nobody is left waiting.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use eventlet::green::sync::mpsc::{Receiver, channel, sync_channel};
use eventlet::green::sync::{Condvar, Mutex};
use eventlet::green::thread;
use eventlet::{GreenThread, Timeout};

use crate::run;
use crate::support::{Dice, ms};

/// What became of items, which are numbers.
#[derive(Default)]
struct Book {
    next: Cell<usize>,
    /// Those that somebody was told are sent.
    sent: RefCell<Vec<usize>>,
    received: RefCell<Vec<usize>>,
}

impl Book {
    fn item(&self) -> usize {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    fn check(&self) {
        let mut received = self.received.borrow().clone();
        received.sort_unstable();
        let count = received.len();
        received.dedup();
        assert_eq!(received.len(), count, "an item came twice");
        let lost: Vec<_> = self
            .sent
            .borrow()
            .iter()
            .copied()
            .filter(|item| received.binary_search(item).is_err())
            .collect();
        assert_eq!(lost, [], "items were lost");
        assert!(count > 50, "hardly anything happened: {count}");
    }
}

/// Starts green threads that do `work` over and over with dice of their own, kills some of them,
/// and starts others in their place. Returns when that has gone on for a while; those that are left
/// go on until `work` says no.
fn crowd(
    seed: u64,
    count: u64,
    work: impl Fn(&mut Dice) -> bool + Clone + 'static,
) -> Vec<GreenThread<()>> {
    let seeds = Rc::new(Cell::new(seed));
    let start = move || {
        let (work, mut dice) = (work.clone(), Dice::new(seeds.replace(seeds.get() + 1)));
        GreenThread::from(thread::spawn(move || while work(&mut dice) {}))
    };
    let mut members: Vec<_> = (0..count).map(|_| start()).collect();
    let mut dice = Dice::new(seed + 1000);
    for _ in 0..200 {
        if dice.below(2) == 0 {
            thread::yield_now();
        } else {
            thread::sleep(ms(dice.below(3)));
        }
        let victim = dice.below(count) as usize;
        members[victim].kill();
        members[victim] = start();
    }
    members
}

/// Lets others run. Longer than a turn: the clock, which stands still, only goes on when nobody is
/// ready.
fn nap() {
    thread::sleep(ms(1));
}

/// Does something under a limit, now and then.
fn perhaps_limited(dice: &mut Dice, work: impl FnOnce()) {
    match dice.below(3) {
        0 => drop(Timeout::new(ms(dice.below(3))).run_blocking(work)),
        _ => work(),
    }
}

fn receive(rx: &Receiver<usize>, book: &Book, dice: &mut Dice) {
    let received = match dice.below(3) {
        0 => rx.recv().ok(),
        1 => rx.recv_timeout(ms(dice.below(3))).ok(),
        _ => rx.try_recv().ok(),
    };
    book.received.borrow_mut().extend(received);
}

fn channels(seed: u64, bound: Option<usize>) {
    run(move || {
        let (book, over) = (Rc::new(Book::default()), Rc::new(Cell::new(false)));
        let (send, rx): (Rc<dyn Fn(usize) -> bool>, _) = match bound {
            None => {
                let (tx, rx) = channel();
                (Rc::new(move |item| tx.send(item).is_ok()), rx)
            }
            Some(bound) => {
                let (tx, rx) = sync_channel(bound);
                (Rc::new(move |item| tx.send(item).is_ok()), rx)
            }
        };
        let rx = Rc::new(rx);
        let sends = {
            let (book, over) = (Rc::clone(&book), Rc::clone(&over));
            let send = Rc::clone(&send);
            move |dice: &mut Dice| {
                let item = book.item();
                perhaps_limited(dice, || {
                    if send(item) {
                        book.sent.borrow_mut().push(item);
                    }
                });
                nap();
                !over.get()
            }
        };
        let receives = {
            let (book, over, rx) = (Rc::clone(&book), Rc::clone(&over), Rc::clone(&rx));
            move |dice: &mut Dice| {
                let mut other = Dice::new(dice.below(u64::MAX));
                perhaps_limited(dice, || receive(&rx, &book, &mut other));
                nap();
                !over.get()
            }
        };
        let receivers = thread::spawn(move || crowd(seed + 50_000, 4, receives));
        let senders = crowd(seed, 4, sends);
        let receivers = receivers.join().unwrap();
        over.set(true);
        // Those who wait in vain are ended by what they wait for: senders by a receiver that takes
        // all, then receivers by the end of all senders.
        for sender in senders {
            while !sender.dead() {
                let received = rx.recv_timeout(ms(1));
                book.received.borrow_mut().extend(received);
            }
        }
        drop(send);
        rx.iter().for_each(|item| book.received.borrow_mut().push(item));
        receivers
            .into_iter()
            .for_each(|receiver| thread::JoinHandle::from(receiver).join().unwrap());
        book.check();
    });
}

#[test]
fn channels_lose_nothing() {
    for seed in 0..10 {
        channels(seed * 100, None);
        for bound in [0, 1, 3] {
            channels(seed * 100, Some(bound));
        }
    }
}

/// A buffer for one item as everybody writes it, whose conditions wake one at a time: if one wakeup
/// is lost everybody waits for ever.
#[derive(Default)]
struct Buffer {
    items: Mutex<VecDeque<usize>>,
    not_empty: Condvar,
    not_full: Condvar,
    /// Set when nobody waits under a limit any more, whose end would make up for a lost wakeup.
    patient: Cell<bool>,
    over: Cell<bool>,
    book: Book,
}

impl Buffer {
    fn put(&self, item: usize) {
        let items = self.items.lock().unwrap();
        let mut items = self.not_full.wait_while(items, |items| items.len() == 1).unwrap();
        items.push_back(item);
        self.not_empty.notify_one();
    }

    fn get(&self, dice: &mut Dice) -> Option<usize> {
        let mut items = self.items.lock().unwrap();
        let empty = |items: &mut VecDeque<usize>| items.is_empty();
        if !self.patient.get() && dice.below(2) == 0 {
            let limit = ms(dice.below(4));
            (items, _) = self.not_empty.wait_timeout_while(items, limit, empty).unwrap();
        } else {
            items = self.not_empty.wait_while(items, empty).unwrap();
        }
        let item = items.pop_front()?;
        self.not_full.notify_one();
        Some(item)
    }

    fn limited(&self, dice: &mut Dice, work: impl FnOnce()) {
        if self.patient.get() { work() } else { perhaps_limited(dice, work) }
    }

    fn puts(&self, dice: &mut Dice) -> bool {
        let item = self.book.item();
        self.limited(dice, || {
            self.put(item);
            self.book.sent.borrow_mut().push(item);
        });
        nap();
        !self.over.get()
    }

    fn gets(&self, dice: &mut Dice) -> bool {
        let mut other = Dice::new(dice.below(u64::MAX));
        self.limited(dice, || {
            let item = self.get(&mut other);
            self.book.received.borrow_mut().extend(item);
        });
        nap();
        !self.over.get()
    }

    /// Holds the lock most of the time, so that others wait for it on their way back from a
    /// condition.
    fn holds(&self) {
        while !self.over.get() {
            let _guard = self.items.lock().unwrap();
            nap();
        }
    }
}

fn buffer(seed: u64) {
    run(move || {
        let buffer = Rc::new(Buffer::default());
        let [holding, putting, getting] = [(); 3].map(|()| Rc::clone(&buffer));
        let holder = thread::spawn(move || holding.holds());
        let getters =
            thread::spawn(move || crowd(seed + 50_000, 6, move |dice| getting.gets(dice)));
        let mut putters = crowd(seed, 6, move |dice| putting.puts(dice));
        let mut getters = getters.join().unwrap();

        // Some are killed while all are patient. As long as others are left on both sides, they go
        // on.
        buffer.patient.set(true);
        thread::sleep(ms(100));
        for _ in 0..3 {
            let victims = [putters.pop(), getters.pop()];
            victims.into_iter().flatten().for_each(|victim| victim.kill());
            thread::sleep(ms(7));
        }
        let before = buffer.book.received.borrow().len();
        thread::sleep(ms(100));
        let received = buffer.book.received.borrow().len() - before;
        assert!(received > 10, "seed {seed}: it came to a halt");

        putters.iter().chain(&getters).for_each(|member| member.kill());
        buffer.over.set(true);
        holder.join().unwrap();
        let mut items = buffer.items.try_lock().unwrap();
        buffer.book.received.borrow_mut().extend(items.drain(..));
        buffer.book.check();
    });
}

#[test]
fn a_bounded_buffer_never_comes_to_a_halt() {
    (0..20).for_each(|seed| buffer(seed * 100));
}
