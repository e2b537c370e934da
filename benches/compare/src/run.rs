//! A whole comparison, with a bar that shows how far it is.

use std::io;
use std::time::{Instant, SystemTime};

use indicatif::{ProgressBar, ProgressStyle};

use crate::arguments::Arguments;
use crate::contest::Contest;
use crate::cores::{Cores, allow_open_files, pin_to};
use crate::machine::Machine;
use crate::report::{Report, Work};
use crate::stage::Stage;
use crate::versions::versions;
use crate::whole::servers::build;
use crate::{crowd, micro, whole};

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
    let start = Instant::now();
    if let Some(cores) = stage.cores {
        pin_to(cores.driver);
    }
    let works = hold(contests);
    Ok(Report {
        date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        effort: stage.effort.word().to_owned(),
        seconds: start.elapsed().as_secs(),
        machine,
        versions: versions(&guests),
        absent,
        works,
    })
}

/// Returns the contests of a run, in the order of the report.
fn wanted(arguments: &Arguments, stage: &Stage) -> io::Result<Vec<Contest>> {
    let all = [whole::contests(stage), micro::contests(stage), crowd::contests(stage)];
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
