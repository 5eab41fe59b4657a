//! What a change of the layout means, told in numbers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use quorate_core::ids::NodeId;
use quorate_core::layout::{
    Amount, Layout, LayoutVersion, Limit, Member, PlanSettings, Transfer, explain, plan, plan_first,
};
use quorate_core::prng::Prng;
use quorate_core::ring::{Slot, SlotCount};

fn member(id: u64, zone: &str, weight: u32) -> Member {
    Member { id: NodeId(id), label: format!("node-{id}").into(), zone: zone.into(), weight }
}

fn layout(version: u64, replication: u8, members: &[Member], owners: &[u16]) -> Layout {
    Layout::from_parts(LayoutVersion(version), replication, members.to_vec(), owners.to_vec())
        .unwrap()
}

fn transfer(from: u64, to: u64, replicas: u32, bytes: u64) -> Transfer {
    Transfer { from: NodeId(from), to: NodeId(to), amount: Amount { replicas, bytes } }
}

#[test]
fn a_small_change_is_told_exactly() {
    let three = [member(1, "", 1), member(2, "", 1), member(3, "", 1)];
    let before = layout(1, 2, &three[..2], &[0, 1, 0, 1]);
    // Slot 1 goes to node 3. The primaries are 1 3, 3 1, 1 2, 2 1.
    let after = layout(2, 2, &three, &[0, 2, 0, 1]);
    let explanation = explain(&before, &after, |slot| 10 + u64::from(slot.0));

    assert_eq!(explanation.slots_moved, 1);
    assert_eq!(explanation.slots_moved_least, 1);
    // Node 2 gives slots 0 and 1 up, so it is the one to send them.
    assert_eq!(explanation.transfers, [transfer(2, 3, 2, 21)]);
    assert_eq!(explanation.total(), Amount { replicas: 2, bytes: 21 });
    let told: Vec<_> = explanation
        .nodes
        .iter()
        .map(|node| {
            assert_eq!(node.before.id, node.after.id);
            let slots = (node.before.slots, node.after.slots);
            let replicas = (node.before.replicas, node.after.replicas);
            (node.before.id.0, slots, replicas, node.receives.replicas, node.sends.bytes)
        })
        .collect();
    let expected =
        [(1, (2, 2), (4, 4), 0, 0), (2, (2, 1), (4, 2), 0, 21), (3, (0, 1), (0, 2), 2, 0)];
    assert_eq!(told, expected);
    assert!(explanation.nodes.iter().all(|node| node.replicas_fair_thousandths.abs_diff(2667) < 2));
    assert_eq!(
        explanation.to_string(),
        "1 slots change their owner (1 must); to send: 2 replicas of slots, 21 bytes"
    );
}

#[test]
fn who_left_sends_only_what_nobody_else_has() {
    let three = [member(1, "", 1), member(2, "", 1), member(3, "", 1)];
    let single = layout(1, 1, &three, &[0, 1, 2, 0]);
    let after = layout(2, 1, &three[1..], &[0, 0, 1, 1]);
    let explanation = explain(&single, &after, |_| u64::MAX);
    let expected = [transfer(1, 2, 1, u64::MAX), transfer(1, 3, 1, u64::MAX)];
    assert_eq!(explanation.transfers, expected);
    assert_eq!(explanation.total().bytes, u64::MAX, "what is more is not counted");
    let gone = explanation.nodes[0];
    assert_eq!((gone.before.slots, gone.after.slots, gone.receives.replicas), (2, 0, 0));
    assert_eq!(gone.replicas_fair_thousandths, 0);

    // With two replicas the other primary sends: primaries were 1 2, 2 3, 3 1, 1 2.
    let double = layout(1, 2, &three, &[0, 1, 2, 0]);
    let after = layout(2, 2, &three[1..], &[0, 0, 1, 1]);
    let explanation = explain(&double, &after, |_| 1);
    assert_eq!(explanation.transfers, [transfer(2, 3, 2, 2), transfer(3, 2, 1, 1)]);
}

#[test]
fn former_primaries_take_turns_to_send() {
    let four = [member(1, "", 1), member(2, "", 1), member(3, "", 1), member(4, "", 1)];
    let before = layout(1, 2, &four, &[0, 1, 0, 1]);
    let after = layout(2, 2, &four, &[2, 3, 2, 3]);
    let expected = [transfer(1, 3, 4, 4), transfer(2, 4, 4, 4)];
    assert_eq!(explain(&before, &after, |_| 1).transfers, expected);
}

#[test]
fn what_is_sent_is_what_primaries_lack() {
    for seed in 0..16 {
        let mut prng = Prng::new(seed);
        let zones = 1 + prng.below(4);
        let mut node = |id| member(id, &format!("zone-{}", prng.below(zones)), 1);
        let mut members: Vec<Member> = (1..=9).map(&mut node).collect();
        let settings = PlanSettings { slots: SlotCount::new(256).unwrap(), replication: 3 };
        let before = plan_first(settings, members.clone()).unwrap();
        members.remove(seed as usize % 9);
        members.push(node(10));
        members.push(node(11));
        let after = plan(&before, members).unwrap();
        let bytes = |slot: Slot| u64::from(slot.0 * slot.0);
        let explanation = explain(&before, &after, bytes);
        for node in &explanation.nodes {
            let id = node.before.id;
            let receives = Amount {
                replicas: lacked(&before, &after, id).count() as u32,
                bytes: lacked(&before, &after, id).map(bytes).sum(),
            };
            assert_eq!(node.receives, receives);
            let lost = lacked(&after, &before, id).count() as u32;
            assert_eq!(node.before.replicas + receives.replicas, node.after.replicas + lost);
            let sent = explanation.transfers.iter().filter(|transfer| transfer.from == id);
            assert_eq!(sent.map(|t| t.amount.bytes).sum::<u64>(), node.sends.bytes);
        }
        for transfer in &explanation.transfers {
            assert_ne!(transfer.from, transfer.to);
            assert!(after.member(transfer.from).is_some(), "others hold all that left with one");
        }
    }
}

/// The slots of which a node is a primary in the second layout only.
fn lacked<'a>(
    before: &'a Layout,
    after: &'a Layout,
    id: NodeId,
) -> impl Iterator<Item = Slot> + 'a {
    let slots = before.slot_count().slots();
    slots.filter(move |&slot| after.is_primary(slot, id) && !before.is_primary(slot, id))
}

/// Zone and weight of each member, and what they do not allow.
type Case<'a> = (&'a [(&'a str, u32)], Vec<Limit>);

#[test]
fn what_members_do_not_allow_is_named_with_its_numbers() {
    let zone = |name: &str, weight, weight_total, large: bool| {
        let zone = name.into();
        if large {
            Limit::LargeZone { zone, weight, weight_total }
        } else {
            Limit::SmallZone { zone, weight, weight_total }
        }
    };
    let few_zones = |zones| Limit::FewZones { zones, replication: 3 };
    let table: [Case<'_>; 9] = [
        (&[("a", 1), ("b", 1), ("c", 1)], vec![]),
        (&[("a", 2), ("b", 2), ("c", 1), ("c", 1), ("d", 0)], vec![]),
        (&[("a", 1), ("b", 1)], vec![Limit::FewNodes { nodes: 2, replication: 3 }, few_zones(2)]),
        (
            &[("a", 1), ("b", 1), ("c", 0)],
            vec![Limit::FewNodes { nodes: 2, replication: 3 }, few_zones(2)],
        ),
        (&[("a", 1); 4], vec![few_zones(1)]),
        (
            &[("a", 2), ("b", 1), ("b", 1), ("b", 1), ("b", 2)],
            vec![few_zones(2), zone("a", 2, 7, false)],
        ),
        (
            &[("a", 1), ("b", 1), ("c", 1), ("c", 1)],
            vec![zone("a", 1, 4, false), zone("b", 1, 4, false), zone("c", 2, 4, true)],
        ),
        (&[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("d", 1)], vec![zone("d", 2, 5, true)]),
        (
            &[("a", 9), ("a", 3), ("a", 3), ("a", 3)],
            vec![few_zones(1), Limit::LargeNode { id: NodeId(1), weight: 9, weight_total: 18 }],
        ),
    ];
    let settings = PlanSettings { slots: SlotCount::new(64).unwrap(), replication: 3 };
    // What came before sets no limits.
    let before = plan_first(settings, vec![member(9, "a", 1)]).unwrap();
    for (members, expected) in table {
        let members: Vec<Member> =
            (1..).zip(members).map(|(id, &(zone, weight))| member(id, zone, weight)).collect();
        let layout = plan_first(settings, members).unwrap();
        assert_eq!(explain(&before, &layout, |_| 1).limits, expected);
        assert!(expected.iter().all(|limit| !limit.to_string().is_empty()));
    }
}

#[test]
fn a_weight_too_small_for_a_slot_is_named() {
    let members = [member(1, "", 1000), member(2, "", 1000), member(3, "", 1)];
    let settings = PlanSettings { slots: SlotCount::new(64).unwrap(), replication: 2 };
    let layout = plan_first(settings, members.to_vec()).unwrap();
    let small = Limit::SmallNode { id: NodeId(3), weight: 1, weight_total: 2000 };
    let explanation = explain(&layout, &layout, |_| 1);
    assert_eq!(explanation.limits, [Limit::FewZones { zones: 1, replication: 2 }, small]);
    let fair: Vec<u64> =
        explanation.nodes.iter().map(|node| node.replicas_fair_thousandths).collect();
    assert_eq!(fair, [64_000, 64_000, 0]);
}
