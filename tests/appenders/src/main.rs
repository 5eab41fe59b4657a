//! A process of clients that share some keys with others. Each reads a key, appends an element that
//! nobody else appends, and writes what it read with it; so nothing that was acknowledged may ever
//! be missing from what all siblings of the key hold together.
//!
//! Asked over its standard input, a line of JSON each; it answers each line with one of its own. It
//! ends with its standard input. `tests/xtask/src/grow/appenders.mjs` is the same in JavaScript.

mod appending;

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use quorate_host::pass_orders;
use quorate_node::client::{Client, ClientOptions};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use appending::{Appending, Lists};

/// Reads keys, appends to them and writes them, and remembers what was acknowledged.
#[derive(Parser)]
struct Arguments {
    /// Addresses of nodes.
    #[arg(long, value_name = "URL", value_delimiter = ',', required = true)]
    seeds: Vec<String>,
    /// Begins each element that is appended here.
    #[arg(long)]
    name: String,
    #[arg(long)]
    clients: u32,
    /// How many keys are appended to at one time.
    #[arg(long)]
    lists: u32,
    /// A list that has so many elements goes on under another key.
    #[arg(long)]
    elements: usize,
    /// Each client rests for so long after each write.
    #[arg(long)]
    rest_ms: u64,
}

/// One line of standard input.
#[derive(Deserialize)]
#[serde(tag = "order", rename_all = "lowercase")]
enum Order {
    /// What is measured from now on belongs to the phase of this name.
    Phase { name: String },
    /// All clients stop. Answered with what was measured and acknowledged.
    End,
    /// Answered with the elements that each key of all lists holds.
    Read,
    /// Stores so many values of so many bytes under keys that nobody appends to.
    Fill { keys: u32, bytes: usize },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(obey(arguments))
}

async fn obey(arguments: Arguments) -> Result<()> {
    let Arguments { seeds, name, clients: count, lists, elements, rest_ms } = arguments;
    let lists = Lists { count: lists, elements };
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(Client::connect(ClientOptions::to(seeds.clone())).await?);
    }
    let reader = clients.first().context("at least one client")?.clone();
    let mut appending =
        Some(Appending::begin(clients, name, lists, Duration::from_millis(rest_ms)));
    let (sender, mut orders) = mpsc::unbounded_channel();
    pass_orders(move |line| sender.send(line).is_ok());
    while let Some(line) = orders.recv().await {
        let answer = match serde_json::from_str(&line).with_context(|| line.clone())? {
            Order::Phase { name } => {
                appending.as_ref().context("it has ended")?.phase(name);
                json!({})
            }
            Order::End => appending.take().context("it has ended")?.end().await?,
            Order::Read => appending::read(&reader, lists.count).await?,
            Order::Fill { keys, bytes } => {
                appending::fill(&reader, keys, bytes).await?;
                json!({})
            }
        };
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}
