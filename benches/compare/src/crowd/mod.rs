//! Many green threads at once that do nothing: what they cost to have, to start and to wake in
//! time.
//!
//! Each run is a process of its own, so a crowd finds no memory that an earlier one has left.

mod futures;
mod may;
mod smol;
mod stackful;
mod stackless;
mod tokio;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::child::Refusal;
use crate::contest::{Contest, Effort};
use crate::cores::Watch;
use crate::machine::resident;
use crate::peer::Peer;
use crate::report::{Group, Measure, Work};
use crate::stage::Stage;
use crate::statistics::quantile;

/// Has a crowd of that size, and returns its numbers.
type Contestant = fn(u64) -> Vec<f64>;

struct Crowd {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    measures: &'static [Measure],
    sizes: &'static [u64],
    quick: &'static [u64],
    peers: &'static [(Peer, Contestant)],
}

const CROWDS: &[Crowd] = &[
    Crowd {
        name: "idle",
        title: "An idle green thread",
        about: "Resident memory of so many that wait for ever, once each has run, without handles. Sizes double \
                inside executors, so a number just over a power of two shows more than one just under it.",
        measures: &[Measure::Each],
        sizes: &[10_000, 100_000, 1_000_000],
        quick: &[10_000, 100_000, 1_000_000],
        peers: &[
            (Peer::Stackless, stackless::idle),
            (Peer::Stackful, stackful::idle),
            (Peer::Tokio, tokio::idle),
            (Peer::May, may::idle),
            (Peer::Smol, smol::idle),
            (Peer::Futures, futures::idle),
        ],
    },
    Crowd {
        name: "fresh",
        title: "Spawn, cold and warm",
        about: "So many are spawned in a new process, give up one turn, and end; then the same once more. The first \
                time pays for fresh memory and stacks.",
        measures: &[Measure::Cold, Measure::Warm],
        sizes: &[10_000],
        quick: &[10_000],
        peers: &[
            (Peer::Stackless, stackless::fresh),
            (Peer::Stackful, stackful::fresh),
            (Peer::Tokio, tokio::fresh),
            (Peer::May, may::fresh),
            (Peer::Smol, smol::fresh),
            (Peer::Futures, futures::fresh),
        ],
    },
    Crowd {
        name: "sleepers",
        title: "Sleepers",
        about: "Each sleeps once, for a time of its own between a half and one and a half seconds. CPU time of one \
                from its spawn to its end, and how late they woke.",
        measures: &[Measure::OperationCpu, Measure::LateP50, Measure::LateP99],
        sizes: &[100_000],
        quick: &[100_000],
        peers: &[
            (Peer::Stackless, stackless::sleepers),
            (Peer::Stackful, stackful::sleepers),
            (Peer::Tokio, tokio::sleepers),
            (Peer::May, may::sleepers),
            (Peer::Smol, smol::sleepers),
        ],
    },
];

/// Returns the contests between crowds.
pub(crate) fn contests(stage: &Stage) -> Vec<Contest> {
    CROWDS.iter().flat_map(|crowd| crowd.contests(stage)).collect()
}

impl Crowd {
    fn contests(&self, stage: &Stage) -> Vec<Contest> {
        let sizes = match stage.effort {
            Effort::Smoke => &[1_000],
            Effort::Quick => self.quick,
            Effort::Full => self.sizes,
        };
        sizes.iter().map(|&size| self.contest(size, stage)).collect()
    }

    fn contest(&self, size: u64, stage: &Stage) -> Contest {
        let (name, stage) = (self.name, stage.clone());
        Contest {
            work: Work::new(name, self.title, self.about, Group::Crowds).sized_by("green threads"),
            size: Some(size),
            measures: self.measures,
            peers: self.peers.iter().map(|&(peer, _)| peer).collect(),
            rounds: stage.effort.rounds(1, 1, 5),
            patient: stage.effort == Effort::Full,
            run: Box::new(move |peer| ask(&stage, peer, name, size)),
        }
    }
}

fn ask(stage: &Stage, peer: Peer, name: &str, size: u64) -> Result<Vec<f64>, Refusal> {
    let mut child = stage.worker(peer).map_err(|error| error.to_string())?;
    let answer = child.ask(&format!("{name} {size}"))?;
    let numbers: Result<_, _> = answer.split(' ').map(str::parse).collect();
    numbers.map_err(|_| format!("it said {answer:?}"))
}

/// Has one crowd, in the process of a peer.
pub(crate) fn gather(peer: Peer, name: &str, size: u64) -> Option<String> {
    let crowd = CROWDS.iter().find(|crowd| crowd.name == name)?;
    let (_, contestant) = crowd.peers.iter().find(|(able, _)| *able == peer)?;
    let numbers: Vec<String> = contestant(size).iter().map(f64::to_string).collect();
    Some(numbers.join(" "))
}

/// How many of a crowd have begun to wait. An atomic, as a captured counter would make each of them
/// larger.
static WAITING: AtomicU64 = AtomicU64::new(0);

fn begin_to_wait() {
    WAITING.fetch_add(1, Ordering::Relaxed);
}

/// Returns whether the crowd is complete; each time it is asked, those who can begin have begun.
///
/// # Panics
///
/// When nobody has begun for several turns: the system refused the others.
fn all_wait(n: u64) -> bool {
    static BEFORE: AtomicU64 = AtomicU64::new(0);
    static IN_VAIN: AtomicU64 = AtomicU64::new(0);

    let waiting = WAITING.load(Ordering::Relaxed);
    if BEFORE.swap(waiting, Ordering::Relaxed) < waiting {
        IN_VAIN.store(0, Ordering::Relaxed);
    } else if IN_VAIN.fetch_add(1, Ordering::Relaxed) > 100 {
        panic!("only {waiting} of {n} could begin");
    }
    waiting == n
}

/// Weighs this process now and later.
struct Scales(u64);

impl Scales {
    fn start() -> Scales {
        Scales(Scales::now())
    }

    /// Returns the bytes for each of a crowd.
    fn each(self, n: u64) -> Vec<f64> {
        vec![Scales::now().saturating_sub(self.0) as f64 / n as f64]
    }

    fn now() -> u64 {
        resident(std::process::id())
    }
}

/// Times the first crowd and the second.
struct ColdAndWarm {
    watch: Watch,
    each: Vec<f64>,
    size: u64,
}

impl ColdAndWarm {
    fn start(size: u64) -> ColdAndWarm {
        ColdAndWarm { watch: Watch::start(), each: Vec::new(), size }
    }

    /// Ends a crowd, and begins the next.
    fn next(&mut self) {
        let watch = std::mem::replace(&mut self.watch, Watch::start());
        self.each.push(watch.stop().as_nanos() as f64 / self.size as f64);
    }
}

/// How late each sleeper was, in milliseconds. A lock, as may's sleepers run on another thread.
static LATE: Mutex<Vec<f64>> = Mutex::new(Vec::new());

/// Returns when a sleeper is to wake: times spread without a pattern, and the same for all peers.
fn due(sleeper: u64) -> Instant {
    let spread = sleeper.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 54;
    Instant::now() + Duration::from_millis(500 + spread * 1000 / 1024)
}

fn woke(due: Instant) {
    let late = Instant::now().saturating_duration_since(due);
    LATE.lock().expect("nobody panics with it").push(late.as_secs_f64() * 1e3);
}

/// Times a crowd of sleepers from before they are spawned.
fn slept(watch: Watch, n: u64) -> Vec<f64> {
    let each = watch.stop().as_nanos() as f64 / n as f64;
    let late = LATE.lock().expect("nobody panics with it");
    assert_eq!(late.len() as u64, n);
    vec![each, quantile(&late, 0.5), quantile(&late, 0.99)]
}
