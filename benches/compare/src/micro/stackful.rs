//! Green threads with stacks of their own.

use std::future::pending;
use std::hint::black_box;
use std::time::Duration;

use eventlet::{
    Block, Blocking, Event, GreenPool, Queue, Semaphore, run, sleep, spawn as start, spawn_n,
    stackful, tpool, with_timeout,
};

use super::{CROWD, FAR, PIPE, all_have_run, ran, sum_below};
use crate::cores::Watch;

pub(crate) fn spawn(n: u64) -> Duration {
    run(stackful(move || {
        let watch = Watch::start();
        for i in 0..n {
            assert_eq!(start(stackful(move || black_box(i))).block().unwrap(), i);
        }
        watch.stop()
    }))
}

pub(crate) fn batch(n: u64) -> Duration {
    run(stackful(move || {
        let watch = Watch::start();
        let threads: Vec<_> = (0..n).map(|i| start(stackful(move || black_box(i)))).collect();
        let sum: u64 = threads.into_iter().map(|thread| thread.block().unwrap()).sum();
        assert_eq!(sum, sum_below(n));
        watch.stop()
    }))
}

pub(crate) fn forget(n: u64) -> Duration {
    run(stackful(move || {
        let watch = Watch::start();
        for _ in 0..n / CROWD {
            for _ in 0..CROWD {
                spawn_n(stackful(ran));
            }
            while !all_have_run(CROWD) {
                sleep(Duration::ZERO).block();
            }
        }
        watch.stop()
    }))
}

pub(crate) fn links(n: u64) -> Duration {
    run(stackful(move || {
        let watch = Watch::start();
        for _ in 0..n {
            let thread = start(stackful(|| ()));
            let links: [_; 5] = std::array::from_fn(|_| thread.link(|_| ran()));
            let [first, ..] = links;
            assert!(thread.unlink(first));
            thread.block().unwrap();
        }
        assert!(all_have_run(4 * n));
        watch.stop()
    }))
}

pub(crate) fn turn(n: u64) -> Duration {
    run(stackful(move || {
        let watch = Watch::start();
        let member = move || {
            for _ in 0..n / CROWD {
                sleep(Duration::ZERO).block();
            }
            n / CROWD
        };
        let crowd: Vec<_> = (0..CROWD).map(|_| start(stackful(member))).collect();
        let turns: u64 = crowd.into_iter().map(|member| member.block().unwrap()).sum();
        assert_eq!(turns, n);
        watch.stop()
    }))
}

pub(crate) fn alone(n: u64) -> Duration {
    run(stackful(move || {
        let watch = Watch::start();
        for _ in 0..n {
            sleep(Duration::ZERO).block();
        }
        watch.stop()
    }))
}

pub(crate) fn ping_pong(n: u64) -> Duration {
    run(stackful(move || {
        let (pings, pongs) = (Queue::new(1), Queue::new(1));
        let watch = Watch::start();
        let echo = start({
            let (pings, pongs) = (pings.clone(), pongs.clone());
            stackful(move || {
                for _ in 0..n / 2 {
                    let item: u64 = pings.get().block();
                    pongs.put(item).block();
                }
            })
        });
        for i in 0..n / 2 {
            pings.put(i).block();
            assert_eq!(pongs.get().block(), i);
        }
        echo.block().unwrap();
        watch.stop()
    }))
}

pub(crate) fn pipeline(n: u64) -> Duration {
    run(stackful(move || {
        let queue = Queue::new(PIPE);
        let watch = Watch::start();
        let input = queue.clone();
        let source = start(stackful(move || (0..n).for_each(|i| input.put(i).block())));
        let sum: u64 = (0..n).map(|_| queue.get().block()).sum();
        source.block().unwrap();
        assert_eq!(sum, sum_below(n));
        watch.stop()
    }))
}

pub(crate) fn event(n: u64) -> Duration {
    run(stackful(move || {
        let (pings, pongs) = (Event::new(), Event::new());
        let watch = Watch::start();
        let echo = start({
            let (pings, pongs) = (pings.clone(), pongs.clone());
            stackful(move || {
                for _ in 0..n / 2 {
                    pings.wait().block().unwrap();
                    pings.reset();
                    pongs.send(());
                }
            })
        });
        for _ in 0..n / 2 {
            pings.send(());
            pongs.wait().block().unwrap();
            pongs.reset();
        }
        echo.block().unwrap();
        watch.stop()
    }))
}

pub(crate) fn semaphore(n: u64) -> Duration {
    run(stackful(move || {
        let (pings, pongs) = (Semaphore::new(0), Semaphore::new(0));
        let watch = Watch::start();
        let echo = start({
            let (pings, pongs) = (pings.clone(), pongs.clone());
            stackful(move || {
                for _ in 0..n / 2 {
                    pings.acquire().block();
                    pongs.release();
                }
            })
        });
        for _ in 0..n / 2 {
            pings.release();
            pongs.acquire().block();
        }
        echo.block().unwrap();
        watch.stop()
    }))
}

pub(crate) fn timeout(n: u64) -> Duration {
    let limited = run(stackful(move || {
        let watch = Watch::start();
        for _ in 0..n {
            with_timeout(FAR, sleep(Duration::ZERO)).block().unwrap();
        }
        watch.stop()
    }));
    limited.saturating_sub(alone(n))
}

pub(crate) fn map(n: u64) -> Duration {
    run(stackful(move || {
        let watch = Watch::start();
        let pool = GreenPool::new(CROWD as usize);
        let results = pool.imap(|i| stackful(move || black_box(i)), 0..n);
        let sum: u64 = results.blocking().map(|result| result.unwrap()).sum();
        assert_eq!(sum, sum_below(n));
        watch.stop()
    }))
}

pub(crate) fn pool(n: u64) -> Duration {
    run(stackful(move || {
        let watch = Watch::start();
        let pool = GreenPool::new(n as usize);
        for _ in 0..n {
            pool.spawn_n(stackful(ran)).block();
        }
        pool.waitall().block();
        assert!(all_have_run(n));
        watch.stop()
    }))
}

pub(crate) fn kill(n: u64) -> Duration {
    run(stackful(move || {
        let watch = Watch::start();
        for _ in 0..n {
            let victim = start(stackful(|| pending::<()>().block()));
            sleep(Duration::ZERO).block();
            victim.kill();
            assert!(victim.block().unwrap_err().is_killed());
        }
        watch.stop()
    }))
}

pub(crate) fn blocking(n: u64) -> Duration {
    run(stackful(move || {
        let watch = Watch::start();
        for i in 0..n {
            assert_eq!(tpool::execute(move || black_box(i)).block(), i);
        }
        watch.stop()
    }))
}
