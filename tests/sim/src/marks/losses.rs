//! Nodes that lost something that was durable.

use std::collections::BTreeMap;

use super::{Mark, Marks};
use crate::observation::Started;

/// The nodes of a run.
#[derive(Debug, Default)]
pub(super) struct Losses {
    nodes: BTreeMap<usize, State>,
    /// Counts beginnings and ends of lives.
    turns: u64,
}

#[derive(Debug, Default)]
struct State {
    /// Whether it waits for something that it lost.
    refilling: bool,
    /// Whether its life found a clean stop, which nobody has contradicted.
    stopped_cleanly: bool,
    /// When its life began.
    started: u64,
    /// When the one before it ended.
    ended: u64,
}

impl Losses {
    /// A node starts.
    pub(super) fn on_started(&mut self, Started { node, found, .. }: Started<'_>) {
        let refilling = found.standing.refilling;
        let stopped_cleanly = !found.lives.is_empty();
        self.turns += 1;
        let (started, ended) = (self.turns, self.nodes.entry(node).or_default().ended);
        self.nodes.insert(node, State { refilling, stopped_cleanly, started, ended });
    }

    /// A life of a node ends.
    pub(super) fn on_crashed(&mut self, node: usize) {
        self.turns += 1;
        self.nodes.entry(node).or_default().ended = self.turns;
    }

    /// A node hears of commits that it does not have.
    pub(super) fn on_lost(&mut self, node: usize, is_old: bool, marks: &mut Marks) {
        let ended = self.nodes.entry(node).or_default().ended;
        let all_began = ended > 0 && self.nodes.values().all(|state| state.started > ended);
        marks.add(Mark::LossFoundAfterBlackout, all_began && !is_old);
        let state = self.nodes.entry(node).or_default();
        marks.add(Mark::OldCopySetAside, is_old);
        marks.add(Mark::LossFound, !is_old);
        marks.add(Mark::LossFoundWhileRefilling, state.refilling);
        marks.add(Mark::CleanStopContradicted, state.stopped_cleanly);
        *state = State { refilling: true, stopped_cleanly: false, ..*state };
    }

    /// A node has all again that others had.
    pub(super) fn on_refilled(&mut self, node: usize, marks: &mut Marks) {
        self.nodes.entry(node).or_default().refilling = false;
        marks.add(Mark::Refilled, true);
    }

    /// A node discards what it cannot read.
    pub(super) fn on_rotten(&mut self, node: usize, marks: &mut Marks) {
        self.nodes.entry(node).or_default().refilling = true;
        marks.add(Mark::RottenDiscarded, true);
    }
}
