//! may's coroutines, on one worker thread.

use std::time::{Duration, Instant};

use may::coroutine::{park, sleep, yield_now};
use may::{config, go};

use super::{ColdAndWarm, Scales, all_wait, begin_to_wait, due, slept, woke};
use crate::cores::Watch;

fn run(work: impl FnOnce() -> Vec<f64> + Send + 'static) -> Vec<f64> {
    config().set_workers(1);
    go!(work).join().unwrap()
}

pub(crate) fn idle(n: u64) -> Vec<f64> {
    run(move || {
        let scales = Scales::start();
        for _ in 0..n {
            go!(|| {
                begin_to_wait();
                park();
            });
        }
        while !all_wait(n) {
            // A coroutine that only yields is resumed before those that have not started.
            sleep(Duration::from_millis(1));
        }
        scales.each(n)
    })
}

pub(crate) fn fresh(n: u64) -> Vec<f64> {
    run(move || {
        let mut times = ColdAndWarm::start(n);
        for _ in 0..2 {
            let crowd: Vec<_> = (0..n).map(|_| go!(yield_now)).collect();
            crowd.into_iter().for_each(|member| member.join().unwrap());
            times.next();
        }
        times.each
    })
}

pub(crate) fn sleepers(n: u64) -> Vec<f64> {
    run(move || {
        let watch = Watch::start();
        let nap = |i| {
            let due = due(i);
            sleep(due - Instant::now());
            woke(due);
        };
        let crowd: Vec<_> = (0..n).map(|i| go!(move || nap(i))).collect();
        crowd.into_iter().for_each(|sleeper| sleeper.join().unwrap());
        slept(watch, n)
    })
}
