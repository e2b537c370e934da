//! smol's executor for one thread.

use std::future::pending;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

use futures::stream::{self, StreamExt};
use smol::channel::bounded;
use smol::future::{FutureExt, yield_now};
use smol::lock::Semaphore;
use smol::{LocalExecutor, Timer, block_on, unblock};

use super::{CROWD, FAR, PIPE, all_have_run, ran, sum_below};
use crate::cores::Watch;

type Executor = Rc<LocalExecutor<'static>>;

fn run<F: Future<Output = Duration> + 'static>(work: impl FnOnce(Executor) -> F) -> Duration {
    let executor = Executor::default();
    let main = executor.spawn(work(executor.clone()));
    block_on(executor.run(main))
}

pub(crate) fn spawn(n: u64) -> Duration {
    run(|executor| async move {
        let watch = Watch::start();
        for i in 0..n {
            assert_eq!(executor.spawn(async move { black_box(i) }).await, i);
        }
        watch.stop()
    })
}

pub(crate) fn batch(n: u64) -> Duration {
    run(|executor| async move {
        let watch = Watch::start();
        let tasks: Vec<_> = (0..n).map(|i| executor.spawn(async move { black_box(i) })).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await;
        }
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn forget(n: u64) -> Duration {
    run(|executor| async move {
        let watch = Watch::start();
        for _ in 0..n / CROWD {
            for _ in 0..CROWD {
                executor.spawn(async { ran() }).detach();
            }
            while !all_have_run(CROWD) {
                yield_now().await;
            }
        }
        watch.stop()
    })
}

pub(crate) fn turn(n: u64) -> Duration {
    run(|executor| async move {
        let watch = Watch::start();
        let member = || async move {
            for _ in 0..n / CROWD {
                yield_now().await;
            }
            n / CROWD
        };
        let crowd: Vec<_> = (0..CROWD).map(|_| executor.spawn(member())).collect();
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
            yield_now().await;
        }
        watch.stop()
    })
}

pub(crate) fn ping_pong(n: u64) -> Duration {
    run(|executor| async move {
        let (ping, pings) = bounded(1);
        let (pong, pongs) = bounded(1);
        let watch = Watch::start();
        let echo = executor.spawn(async move {
            for _ in 0..n / 2 {
                let item: u64 = pings.recv().await.unwrap();
                pong.send(item).await.unwrap();
            }
        });
        for i in 0..n / 2 {
            ping.send(i).await.unwrap();
            assert_eq!(pongs.recv().await, Ok(i));
        }
        echo.await;
        watch.stop()
    })
}

pub(crate) fn pipeline(n: u64) -> Duration {
    run(|executor| async move {
        let (input, output) = bounded(PIPE);
        let watch = Watch::start();
        let source = executor.spawn(async move {
            for i in 0..n {
                input.send(i).await.unwrap();
            }
        });
        let mut sum = 0;
        for _ in 0..n {
            sum += output.recv().await.unwrap();
        }
        source.await;
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn semaphore(n: u64) -> Duration {
    run(|executor| async move {
        let (pings, pongs) = (Rc::new(Semaphore::new(0)), Rc::new(Semaphore::new(0)));
        let watch = Watch::start();
        let echo = executor.spawn({
            let (pings, pongs) = (pings.clone(), pongs.clone());
            async move {
                for _ in 0..n / 2 {
                    pings.acquire().await.forget();
                    pongs.add_permits(1);
                }
            }
        });
        for _ in 0..n / 2 {
            pings.add_permits(1);
            pongs.acquire().await.forget();
        }
        echo.await;
        watch.stop()
    })
}

pub(crate) fn timeout(n: u64) -> Duration {
    let limited = run(|_| async move {
        let watch = Watch::start();
        for _ in 0..n {
            let late = async {
                Timer::after(FAR).await;
                panic!("a minute has passed")
            };
            yield_now().or(late).await;
        }
        watch.stop()
    });
    limited.saturating_sub(alone(n))
}

pub(crate) fn map(n: u64) -> Duration {
    run(|executor| async move {
        let watch = Watch::start();
        let mut results = stream::iter(0..n)
            .map(|i| executor.spawn(async move { black_box(i) }))
            .buffered(CROWD as usize);
        let mut sum = 0;
        while let Some(result) = results.next().await {
            sum += result;
        }
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn kill(n: u64) -> Duration {
    run(|executor| async move {
        let watch = Watch::start();
        for _ in 0..n {
            let victim = executor.spawn(pending::<()>());
            yield_now().await;
            assert!(victim.cancel().await.is_none());
        }
        watch.stop()
    })
}

pub(crate) fn blocking(n: u64) -> Duration {
    run(|_| async move {
        let watch = Watch::start();
        for i in 0..n {
            assert_eq!(unblock(move || black_box(i)).await, i);
        }
        watch.stop()
    })
}
