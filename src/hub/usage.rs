//! Who has used the hub, and for how long.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What a green thread has used, or all of a hub.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub(crate) turns: u64,
    pub(crate) time: Duration,
    pub(crate) longest: Duration,
    /// The second in which the last turn ended, and what was used in that one and the one before.
    second: u64,
    this_second: Duration,
    last_second: Duration,
}

impl Account {
    fn add(&mut self, second: u64, time: Duration) {
        self.turns += 1;
        self.time += time;
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
pub(super) struct Accounts {
    of: RefCell<HashMap<u64, Account>>,
    total: Cell<Account>,
    since: Instant,
}

impl Accounts {
    pub(super) fn new() -> Accounts {
        Accounts { of: RefCell::default(), total: Cell::default(), since: Instant::now() }
    }

    /// Notes a turn that began then and is over.
    pub(super) fn add(&self, id: u64, start: Instant) {
        let now = Instant::now();
        let (second, time) = (self.second(now), now.saturating_duration_since(start));
        self.of.borrow_mut().entry(id).or_default().add(second, time);
        let mut total = self.total.get();
        total.add(second, time);
        self.total.set(total);
    }

    pub(super) fn forget(&self, id: u64) {
        self.of.borrow_mut().remove(&id);
    }

    /// Returns the account of a green thread, and what it used in the last second that is over.
    pub(super) fn of(&self, id: u64) -> (Account, Duration) {
        self.with_last_second(self.of.borrow().get(&id).copied().unwrap_or_default())
    }

    /// Returns the account of all, those that have ended included.
    pub(super) fn total(&self) -> (Account, Duration) {
        self.with_last_second(self.total.get())
    }

    fn with_last_second(&self, account: Account) -> (Account, Duration) {
        (account, account.in_second_before(self.second(Instant::now())))
    }

    pub(super) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    fn second(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.since).as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_second_is_the_one_that_is_over() {
        let ms = Duration::from_millis;
        let mut account = Account::default();
        account.add(3, ms(10));
        account.add(3, ms(30));
        assert_eq!(account.in_second_before(3), Duration::ZERO);
        assert_eq!(account.in_second_before(4), ms(40));
        account.add(4, ms(5));
        assert_eq!(account.in_second_before(4), ms(40), "of the one before, whatever is used now");
        assert_eq!(account.in_second_before(5), ms(5));
        assert_eq!(account.in_second_before(6), Duration::ZERO);
        assert_eq!((account.turns, account.time, account.longest), (3, ms(45), ms(30)));
    }
}
