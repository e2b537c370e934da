//! What the benchmarks share: contestants that take turns, and the numbers that come of it.
//!
//! A machine is never the same for a whole benchmark: neighbours come and go, the clock of the CPU
//! changes. So contestants do not run one after the other but in rounds, each once per round, and
//! they are compared within a round. A ratio is the median of the ratios of all rounds.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// How much is to be run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// Just see that it runs: `cargo test --benches`.
    Smoke,
    /// `cargo bench --bench .. -- --quick`
    Quick,
    /// `cargo bench --bench ..`
    Full,
}

/// The command line of a benchmark.
pub(crate) struct Arguments {
    given: Vec<String>,
}

impl Arguments {
    pub(crate) fn get() -> Arguments {
        Arguments { given: std::env::args().skip(1).collect() }
    }

    pub(crate) fn has(&self, flag: &str) -> bool {
        self.given.iter().any(|given| given == flag)
    }

    pub(crate) fn effort(&self) -> Effort {
        if !self.has("--bench") {
            Effort::Smoke
        } else if self.has("--quick") {
            Effort::Quick
        } else {
            Effort::Full
        }
    }

    /// Returns what else was given: which pieces of work are wanted.
    pub(crate) fn words(&self) -> impl Iterator<Item = &str> {
        self.given.iter().map(String::as_str).filter(|given| !given.starts_with("--"))
    }
}

/// How one contestant did.
pub(crate) struct Standing {
    /// The median of all rounds.
    pub(crate) median: f64,
    /// Half the distance between the quartiles, as a part of the median.
    pub(crate) spread: f64,
    /// The median, over the rounds, of its number divided by that of the first contestant.
    pub(crate) ratio: f64,
}

/// Lets contestants, named by their numbers, take turns; each returns what it cost.
///
/// A first round, which nobody counts, warms them up. The order changes from round to round.
pub(crate) fn race(
    contestants: usize,
    rounds: usize,
    mut run: impl FnMut(usize) -> f64,
) -> Vec<Standing> {
    let mut results = vec![Vec::with_capacity(rounds); contestants];
    (0..contestants).for_each(|contestant| _ = run(contestant));
    for round in 0..rounds {
        for turn in 0..contestants {
            let contestant = (round + turn) % contestants;
            results[contestant].push(run(contestant));
        }
    }
    let standing = |result: &Vec<f64>| {
        let median = quantile(result.clone(), 0.5);
        let ratios = result.iter().zip(&results[0]).map(|(own, first)| own / first).collect();
        Standing {
            median,
            spread: (quantile(result.clone(), 0.75) - quantile(result.clone(), 0.25))
                / 2.0
                / median,
            ratio: quantile(ratios, 0.5),
        }
    };
    results.iter().map(standing).collect()
}

fn quantile(mut numbers: Vec<f64>, part: f64) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[((numbers.len() - 1) as f64 * part).round() as usize]
}

/// Writes a line of a table: the first contestant plain, the others with their ratios to it.
pub(crate) fn print_row(name: &str, standings: &[Standing], digits: usize) {
    print!("{name:<34}");
    for (at, Standing { median, spread, ratio }) in standings.iter().enumerate() {
        let spread = spread * 100.0;
        print!(" | {median:8.digits$} ±{spread:2.0}%");
        if at > 0 {
            print!(" ({ratio:4.2})");
        }
    }
    println!();
}

/// Writes the head of such a table.
pub(crate) fn print_head(work: &str, contestants: &[&str]) {
    print!("{work:<34}");
    for (at, contestant) in contestants.iter().enumerate() {
        let width = if at > 0 { 20 } else { 13 };
        print!(" | {contestant:>width$}");
    }
    println!();
}

/// Returns the CPU time that a clock has counted.
pub(crate) fn cpu_time(clock: ClockId) -> Duration {
    clock_gettime(clock).try_into().expect("a CPU clock is never before its start")
}
