//! What nodes remember of how layouts came about.

use quorate_core::ids::NodeId;
use quorate_core::layout::{LayoutVersion, PlanSettings};
use quorate_core::machine::Input;
use quorate_core::message::{PAST_LAYOUTS_MAX, PastLayout, Target};
use quorate_core::node::{Founding, GossipSettings, NodeConfig};
use quorate_core::ring::SlotCount;

use crate::machines::now;
use crate::town::{A_WHILE_MS, BY_HAND, CHANGE_MS, Town, first_layout, member, target};
use crate::world::World;

fn versions(past: &[PastLayout]) -> Vec<u64> {
    past.iter().map(|past| past.id.version.0).collect()
}

fn ids(members: &[quorate_core::layout::Member]) -> Vec<u64> {
    members.iter().map(|member| member.id.0).collect()
}

/// What joined, left and changed.
fn what(past: &PastLayout) -> [Vec<u64>; 3] {
    [ids(&past.joined), ids(&past.left), ids(&past.changed)]
}

#[test]
fn each_layout_is_remembered_once_with_what_it_changed() {
    let mut town = Town::new(3, &[BY_HAND; 4]);
    let before = town.world.houses[&2].node.view().newest_layout().unwrap().clone();
    let committed = town.world.millis;
    town.change(1, &[target(4, 1)]);
    let after = town.world.houses[&2].node.view().newest_layout().unwrap().clone();
    town.world.pass(CHANGE_MS);
    town.change(2, &[(NodeId(3), Target::Gone), target(1, 2)]);
    town.world.pass(CHANGE_MS);

    let past = town.past(2);
    assert_eq!(versions(&past), [2, 3]);
    assert_eq!(what(&past[0]), [vec![4], vec![], vec![]]);
    assert_eq!(past[0].joined, [member(4, 1)]);
    assert_eq!(what(&past[1]), [vec![], vec![3], vec![1]]);
    assert_eq!(past[1].changed, [member(1, 2)], "as it is since");
    let slots = before.layout.slot_count().slots();
    let moved = slots.filter(|slot| before.layout.owner(*slot) != after.layout.owner(*slot));
    assert_eq!(past[0].slots_moved as usize, moved.count());
    assert!(past[0].slots_moved > 0);
    let heard = past[0].at.0 - now(committed).unix.0;
    assert!(heard <= A_WHILE_MS, "heard of after {heard} ms");

    let same =
        |one: &PastLayout, other: &PastLayout| (one.id, what(one)) == (other.id, what(other));
    assert!(town.past(1).iter().zip(&past).all(|(one, other)| same(one, other)));
    // Of the first one the newcomer was told by others.
    let newcomers = town.past(4);
    assert_eq!(versions(&newcomers), [1, 2, 3]);
    assert_eq!(what(&newcomers[0]), [vec![1, 2, 3], vec![], vec![]]);
    assert!(same(&newcomers[1], &past[0]));
}

#[test]
fn the_founder_remembers_the_first_layout_like_the_others() {
    let plan = PlanSettings { slots: SlotCount::new(16).unwrap(), replication: 3 };
    let founding = Founding { members: 3, plan };
    let configure = |config: NodeConfig| NodeConfig {
        layouts: None,
        gossip: GossipSettings::default(),
        founding: (config.id == NodeId(2)).then_some(founding),
        seeds: vec!["ws://2".into()],
        ..config
    };
    let mut world = World::of(first_layout(16, 3), vec![Vec::new(); 3], 5, configure);
    for id in [1, 3] {
        world.input(id, Input::SeedUp { address: "ws://2".into(), node: NodeId(2) });
    }
    let mut town = Town::of(world);
    town.world.pass(CHANGE_MS);
    assert_eq!(town.versions(), [1; 3]);
    for id in 1..=3 {
        let past = town.past(id);
        assert_eq!(versions(&past), [1], "node {id}");
        assert_eq!(what(&past[0]), [vec![1, 2, 3], vec![], vec![]]);
        assert_eq!(past[0].slots_moved, 0);
    }
}

#[test]
fn what_is_remembered_survives_a_restart() {
    let mut town = Town::new(3, &[BY_HAND; 4]);
    town.change(1, &[target(4, 1)]);
    town.world.pass(CHANGE_MS);
    town.change(1, &[target(2, 3)]);
    let past = [1, 2, 3, 4].map(|id| town.past(id));
    (1..=4).for_each(|id| town.restart(id));
    assert_eq!([1, 2, 3, 4].map(|id| town.past(id)), past);
    town.world.pass(CHANGE_MS);
    town.change(3, &[target(2, 1)]);
    assert_eq!(versions(&town.past(2)), [2, 3, 4]);
}

#[test]
fn only_the_last_layouts_are_remembered() {
    let mut town = Town::new(3, &[BY_HAND; 3]);
    let count = PAST_LAYOUTS_MAX as u64 + 3;
    for round in 0..count {
        // Weights of all rise: nothing moves.
        let weight = round as u32 + 2;
        town.change(1 + round % 3, &[1, 2, 3].map(|id| target(id, weight)));
        town.world.pass(10_000);
    }
    let newest = 1 + count;
    assert_eq!(town.versions(), [newest; 3]);
    let expected: Vec<u64> = (newest + 1 - PAST_LAYOUTS_MAX as u64..=newest).collect();
    for id in 1..=3 {
        assert_eq!(versions(&town.past(id)), expected, "node {id}");
    }
    town.restart(2);
    assert_eq!(versions(&town.past(2)), expected);
}

#[test]
fn who_was_away_remembers_each_layout_that_came_meanwhile() {
    let mut town = Town::new(3, &[BY_HAND; 4]);
    town.cut_off(3);
    town.change(1, &[target(4, 1)]);
    town.change(1, &[target(2, 6)]);
    assert_eq!(town.version(3), LayoutVersion(1));
    town.reconnect(3);
    town.world.pass(CHANGE_MS);
    let past = town.past(3);
    assert_eq!(versions(&past), [2, 3]);
    assert_eq!(what(&past[0]), [vec![4], vec![], vec![]]);
    assert_eq!(what(&past[1]), [vec![], vec![], vec![2]]);
}

#[test]
fn of_two_layouts_of_one_version_both_are_remembered_by_who_had_the_other_one() {
    let mut town = Town::new(3, &[BY_HAND; 4]);
    town.cut_off(3);
    town.change(1, &[target(4, 1)]);
    town.change(3, &[target(2, 6)]);
    town.reconnect(3);
    town.world.pass(CHANGE_MS);
    let newest = town.report(2).live[0].layout.hash();
    let lost = [1, 3].into_iter().find(|id| town.past(*id).len() == 2).expect("one has lost");
    let past = town.past(lost);
    assert_eq!(versions(&past), [2, 2]);
    assert_eq!(past[1].id.hash, newest);
    // Both follow the first one.
    let joins = [vec![4], vec![], vec![]];
    let grows = [vec![], vec![], vec![2]];
    let expected = if lost == 1 { [joins, grows] } else { [grows, joins] };
    assert_eq!([what(&past[0]), what(&past[1])], expected);
}
