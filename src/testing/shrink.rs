//! Finds a shorter schedule that fails, too.

use std::collections::BTreeMap;

use super::choices::Script;
use super::run::Ran;

/// Runs that may be spent on it.
const MOST_RUNS: usize = 300;

/// Returns a run that failed, with as few unusual choices as were found to be enough. `run` runs a
/// script.
///
/// It leaves out half of them, then quarters, and so on down to single ones: delta debugging, as by
/// Andreas Zeller.
pub(super) fn shrink(mut best: Ran, run: impl Fn(Script) -> Ran) -> Ran {
    let mut runs = 0;
    let mut size = best.taken.0.len();
    while size > 0 && runs < MOST_RUNS {
        let mut at = 0;
        while at < best.taken.0.len() && runs < MOST_RUNS {
            runs += 1;
            let shorter = run(without(&best.taken, at, size));
            if shorter.failed.is_some() && shorter.taken.0.len() < best.taken.0.len() {
                best = shorter;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    best
}

fn without(script: &Script, at: usize, count: usize) -> Script {
    let choices =
        script.0.iter().enumerate().filter(|(number, _)| !(at..at + count).contains(number));
    Script(choices.map(|(_, (number, choice))| (*number, *choice)).collect::<BTreeMap<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(script: Script, needed: &[usize]) -> Ran {
        let fails = needed.iter().all(|choice| script.0.contains_key(choice));
        let failed = fails.then(|| Box::new("it failed") as Box<_>);
        Ran { failed, taken: script, steps: Vec::new() }
    }

    #[test]
    fn only_the_choices_are_left_that_it_takes() {
        for needed in [&[][..], &[7], &[0, 99], &[3, 50, 51]] {
            let all = Script((0..100).map(|number| (number, 1)).collect());
            let least = shrink(ran(all, needed), |script| ran(script, needed));
            assert_eq!(least.taken.0.into_keys().collect::<Vec<_>>(), needed);
        }
    }
}
