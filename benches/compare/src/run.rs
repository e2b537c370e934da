//! A whole comparison, with a bar that shows how far it is.

use std::fs;
use std::io;
use std::time::{Instant, SystemTime};

use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::Arguments;
use crate::contest::Contest;
use crate::cores::{Cores, allow_open_files, pin_to};
use crate::machine::Machine;
use crate::report::{Cell, Report, Work};
use crate::stage::Stage;
use crate::versions::versions;
use crate::whole::servers::build;
use crate::{crowd, micro, web, whole};

/// A load above this disturbs a run.
const BUSY: f64 = 0.7;

/// Runs what is wanted.
pub(crate) fn run(arguments: &Arguments) -> io::Result<Report> {
    let (guests, absent) = build(&arguments.foreign);
    let machine = Machine::this();
    let stage = Stage {
        effort: arguments.effort(),
        cores: Cores::choose(),
        files: allow_open_files(),
        guests: guests.iter().map(|&(peer, _)| peer).collect(),
        foreign: arguments.foreign.clone(),
    };
    let contests = wanted(arguments, &stage)?;
    for absent in &absent {
        eprintln!("without {}: {}", absent.peer.title(), absent.why);
    }
    let load = load();
    let start = Instant::now();
    if let Some(cores) = stage.cores {
        pin_to(cores.driver);
    }
    let works = hold(contests);
    let busy = busy(load, &works);
    Ok(Report {
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        effort: stage.effort.word().to_owned(),
        seconds: start.elapsed().as_secs(),
        machine,
        versions: versions(&guests),
        busy,
        absent,
        works,
    })
}

/// Returns how many processes wanted to run in the last minute, on average.
fn load() -> f64 {
    let loads = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    loads.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or(0.0)
}

/// Says what speaks against the numbers of a run: much was running when it began, or much of it is
/// noisy.
fn busy(load: f64, works: &[Work]) -> Option<String> {
    let lines = works.iter().flat_map(|work| &work.lines);
    let summaries: Vec<_> = lines.flat_map(|line| &line.cells).filter_map(Cell::summary).collect();
    let noisy = summaries.iter().filter(|summary| summary.noisy).count();
    if load > BUSY {
        Some(format!("its load was {load:.1} when the run began"))
    } else if noisy * 4 > summaries.len() {
        Some(format!("{noisy} of {} numbers are noisy", summaries.len()))
    } else {
        None
    }
}

/// Returns the contests of a run, in the order of the report.
fn wanted(arguments: &Arguments, stage: &Stage) -> io::Result<Vec<Contest>> {
    let all = [
        whole::contests(stage),
        web::contests(stage),
        micro::contests(stage),
        crowd::contests(stage),
    ];
    let (wanted, others): (Vec<_>, Vec<_>) =
        all.into_iter().flatten().partition(|contest| arguments.wants(&contest.work.name));
    if wanted.is_empty() {
        let mut names: Vec<&str> = others.iter().map(|other| other.work.name.as_str()).collect();
        names.dedup();
        return Err(io::Error::other(format!(
            "no work has such a name; there are {}",
            names.join(", ")
        )));
    }
    Ok(wanted
        .into_iter()
        .filter_map(|contest| contest.between(|peer| arguments.invites(peer)))
        .collect())
}

fn hold(contests: Vec<Contest>) -> Vec<Work> {
    let bar = progress(&contests);
    let mut works: Vec<Work> = Vec::new();
    for mut contest in contests {
        bar.set_message(contest.title());
        let lines = contest.hold(|| bar.inc(1));
        match works.iter_mut().find(|work| work.name == contest.work.name) {
            Some(work) => work.lines.extend(lines),
            None => works.push(Work { lines, ..contest.work }),
        }
    }
    bar.finish_and_clear();
    works
}

fn progress(contests: &[Contest]) -> ProgressBar {
    let runs = contests.iter().map(|contest| contest.rounds * contest.peers.len()).sum::<usize>();
    let style =
        ProgressStyle::with_template("{elapsed_precise} {bar:32.green/dim} {percent:>3} %  {msg}")
            .expect("the template is in order");
    let bar = ProgressBar::new(runs as u64).with_style(style);
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}
