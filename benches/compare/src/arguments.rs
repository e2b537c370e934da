//! The command line.

use std::env;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::contest::Effort;
use crate::peer::Peer;
use crate::web::Site;
use crate::whole::Program;
use crate::whole::servers::Foreign;

/// Compares green threads of both colours with their peers, and draws a page of it.
#[derive(Parser)]
#[command(subcommand_negates_reqs = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    /// Fewer rounds and sizes: about two minutes.
    #[arg(long)]
    quick: bool,
    /// Just see that it runs.
    #[arg(long, hide = true, conflicts_with = "quick")]
    smoke: bool,
    /// Only works with this word in their name; may be given more than once.
    #[arg(long, value_name = "WORK")]
    only: Vec<String>,
    /// Only this peer, and Tokio to compare it with; may be given more than once.
    #[arg(long, value_name = "PEER")]
    peer: Vec<Peer>,
    /// Where to write the page; by default `compare.html` in Cargo's target directory.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Where to write all numbers.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// A document whose tables are to be renewed; may be given more than once.
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Vec<PathBuf>,
    /// Measures nothing, and shows what an earlier run wrote with `--json`.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "only"])]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) foreign: Foreign,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What a child process is told to be.
#[derive(Subcommand)]
pub(crate) enum Role {
    /// A server; it says its address first.
    #[command(hide = true)]
    Serve { peer: Peer, program: Program },
    /// A server of the web; it says its address first.
    #[command(hide = true)]
    Page { peer: Peer, site: Site },
    /// A worker, which answers lines such as `spawn 1000`.
    #[command(hide = true)]
    Work { peer: Peer },
}

impl Arguments {
    pub(crate) fn effort(&self) -> Effort {
        match (self.smoke, self.quick) {
            (true, _) => Effort::Smoke,
            (_, true) => Effort::Quick,
            _ => Effort::Full,
        }
    }

    /// Where the page goes.
    pub(crate) fn html(&self) -> PathBuf {
        let in_target = || Some(env::current_exe().ok()?.ancestors().nth(2)?.join("compare.html"));
        self.html.clone().or_else(in_target).unwrap_or_else(|| PathBuf::from("compare.html"))
    }

    /// Whether a work of that name is wanted.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| name.contains(word.as_str()))
    }

    /// Whether that peer is to take part.
    pub(crate) fn invites(&self, peer: Peer) -> bool {
        self.peer.is_empty() || self.peer.contains(&peer) || peer == Peer::BASE
    }
}
