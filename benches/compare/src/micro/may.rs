//! may's coroutines, on one worker thread.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use may::coroutine::yield_now;
use may::sync::{Semphore, mpsc};
use may::{config, go};

use super::{CROWD, sum_below};
use crate::cores::Watch;

fn run(work: impl FnOnce() -> Duration + Send + 'static) -> Duration {
    config().set_workers(1);
    go!(work).join().unwrap()
}

pub(crate) fn spawn(n: u64) -> Duration {
    run(move || {
        let watch = Watch::start();
        for i in 0..n {
            assert_eq!(go!(move || black_box(i)).join().unwrap(), i);
        }
        watch.stop()
    })
}

pub(crate) fn batch(n: u64) -> Duration {
    run(move || {
        let watch = Watch::start();
        let coroutines: Vec<_> = (0..n).map(|i| go!(move || black_box(i))).collect();
        let sum: u64 = coroutines.into_iter().map(|coroutine| coroutine.join().unwrap()).sum();
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn turn(n: u64) -> Duration {
    run(move || {
        let watch = Watch::start();
        let member = move || {
            for _ in 0..n / CROWD {
                yield_now();
            }
            n / CROWD
        };
        let crowd: Vec<_> = (0..CROWD).map(|_| go!(member)).collect();
        let turns: u64 = crowd.into_iter().map(|member| member.join().unwrap()).sum();
        assert_eq!(turns, n);
        watch.stop()
    })
}

pub(crate) fn alone(n: u64) -> Duration {
    run(move || {
        let watch = Watch::start();
        for _ in 0..n {
            yield_now();
        }
        watch.stop()
    })
}

pub(crate) fn ping_pong(n: u64) -> Duration {
    run(move || {
        let (ping, pings) = mpsc::channel();
        let (pong, pongs) = mpsc::channel();
        let watch = Watch::start();
        let echo = go!(move || {
            for _ in 0..n / 2 {
                let item: u64 = pings.recv().unwrap();
                pong.send(item).unwrap();
            }
        });
        for i in 0..n / 2 {
            ping.send(i).unwrap();
            assert_eq!(pongs.recv(), Ok(i));
        }
        echo.join().unwrap();
        watch.stop()
    })
}

pub(crate) fn semaphore(n: u64) -> Duration {
    run(move || {
        let (pings, pongs) = (Arc::new(Semphore::new(0)), Arc::new(Semphore::new(0)));
        let watch = Watch::start();
        let echo = {
            let (pings, pongs) = (pings.clone(), pongs.clone());
            go!(move || {
                for _ in 0..n / 2 {
                    pings.wait();
                    pongs.post();
                }
            })
        };
        for _ in 0..n / 2 {
            pings.post();
            pongs.wait();
        }
        echo.join().unwrap();
        watch.stop()
    })
}

pub(crate) fn map(n: u64) -> Duration {
    run(move || {
        let watch = Watch::start();
        let mut jobs = (0..n).map(|i| go!(move || black_box(i)));
        let mut running: VecDeque<_> = jobs.by_ref().take(CROWD as usize).collect();
        let mut sum = 0;
        while let Some(oldest) = running.pop_front() {
            sum += oldest.join().unwrap();
            running.extend(jobs.next());
        }
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}
