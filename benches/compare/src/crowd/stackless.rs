//! Green threads that are async fns.

use std::future::pending;
use std::time::{Duration, Instant};

use eventlet::{run, sleep, spawn, spawn_n};

use super::{ColdAndWarm, Scales, all_wait, begin_to_wait, due, slept, woke};
use crate::cores::Watch;

pub(crate) fn idle(n: u64) -> Vec<f64> {
    run(async move {
        let scales = Scales::start();
        for _ in 0..n {
            spawn_n(async {
                begin_to_wait();
                pending::<()>().await;
            });
        }
        while !all_wait(n) {
            sleep(Duration::ZERO).await;
        }
        scales.each(n)
    })
}

pub(crate) fn fresh(n: u64) -> Vec<f64> {
    run(async move {
        let mut times = ColdAndWarm::start(n);
        for _ in 0..2 {
            let crowd: Vec<_> = (0..n).map(|_| spawn(sleep(Duration::ZERO))).collect();
            for member in crowd {
                member.await.unwrap();
            }
            times.next();
        }
        times.each
    })
}

pub(crate) fn sleepers(n: u64) -> Vec<f64> {
    run(async move {
        let watch = Watch::start();
        let nap = |i| async move {
            let due = due(i);
            sleep(due - Instant::now()).await;
            woke(due);
        };
        let crowd: Vec<_> = (0..n).map(|i| spawn(nap(i))).collect();
        for sleeper in crowd {
            sleeper.await.unwrap();
        }
        slept(watch, n)
    })
}
