//! Who has used the hub, and for how long.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::processor;

/// What a green thread has used, or all of a hub.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub(crate) turns: u64,
    pub(crate) time: Duration,
    /// What the processor did, where that is asked.
    pub(crate) cpu: Duration,
    pub(crate) longest: Duration,
    /// The second in which the last turn ended, and what was used in that one and the one before.
    second: u64,
    this_second: Duration,
    last_second: Duration,
}

impl Account {
    fn add(&mut self, second: u64, time: Duration, cpu: Duration) {
        self.turns += 1;
        self.time += time;
        self.cpu += cpu;
        self.longest = self.longest.max(time);
        self.last_second = self.in_second_before(second);
        if self.second != second {
            self.this_second = Duration::ZERO;
        }
        self.second = second;
        self.this_second += time;
    }

    /// Returns what was used in the second before that one.
    fn in_second_before(&self, second: u64) -> Duration {
        match second - self.second {
            0 => self.last_second,
            1 => self.this_second,
            _ => Duration::ZERO,
        }
    }
}

/// The accounts of a hub, by the serial numbers of its green threads.
pub(crate) struct Accounts {
    of: RefCell<HashMap<u64, Account>>,
    total: Cell<Account>,
    times: RefCell<Times>,
    since: Instant,
    /// Whether the processor's time is asked for, too.
    asks_processor: bool,
}

/// When a turn began.
#[derive(Clone, Copy)]
pub(super) struct Start {
    at: Instant,
    cpu: Option<Duration>,
}

impl Accounts {
    pub(crate) fn new(asks_processor: bool) -> Accounts {
        Accounts {
            of: RefCell::default(),
            total: Cell::default(),
            times: RefCell::default(),
            since: Instant::now(),
            asks_processor,
        }
    }

    pub(super) fn start(&self) -> Start {
        Start { cpu: self.cpu_now(), at: Instant::now() }
    }

    /// Notes a turn that began then and is over.
    pub(super) fn add(&self, id: u64, start: Start) {
        let now = Instant::now();
        let cpu = self.cpu_now().zip(start.cpu).map(|(now, then)| now.saturating_sub(then));
        let (second, time) = (self.second(now), now.saturating_duration_since(start.at));
        let cpu = cpu.unwrap_or_default();
        self.of.borrow_mut().entry(id).or_default().add(second, time, cpu);
        let mut total = self.total.get();
        total.add(second, time, cpu);
        self.total.set(total);
        self.times.borrow_mut().add(time);
    }

    fn cpu_now(&self) -> Option<Duration> {
        self.asks_processor.then(processor::time_used).flatten()
    }

    pub(super) fn forget(&self, id: u64) {
        self.of.borrow_mut().remove(&id);
    }

    /// Returns the account of a green thread, and what it used in the last second that is over.
    pub(crate) fn of(&self, id: u64) -> (Account, Duration) {
        self.with_last_second(self.of.borrow().get(&id).copied().unwrap_or_default())
    }

    /// Returns the account of all, those that have ended included.
    pub(crate) fn total(&self) -> (Account, Duration) {
        self.with_last_second(self.total.get())
    }

    /// Returns how long turns took.
    pub(crate) fn times(&self) -> Times {
        self.times.borrow().clone()
    }

    fn with_last_second(&self, account: Account) -> (Account, Duration) {
        (account, account.in_second_before(self.second(Instant::now())))
    }

    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    pub(crate) fn asks_processor(&self) -> bool {
        self.asks_processor
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.since).as_secs()
    }
}

/// How many turns took how long. Times are told apart by their first three binary digits.
#[derive(Clone, Debug)]
pub(crate) struct Times([u64; 64 * PARTS]);

/// Parts between a time and twice that.
const PARTS: usize = 4;

impl Default for Times {
    fn default() -> Times {
        Times([0; 64 * PARTS])
    }
}

impl Times {
    fn add(&mut self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0[Times::place_of(nanoseconds)] += 1;
    }

    fn place_of(nanoseconds: u64) -> usize {
        match nanoseconds.checked_ilog2() {
            // Of few nanoseconds each has a place.
            None | Some(0 | 1) => nanoseconds as usize,
            Some(digits) => {
                let part = nanoseconds >> (digits - 2) & (PARTS as u64 - 1);
                (digits as usize - 1) * PARTS + part as usize
            }
        }
    }

    /// Returns the longest time of a place.
    fn longest_of(place: usize) -> Duration {
        let (digits, part) = (place / PARTS + 1, (place % PARTS) as u64);
        Duration::from_nanos(match place {
            0..PARTS => place as u64,
            _ => (((PARTS as u64 + part) << (digits - 2)) + (1 << (digits - 2))) - 1,
        })
    }

    /// Returns how many took no longer than each of some times, and longer than the one before.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (Duration, u64)> {
        let counts = self.0.iter().enumerate().filter(|(_place, count)| **count > 0);
        counts.map(|(place, count)| (Times::longest_of(place), *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_second_is_the_one_that_is_over() {
        let ms = Duration::from_millis;
        let mut account = Account::default();
        account.add(3, ms(10), ms(1));
        account.add(3, ms(30), ms(2));
        assert_eq!(account.in_second_before(3), Duration::ZERO);
        assert_eq!(account.in_second_before(4), ms(40));
        account.add(4, ms(5), ms(0));
        assert_eq!(account.in_second_before(4), ms(40), "of the one before, whatever is used now");
        assert_eq!(account.in_second_before(5), ms(5));
        assert_eq!(account.in_second_before(6), Duration::ZERO);
        assert_eq!((account.turns, account.time, account.longest), (3, ms(45), ms(30)));
        assert_eq!(account.cpu, ms(3));
    }

    #[test]
    fn a_time_is_known_to_a_quarter() {
        let mut last = None;
        for place in 0..Times::place_of(u64::MAX) {
            let longest = Times::longest_of(place).as_nanos() as u64;
            assert_eq!(Times::place_of(longest), place, "{longest}");
            assert_eq!(Times::place_of(longest + 1), place + 1, "{longest}");
            assert!(last.is_none_or(|last| longest - last <= longest / 4 + 1), "{longest}");
            last = Some(longest);
        }
        let mut times = Times::default();
        for time in [3, 1_000_000, 1_000_001] {
            times.add(Duration::from_nanos(time));
        }
        let counts: Vec<u64> = times.counts().map(|(_, count)| count).collect();
        assert_eq!(counts, [1, 2]);
    }
}
