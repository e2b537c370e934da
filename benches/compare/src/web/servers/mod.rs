//! One server for each peer.

mod axum;
mod hyper;
mod ours;
mod tungstenite;

use std::io;

use super::site::Site;
use crate::child::be_child;
use crate::peer::Peer;
use crate::whole::servers::{Foreign, listen};

/// Serves for ever, in a child process that says its address first.
pub(crate) fn serve(peer: Peer, site: Site, foreign: &Foreign) -> io::Result<()> {
    be_child();
    match (peer, site) {
        (Peer::Stackless | Peer::Stackful, _) => {
            ours::serve(listen()?, site, peer == Peer::Stackful)
        }
        (Peer::Tokio, Site::Websocket) => tungstenite::serve(listen()?),
        (Peer::Tokio, _) => hyper::serve(listen()?, site == Site::Tls),
        (Peer::Axum, _) => axum::serve(listen()?),
        (peer, site) => foreign.become_server(peer, &site.word()),
    }
}
