//! The executor for one thread that comes with `futures`.

use std::future::pending;

use futures::executor::{LocalPool, LocalSpawner};
use futures::task::LocalSpawnExt;

use super::{ColdAndWarm, Scales, all_wait, begin_to_wait};
use crate::micro::wake_itself;

fn run<F: Future<Output = Vec<f64>> + 'static>(work: impl FnOnce(LocalSpawner) -> F) -> Vec<f64> {
    let mut pool = LocalPool::new();
    let spawner = pool.spawner();
    let main = spawner.spawn_local_with_handle(work(pool.spawner())).unwrap();
    pool.run_until(main)
}

pub(crate) fn idle(n: u64) -> Vec<f64> {
    run(|spawner| async move {
        let scales = Scales::start();
        for _ in 0..n {
            let idler = async {
                begin_to_wait();
                pending::<()>().await;
            };
            spawner.spawn_local(idler).unwrap();
        }
        while !all_wait(n) {
            wake_itself().await;
        }
        scales.each(n)
    })
}

pub(crate) fn fresh(n: u64) -> Vec<f64> {
    run(|spawner| async move {
        let mut times = ColdAndWarm::start(n);
        for _ in 0..2 {
            let start = |_| spawner.spawn_local_with_handle(wake_itself()).unwrap();
            let crowd: Vec<_> = (0..n).map(start).collect();
            for member in crowd {
                member.await;
            }
            times.next();
        }
        times.each
    })
}
