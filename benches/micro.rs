//! What green threads cost, beside Tokio's own local tasks doing the same work.
//!
//! ```text
//! cargo bench --bench micro                    all of it, about a minute
//! cargo bench --bench micro -- --quick         fewer rounds
//! cargo bench --bench micro -- turn ping       only what has these words in its name
//! ```
//!
//! Everything here keeps one OS thread busy and waits for nothing outside, so what is measured is the CPU
//! time of that thread: neighbours on the machine disturb it little. The numbers are nanoseconds
//! per operation. On Tokio all code runs in a spawned local task, as a future directly in `block_on` pays
//! more for every wakeup.

mod support;

use std::time::Duration;

use rustix::time::ClockId;

use support::{Arguments, Effort, cpu_time, print_head, print_row, race};

/// Does the work so many times, and returns the time it took.
type Contestant = fn(u64) -> Duration;

/// The same work for three contestants.
struct Work {
    name: &'static str,
    operations: u64,
    tokio: Contestant,
    stackless: Contestant,
    stackful: Contestant,
}

/// Green threads that take turns with each other.
const CROWD: u64 = 100;

const WORKS: [Work; 7] = [
    Work {
        name: "spawn + wait, one at a time",
        operations: 200_000,
        tokio: on_tokio::spawn_wait,
        stackless: stackless::spawn_wait,
        stackful: stackful::spawn_wait,
    },
    Work {
        name: "spawn 100,000, then wait for all",
        operations: 100_000,
        tokio: on_tokio::batch,
        stackless: stackless::batch,
        stackful: stackful::batch,
    },
    Work {
        name: "turn of 100 (tokio: yield_now)",
        operations: 500_000,
        tokio: on_tokio::turn,
        stackless: stackless::turn,
        stackful: stackful::turn,
    },
    Work {
        name: "turn of 100 (tokio: wakes itself)",
        operations: 500_000,
        tokio: on_tokio::turn_waking_itself,
        stackless: stackless::turn,
        stackful: stackful::turn,
    },
    Work {
        name: "ping-pong over two queues of 1",
        operations: 200_000,
        tokio: on_tokio::ping_pong,
        stackless: stackless::ping_pong,
        stackful: stackful::ping_pong,
    },
    Work {
        name: "ordered map over 100 (spawn_local)",
        operations: 100_000,
        tokio: on_tokio::map,
        stackless: stackless::map,
        stackful: stackful::map,
    },
    Work {
        name: "same (tokio: no tasks, does less)",
        operations: 100_000,
        tokio: on_tokio::map_without_tasks,
        stackless: stackless::map,
        stackful: stackful::map,
    },
];

fn main() {
    keep_freed_memory();
    let arguments = Arguments::get();
    let (rounds, scale) = match arguments.effort() {
        Effort::Smoke => (1, 100),
        Effort::Quick => (9, 1),
        Effort::Full => (41, 1),
    };
    print_head("ns per operation (ratio to tokio)", &["tokio", "stackless", "stackful"]);
    let wanted = |work: &&Work| {
        let mut words = arguments.words().peekable();
        words.peek().is_none() || words.any(|word| work.name.contains(word))
    };
    for work in WORKS.iter().filter(wanted) {
        let contestants = [work.tokio, work.stackless, work.stackful];
        let operations = work.operations / scale;
        let standings = race(contestants.len(), rounds, |contestant| {
            contestants[contestant](operations).as_nanos() as f64 / operations as f64
        });
        print_row(work.name, &standings, 1);
    }
}

/// Makes glibc keep the memory that one contestant freed for the next one.
///
/// Else it gives the end of the heap back to the system, or does not, as chance has laid the heap out, and
/// who comes next pays for the page faults: up to half of what a batch costs. Its threshold for that
/// grows to twice the largest block that was ever freed, up to 64 MiB.
fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(31 << 20)));
}

/// Measures until it is asked.
struct Watch(Duration);

impl Watch {
    fn start() -> Watch {
        Watch(cpu_time(ClockId::ThreadCPUTime))
    }

    fn stop(self) -> Duration {
        cpu_time(ClockId::ThreadCPUTime) - self.0
    }
}

/// What all numbers below this one add up to.
fn sum_below(n: u64) -> u64 {
    n * (n - 1) / 2
}

mod on_tokio {
    use std::future::poll_fn;
    use std::hint::black_box;
    use std::task::Poll;
    use std::time::Duration;

    use futures::stream::{self, StreamExt};
    use tokio::runtime::Builder;
    use tokio::sync::mpsc;
    use tokio::task::{LocalSet, spawn_local, yield_now};

    use super::{CROWD, Watch, sum_below};

    fn run<F: Future<Output = Duration> + 'static>(work: F) -> Duration {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async { spawn_local(work).await.unwrap() })
    }

    pub(crate) fn spawn_wait(n: u64) -> Duration {
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

    pub(crate) fn turn(n: u64) -> Duration {
        turn_with(n, yield_now)
    }

    pub(crate) fn turn_waking_itself(n: u64) -> Duration {
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

    async fn wake_itself() {
        let mut given = false;
        poll_fn(|cx| {
            if given {
                return Poll::Ready(());
            }
            given = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
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
}

mod stackless {
    use std::hint::black_box;
    use std::time::Duration;

    use eventlet::{GreenPool, Queue, run, sleep, spawn};

    use super::{CROWD, Watch, sum_below};

    pub(crate) fn spawn_wait(n: u64) -> Duration {
        run(async move {
            let watch = Watch::start();
            for i in 0..n {
                assert_eq!(spawn(async move { black_box(i) }).await.unwrap(), i);
            }
            watch.stop()
        })
    }

    pub(crate) fn batch(n: u64) -> Duration {
        run(async move {
            let watch = Watch::start();
            let threads: Vec<_> = (0..n).map(|i| spawn(async move { black_box(i) })).collect();
            let mut sum = 0;
            for thread in threads {
                sum += thread.await.unwrap();
            }
            assert_eq!(sum, sum_below(n));
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
            let crowd: Vec<_> = (0..CROWD).map(|_| spawn(member())).collect();
            let mut turns = 0;
            for member in crowd {
                turns += member.await.unwrap();
            }
            assert_eq!(turns, n);
            watch.stop()
        })
    }

    pub(crate) fn ping_pong(n: u64) -> Duration {
        run(async move {
            let (pings, pongs) = (Queue::new(1), Queue::new(1));
            let watch = Watch::start();
            let echo = spawn({
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
}

mod stackful {
    use std::hint::black_box;
    use std::time::Duration;

    use eventlet::{Block, Blocking, GreenPool, Queue, run, sleep, spawn, stackful};

    use super::{CROWD, Watch, sum_below};

    pub(crate) fn spawn_wait(n: u64) -> Duration {
        run(stackful(move || {
            let watch = Watch::start();
            for i in 0..n {
                assert_eq!(spawn(stackful(move || black_box(i))).block().unwrap(), i);
            }
            watch.stop()
        }))
    }

    pub(crate) fn batch(n: u64) -> Duration {
        run(stackful(move || {
            let watch = Watch::start();
            let threads: Vec<_> = (0..n).map(|i| spawn(stackful(move || black_box(i)))).collect();
            let sum: u64 = threads.into_iter().map(|thread| thread.block().unwrap()).sum();
            assert_eq!(sum, sum_below(n));
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
            let crowd: Vec<_> = (0..CROWD).map(|_| spawn(stackful(member))).collect();
            let turns: u64 = crowd.into_iter().map(|member| member.block().unwrap()).sum();
            assert_eq!(turns, n);
            watch.stop()
        }))
    }

    pub(crate) fn ping_pong(n: u64) -> Duration {
        run(stackful(move || {
            let (pings, pongs) = (Queue::new(1), Queue::new(1));
            let watch = Watch::start();
            let echo = spawn({
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
}
