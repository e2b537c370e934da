//! Numbers as people read them: three digits that count, and a unit of fitting size.

use crate::report::Measure;
use crate::statistics::Summary;

/// Writes a number of a measure with its unit.
pub(crate) fn quantity(measure: Measure, number: f64) -> String {
    let (number, unit) = scaled(number, measure.unit());
    match unit {
        "/s" => format!("{}/s", figure(number)),
        "k/s" => format!("{} k/s", figure(number)),
        _ => format!("{} {unit}", figure(number)),
    }
}

/// Writes a ratio to plain Tokio.
pub(crate) fn ratio(summary: &Summary) -> Option<String> {
    summary.ratio.map(|ratio| {
        // Two digits after the point tell ratios apart well enough.
        if ratio < 9.995 { format!("{ratio:.2}×") } else { format!("{}×", figure(ratio)) }
    })
}

/// Writes how far the rounds lie apart, with a mark if the number is noisy. A single round says
/// nothing of that.
pub(crate) fn spread(summary: &Summary) -> String {
    let mark = if summary.noisy { " ~" } else { "" };
    match summary.rounds {
        0 | 1 => format!("one round{mark}"),
        _ => format!("±{:.0} %{mark}", summary.spread() * 100.0),
    }
}

/// Points to where better numbers are.
pub(crate) fn arrow(measure: Measure) -> &'static str {
    if measure.more_is_better() { "↑ more is better" } else { "↓ less is better" }
}

/// Goes over to a larger unit from ten thousand on.
fn scaled(number: f64, unit: &'static str) -> (f64, &'static str) {
    let larger = match unit {
        "ns" => "µs",
        "µs" => "ms",
        "ms" => "s",
        "B" => "KB",
        "/s" => "k/s",
        _ => return (number, unit),
    };
    if number.abs() < 10_000.0 { (number, unit) } else { scaled(number / 1000.0, larger) }
}

/// Writes a number with three digits that count, and commas between thousands.
pub(crate) fn figure(number: f64) -> String {
    match number.abs() {
        size if size >= 99.95 => count(number.round() as i64),
        size if size >= 9.995 => format!("{number:.1}"),
        size if size >= 0.9995 || size == 0.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

/// Writes a whole number with commas between thousands.
pub(crate) fn count(number: impl Into<i128>) -> String {
    let number: i128 = number.into();
    let digits = number.unsigned_abs().to_string();
    let first = (digits.len() - 1) % 3 + 1;
    let mut text = if number < 0 { "-".to_owned() } else { String::new() };
    text.push_str(&digits[..first]);
    for three in digits.as_bytes()[first..].chunks(3) {
        text.push(',');
        text.extend(three.iter().map(|&digit| char::from(digit)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        let figures =
            [0.0, 0.4567, 4.567, 9.996, 45.67, 99.96, 456.7, 4567.8, 1_234_567.0].map(figure);
        assert_eq!(
            figures,
            ["0.00", "0.457", "4.57", "10.0", "45.7", "100", "457", "4,568", "1,234,567"]
        );
    }

    #[test]
    fn large_numbers_go_over_to_larger_units() {
        assert_eq!(quantity(Measure::OperationCpu, 9_000.0), "9,000 ns");
        assert_eq!(quantity(Measure::OperationCpu, 12_345.0), "12.3 µs");
        assert_eq!(quantity(Measure::LatencyP99, 20_000_000.0), "20.0 s");
        assert_eq!(quantity(Measure::Requests, 225_205.0), "225 k/s");
        assert_eq!(quantity(Measure::Gigabytes, 2.5), "2.50 GB/s");
    }

    #[test]
    fn a_single_round_has_no_spread() {
        assert_eq!(spread(&Summary::of(&[7.0], None)), "one round");
        assert_eq!(spread(&Summary::of(&[7.0, 7.0], None)), "±0 %");
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!(
            [7, 1_000, 100_000, -1_234_567].map(count),
            ["7", "1,000", "100,000", "-1,234,567"]
        );
    }
}
