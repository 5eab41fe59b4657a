//! What another layout would move, before anybody commits it.

use std::collections::BTreeMap;

use quorate_core::ids::NodeId;
use quorate_core::layout::{Layout, Member, explain, plan};
use serde::Serialize;

use super::action::Refusal;

/// What a layout would be, and what it would move. Nodes go by their numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PlanView {
    /// Its version.
    pub version: u64,
    /// For each slot the number of its owner.
    pub owners: Vec<usize>,
    /// Slots that change their owner.
    pub moved: u32,
    /// The greatest load for its weight, over the mean: before and after.
    pub balance: [f64; 2],
    /// What changes for nodes for which anything does.
    pub changes: Vec<Change>,
    /// What its members do not allow, in sentences.
    pub limits: Vec<String>,
}

/// What changes for one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which.
    pub node: usize,
    /// Slots of which it becomes a primary.
    pub gains: u32,
    /// Slots of which it is one no more.
    pub gives: u32,
}

impl PlanView {
    pub(super) fn of(previous: &Layout, members: Vec<Member>) -> Result<PlanView, Refusal> {
        let next = plan(previous, members).map_err(|error| Refusal::new(error.to_string()))?;
        let explained = explain(previous, &next, |_| 0);
        let owners = next.slot_count().slots().map(|slot| number(next.owner(slot)));
        Ok(PlanView {
            version: next.version().0,
            owners: owners.collect(),
            moved: explained.slots_moved,
            balance: [balance(previous), balance(&next)],
            changes: changes(previous, &next),
            limits: explained.limits.iter().map(ToString::to_string).collect(),
        })
    }
}

fn changes(previous: &Layout, next: &Layout) -> Vec<Change> {
    let mut changes: BTreeMap<NodeId, (u32, u32)> = BTreeMap::new();
    for slot in next.slot_count().slots() {
        let (former, future) = (previous.primaries(slot), next.primaries(slot));
        for id in future.iter().filter(|id| !former.contains(id)) {
            changes.entry(*id).or_default().0 += 1;
        }
        for id in former.iter().filter(|id| !future.contains(id)) {
            changes.entry(*id).or_default().1 += 1;
        }
    }
    let change = |(id, (gains, gives))| Change { node: number(id), gains, gives };
    changes.into_iter().map(change).collect()
}

/// The greatest load for its weight, over the mean of all.
fn balance(layout: &Layout) -> f64 {
    let loads = layout.load().into_iter().zip(layout.members());
    let loads: Vec<(f64, f64)> = loads
        .filter(|(_, member)| member.weight > 0)
        .map(|(load, member)| (f64::from(load.replicas), f64::from(member.weight)))
        .collect();
    let all = |part: fn(&(f64, f64)) -> f64| loads.iter().map(part).sum::<f64>();
    let mean = all(|(load, _)| *load) / all(|(_, weight)| *weight);
    loads.iter().map(|(load, weight)| load / weight / mean).fold(0.0, f64::max)
}

fn number(id: NodeId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX).wrapping_sub(1)
}
