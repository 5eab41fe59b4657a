//! `store`: data directories that no node runs on.

mod export;

mod import;

mod inspect;

mod progress;

mod told;

mod verify;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output::Format;

/// Look into the data directory of a stopped node, check it, back it up, restore it.
///
/// No node may run on the directory: one that is in use is refused. `inspect`, `verify` and `export`
/// change nothing in it, and nothing is set aside.
#[derive(Debug, Args)]
pub(super) struct Store {
    #[command(subcommand)]
    command: Command,
}

// Each command's own documentation is its help.
#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::Inspect),
    Verify(verify::Verify),
    Export(export::Export),
    Import(import::Import),
}

impl Store {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        match self.command {
            Command::Inspect(inspect) => inspect.run(output),
            Command::Verify(verify) => verify.run(output),
            Command::Export(export) => export.run(output),
            Command::Import(import) => import.run(output),
        }
    }
}
