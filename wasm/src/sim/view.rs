//! What a page may look at.

use quorate_core::causality::Payload;
use quorate_core::ring::Position;
use quorate_sim::World;
use serde::Serialize;

use super::text;

/// The nodes and the ring.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct View {
    /// Virtual time in milliseconds.
    now: u32,
    replication: u8,
    nodes: Vec<NodeView>,
    /// For each slot the number of its owner.
    owners: Vec<u16>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeView {
    id: String,
    label: String,
    zone: String,
    up: bool,
    /// Keys that it holds.
    records: usize,
    /// Counts since its start; empty while it is down.
    counters: Vec<(String, u32)>,
}

/// Where a key lives, and what each replica holds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Located {
    position: String,
    slot: u32,
    replicas: Vec<Replica>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Replica {
    /// The number of the node.
    node: usize,
    /// Siblings as texts; a tombstone is null.
    siblings: Vec<Option<String>>,
}

impl View {
    pub(super) fn of(world: &World) -> View {
        let layout = &world.layout().layout;
        let nodes = layout.members().iter().enumerate().map(|(index, member)| {
            let counters = world.node(index).map(|node| node.view().counters());
            let counters = counters.unwrap_or_default().into_iter();
            NodeView {
                id: member.id.to_string(),
                label: text(&member.label),
                zone: text(&member.zone),
                up: world.node(index).is_some(),
                records: world.keys(index).len(),
                counters: counters.map(|(name, count)| (name.into(), count as u32)).collect(),
            }
        });
        View {
            now: u32::try_from(world.now().0 / 1_000).unwrap_or(u32::MAX),
            replication: layout.replication(),
            nodes: nodes.collect(),
            owners: layout.owners().to_vec(),
        }
    }
}

impl Located {
    pub(super) fn of(world: &World, key: &str) -> Located {
        let position = Position::of(key.as_bytes());
        let replicas = world.primaries(key).into_iter().map(|node| {
            let record = world.record(node, key);
            let siblings = record.siblings().map(|(_, sibling)| match &sibling.payload {
                Payload::Value(value) => Some(String::from_utf8_lossy(value).into_owned()),
                Payload::Tombstone => None,
            });
            Replica { node, siblings: siblings.collect() }
        });
        Located {
            position: position.to_string(),
            slot: world.layout().layout.slot_of(key.as_bytes()).0,
            replicas: replicas.collect(),
        }
    }
}
