//! The process that writes, remembers and reads back; see tests/ledger.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use quorate_host::Interrupt;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::profile::Profile;
use crate::workspace::Workspace;

const PACKAGE: &str = "quorate-ledger";
const POLL: Duration = Duration::from_millis(100);
/// No order takes longer: each of its calls has a deadline.
const PATIENCE: Duration = Duration::from_secs(600);
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
pub(super) struct Ledger {
    child: Child,
    answers: Receiver<String>,
}

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
        command.args(["--sizes", sizes.name()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Ctrl-C is for the program that started it.
        let mut child = command.process_group(0).spawn().context("the ledger does not start")?;
        let stdout = child.stdout.take().context("stdout is piped")?;
        let (sender, answers) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Ledger { child, answers })
    }

    /// All writers begin to write, each with a rest of up to `rest_ms` after each write.
    pub(super) fn write(&mut self, rest_ms: u64, interrupt: &Interrupt) -> Result<()> {
        let order = json!({ "order": "write", "rest_ms": rest_ms });
        self.ask::<Counts>(&order, interrupt).map(drop)
    }

    /// All writers stop. Returns what was counted so far.
    pub(super) fn pause(&mut self, interrupt: &Interrupt) -> Result<Counts> {
        self.ask(&json!({ "order": "pause" }), interrupt)
    }

    /// Writes so many new keys; by all of their primaries where `everywhere`.
    pub(super) fn put(
        &mut self,
        keys: u64,
        everywhere: bool,
        interrupt: &Interrupt,
    ) -> Result<Counts> {
        let w = if everywhere { 3 } else { 0 };
        self.ask(&json!({ "order": "put", "keys": keys, "w": w, "strict": everywhere }), interrupt)
    }

    /// Reads one of every `of` keys with two answers.
    pub(super) fn read(&mut self, of: u64, interrupt: &Interrupt) -> Result<Reading> {
        let order = json!({
            "order": "read", "r": 2, "strict": false, "of": of,
            "patience_ms": READ_PATIENCE_MS, "late_ms": LATE_MS,
        });
        self.ask(&order, interrupt)
    }

    /// Reads all keys from each of their primaries.
    pub(super) fn read_everywhere(&mut self, interrupt: &Interrupt) -> Result<Reading> {
        let order = json!({
            "order": "read", "r": 3, "strict": true, "of": 1,
            "patience_ms": 1_000, "late_ms": 0,
        });
        self.ask(&order, interrupt)
    }

    fn ask<T: DeserializeOwned>(&mut self, order: &Value, interrupt: &Interrupt) -> Result<T> {
        let stdin = self.child.stdin.as_mut().context("stdin is piped")?;
        writeln!(stdin, "{order}").context("the ledger has ended")?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            interrupt.check()?;
            match self.answers.recv_timeout(POLL) {
                Ok(answer) => return serde_json::from_str(&answer).context(answer),
                Err(RecvTimeoutError::Disconnected) => bail!("the ledger has ended"),
                Err(RecvTimeoutError::Timeout) if Instant::now() < deadline => {}
                Err(RecvTimeoutError::Timeout) => bail!("the ledger does not answer {order}"),
            }
        }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
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
