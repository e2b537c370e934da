//! What a run found out: the JSON for machines, and what the page and the tables are drawn from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::peer::Peer;
use crate::statistics::Summary;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) date: String,
    /// `full`, `quick` or `smoke`.
    pub(crate) effort: String,
    pub(crate) seconds: u64,
    pub(crate) machine: Machine,
    /// The compiler's version, and everybody's.
    pub(crate) versions: BTreeMap<String, String>,
    /// What else the machine did, if that was much.
    #[serde(default)]
    pub(crate) busy: Option<String>,
    /// Who could have taken part, and why not.
    pub(crate) absent: Vec<Absent>,
    pub(crate) works: Vec<Work>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Absent {
    pub(crate) peer: Peer,
    pub(crate) why: String,
}

/// A piece of work that several peers did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Work {
    /// The word for `--only`.
    pub(crate) name: String,
    pub(crate) title: String,
    /// What exactly was done.
    pub(crate) about: String,
    pub(crate) group: Group,
    /// What the sizes of the lines count: connections, green threads.
    pub(crate) sized_by: Option<String>,
    pub(crate) lines: Vec<Line>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Group {
    /// Servers, in processes of their own.
    Programs,
    /// The same, of the web.
    Web,
    /// One operation, many times.
    Operations,
    /// What green threads that do nothing cost.
    Crowds,
}

/// One measure of a work, for all who did it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) size: Option<u64>,
    pub(crate) measure: Measure,
    pub(crate) cells: Vec<Cell>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) peer: Peer,
    #[serde(flatten)]
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    Measured(Summary),
    /// It could not do that much, and this is what it said.
    Refused(String),
}

impl Cell {
    pub(crate) fn summary(&self) -> Option<&Summary> {
        match &self.outcome {
            Outcome::Measured(summary) => Some(summary),
            Outcome::Refused(_) => None,
        }
    }
}

impl Line {
    pub(crate) fn cell(&self, peer: Peer) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.peer == peer)
    }
}

impl Work {
    /// A work that nobody has done yet.
    pub(crate) fn new(name: &str, title: &str, about: &str, group: Group) -> Work {
        let [name, title, about] = [name, title, about].map(str::to_owned);
        Work { name, title, about, group, sized_by: None, lines: Vec::new() }
    }

    pub(crate) fn sized_by(mut self, what: &str) -> Work {
        self.sized_by = Some(what.to_owned());
        self
    }

    pub(crate) fn lines_of(&self, measure: Measure) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.measure == measure)
    }

    /// The measures of this work, the one that matters most first.
    pub(crate) fn measures(&self) -> Vec<Measure> {
        let mut measures = Vec::new();
        for line in &self.lines {
            if !measures.contains(&line.measure) {
                measures.push(line.measure);
            }
        }
        measures
    }

    /// Who takes part in any line, in the order of [`Peer`].
    pub(crate) fn peers(&self) -> Vec<Peer> {
        let mut peers: Vec<Peer> =
            self.lines.iter().flat_map(|line| &line.cells).map(|cell| cell.peer).collect();
        peers.sort();
        peers.dedup();
        peers
    }
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Measure {
    /// Nanoseconds of CPU time for one operation.
    OperationCpu,
    /// Microseconds of the server's CPU time for one request: as many seconds for a million.
    RequestCpu,
    /// Seconds of the server's CPU time for 10⁹ bytes.
    GigabyteCpu,
    /// Requests in a second.
    Requests,
    /// 10⁹ bytes in a second.
    Gigabytes,
    /// Microseconds from request to answer.
    LatencyP50,
    LatencyP99,
    /// Milliseconds that a sleeper was late.
    LateP50,
    LateP99,
    /// Resident memory of the whole process, in 10⁶ bytes.
    Resident,
    /// Resident memory of one green thread, in bytes.
    Each,
    /// Nanoseconds of CPU time for a green thread on memory that nobody used before.
    Cold,
    /// The same on memory that an earlier one left.
    Warm,
}

impl Measure {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Measure::OperationCpu => "CPU per operation",
            Measure::RequestCpu => "server CPU per request",
            Measure::GigabyteCpu => "server CPU per GB",
            Measure::Requests => "requests per second",
            Measure::Gigabytes => "throughput",
            Measure::LatencyP50 => "latency, median",
            Measure::LatencyP99 => "latency, 99th percentile",
            Measure::LateP50 => "late, median",
            Measure::LateP99 => "late, 99th percentile",
            Measure::Resident => "server memory",
            Measure::Each => "memory each",
            Measure::Cold => "first time",
            Measure::Warm => "again",
        }
    }

    pub(crate) fn unit(self) -> &'static str {
        match self {
            Measure::OperationCpu | Measure::Cold | Measure::Warm => "ns",
            Measure::RequestCpu | Measure::LatencyP50 | Measure::LatencyP99 => "µs",
            Measure::GigabyteCpu => "s",
            Measure::Requests => "/s",
            Measure::Gigabytes => "GB/s",
            Measure::LateP50 | Measure::LateP99 => "ms",
            Measure::Resident => "MB",
            Measure::Each => "B",
        }
    }

    pub(crate) fn more_is_better(self) -> bool {
        matches!(self, Measure::Requests | Measure::Gigabytes)
    }
}
