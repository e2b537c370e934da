//! A process that does one piece of work after another, as it is told.

use crate::child::{answer, be_child};
use crate::peer::Peer;
use crate::{crowd, micro};

/// Answers lines such as `spawn 1000` with numbers.
pub(crate) fn work(peer: Peer) {
    be_child();
    micro::keep_freed_memory();
    answer(|question| {
        let (name, size) = question.split_once(' ').expect("a work and its size");
        let size = size.parse().expect("a number");
        micro::work(peer, name, size)
            .or_else(|| crowd::gather(peer, name, size))
            .unwrap_or_else(|| panic!("no such work: {question}"))
    });
}
