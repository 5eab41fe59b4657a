//! The first plan: quotas, spread, balance.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_core::ids::NodeId;
use quorate_core::layout::{Layout, Member, PlanError, PlanSettings, plan_first};
use quorate_core::prng::Prng;
use quorate_core::ring::SlotCount;

fn settings(slots: u32, replication: u8) -> PlanSettings {
    PlanSettings { slots: SlotCount::new(slots).unwrap(), replication }
}

/// Members with random ids, dealt out to the zones in turn.
fn members(count: u32, zones: u32, weight: impl Fn(u32) -> u32) -> Vec<Member> {
    let mut prng = Prng::stream(u64::from(count), "members");
    (0..count)
        .map(|index| Member {
            id: NodeId(prng.next_u64()),
            label: format!("node-{index}").into(),
            zone: format!("zone-{}", index % zones).into(),
            weight: weight(index),
        })
        .collect()
}

/// The greatest replica load in thousandths of the mean, over all members.
fn max_to_mean_permille(layout: &Layout) -> u32 {
    let loads = layout.load();
    let max = loads.iter().map(|load| load.replicas).max().unwrap();
    let sum: u32 = loads.iter().map(|load| load.replicas).sum();
    (max * 1000 * loads.len() as u32).div_ceil(sum)
}

/// The fewest other nodes with which a node shares slots: who can help when it fails.
fn partners_min(layout: &Layout) -> usize {
    let partners = |id: NodeId| {
        let slots = layout.slot_count().slots().filter(|&slot| layout.is_primary(slot, id));
        let met: BTreeSet<NodeId> =
            slots.flat_map(|slot| layout.primaries(slot).iter().copied()).collect();
        met.len() - 1
    };
    layout.members().iter().map(|member| partners(member.id)).min().unwrap()
}

#[test]
fn equal_weights_give_equal_loads() {
    println!("max/mean replica load in thousandths (N = 3), and fewest partners of a node");
    println!("zones nodes  slots  max/mean  partners");
    for zones in [1_u32, 2, 3, 4, 5] {
        for count in (3_u32..=30).filter(|count| count % zones == 0) {
            let least = (32 * count).next_power_of_two();
            for slots in BTreeSet::from([least, 1024]) {
                let layout = plan_first(settings(slots, 3), members(count, zones, |_| 1)).unwrap();
                let permille = max_to_mean_permille(&layout);
                let partners = partners_min(&layout);
                println!("{zones:5} {count:5} {slots:6} {permille:9} {partners:9}");
                assert!(permille <= 1050, "{zones} zones, {count} nodes, {slots} slots");
                // With three zones or more, a node shares no slot with its own zone.
                let possible = if zones < 3 { count - 1 } else { count - count / zones };
                assert!(partners * 4 >= possible as usize * 3, "{partners} of {possible}");
            }
        }
    }
}

#[test]
fn a_large_zone_next_to_small_ones_is_even_within_itself() {
    // Each slot has one primary in each zone: the two single nodes hold all, the others share.
    for count in [6, 12, 30] {
        let mut all = members(count, 1, |_| 1);
        all[0].zone = "small-1".into();
        all[1].zone = "small-2".into();
        let layout = plan_first(settings(1024, 3), all).unwrap();
        let large = |id: NodeId| &*layout.member(id).unwrap().zone == "zone-0";
        let loads = layout.load();
        let max = loads.iter().filter(|load| large(load.id)).map(|load| load.replicas).max();
        assert!(max.unwrap() * 100 * (count - 2) <= 1024 * 110, "{count} nodes: {loads:?}");
    }
}

#[test]
fn loads_follow_weights_as_far_as_distinct_nodes_allow() {
    let tables: [&[u32]; 4] =
        [&[1, 1, 1, 1, 2], &[1, 2, 3, 4, 5, 6, 7, 8], &[5, 5, 5, 1, 1, 1], &[3, 3, 2, 2, 0]];
    for weights in tables {
        let count = weights.len() as u32;
        let all = members(count, 1, |index| weights[index as usize]);
        let layout = plan_first(settings(1024, 3), all).unwrap();
        let total: u32 = weights.iter().sum();
        for load in layout.load() {
            let weight = layout.member(load.id).unwrap().weight;
            let fair = 3 * 1024 * weight / total;
            assert!(load.replicas.abs_diff(fair) * 50 <= fair, "{weights:?}: {load:?}, {fair}");
        }
    }
    // More than one Nth cannot be had: the greatest node is a primary of every slot.
    let layout = plan_first(settings(1024, 3), members(6, 1, |i| [10, 1][i.min(1) as usize]));
    let loads = layout.unwrap().load();
    assert_eq!(loads.iter().map(|load| load.replicas).max(), Some(1024));
    assert!(loads.iter().all(|load| load.replicas == 1024 || load.replicas.abs_diff(410) <= 4));
}

#[test]
fn a_large_cluster_is_planned_in_bounded_time_and_is_even() {
    let layout = plan_first(settings(65_536, 3), members(1000, 5, |_| 1)).unwrap();
    assert!(max_to_mean_permille(&layout) <= 1050);
}

#[test]
fn what_cannot_be_planned_is_refused() {
    let eight = || members(8, 1, |_| 1);
    let table = [
        (plan_first(settings(64, 3), vec![]), PlanError::NoMembers),
        (plan_first(settings(64, 3), members(8, 1, |_| 0)), PlanError::NoWeight { members: 8 }),
        (plan_first(settings(4, 3), eight()), PlanError::TooFewSlots { slots: 4, members: 8 }),
        (plan_first(settings(64, 0), eight()), PlanError::Replication { replication: 0 }),
        (plan_first(settings(64, 17), eight()), PlanError::Replication { replication: 17 }),
        (
            plan_first(settings(65_536, 3), members(10_001, 1, |_| 1)),
            PlanError::TooManyMembers { members: 10_001 },
        ),
        (
            plan_first(settings(64, 3), [eight(), eight()].concat()),
            PlanError::DuplicateId { id: eight().iter().map(|member| member.id).min().unwrap() },
        ),
    ];
    for (refused, expected) in table {
        assert_eq!(refused.unwrap_err(), expected);
        assert!(!expected.to_string().is_empty());
    }
}

#[test]
fn a_member_without_weight_needs_no_slot() {
    let layout = plan_first(settings(2, 3), members(9, 2, |i| u32::from(i < 2))).unwrap();
    assert_eq!(layout.members().len(), 9);
    assert_eq!(layout.preference_list(quorate_core::ring::Slot(0)).len(), 2);
}

fn any_request() -> impl Strategy<Value = (PlanSettings, Vec<Member>)> {
    let weight = prop_oneof![0_u32..=9, 1_u32..=4, any::<u32>()];
    let members =
        prop::collection::btree_map(any::<u64>(), (0_u32..6, weight), 1..=30).prop_map(|members| {
            let member = |(id, (zone, weight)): (u64, (u32, u32))| Member {
                id: NodeId(id),
                label: "".into(),
                zone: format!("{zone}").into(),
                weight,
            };
            members.into_iter().map(member).collect::<Vec<Member>>()
        });
    let request = (3_u32..=10, 1_u8..=5, members);
    request.prop_filter_map("no member, or too few slots", |(bits, replication, members)| {
        let weighted = members.iter().filter(|member| member.weight > 0).count();
        (1..=1 << bits).contains(&weighted).then(|| (settings(1 << bits, replication), members))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 128, ..Default::default() })]

    #[test]
    fn quotas_are_within_one_slot_of_the_exact_share((settings, members) in any_request()) {
        let layout = plan_first(settings, members).unwrap();
        let total: u128 = layout.members().iter().map(|member| u128::from(member.weight)).sum();
        let slots = u128::from(settings.slots.get());
        prop_assert_eq!(layout.load().iter().map(|l| u128::from(l.slots)).sum::<u128>(), slots);
        for (member, load) in layout.members().iter().zip(layout.load()) {
            let exact = slots * u128::from(member.weight);
            prop_assert!((u128::from(load.slots) * total).abs_diff(exact) < total, "{:?}", load);
        }
    }

    #[test]
    fn the_order_of_members_does_not_matter((settings, members) in any_request(), seed: u64) {
        let mut shuffled = members.clone();
        let mut prng = Prng::new(seed);
        for last in (1..shuffled.len()).rev() {
            shuffled.swap(last, prng.below(last as u64 + 1) as usize);
        }
        prop_assert_eq!(plan_first(settings, members), plan_first(settings, shuffled));
    }
}
