//! Lines of a report, one below the other, with a column for each peer.

use crate::peer::Peer;
use crate::report::{Cell, Line, Measure, Work};

pub(crate) struct Table<'a> {
    pub(crate) peers: Vec<Peer>,
    pub(crate) rows: Vec<Row<'a>>,
}

pub(crate) struct Row<'a> {
    pub(crate) work: &'a Work,
    pub(crate) line: &'a Line,
}

impl<'a> Table<'a> {
    /// Takes up some works, with those peers and measures that are wanted.
    pub(crate) fn of(
        works: impl IntoIterator<Item = &'a Work>,
        peer: impl Fn(Peer) -> bool,
        measure: impl Fn(&Work, Measure) -> bool,
    ) -> Table<'a> {
        let rows = works
            .into_iter()
            .flat_map(|work| work.lines.iter().map(move |line| Row { work, line }));
        let rows: Vec<Row<'a>> = rows.filter(|row| measure(row.work, row.line.measure)).collect();
        let mut peers: Vec<Peer> = rows
            .iter()
            .flat_map(|row| &row.line.cells)
            .map(|cell| cell.peer)
            .filter(|&p| peer(p))
            .collect();
        peers.sort();
        peers.dedup();
        Table { peers, rows }
    }
}

impl Row<'_> {
    /// Returns the cells in the order of these peers; a gap where one does not take part.
    pub(crate) fn cells(&self, peers: &[Peer]) -> Vec<Option<&Cell>> {
        peers.iter().map(|&peer| self.line.cell(peer)).collect()
    }
}
