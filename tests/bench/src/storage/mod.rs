//! Measures the storage of a node beside the bare engine, in one run on one disk, so that what is
//! compared shares the machine of the moment. Asserts nothing.

mod engine;
mod node;
mod puts;
mod reads;
mod space;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use quorate_node::storage::EngineOptions;
use tempfile::TempDir;

/// Bytes of each value.
const VALUE_BYTES: usize = 100;

/// Measures the storage of a node: puts beside the bare engine, point reads, and bytes on disk.
///
/// The bare engine stores the same keys and values without anything around them: no causal history,
/// no checksum, no answer to anybody. It is measured with one sync for each write and without any.
/// All rounds of one line follow each other, several times, and the median of each is told.
#[derive(Args)]
pub(crate) struct Storage {
    /// Writers at one time; repeat it, or separate by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64, 256])]
    writers: Vec<usize>,
    /// Records to read among, and to measure space with; repeat it, or separate by commas. 10
    /// million take some minutes and about 3 GB.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000_000])]
    records: Vec<u64>,
    /// Length of each round of each measurement, in milliseconds.
    #[arg(long, default_value_t = 1_000)]
    round_ms: u64,
    /// Rounds of each measurement.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// What `quorate serve` calls so; the bare engine has its own defaults.
    #[arg(long, value_name = "BYTES")]
    memtable: Option<u64>,
    /// What `quorate serve` calls so; the bare engine has its own defaults.
    #[arg(long, value_name = "BYTES")]
    journal: Option<u64>,
    /// Where to measure: a folder on the disk in question [default: a temporary one].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl Storage {
    pub(crate) fn run(&self) -> Result<()> {
        let folder = match &self.data {
            Some(data) => TempDir::new_in(data).with_context(|| format!("{}", data.display()))?,
            None => TempDir::new()?,
        };
        let round = Duration::from_millis(self.round_ms);
        println!("puts per second, values of {VALUE_BYTES} bytes, in {}", folder.path().display());
        let syncs = engine::syncs_per_second(folder.path(), round)?;
        println!("the disk alone: {syncs:.0} syncs of 4 KiB per second, one after the other\n");
        let sizes = self.sizes();
        puts::measure(folder.path(), &self.writers, sizes, (self.rounds, round))?;
        for records in self.records.iter().copied() {
            println!("\n{records} records of {VALUE_BYTES} bytes");
            reads::measure(folder.path(), records, sizes, (self.rounds, round))?;
        }
        Ok(())
    }

    fn sizes(&self) -> EngineOptions {
        let default = EngineOptions::default();
        EngineOptions {
            memtable_bytes: self.memtable.unwrap_or(default.memtable_bytes),
            journal_bytes: self.journal.unwrap_or(default.journal_bytes),
            ..default
        }
    }
}

/// The one in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// A table of numbers.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(header);
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
