//! Green threads with stacks of their own.

use std::future::pending;
use std::time::{Duration, Instant};

use eventlet::{Block, run, sleep, spawn, spawn_n, stackful};

use super::{ColdAndWarm, Scales, all_wait, begin_to_wait, due, slept, woke};
use crate::cores::Watch;

pub(crate) fn idle(n: u64) -> Vec<f64> {
    run(stackful(move || {
        let scales = Scales::start();
        for _ in 0..n {
            spawn_n(stackful(|| {
                begin_to_wait();
                pending::<()>().block();
            }));
        }
        while !all_wait(n) {
            sleep(Duration::ZERO).block();
        }
        scales.each(n)
    }))
}

pub(crate) fn fresh(n: u64) -> Vec<f64> {
    run(stackful(move || {
        let mut times = ColdAndWarm::start(n);
        for _ in 0..2 {
            let nap = || sleep(Duration::ZERO).block();
            let crowd: Vec<_> = (0..n).map(|_| spawn(stackful(nap))).collect();
            crowd.into_iter().for_each(|member| member.block().unwrap());
            times.next();
        }
        times.each
    }))
}

pub(crate) fn sleepers(n: u64) -> Vec<f64> {
    run(stackful(move || {
        let watch = Watch::start();
        let nap = |i| {
            let due = due(i);
            sleep(due - Instant::now()).block();
            woke(due);
        };
        let crowd: Vec<_> = (0..n).map(|i| spawn(stackful(move || nap(i)))).collect();
        crowd.into_iter().for_each(|sleeper| sleeper.block().unwrap());
        slept(watch, n)
    }))
}
