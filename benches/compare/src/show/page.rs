//! The page: one file with nothing outside it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::bars::bars;
use super::curves::curves;
use super::figure::{arrow, count, figure, quantity, ratio, spread};
use super::markdown::detail;
use super::table::{Row, Table};
use crate::peer::Peer;
use crate::report::{Cell, Group, Measure, Outcome, Report, Work};

const STYLE: &str = include_str!("page.css");

pub(crate) fn page(report: &Report) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "eventlet, compared" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (head(report))
                    (glance(report))
                    (group(report, Group::Programs, "Whole programs", "Servers in processes of their own, each on one core, \
                        driven by the same loader on another."))
                    (group(report, Group::Web, "The web", "Servers over the same: hyper, axum, tokio-rustls and tokio-tungstenite \
                        where Tokio is."))
                    (group(report, Group::Operations, "Operations", "One operation, many times, on one core. CPU time of the \
                        process."))
                    (group(report, Group::Crowds, "Crowds", "Many green threads that do nothing, each crowd in a process of \
                        its own."))
                    (foot(report))
                }
            }
        }
    }
}

/// The variable that holds a peer's colour.
pub(crate) fn colour(peer: Peer) -> String {
    format!("var(--{})", peer.word())
}

fn head(report: &Report) -> Markup {
    html! {
        header {
            h1 { "eventlet, " em { "compared" } }
            p.lead { "Green threads of both colours, " b { "stackless" } " and " b { "stackful" } ", beside plain Tokio and other \
                peers doing the same work. Ratios are to Tokio in the same round: below 1 is cheaper." }
            p.facts {
                span { (report.date.replace('T', " ").replace('Z', " UTC")) }
                span { (report.effort) " run, " (report.seconds.div_ceil(60)) " min" }
                span { (report.machine.cpu) @if report.machine.virtual_machine { ", virtual" } }
                span { (report.machine.cores) " cores, " (report.machine.memory) }
                span { (report.machine.kernel) }
                span { "governor: " (report.machine.governor) }
            }
            (doubts(report))
            (legend(report))
        }
    }
}

/// What a reader has to know before the numbers.
fn doubts(report: &Report) -> Markup {
    html! {
        @if let Some(busy) = &report.busy {
            p.doubt { b { "The machine was busy: " } (busy) ". Numbers with a ~ are grey and have no ratio; run it again on a quiet machine." }
        }
        @if !report.absent.is_empty() {
            p.doubt {
                b { "Not measured here: " }
                @for (at, absent) in report.absent.iter().enumerate() {
                    @if at > 0 { ", " }
                    (absent.peer.title()) " (" (absent.why) ")"
                }
                "."
            }
        }
    }
}

fn legend(report: &Report) -> Markup {
    let table = Table::of(&report.works, |_| true, |_, _| true);
    html! {
        p.legend {
            @for peer in table.peers {
                span { i style=(format!("background:{}", colour(peer))) {} (peer.title()) }
            }
        }
    }
}

/// What the tiles at the top show, where it was measured: a work, a measure and a size.
const GLANCE: [(&str, &str, Measure, Option<u64>); 6] = [
    ("spawn and wait", "spawn", Measure::OperationCpu, None),
    ("one turn", "turn", Measure::OperationCpu, None),
    ("queue ping-pong", "ping-pong", Measure::OperationCpu, None),
    ("ordered pool map", "map", Measure::OperationCpu, None),
    ("TCP echo, 1,000 connections", "echo", Measure::RequestCpu, Some(1_000)),
    ("memory when idle, of 100,000", "idle", Measure::Each, Some(100_000)),
];

fn glance(report: &Report) -> Markup {
    let find = |name: &str, measure, size| {
        let work = report.works.iter().find(|work| work.name == name)?;
        work.lines_of(measure).find(|line| line.size == size)
    };
    html! {
        section.glance {
            @for (what, name, measure, size) in GLANCE {
                @if let Some(line) = find(name, measure, size) {
                    div.tile {
                        h3 { (what) small { (arrow(measure)) } }
                        @for peer in [Peer::Stackless, Peer::Stackful] {
                            @if let Some(cell) = line.cell(peer) { (tile(cell, measure)) }
                        }
                    }
                }
            }
        }
    }
}

fn tile(cell: &Cell, measure: Measure) -> Markup {
    let (number, ratio, noisy) = match cell.summary() {
        Some(summary) => {
            let number = format!("{} {}", quantity(measure, summary.median), spread(summary));
            (number, ratio(summary).unwrap_or_default(), summary.noisy)
        }
        None => ("refused".to_owned(), "–".to_owned(), false),
    };
    html! {
        p.noisy[noisy] {
            b style=(format!("color:{}", colour(cell.peer))) { (ratio) }
            span { (cell.peer.title()) ", " (number) }
        }
    }
}

fn group(report: &Report, group: Group, name: &str, about: &str) -> Markup {
    let works: Vec<&Work> = report.works.iter().filter(|work| work.group == group).collect();
    html! {
        @if !works.is_empty() {
            section {
                h2 { (name) }
                p.lead { (about) }
                (table(&works))
                @if is_program(group) {
                    @for work in works { (program(work)) }
                } @else {
                    div.grid { @for work in works { (plots(work)) } }
                }
            }
        }
    }
}

/// The measure that matters most of each work, ratios first.
fn table(works: &[&Work]) -> Markup {
    let main = |work: &Work, measure| work.measures().first() == Some(&measure);
    rows(&Table::of(works.iter().copied(), |_| true, main))
}

fn rows(table: &Table<'_>) -> Markup {
    html! {
        div.scroll {
            table {
                thead { tr {
                    th { "work" }
                    @for peer in &table.peers { th { i style=(format!("background:{}", colour(*peer))) {} (peer.title()) } }
                } }
                tbody {
                    @for row in &table.rows {
                        tr {
                            th {
                                (row.work.title)
                                small { @if let Some(detail) = detail(row) { (detail) ", " } (arrow(row.line.measure)) }
                            }
                            @for cell in row.cells(&table.peers) { (cell_of(row, cell)) }
                        }
                    }
                }
            }
        }
    }
}

fn cell_of(row: &Row<'_>, cell: Option<&Cell>) -> Markup {
    let Some(cell) = cell else { return html! { td.none { "–" } } };
    match &cell.outcome {
        Outcome::Refused(why) => html! { td.none title=(why) { "refused" } },
        Outcome::Measured(summary) => {
            let measure = row.line.measure;
            let mood = match summary.ratio {
                _ if summary.noisy => "noisy",
                Some(ratio) => mood(ratio, measure),
                None => "",
            };
            html! {
                td.(mood) title=(format!("{} rounds, quartiles {} to {}", summary.rounds, figure(summary.low), figure(summary.high))) {
                    @if let Some(ratio) = ratio(summary).filter(|_| !summary.noisy) { b { (ratio) } }
                    span { (quantity(measure, summary.median)) " " small { (spread(summary)) } }
                }
            }
        }
    }
}

/// Whether a ratio is clearly better or worse than Tokio's 1.
fn mood(ratio: f64, measure: Measure) -> &'static str {
    let ratio = if measure.more_is_better() { 1.0 / ratio } else { ratio };
    match ratio {
        ratio if ratio <= 0.95 => "better",
        ratio if ratio >= 1.05 => "worse",
        _ => "level",
    }
}

/// A program: every measure over the number of connections, and all numbers on demand.
fn program(work: &Work) -> Markup {
    let shown = |measure: &Measure| *measure != Measure::LatencyP50;
    html! {
        article {
            h3 { (work.title) }
            p { (prose(&work.about)) }
            div.grid.wide { @for measure in work.measures().into_iter().filter(shown) { (plot(work, measure)) } }
            details {
                summary { "All numbers" }
                (rows(&Table::of([work], |_| true, |_, _| true)))
            }
        }
    }
}

fn plots(work: &Work) -> Markup {
    html! {
        @for measure in work.measures() { (plot(work, measure)) }
    }
}

fn is_program(group: Group) -> bool {
    matches!(group, Group::Programs | Group::Web)
}

/// Curves where there are several sizes of a program, else bars.
fn plot(work: &Work, measure: Measure) -> Markup {
    let lines: Vec<_> = work.lines_of(measure).collect();
    let is_program = is_program(work.group);
    html! {
        @if is_program && lines.len() > 1 {
            figure { figcaption { (capital(measure.title())) small { (arrow(measure)) } } (curves(work, measure)) }
        } @else {
            @for line in lines {
                figure {
                    figcaption {
                        @if is_program { (capital(measure.title())) } @else { (work.title) }
                        @if !is_program && work.measures().len() > 1 { ": " (measure.title()) }
                        small {
                            @if let Some(size) = line.size { (count(size)) " " (work.sized_by.as_deref().unwrap_or_default()) ", " }
                            (arrow(measure))
                        }
                    }
                    @if !is_program { p { (prose(&work.about)) } }
                    (bars(line))
                }
            }
        }
    }
}

/// Sets what stands between backticks as code.
fn prose(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn foot(report: &Report) -> Markup {
    html! {
        footer {
            h2 { "How this was measured" }
            ul {
                li { "Every contestant is a process of its own" @if report.machine.pinned { ", on one core; what drives it has another" } ". \
                    Same work, same bytes, same buffers, TCP_NODELAY everywhere." }
                li { "Peers take turns, in an order that changes from round to round. A number is the median of the rounds, ± half the \
                    distance of the quartiles; a ratio is the median of the ratios within each round." }
                li { "In a full run, a contest whose rounds lie more than 10 % apart goes on for as many again; what is noisy even then has a ~ and no ratio. So has a number whose ratio \
                    within the rounds and whose medians contradict each other." }
                li { "CPU time is disturbed little by neighbours on the machine. Requests per second and latencies are disturbed much: compare them \
                    on a quiet machine." }
                li { "“Refused” is what a peer could not do, with its own words when you point at it." }
            }
            p.versions { @for (name, version) in &report.versions { span { b { (name) } " " (version) } } }
            p { "Do it again: " code { "cargo run --release -p eventlet-compare" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::samples::report;

    #[test]
    fn the_page_holds_every_work_and_escapes_what_it_is_told() {
        let page = page(&report()).into_string();
        for text in [
            "TCP echo",
            "An idle one",
            "Sends &amp; gets.",
            "A &lt;fast&gt; CPU",
            "no `go` is installed",
        ] {
            assert!(page.contains(text), "{text}");
        }
        assert!(page.contains("<polyline"), "several sizes are a curve");
        assert!(page.contains("<rect"), "one size is bars");
        assert!(page.contains("Not measured here: </b>Go (no `go` is installed)."));
        assert!(page.contains("The machine was busy: </b>its load was 3.5."));
        assert!(page.contains("↓ less is better"));
    }

    #[test]
    fn what_is_noisy_is_grey_and_has_no_ratio() {
        let page = page(&report()).into_string();
        assert!(page.contains("td class=\"noisy\""), "{page}");
        assert!(!page.contains("4,000×"));
    }

    #[test]
    fn the_page_needs_nothing_outside_it() {
        let page = page(&report()).into_string();
        assert!(!page.contains("http://") && !page.contains("https://"));
        assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("url("));
    }

    #[test]
    fn every_peer_has_a_colour() {
        use clap::ValueEnum;

        for peer in Peer::value_variants() {
            assert_eq!(
                STYLE.matches(&format!("--{}:", peer.word())).count(),
                2,
                "by day and by night"
            );
        }
    }

    #[test]
    fn more_requests_are_better_and_more_cpu_is_worse() {
        assert_eq!(mood(1.3, Measure::Requests), "better");
        assert_eq!(mood(1.3, Measure::RequestCpu), "worse");
        assert_eq!(mood(1.01, Measure::RequestCpu), "level");
    }
}
