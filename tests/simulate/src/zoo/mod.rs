//! `zoo`: which wrong variants of the protocol the simulator notices.

mod hunt;
mod table;

use std::io::IsTerminal;

use anyhow::Result;
use clap::Args;
use quorate_core::mutants::Mutant;

use crate::output::{print, print_line};
use crate::{Verdict, pool};
use hunt::{Hunter, Quarry};
use table::Table;

/// Measures which wrong variants of the protocol the simulator notices.
///
/// Each mutant is one way in which the protocol could be wrong. It runs over the seeds until one
/// of them violates a property, or else one of the stories ends badly: it is caught. The measure itself is measured, too: the protocol as
/// it is must be clean over all seeds, and a claim that is false must be caught. The exit status
/// is 1 where a mutant was not caught, or the measure failed. To look at one closely:
/// `cargo xtask sim --mutant NAME --shrink`.
#[derive(Args)]
#[command(override_usage = "cargo xtask zoo [OPTIONS]")]
pub(crate) struct Zoo {
    /// Seeds for each mutant.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    seeds: u64,
    /// Calls of each seed.
    #[arg(long, default_value_t = 500)]
    ops: usize,
    /// Only these mutants; separate several by commas.
    #[arg(long, value_delimiter = ',', value_name = "NAME", value_parser = mutant)]
    only: Vec<Mutant>,
    /// List the mutants and run none.
    #[arg(long)]
    list: bool,
    /// Print one JSON object, and nothing else.
    #[arg(long)]
    json: bool,
    /// Threads; as many as there are cores if not given.
    #[arg(long)]
    threads: Option<usize>,
}

impl Zoo {
    pub(crate) fn run(self) -> Result<Verdict> {
        let mutants = if self.only.is_empty() { Mutant::ALL } else { &self.only };
        if self.list {
            for mutant in mutants {
                print_line(format_args!("{:<30}{}", mutant.name(), mutant.about()));
            }
            return Ok(Verdict::Clean);
        }
        let threads = self.threads.unwrap_or_else(pool::cores);
        let mut hunter = Hunter::new(self.seeds, self.ops, threads);
        let mut table = Table::new(self.seeds, self.ops);
        if !self.json {
            print_line(table.header());
        }
        let mutants = mutants.iter().copied().map(Quarry::Mutant);
        for quarry in [Quarry::Sane, Quarry::FalseClaim].into_iter().chain(mutants) {
            if !self.json && std::io::stderr().is_terminal() {
                eprint!("{} ...\r", quarry.name());
            }
            let hunt = hunter.hunt(quarry);
            if !self.json {
                print_line(table.row(&hunt));
            }
            table.push(hunt);
        }
        if self.json {
            print_line(table.json());
        } else {
            print(&table);
        }
        Ok(if table.is_as_it_should_be() { Verdict::Clean } else { Verdict::Violated })
    }
}

/// The mutant with this name.
pub(crate) fn mutant(name: &str) -> Result<Mutant, String> {
    name.parse().map_err(|_| "no mutant has this name: see `cargo xtask zoo --list`".to_owned())
}
