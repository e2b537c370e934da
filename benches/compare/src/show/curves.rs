//! Curves: one measure of a work over its sizes, a curve for each peer. Numbers go up in decades.

use maud::{Markup, html};

use super::figure::{count, quantity, spread};
use super::page::colour;
use crate::peer::Peer;
use crate::report::{Line, Measure, Work};
use crate::statistics::Summary;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 444.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 206.0;

pub(crate) fn curves(work: &Work, measure: Measure) -> Markup {
    let lines: Vec<&Line> = work.lines_of(measure).collect();
    let scale = Scale::of(&lines);
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" {
            @for tick in scale.ticks() {
                line.grid x1=(LEFT) x2=(RIGHT) y1=(scale.y(tick)) y2=(scale.y(tick)) {}
                text.tick x=(LEFT - 8.0) y=(scale.y(tick) + 4.0) text-anchor="end" { (short(measure, tick)) }
            }
            @for (at, line) in lines.iter().enumerate() {
                text.tick x=(scale.x(at)) y=(BOTTOM + 20.0) text-anchor="middle" { (count(line.size.unwrap_or(0))) }
            }
            text.axis x=((LEFT + RIGHT) / 2.0) y=(BOTTOM + 38.0) text-anchor="middle" { (work.sized_by.as_deref().unwrap_or_default()) }
            // Ours last, so on top.
            @for peer in work.peers().into_iter().rev() { (curve(&lines, peer, &scale)) }
        }
    }
}

fn curve(lines: &[&Line], peer: Peer, scale: &Scale) -> Markup {
    let points: Vec<Point<'_>> =
        lines.iter().enumerate().filter_map(|(at, line)| Point::of(at, line, peer)).collect();
    let class = if peer.is_ours() { "curve ours" } else { "curve" };
    let path: Vec<String> = points
        .iter()
        .map(|point| format!("{},{}", scale.x(point.at), scale.y(point.summary.median)))
        .collect();
    html! {
        polyline.(class) points=(path.join(" ")) stroke=(colour(peer)) {}
        @for Point { at, line, summary } in points {
            circle cx=(scale.x(at)) cy=(scale.y(summary.median)) r=(if peer.is_ours() { 4.5 } else { 3.5 }) fill=(colour(peer)) {
                title { (peer.title()) ", " (count(line.size.unwrap_or(0))) ": " (quantity(line.measure, summary.median)) ", " (spread(summary)) }
            }
        }
    }
}

struct Point<'a> {
    at: usize,
    line: &'a Line,
    summary: &'a Summary,
}

impl<'a> Point<'a> {
    fn of(at: usize, line: &'a Line, peer: Peer) -> Option<Point<'a>> {
        Some(Point { at, line, summary: line.cell(peer)?.summary()? })
    }
}

/// Writes a tick: one digit that counts is enough.
fn short(measure: Measure, number: f64) -> String {
    quantity(measure, number).replace(".00", "").replace(".0", "")
}

/// From numbers to places: sizes at even distances, numbers by their logarithm.
struct Scale {
    sizes: usize,
    low: f64,
    high: f64,
}

impl Scale {
    fn of(lines: &[&Line]) -> Scale {
        let numbers = lines.iter().flat_map(|line| &line.cells).filter_map(|cell| cell.summary());
        let numbers: Vec<f64> =
            numbers.map(|summary| summary.median).filter(|&number| number > 0.0).collect();
        let low = numbers.iter().copied().fold(f64::MAX, f64::min);
        let high = numbers.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        Scale { sizes: lines.len(), low: low.min(high) / 1.25, high: high * 1.25 }
    }

    fn x(&self, at: usize) -> f64 {
        let step = (RIGHT - LEFT - 40.0) / (self.sizes.max(2) - 1) as f64;
        LEFT + 20.0 + step * at as f64
    }

    fn y(&self, number: f64) -> f64 {
        let part = (number.max(self.low) / self.low).ln() / (self.high / self.low).ln();
        ((BOTTOM - (BOTTOM - TOP) * part) * 10.0).round() / 10.0
    }

    /// Returns ones, twos and fives of every decade, or only ones where these are many.
    fn ticks(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let steps: &[f64] = if decades > 2.2 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let first = self.low.log10().floor() as i32;
        let all = (first..=first + 12)
            .flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
        all.filter(|tick| (self.low..=self.high).contains(tick)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_keep_within_the_frame() {
        let scale = Scale { sizes: 4, low: 3.0, high: 900.0 };
        assert_eq!((scale.y(3.0), scale.y(900.0)), (BOTTOM, TOP));
        assert_eq!((scale.x(0), scale.x(3)), (LEFT + 20.0, RIGHT - 20.0));
        assert_eq!(scale.ticks(), [10.0, 100.0]);
        let narrow = Scale { sizes: 1, low: 3.0, high: 30.0 };
        assert_eq!(narrow.ticks(), [5.0, 10.0, 20.0]);
    }
}
