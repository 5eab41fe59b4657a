//! Many memberships in one process: who learns what, and after how many rounds.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use quorate_core::ids::{Incarnation, NodeId};
use quorate_core::membership::Change;
use quorate_core::message::MemberState::{Down, Suspected, Up};
use quorate_core::node::GossipSettings;
use quorate_sim::gossip::{GossipNet, GossipNetConfig, Told, measure};

fn net(nodes: usize, seed: u64) -> GossipNet {
    GossipNet::new(GossipNetConfig { nodes, seed, ..GossipNetConfig::default() })
}

/// Rounds in which a rumour reaches `nodes` nodes, with room: log2 for the growth, twice.
fn bound(nodes: usize) -> u64 {
    2 * u64::from(nodes.ilog2()) + 6
}

fn all_know_all(net: &GossipNet, nodes: usize) -> bool {
    let knows = |id| move |m: &quorate_core::membership::Membership| m.incarnation(id).is_some();
    (0..nodes).all(|node| net.all(knows(GossipNet::id(node))))
}

fn complaints(net: &GossipNet, about: &[usize]) -> Vec<Told> {
    let ids: Vec<NodeId> = about.iter().map(|node| GossipNet::id(*node)).collect();
    let others = net.told.iter().filter(|told| match &told.change {
        Change::Suspected(id) | Change::Down { node: id, .. } => !ids.contains(id),
        Change::Refused(_) | Change::Conflict { .. } => true,
        Change::Met(_) | Change::Up(_) | Change::StaysDown { .. } => false,
    });
    others.cloned().collect()
}

#[test]
fn strangers_with_one_seed_know_all_after_a_logarithmic_number_of_rounds() {
    for nodes in [1, 2, 3, 5, 32, 100] {
        for seed in 1..4 {
            let config = GossipNetConfig { nodes, seed, ..GossipNetConfig::default() };
            let mut net = GossipNet::new(GossipNetConfig { acquainted: false, ..config });
            let rounds = net.run_until(bound(nodes), |net| all_know_all(net, nodes));
            assert!(rounds.is_some(), "{nodes} nodes, seed {seed}");
            net.run(20);
            assert_eq!(complaints(&net, &[]), []);
        }
    }
}

#[test]
fn a_new_life_is_known_to_all_after_a_logarithmic_number_of_rounds() {
    for nodes in [5, 32, 100] {
        for seed in 1..3 {
            let mut net = net(nodes, seed);
            net.run(30);
            let former = net.membership(1).heartbeat(GossipNet::id(1)).unwrap();
            net.restart(1, 77);
            let rounds = net.run_until(bound(nodes), |net| {
                let id = GossipNet::id(1);
                net.all(|m| m.incarnation(id) == Some(Incarnation(77)))
            });
            assert!(rounds.is_some(), "{nodes} nodes, seed {seed}");
            assert!(net.membership(0).heartbeat(GossipNet::id(1)).unwrap() > former);
            net.run(bound(nodes));
            assert_eq!(complaints(&net, &[]), []);
            assert!(net.all_hold(1, Up));
        }
    }
}

#[test]
fn a_dead_node_is_down_everywhere_and_nobody_else_is_suspected() {
    for (nodes, lost_percent) in [(3, 0), (5, 0), (32, 0), (5, 20), (32, 20), (100, 10)] {
        for seed in 1..3 {
            let config = GossipNetConfig { nodes, seed, lost_percent, ..Default::default() };
            let mut net = GossipNet::new(config);
            net.run(40);
            net.crash(2);
            let rounds = net.run_until(20, |net| net.all_hold(2, Down));
            let rounds = rounds.unwrap_or_else(|| panic!("{nodes} nodes, seed {seed}"));
            assert!(rounds >= 5, "a verdict after {rounds} rounds is rash");
            net.run(30);
            assert_eq!(complaints(&net, &[2]), [], "{nodes} nodes, seed {seed}");
            assert!(net.all_hold(2, Down));
        }
    }
}

#[test]
fn of_two_nodes_the_other_alone_finds_that_one_is_down() {
    let mut net = net(2, 1);
    net.run(20);
    net.crash(1);
    assert!(net.run_until(15, |net| net.all_hold(1, Down)).is_some());
    net.restart(1, 9);
    assert!(net.run_until(3, |net| net.all_hold(1, Up)).is_some());
    let up = Change::Up(GossipNet::id(1));
    assert!(net.told.iter().any(|told| told.change == up && told.by == 0));
}

#[test]
fn one_witness_of_three_suspects_and_no_more() {
    let mut net = net(3, 1);
    net.run(20);
    net.crash(1);
    net.crash(2);
    net.run(60);
    assert!(net.all_hold(1, Suspected) && net.all_hold(2, Suspected));
}

#[test]
fn a_node_that_only_some_hear_is_up_for_all() {
    for seed in 1..6 {
        let mut net = net(5, seed);
        net.run(20);
        net.heard_only_by(1, &[3]);
        net.run(100);
        assert!(net.all_hold(1, Up), "seed {seed}");
        assert_eq!(complaints(&net, &[]), [], "seed {seed}");
    }
}

#[test]
fn a_node_that_hears_but_is_not_heard_is_down_for_the_others() {
    let mut net = net(5, 1);
    net.run(20);
    net.heard_only_by(1, &[]);
    assert!(
        net.run_until(20, |net| (0..5)
            .filter(|n| *n != 1)
            .all(|n| { net.membership(n).state(GossipNet::id(1)) == Some(Down) }))
            .is_some()
    );
    assert_eq!(complaints(&net, &[1]).len(), 0);
}

#[test]
fn a_node_that_stood_still_accuses_nobody() {
    for nodes in [2, 5, 32] {
        let mut net = net(nodes, 1);
        net.run(20);
        net.stop(1);
        net.run(100);
        let others_say = net.told.len();
        assert!(net.membership(0).state(GossipNet::id(1)) == Some(Down));
        net.resume(1);
        net.run(30);
        let by_it: Vec<_> = net.told.iter().filter(|told| told.by == 1).collect();
        assert!(by_it.is_empty(), "{nodes} nodes: {by_it:?}");
        assert!(net.told.len() > others_say, "the others are told that it is up");
        assert!(net.all_hold(1, Up));
    }
}

#[test]
fn halves_that_were_apart_find_each_other_again() {
    for seed in 1..4 {
        let mut net = net(10, seed);
        net.run(20);
        net.put_on_side(5..10, 1);
        net.run(60);
        for (here, there) in [(0, 9), (9, 0)] {
            assert_eq!(net.membership(here).state(GossipNet::id(there)), Some(Down));
            assert_eq!(net.membership(here).state(GossipNet::id(here)), Some(Up));
        }
        net.put_on_side(5..10, 0);
        let healed = net.run_until(6, |net| (0..10).all(|node| net.all_hold(node, Up)));
        assert!(healed.is_some(), "seed {seed}");
        let refused = complaints(&net, &(0..10).collect::<Vec<_>>());
        assert_eq!(refused, [], "what rose in an hour apart is no forgery");
    }
}

#[test]
fn a_long_list_converges_through_short_windows() {
    {
        let seed = 1;
        let settings = GossipSettings { window: 40, ..GossipSettings::default() };
        let config = GossipNetConfig { nodes: 300, seed, settings, ..Default::default() };
        let mut net = GossipNet::new(config.clone());
        net.run(40);
        net.restart(7, 77);
        let id = GossipNet::id(7);
        let is_known = |net: &GossipNet| net.all(|m| m.incarnation(id) == Some(Incarnation(77)));
        assert!(net.run_until(bound(300), is_known).is_some(), "news do not wait for a window");
        assert!(net.run_until(60, |net| all_know_all(net, 300)).is_some());
        net.crash(9);
        let downs = net.run_until(150, |net| net.all_hold(9, Down));
        assert!(downs.is_some(), "seed {seed}");
        net.run(50);
        let complaints = complaints(&net, &[9]);
        let verdicts = complaints.iter().filter(|c| !matches!(c.change, Change::Suspected(_)));
        assert_eq!(verdicts.count(), 0, "two witnesses agree on nobody who lives");
        let suspicions = complaints.len();
        assert!(suspicions <= 30, "{suspicions} of 300 x 300 in some hundred rounds");

        // Strangers, too.
        let mut net = GossipNet::new(GossipNetConfig { acquainted: false, ..config });
        assert!(net.run_until(60, |net| all_know_all(net, 300)).is_some());
    }
}

#[test]
fn news_do_not_wait_for_a_window() {
    let settings = GossipSettings { window: 5, ..GossipSettings::default() };
    let mut net = GossipNet::new(GossipNetConfig { nodes: 300, settings, ..Default::default() });
    net.run(10);
    net.restart(7, 77);
    let id = GossipNet::id(7);
    let is_known = |net: &GossipNet| net.all(|m| m.incarnation(id) == Some(Incarnation(77)));
    assert!(net.run_until(12, is_known).is_some());
}

#[test]
fn two_processes_of_one_id_are_told_loudly_and_do_not_spin() {
    for nodes in [3, 5, 20] {
        let mut net = net(nodes, 1);
        net.run(20);
        net.add(1, 77);
        net.run(150);
        let id = GossipNet::id(1);
        let conflicts: Vec<_> = net
            .told
            .iter()
            .filter(|told| matches!(told.change, Change::Conflict { node, .. } if node == id))
            .collect();
        assert!(!conflicts.is_empty(), "{nodes} nodes");
        assert!(conflicts.len() <= 6, "{} is noise", conflicts.len());
        assert!(conflicts.iter().all(|told| told.by == 1 || told.by == nodes));
        let heartbeat = net.membership(0).heartbeat(id).unwrap();
        assert!(heartbeat < 20 + 4 * 150, "heartbeat {heartbeat} after 170 rounds");
    }
}

#[test]
fn the_same_seed_gives_the_same_story() {
    let story = |seed| {
        let config = GossipNetConfig { nodes: 20, seed, lost_percent: 30, ..Default::default() };
        let mut net = GossipNet::new(config);
        net.weighs = true;
        net.run(20);
        net.crash(3);
        net.run(30);
        (net.told, net.bytes)
    };
    assert_eq!(story(5), story(5));
    assert_ne!(story(5), story(6));
}

#[test]
fn news_of_32_nodes_need_few_rounds_and_bytes() {
    let config = GossipNetConfig { nodes: 32, ..GossipNetConfig::default() };
    let spread = measure(config, 20, 30);
    assert!(spread.new_life.is_some_and(|rounds| rounds <= 5), "{spread:?}");
    assert!(spread.down.is_some_and(|rounds| (5..=12).contains(&rounds)), "{spread:?}");
    assert!((1_000..5_000).contains(&spread.bytes_per_node), "{spread:?}");
}
