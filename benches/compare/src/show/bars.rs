//! Bars: one line of a work, a bar for each peer.

use maud::{Markup, html};

use super::figure::{quantity, ratio, spread};
use super::page::colour;
use crate::report::{Cell, Line, Outcome};

const WIDTH: f64 = 400.0;
const ROW: f64 = 26.0;
/// Where bars begin, after the names, and where the longest ends, before its number.
const LEFT: f64 = 112.0;
const RIGHT: f64 = 275.0;

pub(crate) fn bars(line: &Line) -> Markup {
    let numbers = line.cells.iter().filter_map(Cell::summary).map(|summary| summary.high);
    let longest = numbers.fold(f64::MIN_POSITIVE, f64::max);
    let height = ROW * line.cells.len() as f64 + 4.0;
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" {
            @for (at, cell) in line.cells.iter().enumerate() {
                (bar(line, cell, at as f64 * ROW, longest))
            }
        }
    }
}

fn bar(line: &Line, cell: &Cell, top: f64, longest: f64) -> Markup {
    let middle = top + ROW / 2.0 + 1.0;
    let ours = if cell.peer.is_ours() { "name ours" } else { "name" };
    html! {
        text.(ours) x=(LEFT - 10.0) y=(middle + 4.0) text-anchor="end" { (cell.peer.title()) }
        @match &cell.outcome {
            Outcome::Refused(why) => {
                text.refused x=(LEFT) y=(middle + 4.0) { title { (why) } "refused" }
            }
            Outcome::Measured(summary) => {
                @let end = |number: f64| LEFT + (RIGHT - LEFT) * number / longest;
                @let width = (end(summary.median) - LEFT).max(1.5);
                rect x=(LEFT) y=(top + 5.0) width=(round(width)) height=(ROW - 9.0) rx="3" fill=(colour(cell.peer)) {
                    title { (cell.peer.title()) ": " (quantity(line.measure, summary.median)) ", " (spread(summary)) ", " (summary.rounds) " rounds" }
                }
                line.whisker x1=(round(end(summary.low))) x2=(round(end(summary.high))) y1=(middle) y2=(middle) {}
                text.number x=(round(end(summary.high.max(summary.median)) + 8.0)) y=(middle + 4.0) {
                    (quantity(line.measure, summary.median))
                    @if summary.noisy { " ~" }
                    @if let Some(ratio) = ratio(summary).filter(|_| !summary.noisy) { tspan.ratio dx="6" { (ratio) } }
                }
            }
        }
    }
}

fn round(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
