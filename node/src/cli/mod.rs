//! The program `quorate`: node, tool and benchmark in one binary.

mod args;

mod bench;

mod dev;

mod disk;

mod failure;

mod keys;

mod layout;

mod losses;

mod member;

mod members;

mod other;

mod output;
mod pause;

mod overview;

mod repair;

mod repaired;

mod ring;

mod run;

mod serve;

mod slots;

mod status;

mod store;

mod ui;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use self::output::Format;

/// An always-writable key-value store in the style of Dynamo.
///
/// One program is the node, the tool and the benchmark. To try it: `quorate dev` in one terminal,
/// then `quorate put greeting hello` and `quorate get greeting` in another.
#[derive(Debug, Parser)]
#[command(name = "quorate", version, after_long_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How results are printed.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table)]
    output: Format,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed, and nothing happened
  2  the command line is wrong
  3  the key is absent
  4  failed, and a write may have happened
  5  the key has several concurrent values

Environment:
  QUORATE_SEEDS   addresses of nodes, separated by commas, in place of --seed
  QUORATE_SECRET  the cluster's secret, in place of --secret
  RUST_LOG        what is logged to stderr, such as `info` or `quorate_node=debug`";

// Each command's own documentation is its help.
#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Serve>),
    Dev(dev::Dev),
    Get(keys::Get),
    Put(keys::Put),
    Delete(keys::Delete),
    Status(status::Status),
    Members(members::Members),
    Ring(ring::Ring),
    Layout(layout::Layout),
    Repair(repair::Repair),
    Bench(bench::Bench),
    Store(store::Store),
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let Cli { command, output } = Cli::parse();
    let serves = matches!(command, Command::Serve(_));
    let default = if serves { "info,fjall=warn,lsm_tree=warn" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .init();
    let result = match command {
        Command::Serve(serve) => serve.run(output),
        Command::Dev(dev) => dev.run(output),
        Command::Get(get) => get.run(output),
        Command::Put(put) => put.run(output),
        Command::Delete(delete) => delete.run(output),
        Command::Status(status) => status.run(output),
        Command::Members(members) => members.run(output),
        Command::Ring(ring) => ring.run(output),
        Command::Layout(layout) => layout.run(output),
        Command::Repair(repair) => repair.run(output),
        Command::Bench(bench) => bench.run(output),
        Command::Store(store) => store.run(output),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("quorate: {failure}");
            failure.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
