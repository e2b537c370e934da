//! A rate limiter: a bucket of tokens that a green thread refills.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eventlet::green::thread::sleep;
use eventlet::stackful::{call, stackful};
use eventlet::{Block, Blocking, CappedSemaphore, GreenPile, GreenThread, spawn};

struct RateLimiter {
    tokens: CappedSemaphore,
    refiller: GreenThread<()>,
}

impl RateLimiter {
    fn new(interval: Duration, burst: usize) -> RateLimiter {
        let tokens = CappedSemaphore::new(burst, burst);
        let refiller = spawn(call(RateLimiter::refill, (tokens.clone(), interval)));
        RateLimiter { tokens, refiller }
    }

    fn refill(tokens: CappedSemaphore, interval: Duration) {
        loop {
            sleep(interval);
            tokens.release().block();
        }
    }

    fn wait(&self) {
        self.tokens.acquire().block();
    }

    fn stop(&self) {
        self.refiller.kill();
    }
}

fn call_limited(limiter: Rc<RateLimiter>, start: Instant) -> Duration {
    limiter.wait();
    start.elapsed()
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(stackful(|| {
        let limiter = Rc::new(RateLimiter::new(Duration::from_millis(10), 5));
        let start = Instant::now();
        let pile = GreenPile::new(50);
        for _ in 0..15 {
            pile.spawn(call(call_limited, (limiter.clone(), start))).block();
        }
        let waited: Vec<_> = pile.blocking().collect::<Result<_, _>>()?;
        limiter.stop();
        println!("{} {}", waited.len(), waited.iter().max() >= Some(&Duration::from_millis(100)));
        Ok(())
    }))
}
