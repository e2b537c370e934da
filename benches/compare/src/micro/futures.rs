//! The executor for one thread that comes with `futures`.

use std::hint::black_box;
use std::time::Duration;

use futures::SinkExt;
use futures::channel::mpsc;
use futures::executor::{LocalPool, LocalSpawner};
use futures::future::RemoteHandle;
use futures::stream::{self, StreamExt};
use futures::task::LocalSpawnExt;

use super::{CROWD, PIPE, all_have_run, ran, sum_below, wake_itself};
use crate::cores::Watch;

fn run<F: Future<Output = Duration> + 'static>(work: impl FnOnce(LocalSpawner) -> F) -> Duration {
    let mut pool = LocalPool::new();
    let main = start(&pool.spawner(), work(pool.spawner()));
    pool.run_until(main)
}

fn start<F: Future + 'static>(spawner: &LocalSpawner, future: F) -> RemoteHandle<F::Output> {
    spawner.spawn_local_with_handle(future).unwrap()
}

pub(crate) fn spawn(n: u64) -> Duration {
    run(|spawner| async move {
        let watch = Watch::start();
        for i in 0..n {
            assert_eq!(start(&spawner, async move { black_box(i) }).await, i);
        }
        watch.stop()
    })
}

pub(crate) fn batch(n: u64) -> Duration {
    run(|spawner| async move {
        let watch = Watch::start();
        let tasks: Vec<_> = (0..n).map(|i| start(&spawner, async move { black_box(i) })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn forget(n: u64) -> Duration {
    run(|spawner| async move {
        let watch = Watch::start();
        for _ in 0..n / CROWD {
            for _ in 0..CROWD {
                spawner.spawn_local(async { ran() }).unwrap();
            }
            while !all_have_run(CROWD) {
                wake_itself().await;
            }
        }
        watch.stop()
    })
}

pub(crate) fn turn(n: u64) -> Duration {
    run(|spawner| async move {
        let watch = Watch::start();
        let member = || async move {
            for _ in 0..n / CROWD {
                wake_itself().await;
            }
            n / CROWD
        };
        let crowd: Vec<_> = (0..CROWD).map(|_| start(&spawner, member())).collect();
        let mut turns = 0;
        for member in crowd {
            turns += member.await;
        }
        assert_eq!(turns, n);
        watch.stop()
    })
}

pub(crate) fn alone(n: u64) -> Duration {
    run(|_| async move {
        let watch = Watch::start();
        for _ in 0..n {
            wake_itself().await;
        }
        watch.stop()
    })
}

/// A channel of `futures` holds one item for each sender besides those it is made for.
pub(crate) fn ping_pong(n: u64) -> Duration {
    run(|spawner| async move {
        let (mut ping, mut pings) = mpsc::channel(0);
        let (mut pong, mut pongs) = mpsc::channel(0);
        let watch = Watch::start();
        let echo = start(&spawner, async move {
            for _ in 0..n / 2 {
                let item: u64 = pings.next().await.unwrap();
                pong.send(item).await.unwrap();
            }
        });
        for i in 0..n / 2 {
            ping.send(i).await.unwrap();
            assert_eq!(pongs.next().await, Some(i));
        }
        echo.await;
        watch.stop()
    })
}

pub(crate) fn pipeline(n: u64) -> Duration {
    run(|spawner| async move {
        let (mut input, mut output) = mpsc::channel(PIPE - 1);
        let watch = Watch::start();
        let source = start(&spawner, async move {
            for i in 0..n {
                input.send(i).await.unwrap();
            }
        });
        let mut sum = 0;
        for _ in 0..n {
            sum += output.next().await.unwrap();
        }
        source.await;
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn map(n: u64) -> Duration {
    run(|spawner| async move {
        let watch = Watch::start();
        let mut results = stream::iter(0..n)
            .map(|i| start(&spawner, async move { black_box(i) }))
            .buffered(CROWD as usize);
        let mut sum = 0;
        while let Some(result) = results.next().await {
            sum += result;
        }
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}
