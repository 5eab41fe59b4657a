//! Runs seeds of the simulated cluster on all cores, and says what they violate.
//!
//! `cargo xtask sim`, `zoo` and `gossip` build this in release and hand their arguments on; `hash`
//! serves other tests. What several commands share stands first.

mod output;
mod pool;
mod quiet;
mod seeds;
mod selection;

mod failure;
mod totals;

mod gossip;
mod hash;
mod properties;
mod script;
mod sim;
#[cfg(feature = "mutants")]
mod zoo;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Runs a whole cluster in virtual time.
#[derive(Parser)]
#[command(name = "quorate-simulate")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Sim(Box<sim::Sim>),
    #[cfg(feature = "mutants")]
    Zoo(zoo::Zoo),
    Gossip(gossip::Gossip),
    Hash(hash::Hash),
}

/// The exit status where something could not be done.
const TROUBLE: u8 = 2;

/// Whether all was as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Clean,
    Violated,
}

fn main() -> ExitCode {
    quiet::install();
    match run(Cli::parse().command) {
        Ok(Verdict::Clean) => ExitCode::SUCCESS,
        Ok(Verdict::Violated) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(TROUBLE)
        }
    }
}

fn run(command: Command) -> Result<Verdict> {
    match command {
        Command::Sim(sim) => sim.run(),
        #[cfg(feature = "mutants")]
        Command::Zoo(zoo) => zoo.run(),
        Command::Gossip(gossip) => gossip.run(),
        Command::Hash(hash) => hash.run(),
    }
}
