//! What people see: the page, the tables of documents, the table in the terminal.

mod bars;
mod curves;
mod figure;
mod markdown;
mod page;
mod table;

use std::fs;
use std::io;
use std::path::Path;

use crate::arguments::Arguments;
use crate::report::Report;

/// Writes and prints all that was asked for.
pub(crate) fn show(report: &Report, arguments: &Arguments) -> io::Result<()> {
    if let Some(json) = &arguments.json {
        write(json, &serde_json::to_string_pretty(report)?)?;
    }
    for document in &arguments.markdown {
        let text = fs::read_to_string(document).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", document.display()))
        })?;
        write(document, &markdown::renewed(&text, report)?)?;
    }
    let html = arguments.html();
    write(&html, &page::page(report).into_string())?;
    println!("{}", markdown::whole(report));
    if let Some(busy) = &report.busy {
        println!("The machine was busy: {busy}. Do not trust numbers with a ~.");
    }
    println!("The page: {}", html.display());
    Ok(())
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(file, text)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

#[cfg(test)]
pub(crate) mod samples {
    //! A small report to draw.

    use super::*;
    use crate::machine::Machine;
    use crate::peer::Peer;
    use crate::report::{Absent, Cell, Group, Line, Measure, Outcome, Work};
    use crate::statistics::Summary;

    pub(crate) fn report() -> Report {
        Report {
            date: "2026-01-02T03:04:05Z".to_owned(),
            effort: "quick".to_owned(),
            seconds: 90,
            machine: Machine {
                cpu: "A <fast> CPU".to_owned(),
                cores: 2,
                memory: "8 GiB".to_owned(),
                kernel: "Linux 6.18".to_owned(),
                governor: "performance".to_owned(),
                virtual_machine: true,
                pinned: true,
            },
            versions: [("tokio".to_owned(), "1.2.3".to_owned())].into(),
            busy: Some("its load was 3.5".to_owned()),
            absent: vec![Absent { peer: Peer::Go, why: "no `go` is installed".to_owned() }],
            works: vec![echo(), idle()],
        }
    }

    fn echo() -> Work {
        let mut work =
            Work::new("echo", "TCP echo", "Sends & gets.", Group::Programs).sized_by("connections");
        for size in [1, 100, 8_000] {
            let cells = vec![
                measured(Peer::Stackless, 4.0, 0.8, false),
                measured(Peer::Tokio, 5.0, 1.0, false),
                measured(Peer::May, 20_000.0, 4000.0, true),
            ];
            work.lines.push(Line { size: Some(size), measure: Measure::RequestCpu, cells });
        }
        work
    }

    fn idle() -> Work {
        let mut work =
            Work::new("idle", "An idle one", "Waits.", Group::Crowds).sized_by("green threads");
        let refused = Outcome::Refused("no | more stacks".to_owned());
        let cells = vec![
            measured(Peer::Stackless, 90.0, 0.27, false),
            measured(Peer::Tokio, 330.0, 1.0, false),
            Cell { peer: Peer::May, outcome: refused },
        ];
        work.lines.push(Line { size: Some(1_000_000), measure: Measure::Each, cells });
        work
    }

    fn measured(peer: Peer, median: f64, ratio: f64, noisy: bool) -> Cell {
        let summary = Summary {
            median,
            low: median * 0.9,
            high: median * 1.1,
            ratio: Some(ratio),
            rounds: 5,
            noisy,
        };
        Cell { peer, outcome: Outcome::Measured(summary) }
    }
}
