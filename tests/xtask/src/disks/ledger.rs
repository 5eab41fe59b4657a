//! The process that writes, remembers and reads back; see tests/ledger.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use quorate_host::Interrupt;
use serde::Deserialize;
use serde_json::json;

use crate::cluster::Cluster;
use crate::orders::Obedient;
use crate::profile::Profile;
use crate::workspace::Workspace;

const PACKAGE: &str = "quorate-ledger";
/// How long a read that fails is tried again.
const READ_PATIENCE_MS: u64 = 30_000;
/// How long a read that misses something is tried again.
const LATE_MS: u64 = 15_000;

/// How long values are.
#[derive(Clone, Copy)]
pub(super) enum Sizes {
    /// From 10 bytes to 60 KiB, most of them small.
    Mixed,
    /// From 100 bytes to 1 KiB.
    Small,
    /// From 20 to 60 KiB.
    Large,
}

/// Ends when it is dropped.
pub(super) struct Ledger(Obedient);

/// How writes ended.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Counts {
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    pub(super) unknown: u64,
    pub(super) errors: BTreeMap<String, u64>,
}

/// What was found when all was read back.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Reading {
    pub(super) keys: u64,
    pub(super) lost: u64,
    /// Keys that were not as acknowledged for a while, until a fallback had handed them over.
    pub(super) late: u64,
    pub(super) wrong: u64,
    pub(super) unread: u64,
    pub(super) superseded: u64,
    /// For each node, by its id, at how many keys it was found stale.
    pub(super) stale: BTreeMap<String, u64>,
    pub(super) examples: Vec<String>,
}

impl Reading {
    /// Keys with a fault.
    pub(super) fn faults(&self) -> u64 {
        self.lost + self.wrong + self.unread
    }
}

/// Builds the program.
pub(super) fn build(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    profile.build(workspace, PACKAGE, PACKAGE)
}

impl Ledger {
    /// A client of a cluster that is ready.
    pub(super) fn start(
        program: &Path,
        cluster: &Cluster,
        seed: u64,
        sizes: Sizes,
    ) -> Result<Ledger> {
        let seeds: Vec<String> = (0..cluster.len()).map(|index| cluster.seed(index)).collect();
        let mut command = Command::new(program);
        command.args(["--seed", &seed.to_string(), "--seeds", &seeds.join(",")]);
        command.args(["--sizes", sizes.name()]);
        Obedient::start("the ledger", &mut command).map(Ledger)
    }

    /// All writers begin to write, each with a rest of up to `rest_ms` after each write.
    pub(super) fn write(&mut self, rest_ms: u64, interrupt: &Interrupt) -> Result<()> {
        let order = json!({ "order": "write", "rest_ms": rest_ms });
        self.0.ask::<Counts>(&order, interrupt).map(drop)
    }

    /// All writers stop. Returns what was counted so far.
    pub(super) fn pause(&mut self, interrupt: &Interrupt) -> Result<Counts> {
        self.0.ask(&json!({ "order": "pause" }), interrupt)
    }

    /// Writes so many new keys; by all of their primaries where `everywhere`.
    pub(super) fn put(
        &mut self,
        keys: u64,
        everywhere: bool,
        interrupt: &Interrupt,
    ) -> Result<Counts> {
        let w = if everywhere { 3 } else { 0 };
        self.0
            .ask(&json!({ "order": "put", "keys": keys, "w": w, "strict": everywhere }), interrupt)
    }

    /// Reads one of every `of` keys with two answers.
    pub(super) fn read(&mut self, of: u64, interrupt: &Interrupt) -> Result<Reading> {
        let order = json!({
            "order": "read", "r": 2, "strict": false, "of": of,
            "patience_ms": READ_PATIENCE_MS, "late_ms": LATE_MS,
        });
        self.0.ask(&order, interrupt)
    }

    /// Reads all keys from each of their primaries.
    pub(super) fn read_everywhere(&mut self, interrupt: &Interrupt) -> Result<Reading> {
        let order = json!({
            "order": "read", "r": 3, "strict": true, "of": 1,
            "patience_ms": 1_000, "late_ms": 0,
        });
        self.0.ask(&order, interrupt)
    }
}

impl Sizes {
    fn name(self) -> &'static str {
        match self {
            Sizes::Mixed => "mixed",
            Sizes::Small => "small",
            Sizes::Large => "large",
        }
    }
}
