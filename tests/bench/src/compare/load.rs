//! What is asked of a system.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Error, Result, bail, ensure};

/// Keys of all loads, unless their values would take too much memory.
pub(crate) const KEYS: u32 = 100_000;

/// What the values of all keys take together, at most. Every copy of them takes that.
const VALUES_BYTES_MAX: usize = 128 * 1024 * 1024;

/// A value that every system takes: etcd's requests end at 1.5 MiB.
const VALUE_BYTES_MAX: usize = 1024 * 1024;

/// One kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load {
    pub(crate) pace: Pace,
    /// Share of gets, in percent. The others are puts.
    pub(crate) gets: u8,
    pub(crate) value_bytes: usize,
    pub(crate) distribution: Distribution,
}

/// When an operation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Pace {
    /// When another one ends: so many are under way at one time.
    InFlight(usize),
    /// At its time: so many in a second, whatever the answers take.
    PerSecond(u32),
}

/// How often which key is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Distribution {
    Uniform,
    Zipfian,
}

impl Load {
    /// Values of 100 bytes, all keys as often.
    pub(crate) const fn small(in_flight: usize, gets: u8) -> Load {
        Load {
            pace: Pace::InFlight(in_flight),
            gets,
            value_bytes: 100,
            distribution: Distribution::Uniform,
        }
    }

    /// Values of 64 KiB, all keys as often.
    pub(crate) const fn long(in_flight: usize, gets: u8) -> Load {
        Load { value_bytes: 64 * 1024, ..Load::small(in_flight, gets) }
    }

    /// Every combination that there is a goal or a table for.
    pub(crate) fn all() -> Vec<Load> {
        let mut all = Vec::new();
        for value_bytes in [100, 1024, 64 * 1024] {
            for distribution in [Distribution::Uniform, Distribution::Zipfian] {
                for in_flight in [1, 64, 256] {
                    for gets in [50, 95, 5] {
                        let pace = Pace::InFlight(in_flight);
                        all.push(Load { pace, gets, value_bytes, distribution });
                    }
                }
            }
        }
        all
    }

    /// Of `keys`, as many as there is memory for.
    pub(crate) fn keys(&self, keys: u32) -> u32 {
        let room = u32::try_from(VALUES_BYTES_MAX / self.value_bytes.max(1)).unwrap_or(u32::MAX);
        keys.min(room)
    }
}

impl FromStr for Load {
    type Err = Error;

    fn from_str(text: &str) -> Result<Load> {
        let mut parts = text.split(':');
        let pace = parts.next().unwrap_or_default();
        let pace = match pace.strip_suffix("/s") {
            Some(rate) => Pace::PerSecond(number(rate)?),
            None => Pace::InFlight(number(pace)?),
        };
        ensure!(
            !matches!(pace, Pace::InFlight(0) | Pace::PerSecond(0)),
            "`{text}` asks for nothing: begin with 1 or more"
        );
        let gets =
            parts.next().context("the share of gets is missing: write 64:50, for example")?;
        let gets = number(gets)?;
        ensure!(gets <= 100, "a share of {gets} % is more than all");
        let mut load = Load { pace, gets, ..Load::small(1, 0) };
        for part in parts {
            match part {
                "uniform" => load.distribution = Distribution::Uniform,
                "zipfian" => load.distribution = Distribution::Zipfian,
                bytes => load.value_bytes = number(bytes)?,
            }
        }
        let fits = (1..=VALUE_BYTES_MAX).contains(&load.value_bytes);
        ensure!(fits, "a value has 1 to {VALUE_BYTES_MAX} bytes, and not {}", load.value_bytes);
        Ok(load)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pace {
            Pace::InFlight(count) => write!(out, "{count}")?,
            Pace::PerSecond(rate) => write!(out, "{rate}/s")?,
        }
        write!(out, ":{}:{}", self.gets, self.value_bytes)?;
        match self.distribution {
            Distribution::Uniform => Ok(()),
            Distribution::Zipfian => write!(out, ":zipfian"),
        }
    }
}

fn number<N: FromStr>(text: &str) -> Result<N> {
    match text.parse() {
        Ok(number) => Ok(number),
        Err(_) => bail!("`{text}` is not a number that fits here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_written_as_it_is_read() {
        for text in ["1:50:100", "256:95:1024:zipfian", "20000/s:5:65536"] {
            assert_eq!(text.parse::<Load>().unwrap().to_string(), text);
        }
        assert_eq!("64:50".parse::<Load>().unwrap(), Load::small(64, 50));
        for load in Load::all() {
            assert_eq!(load.to_string().parse::<Load>().unwrap(), load);
        }
    }

    #[test]
    fn a_load_that_makes_no_sense_is_refused() {
        for text in
            ["", "64", "0:50", "0/s:50", "64:101", "64:50:0", "64:50:often", "64:50:9999999"]
        {
            assert!(text.parse::<Load>().is_err(), "{text}");
        }
    }

    #[test]
    fn long_values_have_fewer_keys() {
        assert_eq!(Load::small(1, 50).keys(KEYS), KEYS);
        let long = Load { value_bytes: 64 * 1024, ..Load::small(1, 50) };
        assert_eq!(long.keys(KEYS), 2_048);
        assert_eq!(long.keys(10), 10);
    }
}
