//! Where choices come from: chance, or a list of them.
//!
//! Choice 0 is always the usual one: the hub's own order, and no fault. So a schedule is the
//! choices that are not 0, and what is left out of it is as usual.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The choices that are not 0, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Script(pub(super) BTreeMap<usize, usize>);

pub(super) enum Source {
    /// The state of a generator of random numbers.
    Seed(u64),
    Script(Script),
}

impl Source {
    /// Returns the choice of that number, less than `options`.
    fn choose(&mut self, number: usize, options: usize) -> usize {
        match self {
            Source::Seed(state) => (random(state) % options as u64) as usize,
            Source::Script(script) => {
                script.0.get(&number).map_or(0, |choice| (*choice).min(options - 1))
            }
        }
    }
}

/// Takes a step of SplitMix64, by Guy Steele, Doug Lea and Christine Flood.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The choices of one run.
pub(super) struct Choices {
    source: Source,
    made: usize,
    taken: Script,
}

impl Choices {
    pub(super) fn new(source: Source) -> Choices {
        Choices { source, made: 0, taken: Script::default() }
    }

    /// Chooses one of several options. Where there is one only that is no choice.
    pub(super) fn choose(&mut self, options: usize) -> usize {
        if options < 2 {
            return 0;
        }
        let choice = self.source.choose(self.made, options);
        if choice != 0 {
            self.taken.0.insert(self.made, choice);
        }
        self.made += 1;
        choice
    }

    /// Returns what was chosen so far.
    pub(super) fn taken(&self) -> Script {
        self.taken.clone()
    }
}

/// As `3=1,9=2`.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("=");
        }
        self.0.iter().enumerate().try_for_each(|(at, (number, choice))| {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{number}={choice}")
        })
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Source, String> {
        let wrong = || {
            format!(
                "`{text}` is neither a seed, a number as `17`, nor a schedule, choices as `3=1,9=2`"
            )
        };
        if text == "=" {
            return Ok(Source::Script(Script::default()));
        }
        if let Ok(seed) = text.parse() {
            return Ok(Source::Seed(seed));
        }
        let choice = |text: &str| {
            let (number, choice) = text.split_once('=')?;
            Some((number.parse().ok()?, choice.parse().ok()?))
        };
        let choices: Option<BTreeMap<_, _>> = text.split(',').map(choice).collect();
        Ok(Source::Script(Script(choices.ok_or_else(wrong)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(source: Source, options: &[usize]) -> (Vec<usize>, Script) {
        let mut choices = Choices::new(source);
        let chosen = options.iter().map(|options| choices.choose(*options)).collect();
        (chosen, choices.taken())
    }

    #[test]
    fn what_was_chosen_by_a_seed_can_be_chosen_again() {
        let options: Vec<usize> = (0..200).map(|i| i % 7).collect();
        for seed in 0..50 {
            let (chosen, script) = all(Source::Seed(seed), &options);
            assert!(
                chosen
                    .iter()
                    .zip(&options)
                    .all(|(choice, options)| choice < options || *options == 0)
            );
            assert_eq!(all(Source::Seed(seed), &options).0, chosen);
            let text = script.to_string();
            assert_eq!(all(text.parse().ok().unwrap(), &options), (chosen, script), "{text}");
        }
    }

    #[test]
    fn what_is_not_in_a_script_is_as_usual() {
        let script = |text: &str| text.parse().ok().unwrap();
        assert_eq!(all(script("="), &[3, 3, 3]).0, [0, 0, 0]);
        assert_eq!(all(script("1=2"), &[3, 3, 3]).0, [0, 2, 0]);
        assert_eq!(all(script("1=9"), &[3, 3, 3]).0, [0, 2, 0], "no more than there are");
        assert_eq!(Script::default().to_string(), "=");
    }

    #[test]
    fn what_is_no_seed_says_what_one_is() {
        for text in ["", "x", "1=", "1=2,", "1=2;3=4", "-1"] {
            let error = text.parse::<Source>().err().unwrap();
            assert!(error.contains("neither a seed"), "{error}");
        }
    }
}
