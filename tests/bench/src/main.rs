//! Measures Quorate: its storage beside the bare engine, and the whole beside what people would
//! pick in its place. Run by `cargo xtask bench`.

mod compare;
mod footprint;
mod growth;
mod native;
mod sockets;
mod storage;

use anyhow::Result;
use clap::{Parser, Subcommand};
use mimalloc::MiMalloc;

/// As in the program `quorate`.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures Quorate.
#[derive(Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Cli {
    #[command(subcommand)]
    of: Of,
}

#[derive(Subcommand)]
enum Of {
    Storage(storage::Storage),
    Compare(compare::Compare),
    Footprint(footprint::Footprint),
    Growth(growth::Growth),
    Load(native::Load),
    Sockets(sockets::Sockets),
}

fn main() -> Result<()> {
    match Cli::parse().of {
        Of::Storage(storage) => storage.run(),
        Of::Compare(compare) => compare.run(),
        Of::Footprint(footprint) => footprint.run(),
        Of::Growth(growth) => growth.run(),
        Of::Load(load) => load.run(),
        Of::Sockets(sockets) => sockets.run(),
    }
}
