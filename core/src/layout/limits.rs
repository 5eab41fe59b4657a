//! What no choice of slots can avoid: where nodes or zones are too few, too large or too small for
//! primaries in distinct zones and for loads that follow weights.

use alloc::vec::Vec;
use core::fmt;

use super::{Layout, Member};
use crate::ids::{NodeId, Text};

/// Something that these members do not allow, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Fewer members than N own slots: slots have fewer primaries than N.
    FewNodes {
        /// Members that own slots.
        nodes: usize,
        /// N.
        replication: u8,
    },
    /// Fewer zones than N own slots: primaries of a slot share a zone.
    FewZones {
        /// Zones whose members own slots.
        zones: usize,
        /// N.
        replication: u8,
    },
    /// A zone has more than an Nth of the weight, and no slot has two primaries in one zone: its
    /// members hold less than their weight asks for, all others more.
    LargeZone {
        /// The zone.
        zone: Text,
        /// The weight of its members that own slots.
        weight: u64,
        /// The weight of all members that own slots.
        weight_total: u64,
    },
    /// A zone has less than an Nth of the weight, and every slot has a primary in each zone: its
    /// members hold more than their weight asks for, all others less.
    SmallZone {
        /// The zone.
        zone: Text,
        /// The weight of its members that own slots.
        weight: u64,
        /// The weight of all members that own slots.
        weight_total: u64,
    },
    /// A member has more than an Nth of the weight: it is a primary of every slot at most, and
    /// holds less than its weight asks for.
    LargeNode {
        /// The member.
        id: NodeId,
        /// Its weight.
        weight: u32,
        /// The weight of all members that own slots.
        weight_total: u64,
    },
    /// The share of a member is not worth a slot: it owns nothing.
    SmallNode {
        /// The member.
        id: NodeId,
        /// Its weight.
        weight: u32,
        /// The weight of all members that own slots.
        weight_total: u64,
    },
}

/// The limits of a layout: first those of all slots, then those of zones by name, then those of
/// members by id.
pub(super) fn limits(layout: &Layout) -> Vec<Limit> {
    let replication = layout.replication();
    let loads = layout.load();
    let owns: Vec<(&Member, bool)> = layout
        .members()
        .iter()
        .zip(&loads)
        .map(|(member, load)| (member, load.slots > 0))
        .collect();
    let owners = || owns.iter().filter(|(_, owns)| *owns).map(|(member, _)| *member);
    let weight_total: u64 = owners().map(|member| u64::from(member.weight)).sum();
    let above = |weight: u64| weight * u64::from(replication) > weight_total;
    let below = |weight: u64| weight * u64::from(replication) < weight_total;
    let nodes = owners().count();
    let zones = zone_weights(owners());

    let mut found = Vec::new();
    if nodes < usize::from(replication) {
        found.push(Limit::FewNodes { nodes, replication });
    }
    if zones.len() < usize::from(replication) {
        found.push(Limit::FewZones { zones: zones.len(), replication });
    }
    for (zone, weight) in &zones {
        let (zone, weight) = (zone.clone(), *weight);
        if zones.len() >= usize::from(replication) && above(weight) {
            found.push(Limit::LargeZone { zone, weight, weight_total });
        } else if zones.len() <= usize::from(replication) && below(weight) {
            found.push(Limit::SmallZone { zone, weight, weight_total });
        }
    }
    for &(member, owns) in &owns {
        let (id, weight) = (member.id, member.weight);
        if owns && nodes > usize::from(replication) && above(u64::from(weight)) {
            found.push(Limit::LargeNode { id, weight, weight_total });
        } else if !owns && weight > 0 {
            found.push(Limit::SmallNode { id, weight, weight_total });
        }
    }
    found
}

/// The zones of some members, by name, with their weights.
fn zone_weights<'a>(members: impl Iterator<Item = &'a Member>) -> Vec<(Text, u64)> {
    let mut zones: Vec<(Text, u64)> = Vec::new();
    for member in members {
        let weight = u64::from(member.weight);
        match zones.binary_search_by(|(zone, _)| zone.cmp(&member.zone)) {
            Ok(place) => zones[place].1 += weight,
            Err(place) => zones.insert(place, (member.zone.clone(), weight)),
        }
    }
    zones
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Limit::FewNodes { nodes, replication } => write!(
                f,
                "nodes that own slots: {nodes}; replicas of a key: {nodes}, where {replication} are \
                 wanted"
            ),
            Limit::FewZones { zones: 1, .. } => {
                f.write_str("all nodes are in one zone: it holds every replica")
            }
            Limit::FewZones { zones, replication } => write!(
                f,
                "the nodes are in {zones} zones: the {replication} replicas of a key cannot all be \
                 in zones of their own"
            ),
            Limit::LargeZone { zone, weight, weight_total } => write!(
                f,
                "zone {zone:?} has {weight} of the weight {weight_total}, more than one replica of \
                 each key: its nodes hold less than their weight, the others more"
            ),
            Limit::SmallZone { zone, weight, weight_total } => write!(
                f,
                "zone {zone:?} has {weight} of the weight {weight_total}, less than one replica of \
                 each key: its nodes hold more than their weight, the others less"
            ),
            Limit::LargeNode { id, weight, weight_total } => write!(
                f,
                "node {id} has {weight} of the weight {weight_total}, more than one replica of \
                 each key: it holds less than its weight, the others more"
            ),
            Limit::SmallNode { id, weight, weight_total } => write!(
                f,
                "node {id} has {weight} of the weight {weight_total}, too little for a slot: it \
                 holds nothing"
            ),
        }
    }
}
