//! smol's executor for one thread.

use std::future::pending;
use std::rc::Rc;

use smol::future::yield_now;
use smol::{LocalExecutor, Timer, block_on};

use super::{ColdAndWarm, Scales, all_wait, begin_to_wait, due, slept, woke};
use crate::cores::Watch;

type Executor = Rc<LocalExecutor<'static>>;

fn run<F: Future<Output = Vec<f64>> + 'static>(work: impl FnOnce(Executor) -> F) -> Vec<f64> {
    let executor = Executor::default();
    let main = executor.spawn(work(executor.clone()));
    block_on(executor.run(main))
}

pub(crate) fn idle(n: u64) -> Vec<f64> {
    run(|executor| async move {
        let scales = Scales::start();
        for _ in 0..n {
            let idler = executor.spawn(async {
                begin_to_wait();
                pending::<()>().await;
            });
            idler.detach();
        }
        while !all_wait(n) {
            yield_now().await;
        }
        scales.each(n)
    })
}

pub(crate) fn fresh(n: u64) -> Vec<f64> {
    run(|executor| async move {
        let mut times = ColdAndWarm::start(n);
        for _ in 0..2 {
            let crowd: Vec<_> = (0..n).map(|_| executor.spawn(yield_now())).collect();
            for member in crowd {
                member.await;
            }
            times.next();
        }
        times.each
    })
}

pub(crate) fn sleepers(n: u64) -> Vec<f64> {
    run(|executor| async move {
        let watch = Watch::start();
        let nap = |i| async move {
            let due = due(i);
            Timer::at(due).await;
            woke(due);
        };
        let crowd: Vec<_> = (0..n).map(|i| executor.spawn(nap(i))).collect();
        for sleeper in crowd {
            sleeper.await;
        }
        slept(watch, n)
    })
}
