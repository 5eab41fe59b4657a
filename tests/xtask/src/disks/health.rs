//! What the nodes say of themselves: whether they are whole, and what they lost.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use quorate_host::Interrupt;
use serde_json::Value;

use crate::cluster::Cluster;

const POLL: Duration = Duration::from_millis(200);
/// Parts of names that storage gives to what it sets aside.
const SET_ASIDE: [&str; 3] = [".damaged-", ".outdated-", "journal-tail-"];

/// All nodes at one moment, as `quorate status -o json` tells it.
pub(super) struct Health {
    status: Value,
}

impl Health {
    pub(super) fn look(cluster: &Cluster) -> Result<Health> {
        let status = cluster.quorate(&["status", "-o", "json"])?;
        let status = serde_json::from_str(&status).context("output of `quorate status`")?;
        Ok(Health { status })
    }

    /// The labels of all members, whether they are up or not.
    pub(super) fn members(&self) -> Vec<&str> {
        let members = self.status["members"].as_array().map_or(&[][..], Vec::as_slice);
        members.iter().filter_map(|member| member["label"].as_str()).collect()
    }

    /// How often a node has lost data since it started, by its own account; `None` where it gives
    /// none.
    pub(super) fn data_losses(&self, label: &str) -> Option<u64> {
        self.counter(label, "data_losses")
    }

    /// What is still to be done until everything is where it belongs, a sentence for each.
    fn left(&self, labels: &[&str]) -> Vec<String> {
        let mut left = Vec::new();
        for label in labels {
            let Some(node) = self.node(label) else {
                left.push(format!("{label} does not answer"));
                continue;
            };
            let slots = self.counter(label, "slots_refilling").unwrap_or(0);
            if slots > 0 {
                left.push(format!("{label} refills {slots} slots"));
            }
            if self.counter(label, "vouches") == Some(0) {
                left.push(format!("{label} does not vouch for what it holds"));
            }
            if self.counter(label, "storage_full") > Some(0) {
                left.push(format!("{label} has no room on its disk"));
            }
            let members = node["members"].as_array().map_or(&[][..], Vec::as_slice);
            let hints: u64 = members.iter().filter_map(|member| member["hints"].as_u64()).sum();
            if hints > 0 {
                left.push(format!("{label} holds {hints} hints"));
            }
        }
        left
    }

    /// What was moved to make replicas equal, by all nodes since they started.
    fn moved(&self) -> u64 {
        let nodes = self.status["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let counters = nodes.iter().filter_map(|node| node["counters"].as_object());
        let moved = counters.flat_map(|counters| {
            let names = ["records_taken", "records_given", "handed_over"];
            names.map(|name| counters.get(name).and_then(Value::as_u64).unwrap_or(0))
        });
        moved.sum()
    }

    fn counter(&self, label: &str, name: &str) -> Option<u64> {
        let node = self.node(label)?;
        node["counters"][name].as_u64().or_else(|| node[name].as_u64())
    }

    fn node(&self, label: &str) -> Option<&Value> {
        let nodes = self.status["nodes"].as_array()?;
        nodes.iter().find(|node| node["label"] == label && node["up"] == true)
    }
}

/// Waits until nobody refills anything, nobody holds hints, and nothing was moved for `quiet`.
/// Returns how long that took without the quiet time, or what is left after `patience`.
pub(super) fn wait_until_whole(
    cluster: &mut Cluster,
    quiet: Duration,
    patience: Duration,
    interrupt: &Interrupt,
) -> Result<std::result::Result<Duration, String>> {
    let labels: Vec<String> = (0..cluster.len()).map(|it| cluster.label(it).to_owned()).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let began = Instant::now();
    let mut moved = None;
    let mut since = began;
    loop {
        interrupt.check()?;
        cluster.watch()?;
        let left = match Health::look(cluster) {
            Ok(health) => {
                if moved != Some(health.moved()) {
                    moved = Some(health.moved());
                    since = Instant::now();
                }
                health.left(&labels)
            }
            Err(error) => vec![format!("{error:#}")],
        };
        if !left.is_empty() {
            since = Instant::now();
        } else if since.elapsed() >= quiet {
            return Ok(Ok(since - began));
        }
        if began.elapsed() >= patience {
            let left = if left.is_empty() { "records still move".into() } else { left.join("; ") };
            return Ok(Err(left));
        }
        thread::sleep(POLL);
    }
}

/// How many parts of a data directory were set aside.
pub(super) fn set_aside(data: &Path) -> usize {
    let Ok(entries) = fs::read_dir(data) else { return 0 };
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let is_aside = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        SET_ASIDE.iter().any(|part| name.contains(part))
    };
    names.filter(is_aside).count()
}
