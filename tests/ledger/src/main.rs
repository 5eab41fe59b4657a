//! A process that writes to a cluster through the real client, remembers what was acknowledged, and
//! reads all of it back when it is asked to. Asked over its standard input, a line of JSON each; it
//! answers each line with one of its own. It ends with its standard input.
//!
//! ```text
//!   orders --> Ledger --> writers --put--> cluster
//!                |           '--> Book: what each key may hold
//!                '------> reading --get--> cluster --> lost, wrong, unread, stale
//! ```

mod book;
mod ledger;
mod order;
mod reading;
mod values;
mod writing;

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::Parser;
use quorate_host::pass_orders;
use tokio::sync::mpsc;

use ledger::Ledger;
use order::Order;
use values::Sizes;

/// Writes through the real client, remembers each acknowledgement, and reads all back.
#[derive(Parser)]
struct Arguments {
    /// Addresses of nodes.
    #[arg(long = "seeds", value_name = "URL", value_delimiter = ',', required = true)]
    seeds: Vec<String>,
    /// Of keys, values and their sizes.
    #[arg(long)]
    seed: u64,
    /// How many write at one time.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    writers: u32,
    #[arg(long, value_enum, default_value_t = Sizes::Mixed)]
    sizes: Sizes,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(obey(arguments))
}

async fn obey(arguments: Arguments) -> Result<()> {
    let Arguments { seeds, seed, writers, sizes } = arguments;
    let ledger = Ledger::open(&seeds, seed, writers, sizes).await?;
    let (sender, mut orders) = mpsc::unbounded_channel();
    pass_orders(move |line| sender.send(line).is_ok());
    while let Some(line) = orders.recv().await {
        let order: Order = serde_json::from_str(&line).with_context(|| line.clone())?;
        let answer = ledger.obey(order).await?;
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
