//! Which seeds are run: fresh ones, or those of a file.

use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

/// A seed, and how many calls are drawn from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) seed: u64,
    pub(crate) ops: usize,
}

/// Seeds of 32 bits: as many as the `replay` of the npm package takes.
const SEEDS: u64 = 1 << 32;
/// Seeds from a random first one to the last that there is, at least.
const ROOM: u64 = 1 << 24;
/// 2^64 divided by the golden ratio, made odd: spreads neighbouring numbers.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The first of several seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    Seed(u64),
    /// Another one each time, with as many as [`ROOM`] behind it below [`SEEDS`].
    Random,
}

impl First {
    /// The seed.
    pub(crate) fn seed(self) -> u64 {
        match self {
            First::Seed(seed) => seed,
            First::Random => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let spread = (now.as_nanos() as u64).wrapping_mul(SPREAD) >> 32;
                spread % (SEEDS - ROOM)
            }
        }
    }
}

impl FromStr for First {
    type Err = String;

    fn from_str(text: &str) -> Result<First, String> {
        if text == "random" {
            return Ok(First::Random);
        }
        text.parse().map(First::Seed).map_err(|_| "give a number, or random".to_owned())
    }
}

/// The seeds of a file with lines `seed calls  # what it found`.
pub(crate) fn read(path: &Path) -> Result<Vec<Job>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let lines = text.lines().enumerate();
    let mut jobs = Vec::new();
    for (index, line) in lines {
        let place = || format!("line {} of {}", index + 1, path.display());
        jobs.extend(job(line).with_context(place)?);
    }
    Ok(jobs)
}

fn job(line: &str) -> Result<Option<Job>> {
    let words = line.split('#').next().unwrap_or_default();
    let words: Vec<&str> = words.split_whitespace().collect();
    let [seed, ops] = words[..] else {
        if words.is_empty() {
            return Ok(None);
        }
        bail!("it has {} words: write a seed and a number of calls", words.len());
    };
    let seed = seed.parse().with_context(|| format!("{seed} is no seed"))?;
    let ops = ops.parse().with_context(|| format!("{ops} is no number of calls"))?;
    Ok(Some(Job { seed, ops }))
}

/// Seeds `0..20`, the end not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) first: u64,
    pub(crate) end: u64,
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Range, String> {
        let ends = text.split_once("..");
        let parsed = ends.and_then(|(first, end)| Some((first.parse().ok()?, end.parse().ok()?)));
        let (first, end) = parsed.ok_or("give two numbers like 0..20")?;
        if first >= end {
            return Err("there is no seed in this range: its end must be greater".to_owned());
        }
        Ok(Range { first, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_a_seed_and_a_number_of_calls_or_nothing() {
        for line in ["", "   ", "# a comment", "  # 1 2"] {
            assert_eq!(job(line).unwrap(), None, "{line:?}");
        }
        let found = Some(Job { seed: 17, ops: 500 });
        assert_eq!(job("17 500").unwrap(), found);
        assert_eq!(job(" 17\t500  # a lost write").unwrap(), found);
        for line in ["17", "17 500 3", "x 500", "17 -1"] {
            assert!(job(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn first_seed_is_a_number_or_random() {
        assert_eq!("7".parse(), Ok(First::Seed(7)));
        assert_eq!("random".parse(), Ok(First::Random));
        assert!("often".parse::<First>().is_err());
        assert_eq!(First::Seed(7).seed(), 7);
        for _ in 0..1_000 {
            assert!(First::Random.seed() + ROOM < SEEDS);
        }
    }

    #[test]
    fn range_has_a_beginning_and_a_later_end() {
        assert_eq!("3..20".parse(), Ok(Range { first: 3, end: 20 }));
        for text in ["3", "3..", "20..3", "3..3", "a..b"] {
            assert!(text.parse::<Range>().is_err(), "{text}");
        }
    }
}
