//! Servers of the web: this crate's `wsgi`, `ssl` and `websocket` beside what they stand on, used
//! as it is.

mod certificate;
pub(crate) mod servers;
mod site;

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use crate::child::Refusal;
use crate::contest::{Contest, Effort};
use crate::peer::Peer::{self, *};
use crate::report::{Group, Measure, Work};
use crate::stage::Stage;
use crate::whole::loader::{Load, Opening, read_head};
use crate::whole::{Times, measure, per_request, refusal};

pub(crate) use site::Site;

/// What is served, by whom.
struct Kind {
    site: Site,
    title: &'static str,
    about: &'static str,
    native: &'static [Peer],
    /// Those of other languages, where they are installed.
    guests: &'static [Peer],
}

const KINDS: [Kind; 5] = [
    Kind {
        site: Site::Service,
        title: "HTTP, a service",
        about: "A tower service answers a request of 100 bytes with a text of 150. Tokio is hyper alone.",
        native: &[Stackless, Tokio, Axum],
        guests: &[],
    },
    Kind {
        site: Site::Function,
        title: "HTTP, a function of the request",
        about: "The same by a function. Of Tokio it is hyper's service function, of axum and Go a handler.",
        native: &[Stackless, Stackful, Tokio, Axum],
        guests: &[Go],
    },
    Kind {
        site: Site::StartResponse,
        title: "HTTP, start_response",
        about: "The same by an application of WSGI. Of gevent it is pywsgi, of Python's eventlet its wsgi; Tokio is \
                hyper alone.",
        native: &[Stackless, Stackful, Tokio],
        guests: &[Gevent, Eventlet],
    },
    Kind {
        site: Site::Tls,
        title: "HTTPS, a service",
        about: "The service over TLS 1.3, kept alive. Tokio is tokio-rustls and hyper.",
        native: &[Stackless, Tokio],
        guests: &[],
    },
    Kind {
        site: Site::Websocket,
        title: "WebSocket echo, 64 bytes",
        about: "Every client sends a message of 64 bytes, and waits for it to come back. Tokio is tokio-tungstenite.",
        native: &[Stackless, Stackful, Tokio],
        guests: &[],
    },
];

const MEASURES: &[Measure] = &[
    Measure::RequestCpu,
    Measure::Requests,
    Measure::LatencyP50,
    Measure::LatencyP99,
    Measure::Resident,
];

/// Returns the contests between the servers.
pub(crate) fn contests(stage: &Stage) -> Vec<Contest> {
    KINDS.iter().flat_map(|kind| kind.contests(stage)).collect()
}

impl Kind {
    fn contests(&self, stage: &Stage) -> Vec<Contest> {
        let connections: &[usize] = match stage.effort {
            Effort::Smoke | Effort::Quick => &[100],
            Effort::Full => &[1, 100, 1_000],
        };
        connections.iter().map(|&n| self.contest(n, stage)).collect()
    }

    fn contest(&self, connections: usize, stage: &Stage) -> Contest {
        let guests = self.guests.iter().filter(|guest| stage.guests.contains(guest));
        let (site, stage_of_run) = (self.site, stage.clone());
        Contest {
            work: Work::new(&site.word(), self.title, self.about, Group::Web)
                .sized_by("connections"),
            size: Some(connections as u64),
            measures: MEASURES,
            peers: self.native.iter().chain(guests).copied().collect(),
            rounds: stage.effort.rounds(1, 3, 5),
            patient: stage.effort == Effort::Full,
            run: Box::new(move |peer| run(peer, site, connections, &stage_of_run)),
        }
    }
}

fn run(peer: Peer, site: Site, connections: usize, stage: &Stage) -> Result<Vec<f64>, Refusal> {
    let opening = opening(site).map_err(|error| error.to_string())?;
    let mut server = stage.page(peer, site).map_err(|error| error.to_string())?;
    let address = server.hear()?;
    let drive = || {
        let answer_length =
            answer_length(site, &opening, address.parse().map_err(io::Error::other)?)?;
        let load = Load {
            opening: opening.clone(),
            request: site.request(),
            answer_length,
            connections,
            busy: connections,
            reconnect: false,
            sleepless: stage.cores.is_some(),
        };
        measure(&server, &address, &load, per_request, &Times::of(stage.effort))
    };
    drive().map_err(|error| refusal(&mut server, &error))
}

fn opening(site: Site) -> io::Result<Opening> {
    Ok(match site {
        Site::Tls => {
            certificate::make()?;
            certificate::opening()?
        }
        Site::Websocket => Opening::Asking(site::UPGRADE),
        Site::Service | Site::Function | Site::StartResponse => Opening::Plain,
    })
}

/// Asks once, and returns how much comes back: every server has headers of its own, whose length
/// does not change.
fn answer_length(site: Site, opening: &Opening, server: SocketAddr) -> io::Result<usize> {
    let mut conn = opening.connect(server)?;
    conn.write_all(site.request())?;
    conn.flush()?;
    if site == Site::Websocket {
        let mut echo = vec![0; site::ECHO_LENGTH];
        conn.read_exact(&mut echo)?;
        return Ok(echo.len());
    }
    let head = read_head(&mut conn)?;
    let mut body = vec![0; site::body_length(&head)?];
    conn.read_exact(&mut body)?;
    if body != site::BODY.as_bytes() {
        return Err(io::Error::other("the answer is another"));
    }
    Ok(head.len() + body.len())
}
