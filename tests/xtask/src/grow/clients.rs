//! The clients that append: a process in Rust and one in JavaScript.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use quorate_host::Interrupt;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::orders::Obedient;
use crate::packed::Packed;

pub(super) const PACKAGE: &str = "quorate-appenders";
const SCRIPT: &str = include_str!("appenders.mjs");
/// Of each kind.
const CLIENTS: u32 = 20;
/// Keys that all of them append to at one time.
const LISTS: u32 = 50;
/// A list that has so many elements goes on under another key.
const ELEMENTS: u32 = 40;
/// What fills the cluster, so that there is something to move.
const FILLED_BYTES: usize = 1_024;

pub(super) struct Clients {
    native: Obedient,
    script: Obedient,
}

/// What the clients of one process saw.
#[derive(Deserialize)]
pub(super) struct Seen {
    pub(super) phases: Vec<Phase>,
    /// By key.
    pub(super) acknowledged: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
pub(super) struct Phase {
    pub(super) name: String,
    /// Of gets and puts, in microseconds.
    pub(super) latencies: Vec<u64>,
    pub(super) errors: BTreeMap<String, u64>,
}

impl Clients {
    pub(super) fn start(
        program: &Path,
        packed: &Packed,
        cluster: &Cluster,
        rest_ms: u64,
    ) -> Result<Clients> {
        let seeds: Vec<String> = (0..cluster.len()).map(|index| cluster.seed(index)).collect();
        let [clients, lists, elements] = [CLIENTS, LISTS, ELEMENTS].map(|count| count.to_string());
        let mut native = Command::new(program);
        native.args(["--name", "rust", "--seeds", &seeds.join(","), "--clients", &clients]);
        native.args(["--lists", &lists, "--elements", &elements]);
        native.args(["--rest-ms", &rest_ms.to_string()]);
        let task = json!({
            "seeds": seeds,
            "name": "js",
            "clients": CLIENTS,
            "lists": LISTS,
            "elements": ELEMENTS,
            "restMs": rest_ms,
        });
        let mut script = packed.script("appenders.mjs", SCRIPT)?;
        script.arg(task.to_string());
        Ok(Clients {
            native: Obedient::start("the process of native clients", &mut native)?,
            script: Obedient::start("the process of JavaScript clients", &mut script)?,
        })
    }

    /// Stores what is to be moved.
    pub(super) fn fill(&mut self, keys: u32, interrupt: &Interrupt) -> Result<()> {
        let order = json!({ "order": "fill", "keys": keys, "bytes": FILLED_BYTES });
        self.native.ask::<Value>(&order, interrupt).map(drop)
    }

    /// What is measured from now on belongs to a phase of this name.
    pub(super) fn phase(&mut self, name: &str, interrupt: &Interrupt) -> Result<()> {
        for process in [&mut self.native, &mut self.script] {
            process.ask::<Value>(&json!({ "order": "phase", "name": name }), interrupt)?;
        }
        Ok(())
    }

    /// All clients stop; what those of each process saw.
    pub(super) fn end(&mut self, interrupt: &Interrupt) -> Result<[Seen; 2]> {
        let order = json!({ "order": "end" });
        Ok([self.native.ask(&order, interrupt)?, self.script.ask(&order, interrupt)?])
    }

    /// The elements that each key holds.
    pub(super) fn read(&mut self, interrupt: &Interrupt) -> Result<BTreeMap<String, Vec<String>>> {
        self.native.ask(&json!({ "order": "read" }), interrupt)
    }
}
