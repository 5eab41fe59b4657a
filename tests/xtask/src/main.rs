//! Everything that a person runs in this project, as `cargo xtask <command>`.
//!
//! One file (or folder) per command; what several commands share stands first. A command is a
//! `clap::Args` struct with a `run`, listed once in [`Command`].

mod cluster;
mod node_binary;
mod npm;
mod orders;
mod packed;
mod process;
mod profile;
mod run_folder;
mod sources;
mod workspace;

mod bench;
mod demo;
mod disks;
mod grow;
mod page;
mod proto;
mod simulator;
mod test;
mod verify;
mod wasm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use workspace::Workspace;

/// Builds, checks and tests Quorate.
///
/// The commands need Rust, Node.js and npm, and fetch the rest themselves.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Demo(demo::Demo),
    Bench(bench::Bench),
    Disks(disks::Disks),
    Grow(grow::Grow),
    Page(page::Page),
    Sim(simulator::Sim),
    Zoo(simulator::Zoo),
    Gossip(simulator::Gossip),
    Proto(proto::Proto),
    Wasm(wasm::Wasm),
    Verify(verify::Verify),
    Test(test::Test),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let workspace = Workspace::load()?;
    match command {
        Command::Demo(demo) => demo.run(&workspace),
        Command::Bench(bench) => bench.run(&workspace),
        Command::Disks(disks) => disks.run(&workspace),
        Command::Grow(grow) => grow.run(&workspace),
        Command::Page(page) => page.run(&workspace),
        Command::Sim(sim) => sim.run(&workspace),
        Command::Zoo(zoo) => zoo.run(&workspace),
        Command::Gossip(gossip) => gossip.run(&workspace),
        Command::Proto(proto) => proto.run(&workspace),
        Command::Wasm(wasm) => wasm.run(&workspace),
        Command::Verify(verify) => verify.run(&workspace),
        Command::Test(test) => test.run(&workspace),
    }
}
