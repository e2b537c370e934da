//! Tables for documents, and for the terminal.
//!
//! A document says between which marks it wants which table:
//!
//! ```text
//! <!-- compare: echo http request_cpu tokio stackless stackful -->
//! <!-- /compare -->
//! ```
//!
//! The words name works or their groups, measures or `main` for the most important one of each
//! work, and peers; of what is not named, all are taken. `machine` alone asks for a paragraph on
//! where and when.

use std::io;

use clap::ValueEnum;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::figure::{count, quantity, ratio};
use super::table::{Row, Table};
use crate::peer::Peer;
use crate::report::{Cell, Group, Line, Measure, Outcome, Report};

const BEGIN: &str = "<!-- compare: ";
const END: &str = "<!-- /compare -->";

/// Returns the document with its tables made new. What the report has no lines for stays as it was.
pub(crate) fn renewed(document: &str, report: &Report) -> io::Result<String> {
    let mut new = String::new();
    let mut rest = document;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (words, after) = after.split_once(" -->\n").ok_or_else(|| lacks(" -->"))?;
        let (old, after) = after.split_once(END).ok_or_else(|| lacks(END))?;
        let block = block(words, report).unwrap_or_else(|| old.to_owned());
        new.push_str(&format!("{before}{BEGIN}{words} -->\n{block}{END}"));
        rest = after;
    }
    Ok(new + rest)
}

fn lacks(what: &str) -> io::Error {
    io::Error::other(format!("a mark `{BEGIN}` lacks its `{what}`"))
}

/// Writes all tables.
pub(crate) fn whole(report: &Report) -> String {
    let tables =
        ["programs", "web", "operations", "crowds"].iter().filter_map(|group| block(group, report));
    tables.collect::<Vec<_>>().join("\n")
}

fn block(words: &str, report: &Report) -> Option<String> {
    if words == "machine" {
        return Some(machine(report));
    }
    let words: Vec<&str> = words.split_whitespace().collect();
    let peers: Vec<Peer> =
        words.iter().filter_map(|word| Peer::from_str(word, false).ok()).collect();
    let measures: Vec<Measure> = words.iter().filter_map(|word| named(word)).collect();
    let groups: Vec<Group> = words.iter().filter_map(|word| named(word)).collect();
    let main = words.contains(&"main");
    let works = report.works.iter();
    let works =
        works.filter(|work| words.contains(&work.name.as_str()) || groups.contains(&work.group));
    let table = Table::of(
        works,
        |peer| peers.is_empty() || peers.contains(&peer),
        |work, measure| {
            (measures.is_empty() || measures.contains(&measure))
                && (!main || work.measures().first() == Some(&measure))
        },
    );
    (!table.rows.is_empty()).then(|| written(&table))
}

/// Returns what has this name in the JSON.
fn named<T: DeserializeOwned>(word: &str) -> Option<T> {
    serde_json::from_value(Value::from(word)).ok()
}

fn machine(report: &Report) -> String {
    let versions: Vec<String> =
        report.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let absent: Vec<&str> = report.absent.iter().map(|absent| absent.peer.title()).collect();
    let without = if absent.is_empty() {
        String::new()
    } else {
        format!(" Not measured, as they are not installed: {}.", absent.join(", "))
    };
    let date = report.date.split('T').next().unwrap_or_default();
    let machine = report.machine.sentence();
    format!("A {} run of {date} on {machine}: {}.{without}\n", report.effort, versions.join(", "))
}

fn written(table: &Table<'_>) -> String {
    let mut head = vec!["work".to_owned()];
    head.extend(table.peers.iter().map(|peer| peer.title().to_owned()));
    let mut lines = vec![head];
    for row in &table.rows {
        let cells = row.cells(&table.peers).into_iter().map(|cell| cell_text(row, cell));
        lines.push([title(row)].into_iter().chain(cells).collect());
    }
    let mut text = aligned(&lines);
    for note in notes(table) {
        text.push_str(&note);
    }
    text
}

/// Names a line.
fn title(row: &Row<'_>) -> String {
    let detail = detail(row).map(|detail| format!(": {detail}"));
    row.work.title.clone() + &detail.unwrap_or_default()
}

/// Returns what tells a line from others of its work: its measure, unless that goes without saying,
/// and its size.
pub(crate) fn detail(row: &Row<'_>) -> Option<String> {
    let Line { size, measure, .. } = *row.line;
    let plain = measure == Measure::OperationCpu && row.work.measures().len() == 1;
    let measure = (!plain).then(|| measure.title().to_owned());
    let size = size.zip(row.work.sized_by.as_ref()).map(|(size, what)| {
        let what = if size == 1 { what.trim_end_matches('s') } else { what };
        format!("{} {what}", count(size))
    });
    measure.into_iter().chain(size).reduce(|measure, size| format!("{measure}, {size}"))
}

fn cell_text(row: &Row<'_>, cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return "–".to_owned() };
    let Some(summary) = cell.summary() else { return "refused".to_owned() };
    let number = quantity(row.line.measure, summary.median);
    let noisy = if summary.noisy { " ~" } else { "" };
    match ratio(summary) {
        Some(ratio) if cell.peer != Peer::BASE && !summary.noisy => format!("**{ratio}** {number}"),
        _ => format!("{number}{noisy}"),
    }
}

/// Says why somebody refused.
fn notes(table: &Table<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    for row in &table.rows {
        for cell in row.cells(&table.peers).into_iter().flatten() {
            if let Outcome::Refused(why) = &cell.outcome {
                let note = format!(
                    "- {}, {}: “{}”\n",
                    cell.peer.title(),
                    title(row),
                    why.replace('|', "/")
                );
                notes.push(note);
            }
        }
    }
    if !notes.is_empty() {
        notes.insert(0, "\nRefused:\n\n".to_owned());
    }
    notes
}

/// Writes a table whose columns stand below each other in the source, too.
fn aligned(lines: &[Vec<String>]) -> String {
    let width =
        |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    let written = |line: &Vec<String>| {
        let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule =
        widths.iter().map(|&width| format!("{}|", "-".repeat(width + 2))).collect::<String>();
    let mut text = written(&lines[0]);
    text.push_str(&format!("|{rule}\n"));
    lines[1..].iter().for_each(|line| text.push_str(&written(line)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::samples::report;

    #[test]
    fn ratios_come_first_and_noise_is_marked() {
        let table = block("echo", &report()).unwrap();
        let line = table.lines().nth(2).unwrap();
        assert!(line.starts_with("| TCP echo: server CPU per request, 1 connection "), "{line}");
        assert!(line.contains("| **0.80×** 4.00 µs"), "{line}");
        assert!(line.contains("| 5.00 µs "), "{line}");
        assert!(line.contains("| 20.0 ms ~ |"), "noise has no ratio: {line}");
    }

    #[test]
    fn a_refusal_is_shown_with_its_words() {
        let table = block("crowds", &report()).unwrap();
        assert!(table.contains("| refused |") && table.contains("“no / more stacks”"), "{table}");
    }

    #[test]
    fn words_choose_works_measures_and_peers() {
        let table = block("echo each", &report());
        assert!(table.is_none(), "an echo has no memory of each");
        let table = block("idle each tokio", &report()).unwrap();
        assert!(table.contains("Tokio") && !table.contains("stackless"), "{table}");
    }

    #[test]
    fn a_document_keeps_all_but_its_tables() {
        let document = "a\n<!-- compare: idle -->\nold\n<!-- /compare -->\nb\n\
            <!-- compare: spawn -->\nkept\n<!-- /compare -->\nc";
        let new = renewed(document, &report()).unwrap();
        assert!(new.starts_with("a\n<!-- compare: idle -->\n| work "), "{new}");
        assert!(!new.contains("old") && new.contains("\nkept\n"), "{new}");
        assert!(new.ends_with("<!-- /compare -->\nc"), "{new}");
        assert_eq!(renewed(&new, &report()).unwrap(), new);
    }

    #[test]
    fn a_mark_without_its_end_is_an_error() {
        assert!(renewed("<!-- compare: idle -->\nold", &report()).is_err());
    }
}
