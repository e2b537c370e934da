//! All of them at once, between hubs and OS threads.

use crate::c::{Condition, Lock, Mutex, Of, Semaphore};
use crate::support::{crowd, run};

/// A queue of C's: its count is what the mutex guards.
#[derive(Clone, Copy)]
struct Queue {
    mutex: Mutex,
    condition: Condition,
    count: Counter,
}

/// A number that is read and written under a lock of C.
#[derive(Clone, Copy)]
struct Counter(Of<i64>);

impl Counter {
    fn new() -> Counter {
        Counter(Of::new(0))
    }

    /// Adds to it, and returns it.
    fn add(self, other: i64) -> i64 {
        // SAFETY: the lock lets one in at a time.
        let number = unsafe { &mut *(self.0).0 };
        *number += other;
        *number
    }
}

impl Queue {
    fn new() -> Queue {
        Queue { mutex: Mutex::plain(), condition: Condition::plain(), count: Counter::new() }
    }

    fn put(self) {
        assert_eq!(self.mutex.lock(), 0);
        self.count.add(1);
        assert_eq!(self.mutex.unlock(), 0);
        self.condition.signal();
    }

    fn get(self) {
        assert_eq!(self.mutex.lock(), 0);
        while self.count.add(0) == 0 {
            assert_eq!(self.condition.wait(self.mutex), 0);
        }
        self.count.add(-1);
        assert_eq!(self.mutex.unlock(), 0);
    }
}

#[test]
fn no_wakeup_is_lost_between_hubs_and_os_threads() {
    const ROUNDS: usize = 50_000;
    const GREEN: usize = 10;
    let (there, back, lock, semaphore) =
        (Queue::new(), Queue::new(), Lock::unlocked(), Semaphore::with_count(1));
    let counted = Counter::new();
    let count = move || {
        semaphore.wait();
        counted.add(1);
        semaphore.post();
    };
    let shares = move |round: usize| {
        if round % 8 == 0 {
            lock.write()
        } else {
            lock.read()
        }
        lock.unlock();
    };
    // One OS thread answers inside libc, one on a hub of its own.
    let answers = move |rounds: usize| {
        for round in 0..rounds {
            there.get();
            shares(round);
            count();
            back.put();
        }
    };
    let plain = std::thread::spawn(move || answers(ROUNDS / 2));
    let hub = std::thread::spawn(move || {
        run(move || drop(crowd(GREEN, move |_| answers(ROUNDS / 2 / GREEN))));
    });
    run(move || {
        crowd(GREEN, move |_| {
            for round in 0..ROUNDS / GREEN {
                there.put();
                shares(round);
                count();
                back.get();
            }
        });
    });
    plain.join().unwrap();
    hub.join().unwrap();
    assert_eq!([there.count.add(0), back.count.add(0)], [0, 0]);
    assert_eq!(counted.add(0), 2 * ROUNDS as i64);
}
