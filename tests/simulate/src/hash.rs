//! `hash`: what happens in each run, as one number, to be compared with other platforms.

use std::ops::ControlFlow;

use anyhow::Result;
use clap::Args;
use quorate_sim::swarm::Plan;
use serde_json::{Value, json};

use crate::output::print_line;
use crate::seeds::Range;
use crate::{Verdict, pool, quiet};

/// Prints the hash of everything that happens in each run.
#[derive(Args)]
pub(crate) struct Hash {
    /// The seeds, the end not among them.
    #[arg(long, default_value = "0..20", value_name = "FIRST..END")]
    seeds: Range,
    /// Calls of each seed.
    #[arg(long, default_value_t = 200)]
    ops: usize,
    /// Print JSON, with hashes in hexadecimal digits.
    #[arg(long)]
    json: bool,
}

impl Hash {
    pub(crate) fn run(self) -> Result<Verdict> {
        let Range { first, end } = self.seeds;
        let work = |index| {
            let seed = first.checked_add(index).filter(|seed| *seed < end)?;
            Some(quiet::run(&Plan::draw(seed, self.ops), None))
        };
        let mut rows = Vec::new();
        pool::in_order(pool::cores(), work, |report| {
            let (seed, trace, events) = (report.seed, report.trace, report.events);
            if self.json {
                let trace = format!("{trace:016x}");
                rows.push(json!({ "seed": seed, "trace": trace, "events": events }));
            } else {
                print_line(format_args!("{seed:>8}  {trace:016x}  {events:>9} events"));
            }
            ControlFlow::Continue(())
        });
        if self.json {
            print_line(json!({ "ops": self.ops, "seeds": Value::from(rows) }));
        }
        Ok(Verdict::Clean)
    }
}
