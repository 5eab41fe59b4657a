//! How many hints this node holds, and for whom (DESIGN.md §10).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::config::NodeConfig;
use crate::ids::NodeId;
use crate::machine::{HintChange, HintCount};

/// The number and the bytes of the hints for each target.
///
/// Invariant: no target without hints is listed, and `bytes` is the sum of all.
#[derive(Clone, Debug)]
pub(crate) struct Hints {
    targets: BTreeMap<NodeId, HintCount>,
    bytes: u64,
    /// Whether those of former lives are among them. No hint is made before.
    counted: bool,
    target_bytes_max: u64,
    bytes_max: u64,
}

impl Hints {
    pub(crate) fn new(config: &NodeConfig) -> Hints {
        Hints {
            targets: BTreeMap::new(),
            bytes: 0,
            counted: false,
            target_bytes_max: config.limits.target_hint_bytes_max,
            bytes_max: config.limits.hint_bytes_max,
        }
    }

    /// Whether there is room for one more hint of so many bytes.
    pub(crate) fn has_room(&self, target: NodeId, bytes: u64) -> bool {
        let held = self.targets.get(&target).map_or(0, |count| count.bytes);
        self.counted
            && held.saturating_add(bytes) <= self.target_bytes_max
            && self.bytes.saturating_add(bytes) <= self.bytes_max
    }

    /// Those for whom there are hints.
    pub(crate) fn targets(&self) -> Vec<NodeId> {
        self.targets.keys().copied().collect()
    }

    /// The hints for one target.
    pub(crate) fn of(&self, target: NodeId) -> HintCount {
        let none = HintCount { target, hints: 0, bytes: 0 };
        self.targets.get(&target).copied().unwrap_or(none)
    }

    /// What the storage found when the node started.
    pub(crate) fn on_counted(&mut self, counts: Vec<HintCount>) {
        sane_or!(let counts, HintCountsIgnored => Vec::new());
        let counts = counts.into_iter().filter(|count| count.hints > 0);
        self.targets = counts.map(|count| (count.target, count)).collect();
        self.bytes = self.targets.values().map(|count| count.bytes).sum();
        self.counted = true;
    }

    /// A hint was made or has grown.
    pub(crate) fn on_stored(&mut self, target: NodeId, change: HintChange) {
        let none = HintCount { target, hints: 0, bytes: 0 };
        let count = self.targets.entry(target).or_insert(none);
        let before = change.before.unwrap_or(0).min(count.bytes);
        count.hints += u64::from(change.before.is_none() || count.hints == 0);
        count.bytes = count.bytes - before + change.after;
        self.bytes = self.bytes - before + change.after;
    }

    /// A hint of so many bytes is gone.
    pub(crate) fn on_removed(&mut self, target: NodeId, bytes: u64) {
        let Some(count) = self.targets.get_mut(&target) else { return };
        // What is left when the last one goes was never there.
        let gone = if count.hints == 1 { count.bytes } else { bytes.min(count.bytes) };
        count.hints -= 1;
        count.bytes -= gone;
        self.bytes -= gone;
        if count.hints == 0 {
            self.targets.remove(&target);
        }
    }

    /// How many there are, and their bytes.
    pub(crate) fn total(&self) -> (u64, u64) {
        (self.targets.values().map(|count| count.hints).sum(), self.bytes)
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.bytes, self.targets.values().map(|count| count.bytes).sum::<u64>());
        assert!(self.targets.values().all(|count| count.hints > 0));
    }
}
