//! Whole programs: servers of every peer, each a process on a core of its own, under load.

mod awaiting;
mod blocking;
pub(crate) mod loader;
pub(crate) mod servers;
pub(crate) mod wire;

use std::io::{self, ErrorKind};
use std::time::Duration;

use crate::child::{Child, Refusal};
use crate::contest::{Contest, Effort};
use crate::cores::cpu_time;
use crate::machine::resident;
use crate::peer::Peer;
use crate::report::{Group, Measure, Work};
use crate::stage::Stage;
use loader::{Load, Loader, Opening, Seen};

pub(crate) use wire::Program;

/// A work of this kind, and how many clients it is tried with.
struct Kind {
    name: &'static str,
    title: &'static str,
    about: &'static str,
    program: Program,
    /// Who takes part; everybody, where it is nobody.
    only: &'static [Peer],
    reconnect: bool,
    /// Of the connections only so many send more than one request; or all.
    busy: Option<usize>,
    connections: &'static [usize],
    /// `--quick` leaves some out.
    quick: &'static [usize],
}

const KINDS: [Kind; 6] = [
    Kind {
        name: "echo",
        title: "TCP echo, 64 bytes",
        about: "Every client sends 64 bytes, waits for them to come back, and sends the next.",
        program: Program::Echo,
        only: &[],
        reconnect: false,
        busy: None,
        connections: &[1, 100, 1_000, 8_000],
        quick: &[1, 100, 1_000, 8_000],
    },
    Kind {
        name: "http",
        title: "HTTP-like requests, kept alive",
        about: "The server collects a request head of 100 bytes up to its empty line, and writes a response \
                of 230 bytes. No HTTP library: the same bytes from everybody.",
        program: Program::Http,
        only: &[],
        reconnect: false,
        busy: None,
        connections: &[1, 100, 1_000, 8_000],
        quick: &[100, 1_000],
    },
    Kind {
        name: "stream",
        title: "Stream, chunks of 64 KiB",
        about: "Every client asks for 1 MiB, which the server writes in chunks of 64 KiB, and asks again.",
        program: Program::Stream,
        only: &[],
        reconnect: false,
        busy: None,
        connections: &[1, 100, 1_000, 8_000],
        quick: &[100],
    },
    Kind {
        name: "connect",
        title: "Connect, one exchange, close",
        about: "Every client connects, sends 64 bytes, waits for them to come back, closes, and begins again.",
        program: Program::Echo,
        only: &[],
        reconnect: true,
        busy: None,
        connections: &[1, 100, 1_000],
        quick: &[100],
    },
    Kind {
        name: "threaded",
        title: "TCP echo by threads, 64 bytes",
        about: "The echo again, by code that blocks. A threaded server of std, unmodified, on threads of the system, \
                and with the shim on green stacks; beside sockets that are made for green stacks, and may's.",
        program: Program::Echo,
        only: THREADED,
        reconnect: false,
        busy: None,
        connections: &[1, 100, 1_000, 8_000],
        quick: &[1, 100, 1_000],
    },
    Kind {
        name: "mostly-idle",
        title: "Mostly idle connections",
        about: "Every client sends 64 bytes and waits for them to come back; then a hundred of them go on so, and the \
                others wait.",
        program: Program::Echo,
        only: THREADED,
        reconnect: false,
        busy: Some(100),
        connections: &[1_000, 10_000],
        quick: &[1_000, 10_000],
    },
];

/// Who takes part where code blocks.
const THREADED: &[Peer] =
    &[Peer::Stackless, Peer::Stackful, Peer::Tokio, Peer::Threads, Peer::Shim, Peer::May];

/// How long a server is driven.
pub(crate) struct Times {
    warm_up: Duration,
    measured: Duration,
}

impl Times {
    pub(crate) fn of(effort: Effort) -> Times {
        let (warm_up, measured) = match effort {
            Effort::Smoke => (5, 20),
            Effort::Quick => (50, 150),
            Effort::Full => (300, 1_000),
        };
        Times { warm_up: Duration::from_millis(warm_up), measured: Duration::from_millis(measured) }
    }
}

/// Returns the contests between the servers.
pub(crate) fn contests(stage: &Stage) -> Vec<Contest> {
    KINDS.iter().flat_map(|kind| kind.contests(stage)).collect()
}

impl Kind {
    fn contests(&self, stage: &Stage) -> Vec<Contest> {
        let connections = match stage.effort {
            Effort::Smoke => &self.quick[..1],
            Effort::Quick => self.quick,
            Effort::Full => self.connections,
        };
        // A few files are open besides.
        let fits = |connections: &usize| *connections as u64 + 100 <= stage.files;
        connections.iter().copied().filter(fits).map(|n| self.contest(n, stage)).collect()
    }

    fn contest(&self, connections: usize, stage: &Stage) -> Contest {
        let load = Load {
            opening: Opening::Plain,
            request: self.program.request(),
            answer_length: self.program.answer_length(),
            connections,
            busy: self.busy.unwrap_or(connections),
            reconnect: self.reconnect,
            sleepless: stage.cores.is_some(),
        };
        let (program, stage) = (self.program, stage.clone());
        Contest {
            work: Work::new(self.name, self.title, self.about, Group::Programs)
                .sized_by("connections"),
            size: Some(connections as u64),
            measures: self.measures(),
            peers: self.peers(&stage),
            rounds: stage.effort.rounds(1, 3, 5),
            patient: stage.effort == Effort::Full,
            run: Box::new(move |peer| run(peer, program, &load, &stage)),
        }
    }

    fn peers(&self, stage: &Stage) -> Vec<Peer> {
        match self.only {
            [] => servers::NATIVE.iter().chain(&stage.guests).copied().collect(),
            some => some.to_vec(),
        }
    }

    fn measures(&self) -> &'static [Measure] {
        use Measure::*;
        match self.program {
            Program::Stream => &[GigabyteCpu, Gigabytes, LatencyP50, LatencyP99, Resident],
            _ => &[RequestCpu, Requests, LatencyP50, LatencyP99, Resident],
        }
    }
}

fn run(peer: Peer, program: Program, load: &Load, stage: &Stage) -> Result<Vec<f64>, Refusal> {
    let mut server = stage.server(peer, program).map_err(|error| error.to_string())?;
    let address = server.hear()?;
    let cost = match program {
        Program::Stream => per_gigabyte,
        _ => per_request,
    };
    measure(&server, &address, load, cost, &Times::of(stage.effort))
        .map_err(|error| refusal(&mut server, &error))
}

/// Drives one server, and returns what it cost, in the order of [`Kind::measures`].
pub(crate) fn measure(
    server: &Child,
    address: &str,
    load: &Load,
    cost: fn(Duration, &Seen) -> [f64; 2],
    times: &Times,
) -> io::Result<Vec<f64>> {
    let address = address.parse().map_err(io::Error::other)?;
    let mut loader = Loader::connect(address, load.clone())?;
    loader.warm_up(times.warm_up)?;
    let before = cpu_time(server.id());
    let seen = loader.drive(times.measured)?;
    let spent = cpu_time(server.id()) - before;
    let megabytes = resident(server.id()) as f64 / 1e6;
    let [cost, speed] = cost(spent, &seen);
    Ok(vec![cost, speed, seen.latency(0.5), seen.latency(0.99), megabytes])
}

pub(crate) fn per_request(spent: Duration, seen: &Seen) -> [f64; 2] {
    [spent.as_secs_f64() * 1e6 / seen.requests as f64, seen.per_second()]
}

fn per_gigabyte(spent: Duration, seen: &Seen) -> [f64; 2] {
    let gigabytes = Program::Stream.answer_length() as f64 / 1e9;
    [spent.as_secs_f64() / (seen.requests as f64 * gigabytes), seen.per_second() * gigabytes]
}

/// What went wrong: the server's own words if it has any, else what the loader met.
pub(crate) fn refusal(server: &mut Child, error: &io::Error) -> Refusal {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused => {
            server.hear().err().unwrap_or_else(|| error.to_string())
        }
        _ => error.to_string(),
    }
}
