//! Hints on the nodes of a trial: who holds how many for whom, and whether all have come home.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use quorate_host::Interrupt;
use serde_json::Value;

use super::POLL;
use super::report::count;
use crate::cluster::Cluster;

/// How long hints may take to come home: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(120);
/// What all nodes say twice, with so much time in between, is the end.
const QUIET: Duration = Duration::from_secs(1);

/// What the nodes counted, over all of their lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct HintCounts {
    /// Hints that were stored, or have grown.
    pub(super) made: u64,
    /// Hints that came home.
    pub(super) handed_over: u64,
}

/// Adds up what nodes count from one start to the next.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Of lives that are over.
    past: HintCounts,
}

impl Tally {
    /// Notes what a node counted, as it is about to die.
    pub(super) fn before_death(&mut self, cluster: &Cluster, node: usize) -> Result<()> {
        let look = Look::at(cluster)?;
        let counted = look.counts.get(cluster.label(node)).copied().unwrap_or_default();
        self.past = self.past.and(counted);
        Ok(())
    }

    /// Waits until all nodes say that they hold no hints.
    pub(super) fn wait_until_home(
        &self,
        cluster: &mut Cluster,
        interrupt: &Interrupt,
    ) -> Result<HintCounts> {
        let deadline = Instant::now() + PATIENCE;
        let mut quiet: Option<(Instant, Look)> = None;
        loop {
            interrupt.check()?;
            cluster.watch()?;
            let look = Look::at(cluster);
            let left = match &look {
                Ok(look) => look.left(),
                Err(error) => vec![format!("nobody says how the nodes are: {error:#}")],
            };
            match (look, quiet.take()) {
                (Ok(look), Some((since, before))) if left.is_empty() && look == before => {
                    if since.elapsed() >= QUIET {
                        let counts = look.counts.into_values();
                        return Ok(counts.fold(self.past, HintCounts::and));
                    }
                    quiet = Some((since, before));
                }
                (Ok(look), _) if left.is_empty() => quiet = Some((Instant::now(), look)),
                (_, _) => {}
            }
            if Instant::now() > deadline {
                let left = if left.is_empty() {
                    "their counts still change".into()
                } else {
                    left.join("; ")
                };
                bail!("after {} s the hints are not all home: {left}", PATIENCE.as_secs());
            }
            thread::sleep(POLL);
        }
    }
}

impl HintCounts {
    fn and(self, other: HintCounts) -> HintCounts {
        HintCounts {
            made: self.made + other.made,
            handed_over: self.handed_over + other.handed_over,
        }
    }
}

/// What all nodes say at one moment.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    /// Hints that are held: by whom, for whom, how many.
    held: Vec<(String, String, u64)>,
    /// Nodes that do not answer.
    silent: Vec<String>,
    counts: BTreeMap<String, HintCounts>,
}

impl Look {
    fn at(cluster: &Cluster) -> Result<Look> {
        let status = cluster.quorate(&["status", "-o", "json"])?;
        let status = serde_json::from_str(&status).context("output of `quorate status`")?;
        Look::of(&status).context("`quorate status` does not tell of hints")
    }

    fn of(status: &Value) -> Option<Look> {
        let mut look = Look { held: Vec::new(), silent: Vec::new(), counts: BTreeMap::new() };
        for node in status["nodes"].as_array()? {
            let label = node["label"].as_str()?.to_owned();
            if node["up"] != true {
                look.silent.push(label);
                continue;
            }
            for member in node["members"].as_array()? {
                let hints = member["hints"].as_u64()?;
                if hints > 0 {
                    look.held.push((label.clone(), member["label"].as_str()?.to_owned(), hints));
                }
            }
            let counter = |name: &str| node["counters"][name].as_u64();
            let counts =
                HintCounts { made: counter("hints_stored")?, handed_over: counter("handed_over")? };
            look.counts.insert(label, counts);
        }
        Some(look)
    }

    /// What is not as it should be, a sentence for each.
    fn left(&self) -> Vec<String> {
        let held = self.held.iter().map(|(holder, target, hints)| {
            format!("{holder} holds {} for {target}", count(*hints))
        });
        let silent = self.silent.iter().map(|label| format!("{label} does not answer"));
        held.chain(silent).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(label: &str, hints_for_c: u64, counts: [u64; 2]) -> Value {
        let [made, handed_over] = counts;
        json!({
            "label": label,
            "up": true,
            "members": [{ "label": "b", "hints": 0 }, { "label": "c", "hints": hints_for_c }],
            "counters": { "hints_stored": made, "handed_over": handed_over },
        })
    }

    #[test]
    fn who_holds_hints_for_whom_and_who_is_silent_is_told() {
        let silent = json!({ "label": "d", "up": false, "error": "no answer" });
        let status =
            json!({ "nodes": [node("a", 1_200, [1_300, 100]), node("b", 0, [7, 7]), silent] });
        let look = Look::of(&status).unwrap();
        assert_eq!(look.left(), ["a holds 1,200 for c", "d does not answer"]);
        let counts = look.counts.into_values().fold(HintCounts::default(), HintCounts::and);
        assert_eq!(counts, HintCounts { made: 1_307, handed_over: 107 });
    }

    #[test]
    fn where_nobody_holds_hints_nothing_is_left() {
        let status = json!({ "nodes": [node("a", 0, [5, 5])] });
        assert!(Look::of(&status).unwrap().left().is_empty());
    }

    #[test]
    fn a_status_without_hints_is_not_taken_for_one_of_no_hints() {
        let mut status = json!({ "nodes": [node("a", 0, [5, 5])] });
        status["nodes"][0]["counters"] = json!({});
        assert_eq!(Look::of(&status), None);
        assert_eq!(Look::of(&json!({})), None);
    }
}
