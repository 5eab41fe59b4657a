//! Preference lists against the definition of DESIGN.md §3, written down a second time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_core::ids::NodeId;
use quorate_core::layout::{Layout, LayoutVersion, Member};
use quorate_core::ring::Slot;

/// The list by its definition: all nodes in walking order, then stably split by "zone is new".
fn naive_list(layout: &Layout, slot: Slot) -> Vec<NodeId> {
    let mut met: Vec<&Member> = Vec::new();
    let (behind, ahead) = layout.owners().split_at(slot.0 as usize);
    for &owner in ahead.iter().chain(behind) {
        let member = &layout.members()[usize::from(owner)];
        if !met.iter().any(|other| other.id == member.id) {
            met.push(member);
        }
    }
    let is_new = |place: usize| met[..place].iter().all(|before| before.zone != met[place].zone);
    let (new, others): (Vec<usize>, Vec<usize>) = (0..met.len()).partition(|&place| is_new(place));
    new.into_iter().chain(others).map(|place| met[place].id).collect()
}

/// Any layout at all, planned by nobody: slots may lie in the most awkward order.
fn any_layout() -> impl Strategy<Value = Layout> {
    let sizes = (3_usize..=30, 1_u32..=6, 1_u8..=5, 3_u32..=10);
    sizes.prop_flat_map(|(nodes, zones, replication, slot_bits)| {
        let slots = 1_usize << slot_bits;
        let members = prop::collection::btree_map(any::<u64>(), (0..zones, any::<u32>()), nodes);
        // Few owners in places, so that some members own nothing and runs are long.
        let owners = prop_oneof![
            prop::collection::vec(0..nodes as u16, slots),
            (0..nodes as u16, prop::collection::vec(0..nodes as u16, slots / 4)).prop_map(
                move |(usual, rare)| {
                    let mut owners = vec![usual; slots - rare.len()];
                    owners.extend(rare);
                    owners
                }
            ),
        ];
        (Just(replication), members, owners).prop_map(|(replication, members, owners)| {
            let members = members
                .into_iter()
                .map(|(id, (zone, weight))| Member {
                    id: NodeId(id),
                    label: format!("node-{id}").into(),
                    zone: if zone == 0 { "".into() } else { format!("zone-{zone}").into() },
                    weight,
                })
                .collect();
            Layout::from_parts(LayoutVersion(7), replication, members, owners).unwrap()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 256, ..Default::default() })]

    #[test]
    fn lists_are_those_of_a_naive_walk(layout in any_layout()) {
        for slot in layout.slot_count().slots() {
            let expected = naive_list(&layout, slot);
            let list: Vec<NodeId> = layout.preference_list(slot).collect();
            prop_assert_eq!(&list, &expected, "slot {}", slot);
            prop_assert_eq!(layout.preference_list(slot).len(), expected.len());
            let primaries = expected.len().min(usize::from(layout.replication()));
            prop_assert_eq!(layout.primaries(slot), &expected[..primaries], "slot {}", slot);
        }
    }

    #[test]
    fn lists_hold_each_member_with_slots_once(layout in any_layout()) {
        let owning: BTreeSet<NodeId> =
            layout.owners().iter().map(|&owner| layout.members()[usize::from(owner)].id).collect();
        for slot in layout.slot_count().slots() {
            let list: Vec<NodeId> = layout.preference_list(slot).collect();
            prop_assert_eq!(list.len(), owning.len());
            prop_assert_eq!(&list.iter().copied().collect::<BTreeSet<_>>(), &owning);
            prop_assert_eq!(list[0], layout.owner(slot));
        }
    }

    #[test]
    fn primaries_repeat_no_node_and_no_zone_that_can_be_avoided(layout in any_layout()) {
        let zone_of = |id: NodeId| layout.member(id).unwrap().zone.clone();
        let owners = layout.owners().iter().map(|&owner| &layout.members()[usize::from(owner)]);
        let zones: BTreeSet<_> = owners.map(|member| member.zone.clone()).collect();
        for slot in layout.slot_count().slots() {
            let primaries = layout.primaries(slot);
            let distinct: BTreeSet<NodeId> = primaries.iter().copied().collect();
            prop_assert_eq!(distinct.len(), primaries.len());
            let met: BTreeSet<_> = primaries.iter().map(|&id| zone_of(id)).collect();
            prop_assert_eq!(met.len(), zones.len().min(usize::from(layout.replication())));
            for member in layout.members() {
                prop_assert_eq!(layout.is_primary(slot, member.id), distinct.contains(&member.id));
            }
        }
    }
}
