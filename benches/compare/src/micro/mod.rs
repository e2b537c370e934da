//! One operation, many times, for every peer that has it.
//!
//! Everything here keeps one core busy and waits for nothing outside, so what counts is the CPU
//! time of the process. Each peer is a process of its own that lives as long as the comparison, so
//! its stacks and its heap are warm. On Tokio, smol and futures the work itself is a spawned task:
//! as a future directly in `block_on` it would pay more for every wakeup.

mod futures;
mod may;
mod smol;
mod stackful;
mod stackless;
mod tokio;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::child::{Child, Refusal};
use crate::contest::{Contest, Effort};
use crate::peer::Peer;
use crate::report::{Group, Measure, Work};
use crate::stage::Stage;

/// Does the work so many times, and returns the CPU time it took.
type Contestant = fn(u64) -> Duration;

/// Green threads that take turns with each other.
const CROWD: u64 = 100;

/// How much a queue of the pipeline holds.
const PIPE: usize = 100;

/// A limit that no operation here comes near.
const FAR: Duration = Duration::from_secs(60);

struct Operation {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    /// How often it is done in one run.
    times: u64,
    peers: &'static [(Peer, Contestant)],
}

const OPERATIONS: &[Operation] = &[
    Operation {
        name: "spawn",
        title: "Spawn and wait, one at a time",
        about: "Spawns a green thread that returns a number, and waits for it.",
        times: 200_000,
        peers: &[
            (Peer::Stackless, stackless::spawn),
            (Peer::Stackful, stackful::spawn),
            (Peer::Tokio, tokio::spawn),
            (Peer::May, may::spawn),
            (Peer::Smol, smol::spawn),
            (Peer::Futures, futures::spawn),
        ],
    },
    Operation {
        name: "batch",
        title: "Spawn 100,000, then wait for all",
        about: "All are spawned before the first one runs. A stackful one needs its stack only when it runs.",
        times: 100_000,
        peers: &[
            (Peer::Stackless, stackless::batch),
            (Peer::Stackful, stackful::batch),
            (Peer::Tokio, tokio::batch),
            (Peer::May, may::batch),
            (Peer::Smol, smol::batch),
            (Peer::Futures, futures::batch),
        ],
    },
    Operation {
        name: "forget",
        title: "Spawn and forget",
        about: "A hundred at a time, which then run; nobody keeps a handle (`spawn_n`).",
        times: 200_000,
        peers: &[
            (Peer::Stackless, stackless::forget),
            (Peer::Stackful, stackful::forget),
            (Peer::Tokio, tokio::forget),
            (Peer::Smol, smol::forget),
            (Peer::Futures, futures::forget),
        ],
    },
    Operation {
        name: "links",
        title: "Spawn with five links, and wait",
        about: "Five functions are linked to the green thread, one is unlinked. Only eventlet has links.",
        times: 100_000,
        peers: &[(Peer::Stackless, stackless::links), (Peer::Stackful, stackful::links)],
    },
    Operation {
        name: "turn",
        title: "One turn among 100",
        about: "A hundred green threads give up their turns: `sleep(0)`, Tokio's and smol's `yield_now`.",
        times: 500_000,
        peers: &[
            (Peer::Stackless, stackless::turn),
            (Peer::Stackful, stackful::turn),
            (Peer::Tokio, tokio::turn),
            (Peer::May, may::turn),
            (Peer::Smol, smol::turn),
            (Peer::Futures, futures::turn),
        ],
    },
    Operation {
        name: "self-wake",
        title: "The same, tasks wake themselves",
        about: "Tokio's `yield_now` goes through its driver. Here its tasks wake themselves instead, which is faster.",
        times: 500_000,
        peers: &[
            (Peer::Stackless, stackless::turn),
            (Peer::Stackful, stackful::turn),
            (Peer::Tokio, tokio::self_wake),
        ],
    },
    Operation {
        name: "alone",
        title: "One turn, alone",
        about: "A single green thread gives up its turn, and gets it back: eventlet's benchmark `sleep`.",
        times: 200_000,
        peers: &[
            (Peer::Stackless, stackless::alone),
            (Peer::Stackful, stackful::alone),
            (Peer::Tokio, tokio::alone),
            (Peer::May, may::alone),
            (Peer::Smol, smol::alone),
            (Peer::Futures, futures::alone),
        ],
    },
    Operation {
        name: "ping-pong",
        title: "Ping-pong over two queues",
        about: "Two green threads send an item to and fro over two queues that hold one. may's have no bound.",
        times: 200_000,
        peers: &[
            (Peer::Stackless, stackless::ping_pong),
            (Peer::Stackful, stackful::ping_pong),
            (Peer::Tokio, tokio::ping_pong),
            (Peer::May, may::ping_pong),
            (Peer::Smol, smol::ping_pong),
            (Peer::Futures, futures::ping_pong),
        ],
    },
    Operation {
        name: "pipeline",
        title: "Pipeline through a queue of 100",
        about: "One green thread puts, another gets; the queue is full or empty every hundred items. may has no such queue.",
        times: 500_000,
        peers: &[
            (Peer::Stackless, stackless::pipeline),
            (Peer::Stackful, stackful::pipeline),
            (Peer::Tokio, tokio::pipeline),
            (Peer::Smol, smol::pipeline),
            (Peer::Futures, futures::pipeline),
        ],
    },
    Operation {
        name: "event",
        title: "Hand-over through events",
        about: "Two green threads wake each other in turn through two events that are reset: eventlet's `context`. \
                Tokio's `Notify`.",
        times: 200_000,
        peers: &[
            (Peer::Stackless, stackless::event),
            (Peer::Stackful, stackful::event),
            (Peer::Tokio, tokio::event),
        ],
    },
    Operation {
        name: "semaphore",
        title: "Hand-over through semaphores",
        about: "Two green threads wake each other in turn through two semaphores: one acquires what the other releases.",
        times: 200_000,
        peers: &[
            (Peer::Stackless, stackless::semaphore),
            (Peer::Stackful, stackful::semaphore),
            (Peer::Tokio, tokio::semaphore),
            (Peer::May, may::semaphore),
            (Peer::Smol, smol::semaphore),
        ],
    },
    Operation {
        name: "timeout",
        title: "A timeout, armed and cancelled",
        about: "What a limit of a minute adds to a turn that is over long before.",
        times: 200_000,
        peers: &[
            (Peer::Stackless, stackless::timeout),
            (Peer::Stackful, stackful::timeout),
            (Peer::Tokio, tokio::timeout),
            (Peer::Smol, smol::timeout),
        ],
    },
    Operation {
        name: "map",
        title: "Ordered map over a pool of 100",
        about: "Jobs of a pool, results in order: `imap`. Tokio and smol spawn a task for each and await them \
                with `buffered`; may joins its oldest of a hundred.",
        times: 100_000,
        peers: &[
            (Peer::Stackless, stackless::map),
            (Peer::Stackful, stackful::map),
            (Peer::Tokio, tokio::map),
            (Peer::May, may::map),
            (Peer::Smol, smol::map),
            (Peer::Futures, futures::map),
        ],
    },
    Operation {
        name: "buffered",
        title: "The same without tasks",
        about: "Tokio's side only polls futures in `buffered`, so none of them could be spawned, killed or \
                run for long: less work than a pool's.",
        times: 100_000,
        peers: &[
            (Peer::Stackless, stackless::map),
            (Peer::Stackful, stackful::map),
            (Peer::Tokio, tokio::map_without_tasks),
        ],
    },
    Operation {
        name: "pool",
        title: "Spawn into a pool, wait for all",
        about: "`GreenPool::spawn_n` and `waitall`, in a pool with room for everybody; Tokio's `JoinSet`.",
        times: 100_000,
        peers: &[
            (Peer::Stackless, stackless::pool),
            (Peer::Stackful, stackful::pool),
            (Peer::Tokio, tokio::pool),
        ],
    },
    Operation {
        name: "kill",
        title: "Spawn, kill, wait for the end",
        about: "The victim has run and waits for ever. Tokio's `abort`, smol's `cancel`; may's is unsafe.",
        times: 100_000,
        peers: &[
            (Peer::Stackless, stackless::kill),
            (Peer::Stackful, stackful::kill),
            (Peer::Tokio, tokio::kill),
            (Peer::Smol, smol::kill),
        ],
    },
    Operation {
        name: "blocking",
        title: "Blocking call on another thread",
        about: "A job goes to a pool of OS threads and its result comes back: `tpool::execute`, `spawn_blocking`, \
                `unblock`. The CPU time of all threads.",
        times: 10_000,
        peers: &[
            (Peer::Stackless, stackless::blocking),
            (Peer::Stackful, stackful::blocking),
            (Peer::Tokio, tokio::blocking),
            (Peer::Smol, smol::blocking),
        ],
    },
];

/// Returns the contests between operations.
pub(crate) fn contests(stage: &Stage) -> Vec<Contest> {
    let workers = Workers::new(stage);
    OPERATIONS.iter().map(|operation| operation.contest(stage.effort, &workers)).collect()
}

impl Operation {
    fn contest(&self, effort: Effort, workers: &Workers) -> Contest {
        let (name, workers) = (self.name, workers.clone());
        let times = if effort == Effort::Smoke { self.times / 100 } else { self.times };
        Contest {
            work: Work::new(name, self.title, self.about, Group::Operations),
            size: None,
            measures: &[Measure::OperationCpu],
            peers: self.peers.iter().map(|&(peer, _)| peer).collect(),
            rounds: effort.rounds(1, 5, 21),
            patient: effort == Effort::Full,
            run: Box::new(move |peer| workers.ask(peer, name, times)),
        }
    }
}

/// The processes of all peers, each started when it is first needed.
#[derive(Clone)]
struct Workers {
    stage: Stage,
    children: Rc<RefCell<HashMap<Peer, Child>>>,
}

impl Workers {
    fn new(stage: &Stage) -> Workers {
        Workers { stage: stage.clone(), children: Rc::default() }
    }

    /// Has the peer do the work, and returns the nanoseconds for each time.
    fn ask(&self, peer: Peer, name: &str, times: u64) -> Result<Vec<f64>, Refusal> {
        let mut children = self.children.borrow_mut();
        let child = match children.entry(peer) {
            Entry::Occupied(child) => child.into_mut(),
            Entry::Vacant(place) => {
                place.insert(self.stage.worker(peer).map_err(|error| error.to_string())?)
            }
        };
        let answer = child.ask(&format!("{name} {times}"));
        // One that refused has ended; the next work finds a new one.
        let answer = answer.inspect_err(|_| drop(children.remove(&peer)))?;
        Ok(vec![answer.parse().map_err(|_| format!("it said {answer:?}"))?])
    }
}

/// Does one piece of work, in the process of a peer.
pub(crate) fn work(peer: Peer, name: &str, times: u64) -> Option<String> {
    let operation = OPERATIONS.iter().find(|operation| operation.name == name)?;
    let (_, contestant) = operation.peers.iter().find(|(able, _)| *able == peer)?;
    // Nobody counts the first tenth: it warms up.
    contestant(times / 10);
    Some((contestant(times).as_nanos() as f64 / times as f64).to_string())
}

/// Makes glibc keep the memory that one run freed for the next one.
///
/// Else it gives the end of the heap back to the system, or does not, as chance has laid the heap
/// out, and the next run pays for the page faults: up to half of what a batch costs. Its threshold
/// for that grows to twice the largest block that was ever freed, up to 64 MiB.
pub(crate) fn keep_freed_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(31 << 20)));
}

/// What all numbers below this one add up to.
fn sum_below(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

/// Gives up the turn by waking itself, with nothing of any runtime.
pub(crate) async fn wake_itself() {
    let mut given = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

thread_local! {
    /// How many green threads have run that nobody waits for.
    static RAN: Cell<u64> = const { Cell::new(0) };
}

/// Counts one that has run.
fn ran() {
    RAN.set(RAN.get() + 1);
}

/// Returns whether so many have run, and then counts from zero again.
fn all_have_run(wanted: u64) -> bool {
    let all = RAN.get() == wanted;
    if all {
        RAN.set(0);
    }
    all
}
