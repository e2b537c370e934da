use std::hint;
use std::thread;

/// How long to wait, in a loop that waits for what is to come soon: longer each time.
#[derive(Debug, Default)]
pub struct SpinWait {
    rounds: u32,
}

impl SpinWait {
    /// The rounds after which it takes too long. It spins in the first [`SPINS`](Self::SPINS) of
    /// them, and lets others run in the rest.
    const ROUNDS: u32 = 10;
    const SPINS: u32 = 3;

    /// Begins.
    pub const fn new() -> SpinWait {
        SpinWait { rounds: 0 }
    }

    /// Begins again.
    pub const fn reset(&mut self) {
        self.rounds = 0;
    }

    /// Waits, and returns true, until it was called ten times: then it is better to park.
    pub fn spin(&mut self) -> bool {
        let goes_on = self.rounds < Self::ROUNDS;
        if goes_on {
            self.rounds += 1;
            match self.rounds {
                ..=Self::SPINS => relax(1 << self.rounds),
                _ => thread::yield_now(),
            }
        }
        goes_on
    }

    /// Waits without letting others run. After ten times it takes no longer any more.
    pub fn spin_no_yield(&mut self) {
        self.rounds = (self.rounds + 1).min(Self::ROUNDS);
        relax(1 << self.rounds);
    }
}

fn relax(count: u32) {
    (0..count).for_each(|_| hint::spin_loop());
}
