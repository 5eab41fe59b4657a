//! What a node has that was removed while it was alive.

use quorate_core::ids::NodeId;
use quorate_core::layout::Layout;
use quorate_core::ring::Slot;

use super::unknown_to;
use crate::disk::Disk;

/// Whether a node keeps a slot for good: it was removed, and a primary lacks something that lies
/// there, which nobody takes from it.
pub(crate) fn keeps_slot(
    disks: &[Disk],
    layout: &Layout,
    (node, id): (usize, NodeId),
    slot: Slot,
    index: impl Fn(NodeId) -> Option<usize>,
) -> bool {
    if layout.member(id).is_some() {
        return false;
    }
    let primaries: Vec<usize> = layout.primaries(slot).iter().filter_map(|id| index(*id)).collect();
    let mut keys = disks[node].keys().filter(|key| layout.slot_of(key.as_bytes()) == slot);
    keys.any(|key| {
        let Some(kept) = disks[node].memory(key) else { return false };
        let kept = kept.context();
        let lacks = |home: &usize| match disks[*home].memory(key) {
            Some(held) => !unknown_to(held, &kept).is_empty(),
            None => kept.iter().next().is_some(),
        };
        primaries.iter().any(lacks)
    })
}
