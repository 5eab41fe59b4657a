//! Options that select: what is left of a plan, and which lines of its log.

use std::iter;

use anyhow::{Result, bail, ensure};
use clap::Args;
use quorate_core::ids::Key;
use quorate_sim::LogFilter;
use quorate_sim::shrink::{Reduction, StepRanges};
use quorate_sim::swarm::{FaultClass, Plan};

/// What is left of the plan of one seed.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "With --seed")]
pub(crate) struct Left {
    /// Keep only these steps, such as 3,7-12,40.
    #[arg(long, requires = "seed", value_name = "STEPS")]
    keep: Option<StepRanges>,
    /// Leave out a lasting trouble, such as loss; separate several by commas.
    #[arg(long, requires = "seed", value_delimiter = ',', value_parser = class)]
    #[arg(value_name = "TROUBLE")]
    without: Vec<FaultClass>,
    /// Repair every node.
    #[arg(long, requires = "seed")]
    no_outcast: bool,
    /// Write short values.
    #[arg(long, requires = "seed")]
    no_padding: bool,
    /// Throw the dice again for delays, losses and the like; each number is another throw.
    #[arg(long, requires = "seed", default_value_t = 0, hide_default_value = true)]
    throw: u64,
}

/// Which lines of a log are wanted.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "With --seed")]
pub(crate) struct Lines {
    /// Print the log; with a number, its last lines only.
    #[arg(long, requires = "seed", value_name = "LINES", num_args = 0..=1)]
    #[arg(default_missing_value = "0")]
    log: Option<usize>,
    /// Print of the log what concerns this node.
    #[arg(long, requires = "log", value_name = "INDEX")]
    node: Option<usize>,
    /// Print of the log what concerns this key.
    #[arg(long, requires = "log")]
    key: Option<String>,
    /// Print of the log what concerns this call, such as 0:17: the client, the number of its call.
    #[arg(long, requires = "log", value_parser = call)]
    call: Option<(usize, u64)>,
}

impl Left {
    /// What is left of this plan.
    ///
    /// # Errors
    /// The plan has none of the steps that are to be kept.
    pub(crate) fn reduction(&self, plan: &Plan) -> Result<Reduction> {
        Ok(Reduction {
            keep: self.keep.as_ref().map(|ranges| ranges.of(plan)).transpose()?,
            without: self.without.iter().copied().collect(),
            no_outcast: self.no_outcast,
            no_padding: self.no_padding,
            throw: self.throw,
        })
    }
}

impl Lines {
    /// The lines of this plan's log that are wanted, if any are.
    ///
    /// # Errors
    /// The plan has no such node, key or client.
    pub(crate) fn filter(&self, plan: &Plan) -> Result<Option<LogFilter>> {
        let Some(last) = self.log else { return Ok(None) };
        let (nodes, clients) = (plan.config.nodes, plan.clients.len());
        if let Some(node) = self.node.filter(|node| *node >= nodes) {
            bail!("there is no node {node}: they are numbered from 0 to {}", nodes - 1);
        }
        if let Some((client, _)) = self.call.filter(|(client, _)| *client >= clients) {
            bail!("there is no client {client}: they are numbered from 0 to {}", clients - 1);
        }
        if let Some(key) = &self.key {
            let known = keys();
            let names = || known.join(", ");
            ensure!(known.contains(&key.as_str()), "there is no key {key:?}: keys are {}", names());
        }
        let key = self.key.as_ref().map(|key| Key::from(key.clone().into_bytes()));
        Ok(Some(LogFilter { last, node: self.node, key, call: self.call }))
    }
}

/// The keys of all runs: the plan numbers them in a circle.
fn keys() -> Vec<&'static str> {
    let first = Plan::key(0);
    let others = (1..).map(Plan::key).take_while(|key| *key != first);
    iter::once(first).chain(others).collect()
}

fn class(name: &str) -> Result<FaultClass, String> {
    let known = FaultClass::of_name(name);
    known.filter(|class| class.lasts()).ok_or_else(|| {
        let lasting = FaultClass::ALL.iter().copied().filter(|class| class.lasts());
        let names: Vec<&str> = lasting.map(FaultClass::name).collect();
        let why = match known {
            Some(_) => "its faults are steps, which --keep leaves out; ",
            None => "",
        };
        format!("{why}what can be left out is {}", names.join(", "))
    })
}

fn call(text: &str) -> Result<(usize, u64), String> {
    let parts = text.strip_prefix('c').unwrap_or(text).split_once(':');
    let parsed = parts.and_then(|(client, call)| Some((client.parse().ok()?, call.parse().ok()?)));
    parsed.ok_or_else(|| "give a client and the number of its call, such as 0:17".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Options {
        #[arg(long)]
        seed: Option<u64>,
        #[command(flatten)]
        left: Left,
        #[command(flatten)]
        lines: Lines,
    }

    fn parse(options: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(
            ["sim", "--seed", "1"].into_iter().chain(options.split_whitespace()),
        )
    }

    fn plan() -> Plan {
        Plan::draw(1, 100)
    }

    fn reduction(options: &str) -> Result<Reduction> {
        parse(options).unwrap().left.reduction(&plan())
    }

    fn filter(options: &str) -> Result<Option<LogFilter>> {
        parse(options).unwrap().lines.filter(&plan())
    }

    #[test]
    fn the_text_of_a_reduction_asks_for_the_same() {
        for text in [
            "",
            "--keep none",
            "--keep 3,7-12,40 --without delays,loss --no-outcast --no-padding --throw 4",
        ] {
            assert_eq!(parse(text).unwrap().seed, Some(1));
            assert_eq!(reduction(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn log_is_asked_for_with_and_without_a_number() {
        assert_eq!(filter("").unwrap(), None);
        assert_eq!(filter("--log").unwrap(), Some(LogFilter::default()));
        for log in ["--log=40", "--log 40"] {
            let filter = filter(&format!("{log} --node 1 --call c1:17")).unwrap().unwrap();
            assert_eq!((filter.last, filter.node, filter.call), (40, Some(1), Some((1, 17))));
        }
        let filter = filter("--log --key warm").unwrap().unwrap();
        assert_eq!((filter.last, filter.key), (0, Some(Key::from("warm"))));
    }

    #[test]
    fn what_selects_nothing_is_refused() {
        for options in ["--without rain", "--keep x", "--node 2", "--log --call 7", "--log=x"] {
            assert!(parse(options).is_err(), "{options}");
        }
        let none = ["sim", "--keep", "1"];
        assert!(Options::try_parse_from(none).is_err(), "no seed");
    }

    #[test]
    fn what_is_not_in_the_plan_is_refused() {
        assert!(reduction("--keep 9000-9001").is_err());
        let all = reduction("--keep 0-30000000").unwrap().apply(&plan());
        assert_eq!(all.steps.len(), plan().steps.len());
        for (options, said) in [
            ("--log --node 99", "there is no node 99: they are numbered from 0 to"),
            ("--log --call 99:1", "there is no client 99: they are numbered from 0 to"),
            ("--log --key nokey", "there is no key \"nokey\": keys are hot, warm, "),
        ] {
            let error = filter(options).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[test]
    fn only_trouble_that_lasts_can_be_left_out() {
        for class in FaultClass::ALL.iter().copied() {
            let parsed = parse(&format!("--without {}", class.name()));
            assert_eq!(parsed.is_ok(), class.lasts(), "{}", class.name());
        }
        let error = parse("--without clocks").err().unwrap().to_string();
        assert!(error.contains("what can be left out is delays, loss, "), "{error}");
        assert!(!error.contains("crashes"), "{error}");
    }
}
