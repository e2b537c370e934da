//! Who takes part.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A contestant. Its name is what the command line and the JSON call it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Peer {
    Stackless,
    Stackful,
    Tokio,
    /// Of Tokio's servers of the web: the base is hyper alone.
    Axum,
    Epoll,
    /// A thread of the system for each client.
    Threads,
    /// The same program on green stacks, under the shim.
    Shim,
    May,
    Smol,
    Futures,
    Go,
    Gevent,
    /// The Python original.
    Eventlet,
}

impl Peer {
    /// The one that all others are compared with.
    pub(crate) const BASE: Peer = Peer::Tokio;

    /// What people read.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Peer::Stackless => "stackless",
            Peer::Stackful => "stackful",
            Peer::Tokio => "Tokio",
            Peer::Axum => "axum",
            Peer::Epoll => "bare epoll",
            Peer::Threads => "OS threads",
            Peer::Shim => "std, shim",
            Peer::May => "may",
            Peer::Smol => "smol",
            Peer::Futures => "futures",
            Peer::Go => "Go",
            Peer::Gevent => "gevent",
            Peer::Eventlet => "Python eventlet",
        }
    }

    /// The word for it on the command line of a child process.
    pub(crate) fn word(self) -> String {
        self.to_possible_value().expect("no peer is skipped").get_name().to_owned()
    }

    /// Whether it is one of this crate's two colours.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Peer::Stackless | Peer::Stackful)
    }
}
