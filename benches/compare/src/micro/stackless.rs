//! Green threads that are async fns.

use std::future::pending;
use std::hint::black_box;
use std::time::Duration;

use eventlet::{
    Event, GreenPool, Queue, Semaphore, run, sleep, spawn as start, spawn_n, tpool, with_timeout,
};

use super::{CROWD, FAR, PIPE, all_have_run, ran, sum_below};
use crate::cores::Watch;

pub(crate) fn spawn(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        for i in 0..n {
            assert_eq!(start(async move { black_box(i) }).await.unwrap(), i);
        }
        watch.stop()
    })
}

pub(crate) fn batch(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        let threads: Vec<_> = (0..n).map(|i| start(async move { black_box(i) })).collect();
        let mut sum = 0;
        for thread in threads {
            sum += thread.await.unwrap();
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
                spawn_n(async { ran() });
            }
            while !all_have_run(CROWD) {
                sleep(Duration::ZERO).await;
            }
        }
        watch.stop()
    })
}

pub(crate) fn links(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        for _ in 0..n {
            let thread = start(async {});
            let links: [_; 5] = std::array::from_fn(|_| thread.link(|_| ran()));
            let [first, ..] = links;
            assert!(thread.unlink(first));
            thread.await.unwrap();
        }
        assert!(all_have_run(4 * n));
        watch.stop()
    })
}

pub(crate) fn turn(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        let member = || async move {
            for _ in 0..n / CROWD {
                sleep(Duration::ZERO).await;
            }
            n / CROWD
        };
        let crowd: Vec<_> = (0..CROWD).map(|_| start(member())).collect();
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
            sleep(Duration::ZERO).await;
        }
        watch.stop()
    })
}

pub(crate) fn ping_pong(n: u64) -> Duration {
    run(async move {
        let (pings, pongs) = (Queue::new(1), Queue::new(1));
        let watch = Watch::start();
        let echo = start({
            let (pings, pongs) = (pings.clone(), pongs.clone());
            async move {
                for _ in 0..n / 2 {
                    let item: u64 = pings.get().await;
                    pongs.put(item).await;
                }
            }
        });
        for i in 0..n / 2 {
            pings.put(i).await;
            assert_eq!(pongs.get().await, i);
        }
        echo.await.unwrap();
        watch.stop()
    })
}

pub(crate) fn pipeline(n: u64) -> Duration {
    run(async move {
        let queue = Queue::new(PIPE);
        let watch = Watch::start();
        let input = queue.clone();
        let source = start(async move {
            for i in 0..n {
                input.put(i).await;
            }
        });
        let mut sum = 0;
        for _ in 0..n {
            sum += queue.get().await;
        }
        source.await.unwrap();
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn event(n: u64) -> Duration {
    run(async move {
        let (pings, pongs) = (Event::new(), Event::new());
        let watch = Watch::start();
        let echo = start({
            let (pings, pongs) = (pings.clone(), pongs.clone());
            async move {
                for _ in 0..n / 2 {
                    pings.wait().await.unwrap();
                    pings.reset();
                    pongs.send(());
                }
            }
        });
        for _ in 0..n / 2 {
            pings.send(());
            pongs.wait().await.unwrap();
            pongs.reset();
        }
        echo.await.unwrap();
        watch.stop()
    })
}

pub(crate) fn semaphore(n: u64) -> Duration {
    run(async move {
        let (pings, pongs) = (Semaphore::new(0), Semaphore::new(0));
        let watch = Watch::start();
        let echo = start({
            let (pings, pongs) = (pings.clone(), pongs.clone());
            async move {
                for _ in 0..n / 2 {
                    pings.acquire().await;
                    pongs.release();
                }
            }
        });
        for _ in 0..n / 2 {
            pings.release();
            pongs.acquire().await;
        }
        echo.await.unwrap();
        watch.stop()
    })
}

pub(crate) fn timeout(n: u64) -> Duration {
    let limited = run(async move {
        let watch = Watch::start();
        for _ in 0..n {
            with_timeout(FAR, sleep(Duration::ZERO)).await.unwrap();
        }
        watch.stop()
    });
    limited.saturating_sub(alone(n))
}

pub(crate) fn map(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        let pool = GreenPool::new(CROWD as usize);
        let mut results = pool.imap(|i| async move { black_box(i) }, 0..n);
        let mut sum = 0;
        while let Some(result) = results.next().await {
            sum += result.unwrap();
        }
        assert_eq!(sum, sum_below(n));
        watch.stop()
    })
}

pub(crate) fn pool(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        let pool = GreenPool::new(n as usize);
        for _ in 0..n {
            pool.spawn_n(async { ran() }).await;
        }
        pool.waitall().await;
        assert!(all_have_run(n));
        watch.stop()
    })
}

pub(crate) fn kill(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        for _ in 0..n {
            let victim = start(pending::<()>());
            sleep(Duration::ZERO).await;
            victim.kill();
            assert!(victim.await.unwrap_err().is_killed());
        }
        watch.stop()
    })
}

pub(crate) fn blocking(n: u64) -> Duration {
    run(async move {
        let watch = Watch::start();
        for i in 0..n {
            assert_eq!(tpool::execute(move || black_box(i)).await, i);
        }
        watch.stop()
    })
}
