//! Tokio's own local tasks.

use std::future::pending;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use tokio::runtime::Builder;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::task::{JoinSet, LocalSet, spawn_blocking, spawn_local, yield_now};
use tokio::time::timeout as within;

use super::{CROWD, FAR, PIPE, all_have_run, ran, sum_below, wake_itself};
use crate::cores::Watch;

fn run<F: Future<Output = Duration> + 'static>(work: F) -> Duration {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, async { spawn_local(work).await.unwrap() })
}

pub(crate) fn spawn(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        for i in 0..n {
            assert_eq!(spawn_local(async move { black_box(i) }).await.unwrap(), i);
        }
        watch.stop()
    })
}

pub(crate) fn batch(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        let tasks: Vec<_> = (0..n).map(|i| spawn_local(async move { black_box(i) })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.unwrap();
        }
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn forget(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        for _ in 0..n / CROWD {
            for _ in 0..CROWD {
                spawn_local(async { ran() });
            }
            while !all_have_run(CROWD) {
                wake_itself().await;
            }
        }
        watch.stop()
    })
}

pub(crate) fn turn(n: u64) -> Duration {
    turn_with(n, yield_now)
}

pub(crate) fn self_wake(n: u64) -> Duration {
    turn_with(n, wake_itself)
}

fn turn_with<F>(n: u64, give_up: fn() -> F) -> Duration
where
    F: Future<Output = ()> + 'static,
{
    run(async move {
        let watch = Watch::start();
        let member = || async move {
            for _ in 0..n / CROWD {
                give_up().await;
            }
            n / CROWD
        };
        let crowd: Vec<_> = (0..CROWD).map(|_| spawn_local(member())).collect();
        let mut turns = 0;
        for member in crowd {
            turns += member.await.unwrap();
        }
        assert_eq!(turns, n);
        watch.stop()
    })
}

pub(crate) fn alone(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        for _ in 0..n {
            yield_now().await;
        }
        watch.stop()
    })
}

pub(crate) fn ping_pong(n: u64) -> Duration {
    run(async move {
        let (ping, mut pings) = mpsc::channel(1);
        let (pong, mut pongs) = mpsc::channel(1);
        let watch = Watch::start();
        let echo = spawn_local(async move {
            for _ in 0..n / 2 {
                let item: u64 = pings.recv().await.unwrap();
                pong.send(item).await.unwrap();
            }
        });
        for i in 0..n / 2 {
            ping.send(i).await.unwrap();
            assert_eq!(pongs.recv().await, Some(i));
        }
        echo.await.unwrap();
        watch.stop()
    })
}

pub(crate) fn pipeline(n: u64) -> Duration {
    run(async move {
        let (input, mut output) = mpsc::channel(PIPE);
        let watch = Watch::start();
        let source = spawn_local(async move {
            for i in 0..n {
                input.send(i).await.unwrap();
            }
        });
        let mut sum = 0;
        for _ in 0..n {
            sum += output.recv().await.unwrap();
        }
        source.await.unwrap();
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn event(n: u64) -> Duration {
    run(async move {
        let (pings, pongs) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let watch = Watch::start();
        let echo = spawn_local({
            let (pings, pongs) = (pings.clone(), pongs.clone());
            async move {
                for _ in 0..n / 2 {
                    pings.notified().await;
                    pongs.notify_one();
                }
            }
        });
        for _ in 0..n / 2 {
            pings.notify_one();
            pongs.notified().await;
        }
        echo.await.unwrap();
        watch.stop()
    })
}

pub(crate) fn semaphore(n: u64) -> Duration {
    run(async move {
        let (pings, pongs) = (Rc::new(Semaphore::new(0)), Rc::new(Semaphore::new(0)));
        let watch = Watch::start();
        let echo = spawn_local({
            let (pings, pongs) = (pings.clone(), pongs.clone());
            async move {
                for _ in 0..n / 2 {
                    pings.acquire().await.unwrap().forget();
                    pongs.add_permits(1);
                }
            }
        });
        for _ in 0..n / 2 {
            pings.add_permits(1);
            pongs.acquire().await.unwrap().forget();
        }
        echo.await.unwrap();
        watch.stop()
    })
}

/// Over a task that wakes itself: `yield_now` goes through the driver, which would hide what the
/// timeout adds.
pub(crate) fn timeout(n: u64) -> Duration {
    let limited = run(async move {
        let watch = Watch::start();
        for _ in 0..n {
            within(FAR, wake_itself()).await.unwrap();
        }
        watch.stop()
    });
    let plain = run(async move {
        let watch = Watch::start();
        for _ in 0..n {
            wake_itself().await;
        }
        watch.stop()
    });
    limited.saturating_sub(plain)
}

pub(crate) fn map(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        let mut results = stream::iter(0..n)
            .map(|i| spawn_local(async move { black_box(i) }))
            .buffered(CROWD as usize);
        let mut sum = 0;
        while let Some(result) = results.next().await {
            sum += result.unwrap();
        }
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn map_without_tasks(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        let mut results =
            stream::iter(0..n).map(|i| async move { black_box(i) }).buffered(CROWD as usize);
        let mut sum = 0;
        while let Some(result) = results.next().await {
            sum += result;
        }
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn pool(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        let mut pool = JoinSet::new();
        for _ in 0..n {
            pool.spawn_local(async { ran() });
        }
        while let Some(ended) = pool.join_next().await {
            ended.unwrap();
        }
        assert!(all_have_run(n));
        watch.stop()
    })
}

pub(crate) fn kill(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        for _ in 0..n {
            let victim = spawn_local(pending::<()>());
            wake_itself().await;
            victim.abort();
            assert!(victim.await.unwrap_err().is_cancelled());
        }
        watch.stop()
    })
}

pub(crate) fn blocking(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        for i in 0..n {
            assert_eq!(spawn_blocking(move || black_box(i)).await.unwrap(), i);
        }
        watch.stop()
    })
}
