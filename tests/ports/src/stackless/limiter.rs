//! A rate limiter: a bucket of tokens that a green thread refills.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use eventlet::{CappedSemaphore, GreenPile, GreenThread, sleep, spawn};

struct RateLimiter {
    tokens: CappedSemaphore,
    refiller: GreenThread<()>,
}

impl RateLimiter {
    fn new(interval: Duration, burst: usize) -> RateLimiter {
        let tokens = CappedSemaphore::new(burst, burst);
        let refiller = spawn(RateLimiter::refill(tokens.clone(), interval));
        RateLimiter { tokens, refiller }
    }

    async fn refill(tokens: CappedSemaphore, interval: Duration) {
        loop {
            sleep(interval).await;
            tokens.release().await;
        }
    }

    async fn wait(&self) {
        self.tokens.acquire().await;
    }

    fn stop(&self) {
        self.refiller.kill();
    }
}

async fn call(limiter: Rc<RateLimiter>, start: Instant) -> Duration {
    limiter.wait().await;
    start.elapsed()
}

pub(crate) fn main() -> io::Result<()> {
    eventlet::run(async {
        let limiter = Rc::new(RateLimiter::new(Duration::from_millis(10), 5));
        let start = Instant::now();
        let pile = GreenPile::new(50);
        for _ in 0..15 {
            pile.spawn(call(limiter.clone(), start)).await;
        }
        let waited: Vec<_> = pile.collect::<Result<_, _>>().await?;
        limiter.stop();
        println!("{} {}", waited.len(), waited.iter().max() >= Some(&Duration::from_millis(100)));
        Ok(())
    })
}
