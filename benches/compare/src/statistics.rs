//! What many rounds of the same measurement say.

use serde::{Deserialize, Serialize};

/// More than this, and a number is marked as noisy.
const NOISY: f64 = 0.10;

/// The rounds of one contestant, summed up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    /// The quartiles.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// The median of the ratios to plain Tokio, each taken within one round.
    pub(crate) ratio: Option<f64>,
    pub(crate) rounds: usize,
    /// The number should not be trusted far: the rounds differ much, or the ratio says one thing
    /// and the medians another.
    pub(crate) noisy: bool,
}

impl Summary {
    /// Sums up the rounds of a contestant, beside those of plain Tokio if it takes part.
    pub(crate) fn of(rounds: &[f64], base: Option<&[f64]>) -> Summary {
        let median = quantile(rounds, 0.5);
        let (low, high) = (quantile(rounds, 0.25), quantile(rounds, 0.75));
        Summary {
            median,
            low,
            high,
            ratio: base.and_then(|base| ratio(rounds, base)),
            rounds: rounds.len(),
            noisy: spread(median, low, high) > NOISY
                || base.is_some_and(|base| contradict(median, ratio(rounds, base), base)),
        }
    }

    /// Half the distance between the quartiles, as a part of the median.
    pub(crate) fn spread(&self) -> f64 {
        spread(self.median, self.low, self.high)
    }
}

fn spread(median: f64, low: f64, high: f64) -> f64 {
    if median == 0.0 { 0.0 } else { (high - low) / 2.0 / median.abs() }
}

/// Compares within each round: what slows down a whole round slows down both.
fn ratio(rounds: &[f64], base: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> =
        rounds.iter().zip(base).map(|(own, base)| own / base).filter(|r| r.is_finite()).collect();
    (!ratios.is_empty()).then(|| quantile(&ratios, 0.5))
}

/// Returns whether the ratio within rounds says that a contestant is cheaper than plain Tokio where
/// the medians say that it is dearer, or the other way round, by more than a twentieth.
fn contradict(median: f64, ratio: Option<f64>, base: &[f64]) -> bool {
    let of_medians = median / quantile(base, 0.5);
    ratio.is_some_and(|ratio| {
        (ratio < 1.0) != (of_medians < 1.0) && (ratio - of_medians).abs() > 0.05
    })
}

/// Returns the number below which that part of all numbers lies, between its two neighbours if need
/// be.
pub(crate) fn quantile(numbers: &[f64], part: f64) -> f64 {
    assert!(!numbers.is_empty(), "no rounds, no quantile");
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len() - 1) as f64 * part;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_between_its_neighbours() {
        let numbers = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(quantile(&numbers, 0.0), 1.0);
        assert_eq!(quantile(&numbers, 0.5), 2.5);
        assert_eq!(quantile(&numbers, 1.0), 4.0);
        assert_eq!(quantile(&[7.0], 0.99), 7.0);
    }

    #[test]
    fn one_round_out_of_line_moves_nothing() {
        let summary = Summary::of(&[10.0, 10.0, 10.0, 10.0, 900.0], None);
        assert_eq!((summary.median, summary.spread(), summary.noisy), (10.0, 0.0, false));
    }

    #[test]
    fn rounds_that_differ_are_noisy() {
        let summary = Summary::of(&[10.0, 14.0, 6.0, 12.0, 8.0], None);
        assert_eq!((summary.low, summary.high), (8.0, 12.0));
        assert!(summary.noisy && (summary.spread() - 0.2).abs() < 1e-9);
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The machine was half as fast in the second round, for both.
        let summary = Summary::of(&[5.0, 10.0, 5.0], Some(&[10.0, 20.0, 10.0]));
        assert_eq!(summary.ratio, Some(0.5));
        assert_eq!(Summary::of(&[5.0], Some(&[0.0])).ratio, None);
    }

    #[test]
    fn a_ratio_that_contradicts_the_medians_is_noise() {
        let summary = Summary::of(&[10.0, 10.4, 10.5], Some(&[11.5, 9.0, 9.2]));
        assert!(summary.ratio.unwrap() > 1.0 && !summary.noisy, "both say that it is dearer");
        let summary = Summary::of(&[9.0, 10.0, 11.0], Some(&[9.5, 12.5, 9.4]));
        assert!(summary.ratio.unwrap() < 1.0 && summary.noisy);
    }
}
