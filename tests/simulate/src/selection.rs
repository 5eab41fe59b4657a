//! Options that select: what is left of a plan, and which lines of its log.

use clap::Args;
use quorate_core::ids::Key;
use quorate_sim::LogFilter;
use quorate_sim::shrink::{Reduction, StepNumbers};
use quorate_sim::swarm::FaultClass;

/// What is left of the plan of one seed.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "With --seed")]
pub(crate) struct Left {
    /// Keep only these steps, such as 3,7-12,40.
    #[arg(long, requires = "seed", value_name = "STEPS")]
    keep: Option<StepNumbers>,
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
    #[arg(require_equals = true, default_missing_value = "0")]
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
    pub(crate) fn reduction(&self) -> Reduction {
        Reduction {
            keep: self.keep.clone(),
            without: self.without.iter().copied().collect(),
            no_outcast: self.no_outcast,
            no_padding: self.no_padding,
            throw: self.throw,
        }
    }
}

impl Lines {
    /// The lines that are wanted, if any are.
    pub(crate) fn filter(&self) -> Option<LogFilter> {
        Some(LogFilter {
            last: self.log?,
            node: self.node,
            key: self.key.as_ref().map(|key| Key::from(key.clone().into_bytes())),
            call: self.call,
        })
    }
}

fn class(name: &str) -> Result<FaultClass, String> {
    FaultClass::of_name(name).ok_or_else(|| {
        let names: Vec<&str> = FaultClass::ALL.iter().map(|class| class.name()).collect();
        format!("troubles are {}", names.join(", "))
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

    #[test]
    fn the_text_of_a_reduction_asks_for_the_same() {
        for text in [
            "",
            "--keep none",
            "--keep 3,7-12,40 --without delays,loss --no-outcast --no-padding --throw 4",
        ] {
            let options = parse(text).unwrap();
            assert_eq!(options.seed, Some(1));
            assert_eq!(options.left.reduction().to_string(), text);
        }
    }

    #[test]
    fn log_is_asked_for_with_and_without_a_number() {
        assert_eq!(parse("").unwrap().lines.filter(), None);
        assert_eq!(parse("--log").unwrap().lines.filter(), Some(LogFilter::default()));
        let filter = parse("--log=40 --node 2 --call c1:17").unwrap().lines.filter().unwrap();
        assert_eq!((filter.last, filter.node, filter.call), (40, Some(2), Some((1, 17))));
    }

    #[test]
    fn what_selects_nothing_is_refused() {
        for options in ["--without rain", "--keep x", "--node 2", "--log --call 7", "--log=x"] {
            assert!(parse(options).is_err(), "{options}");
        }
        let none = ["sim", "--keep", "1"];
        assert!(Options::try_parse_from(none).is_err(), "no seed");
    }
}
