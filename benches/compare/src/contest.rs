//! Peers that take turns at the same work.
//!
//! A machine is never the same for a whole comparison: neighbours come and go, the clock of the CPU
//! changes. So peers do not run one after the other but in rounds, each once per round in an order
//! that changes, and are compared within a round. In a full run, a contest whose rounds differ much
//! goes on for as many again; what is noisy even then is marked.

use crate::child::Refusal;
use crate::peer::Peer;
use crate::report::{Cell, Line, Measure, Outcome, Work};
use crate::statistics::Summary;

/// How much is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Just see that it runs.
    Smoke,
    Quick,
    Full,
}

impl Effort {
    pub(crate) fn rounds(self, smoke: usize, quick: usize, full: usize) -> usize {
        match self {
            Effort::Smoke => smoke,
            Effort::Quick => quick,
            Effort::Full => full,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Effort::Smoke => "smoke",
            Effort::Quick => "quick",
            Effort::Full => "full",
        }
    }
}

/// One line of a work, or several that one run measures together.
pub(crate) struct Contest {
    /// What is done, as yet without lines.
    pub(crate) work: Work,
    pub(crate) size: Option<u64>,
    pub(crate) measures: &'static [Measure],
    pub(crate) peers: Vec<Peer>,
    pub(crate) rounds: usize,
    /// Whether to go on for as many again when they are noisy.
    pub(crate) patient: bool,
    /// Runs a peer once, and returns a number for each measure.
    pub(crate) run: Box<dyn FnMut(Peer) -> Result<Vec<f64>, Refusal>>,
}

/// What one peer has done so far: for each measure the numbers of all rounds, or why it gave up.
type Track = Result<Vec<Vec<f64>>, Refusal>;

impl Contest {
    /// Returns what to call the contest while it runs.
    pub(crate) fn title(&self) -> String {
        match (self.size, &self.work.sized_by) {
            (Some(size), Some(what)) => format!("{}, {size} {what}", self.work.title),
            _ => self.work.title.clone(),
        }
    }

    /// Returns the contest with only those peers, if any of them takes part.
    pub(crate) fn between(mut self, invited: impl Fn(Peer) -> bool) -> Option<Contest> {
        self.peers.retain(|&peer| invited(peer));
        (!self.peers.is_empty()).then_some(self)
    }

    /// Runs all rounds, calling `ran` after each run of a peer.
    pub(crate) fn hold(&mut self, mut ran: impl FnMut()) -> Vec<Line> {
        let mut tracks: Vec<Track> =
            self.peers.iter().map(|_| Ok(vec![Vec::new(); self.measures.len()])).collect();
        for round in 0..self.rounds {
            self.round(round, &mut tracks, &mut ran);
        }
        if self.patient && self.is_noisy(&tracks) {
            for round in 0..self.rounds {
                self.round(round, &mut tracks, || ());
            }
        }
        self.measures
            .iter()
            .enumerate()
            .map(|(at, &measure)| self.line(at, measure, &tracks))
            .collect()
    }

    fn round(&mut self, round: usize, tracks: &mut [Track], mut ran: impl FnMut()) {
        for turn in 0..self.peers.len() {
            let at = (round + turn) % self.peers.len();
            if let Ok(rounds) = &mut tracks[at] {
                match (self.run)(self.peers[at]) {
                    Ok(numbers) => {
                        rounds.iter_mut().zip(numbers).for_each(|(all, one)| all.push(one))
                    }
                    Err(why) => tracks[at] = Err(why),
                }
            }
            ran();
        }
    }

    /// Asks the measure that matters most.
    fn is_noisy(&self, tracks: &[Track]) -> bool {
        tracks.iter().flatten().any(|rounds| Summary::of(&rounds[0], None).noisy)
    }

    fn line(&self, at: usize, measure: Measure, tracks: &[Track]) -> Line {
        let base = self.peers.iter().position(|&peer| peer == Peer::BASE);
        let base = base.and_then(|base| tracks[base].as_ref().ok()).map(|rounds| &rounds[at][..]);
        let outcome = |track: &Track| match track {
            Ok(rounds) => Outcome::Measured(Summary::of(&rounds[at], base)),
            Err(why) => Outcome::Refused(why.clone()),
        };
        let cells = self.peers.iter().zip(tracks);
        let cells = cells.map(|(&peer, track)| Cell { peer, outcome: outcome(track) }).collect();
        Line { size: self.size, measure, cells }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Group;

    fn contest(run: impl FnMut(Peer) -> Result<Vec<f64>, Refusal> + 'static) -> Contest {
        Contest {
            work: Work::new("work", "Work", "", Group::Operations),
            size: None,
            measures: &[Measure::OperationCpu, Measure::Each],
            peers: vec![Peer::Stackless, Peer::Tokio, Peer::May],
            rounds: 4,
            patient: true,
            run: Box::new(run),
        }
    }

    #[test]
    fn peers_take_turns_and_are_compared_with_tokio() {
        let mut runs = 0;
        let mut contest =
            contest(|peer| Ok(vec![if peer == Peer::Stackless { 3.0 } else { 6.0 }, 1.0]));
        let lines = contest.hold(|| runs += 1);
        assert_eq!(runs, 12);
        let ratios: Vec<_> =
            lines[0].cells.iter().map(|cell| cell.summary().unwrap().ratio.unwrap()).collect();
        assert_eq!(ratios, [0.5, 1.0, 1.0]);
        assert_eq!(lines[1].measure, Measure::Each);
    }

    #[test]
    fn the_order_changes_from_round_to_round() {
        let order = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
        let seen = order.clone();
        contest(move |peer| {
            seen.borrow_mut().push(peer);
            Ok(vec![1.0, 1.0])
        })
        .hold(|| ());
        let order = order.borrow();
        assert_eq!(order[..3], [Peer::Stackless, Peer::Tokio, Peer::May]);
        assert_eq!(order[3..6], [Peer::Tokio, Peer::May, Peer::Stackless]);
    }

    #[test]
    fn who_refuses_is_asked_no_more_and_the_others_go_on() {
        let mut asked = 0;
        let lines = contest(move |peer| {
            if peer == Peer::May {
                asked += 1;
                assert_eq!(asked, 1);
                return Err("no more stacks".to_owned());
            }
            Ok(vec![1.0, 1.0])
        })
        .hold(|| ());
        let Outcome::Refused(why) = &lines[0].cells[2].outcome else { panic!("it refused") };
        assert_eq!(why, "no more stacks");
        assert_eq!(lines[0].cells[0].summary().unwrap().rounds, 4);
    }

    #[test]
    fn a_noisy_contest_goes_on_for_as_long_again() {
        let mut wobble = 0.0;
        let lines = contest(move |_| {
            wobble += 1.0;
            Ok(vec![wobble, 1.0])
        })
        .hold(|| ());
        let summary = lines[0].cells[0].summary().unwrap();
        assert_eq!((summary.rounds, summary.noisy), (8, true));
    }
}
