//! Tokio's own local tasks.

use std::future::pending;

use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::sleep_until;

use super::{ColdAndWarm, Scales, all_wait, begin_to_wait, due, slept, woke};
use crate::cores::Watch;

fn run<F: Future<Output = Vec<f64>> + 'static>(work: F) -> Vec<f64> {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async { spawn_local(work).await.unwrap() })
}

pub(crate) fn idle(n: u64) -> Vec<f64> {
    run(async move {
        let scales = Scales::start();
        for _ in 0..n {
            spawn_local(async {
                begin_to_wait();
                pending::<()>().await;
            });
        }
        while !all_wait(n) {
            yield_now().await;
        }
        scales.each(n)
    })
}

pub(crate) fn fresh(n: u64) -> Vec<f64> {
    run(async move {
        let mut times = ColdAndWarm::start(n);
        for _ in 0..2 {
            let crowd: Vec<_> = (0..n).map(|_| spawn_local(yield_now())).collect();
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
            sleep_until(due.into()).await;
            woke(due);
        };
        let crowd: Vec<_> = (0..n).map(|i| spawn_local(nap(i))).collect();
        for sleeper in crowd {
            sleeper.await.unwrap();
        }
        slept(watch, n)
    })
}
