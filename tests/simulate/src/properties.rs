//! `properties`: the table of what must hold.

use anyhow::Result;
use clap::Args;
use quorate_sim::invariants;
use serde_json::{Value, json};

use crate::Verdict;

/// Prints what must hold, and where it is promised.
#[derive(Args)]
pub(crate) struct Properties {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl Properties {
    pub(crate) fn run(self) -> Result<Verdict> {
        let table = invariants::table();
        if self.json {
            let rows = table.iter().map(|property| {
                json!({
                    "name": property.name,
                    "definition": property.definition,
                    "source": property.source,
                })
            });
            println!("{}", rows.collect::<Value>());
            return Ok(Verdict::Clean);
        }
        for property in table {
            println!("{}\n  {}\n  {}", property.name, property.definition, property.source);
        }
        Ok(Verdict::Clean)
    }
}
