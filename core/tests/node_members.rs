//! One node among others: seeds, redials, handshakes, founding, layouts.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one effect")]

#[path = "node_members/hand.rs"]
mod hand;
mod machines;

use std::sync::Arc;

use hand::*;
use machines::{CLUSTER, config, layout, now, stores};
use quorate_core::ids::{Incarnation, NodeId, Text};
use quorate_core::layout::LayoutVersion;
use quorate_core::limits::Limits;
use quorate_core::machine::{Effect, Event, Input, Peer, StoreError, StoreOutcome};
use quorate_core::message::{
    Gossip, Hello, MemberInfo, MemberState, Message, Pulse, RejectCode, Role,
};
use quorate_core::node::NodeConfig;

#[test]
fn the_lower_id_dials() {
    let (_, effects) = Hand::new(in_layout(2));
    assert_eq!(dials(&effects), [(3, "ws://3".into())]);
}

#[test]
fn the_higher_id_dials_whoever_stays_away() {
    let (mut hand, _) = Hand::new(in_layout(2));
    assert_eq!(dials(&hand.pass(4_000)), [], "the other one has time for it");
    assert_eq!(dials(&hand.pass(2_000)), [(1, "ws://1".into())]);
    hand.up(1);
    assert_eq!(dials(&hand.pass(10_000)), []);
    hand.down(1);
    assert_eq!(dials(&hand.pass(4_000)), []);
    assert_eq!(dials(&hand.pass(3_000)), [(1, "ws://1".into())]);
}

#[test]
fn a_member_that_is_met_is_dialled_where_it_lives_now() {
    let (mut hand, _) = Hand::new(config(1));
    hand.up(2);
    let effects = hand.gossip(2, about(vec![info(2, 1, 5), info(3, 1, 5)]));
    assert_eq!(events(&effects), [Event::MemberMet(NodeId(2)), Event::MemberMet(NodeId(3))]);
    assert_eq!(dials(&effects), [(3, "ws://3".into())]);
    hand.down(3);
    let moved = MemberInfo { address: "ws://elsewhere".into(), ..info(3, 2, 6) };
    hand.gossip(2, about(vec![moved]));
    assert_eq!(dials(&hand.pass(0)), [(3, "ws://elsewhere".into())]);
}

#[test]
fn a_peer_that_stays_away_is_dialled_less_often_but_for_ever() {
    let (mut hand, effects) = Hand::new(in_layout(2));
    assert_eq!(dials(&effects).len(), 1);
    let mut dialled = |seconds: u64| {
        let mut count = 0;
        let end = hand.millis + seconds * 1_000;
        while hand.millis < end {
            hand.down(3);
            count += dials(&hand.pass(20)).len();
        }
        count
    };
    let (first, later) = (dialled(60), dialled(600));
    assert!((60..200).contains(&first), "{first} dials in the first minute");
    assert!((60..250).contains(&later), "{later} dials in ten minutes more");
}

#[test]
fn seeds_are_dialled_for_ever_but_not_oneself_and_not_who_is_connected() {
    let (mut hand, effects) = Hand::new(seeded(5, &["ws://1", "ws://5", "ws://9"]));
    assert_eq!(seed_dials(&effects), [Text::from("ws://1"), "ws://9".into()]);
    hand.input(Input::SeedUp { address: "ws://1".into(), node: NodeId(1) });
    assert_eq!(events(&hand.up(1)), [Event::NodeUp(NodeId(1))]);
    let mut dialled = Vec::new();
    for _ in 0..1_000 {
        hand.input(Input::SeedDown { address: "ws://9".into() });
        dialled.extend(seed_dials(&hand.pass(100)));
    }
    assert!(dialled.len() > 60, "{} dials in 100 s", dialled.len());
    assert!(dialled.iter().all(|address| **address == *"ws://9"));
    // A connection that is lost is looked for again.
    hand.down(1);
    assert!(seed_dials(&hand.pass(1_100)).contains(&"ws://1".into()));
}

#[test]
fn a_seed_that_is_a_connected_member_is_not_dialled() {
    let seeds = seeded(2, &["ws://1"]).seeds;
    let (mut hand, effects) = Hand::new(NodeConfig { seeds, ..in_layout(2) });
    assert_eq!(seed_dials(&effects), [] as [Text; 0], "it will dial by itself");
    hand.up(1);
    assert_eq!(seed_dials(&hand.pass(5_000)), [] as [Text; 0]);
    hand.down(1);
    assert_eq!(seed_dials(&hand.pass(4_000)), ["ws://1".into()]);
}

#[test]
fn more_connections_than_members_can_be_are_hung_up() {
    let limits = Limits { members_max: 2, ..Limits::default() };
    let (mut hand, _) = Hand::new(NodeConfig { limits, ..config(1) });
    assert_eq!(events(&hand.up(2)), [Event::NodeUp(NodeId(2))]);
    hand.up(3);
    assert_eq!(hand.up(4), [Effect::Hangup(Peer::Node(NodeId(4)))]);
}

#[test]
fn a_round_asks_those_who_are_connected() {
    let (mut hand, _) = Hand::new(in_layout(1));
    hand.up(2);
    let effects = hand.pass(1_000);
    let [question] = &gossip_to(&effects, 2)[..] else { panic!("one round") };
    assert_eq!(question.asks, Some((NodeId(0), NodeId(u64::MAX))));
    assert_eq!(question.span.head.version, LayoutVersion(1));
    let own = &question.pulses[..];
    assert_eq!(own, [Pulse { heartbeat: 2, witnesses: vec![], ..pulse(1) }]);
    assert_eq!(gossip_to(&effects, 3), []);
}

fn pulse(id: u64) -> Pulse {
    let (incarnation, heartbeat) = (Incarnation(1), 1);
    Pulse {
        id: NodeId(id),
        incarnation,
        heartbeat,
        witnesses: vec![],
        remembered: Default::default(),
    }
}

#[test]
fn a_seed_that_answers_is_asked_before_it_is_a_member() {
    let (mut hand, _) = Hand::new(seeded(5, &["ws://1"]));
    hand.input(Input::SeedUp { address: "ws://1".into(), node: NodeId(1) });
    hand.up(1);
    assert_eq!(gossip_to(&hand.pass(1_000), 1).len(), 1);
}

#[test]
fn a_member_that_nobody_hears_is_suspected_and_down_with_a_second_witness() {
    let (mut hand, _) = Hand::new(in_layout(1));
    hand.up(2);
    let mut effects = Vec::new();
    for heartbeat in 1..30 {
        effects.extend(hand.gossip(2, about(vec![info(2, 1, heartbeat)])));
        effects.extend(hand.pass(1_000));
    }
    assert!(events(&effects).contains(&Event::MemberSuspected(NodeId(3))));
    assert_eq!(
        (hand.state(2), hand.state(3)),
        (Some(MemberState::Up), Some(MemberState::Suspected))
    );
    let witness =
        Pulse { incarnation: Incarnation(0), heartbeat: 0, witnesses: vec![NodeId(2)], ..pulse(3) };
    let effects = hand.gossip(2, Gossip { pulses: vec![witness], ..silence() });
    let witnesses = vec![NodeId(1), NodeId(2)];
    assert_eq!(events(&effects), [Event::MemberDown { node: NodeId(3), witnesses }]);
    let status = hand.node.view().members(now(hand.millis));
    let states: Vec<_> = status.iter().map(|member| (member.id.0, member.state)).collect();
    assert_eq!(states, [(1, MemberState::Up), (2, MemberState::Up), (3, MemberState::Down)]);
    assert_eq!(status[1].heartbeat, 29);
    // Clients are told when they come.
    let hello = Hello { role: Role::Client, ..hand.node.hello() };
    hand.act(|node, now, out| {
        assert_eq!(node.welcome(now, &hello, out).unwrap().down, [NodeId(3)]);
    });
    let effects = hand.gossip(2, about(vec![info(3, 7, 1)]));
    let met = [Event::MemberUp(NodeId(3)), Event::MemberMet(NodeId(3))];
    assert!(met.iter().all(|event| events(&effects).contains(event)));
}

#[test]
fn a_forged_claim_is_counted_and_told() {
    let (mut hand, _) = Hand::new(in_layout(1));
    let effects = hand.gossip(2, about(vec![info(1, 1, 1_000)]));
    assert_eq!(events(&effects), [Event::GossipRefused(NodeId(2))]);
    assert_eq!(hand.counter("gossip_refused"), 1);
    let client = Peer::Client(1);
    let effects = hand.input(Input::Frame { from: client, message: Message::Gossip(silence()) });
    assert_eq!(events(&effects), [Event::Misbehaved(client)], "clients do not gossip");
}

#[test]
fn a_hello_of_an_id_that_lives_elsewhere_is_refused_loudly() {
    let (mut hand, _) = Hand::new(in_layout(1));
    let conflict =
        |node| vec![Event::IdentityConflict { node: NodeId(node), incarnation: Incarnation(9) }];
    let refused = Err(RejectCode::Identity);
    // Its own id: itself at another address, or a copy.
    assert_eq!(hand.hello(1, 1), (refused, vec![]));
    assert_eq!(hand.hello(1, 9), (refused, conflict(1)));
    // Another id: the life that is connected and heard from.
    assert_eq!(hand.hello(2, 1), (Ok(()), vec![]));
    hand.up(2);
    assert_eq!(hand.hello(2, 1), (Ok(()), vec![]), "a second connection of the same life");
    hand.millis += 2_900;
    assert_eq!(hand.hello(2, 9), (refused, conflict(2)));
    hand.gossip(2, silence());
    hand.millis += 2_900;
    assert_eq!(hand.hello(2, 9), (refused, conflict(2)), "any frame is a sign of life");
    hand.millis += 101;
    assert_eq!(hand.hello(2, 9), (Ok(()), vec![]), "a silent life may be a former one");
    assert_eq!(hand.counter("identity_conflicts"), 3);
    // A life whose connection is gone is not there.
    hand.up(2);
    hand.down(2);
    assert_eq!(hand.hello(2, 10), (Ok(()), vec![]));
    // Wrong credentials say nothing of an identity.
    let stranger = Hello { credentials: "no".into(), ..hand.node.hello() };
    let effects = hand.act(|node, now, out| {
        assert_eq!(node.welcome(now, &stranger, out).unwrap_err().code, RejectCode::Credentials);
    });
    assert_eq!(effects, []);
}

#[test]
fn the_life_of_whom_this_node_dialled_counts_like_one_that_dialled() {
    let (mut hand, _) = Hand::new(in_layout(1));
    let (mut other, _) = Hand::new(in_layout(2));
    let hello = hand.node.hello();
    let mut welcome = None;
    other.act(|node, now, out| welcome = Some(node.welcome(now, &hello, out).unwrap()));
    hand.node.accepts(Some(NodeId(2)), &welcome.unwrap()).unwrap();
    hand.up(2);
    assert_eq!(hand.hello(2, 9).0, Err(RejectCode::Identity));
}

#[test]
fn whoever_answers_at_a_seed_is_welcome_but_oneself() {
    let (mut hand, _) = Hand::new(seeded(1, &["ws://other-name"]));
    let hello = hand.node.hello();
    let answer = |config: NodeConfig| {
        let (mut other, _) = Hand::new(config);
        let mut welcome = None;
        let client = Hello { role: Role::Client, ..hello.clone() };
        other.act(|node, now, out| welcome = Some(node.welcome(now, &client, out).unwrap()));
        welcome.unwrap()
    };
    let (other, own) = (answer(config(7)), answer(config(1)));
    assert_eq!(hand.node.accepts(None, &other), Ok(()));
    assert_eq!(hand.node.accepts(Some(NodeId(7)), &other), Ok(()));
    let code = hand.node.accepts(Some(NodeId(8)), &other).unwrap_err().code;
    assert_eq!(code, RejectCode::Identity);
    let reject = hand.node.accepts(None, &own).unwrap_err();
    assert_eq!(reject.code, RejectCode::Identity);
    assert!(reject.text.contains("itself"), "{}", reject.text);
}

#[test]
fn the_first_layout_is_made_when_enough_have_met_and_holds_once_it_is_saved() {
    let (mut hand, _) = Hand::new(founder(3));
    hand.up(2);
    assert_eq!(saves(&hand.gossip(2, about(vec![info(2, 1, 5)]))), []);
    assert_eq!(saves(&hand.pass(3_000)), [], "two of three");
    let effects = hand.gossip(2, about(vec![info(3, 1, 5)]));
    let [(ticket, planned)] = &saves(&effects)[..] else { panic!("one save") };
    assert_eq!(planned.head().layout.version(), LayoutVersion(1));
    let members: Vec<u64> =
        planned.head().layout.members().iter().map(|member| member.id.0).collect();
    assert_eq!(members, [1, 2, 3]);
    assert_eq!(planned.head().addresses, [Text::from("ws://1"), "ws://2".into(), "ws://3".into()]);
    assert_eq!(hand.node.view().layout(), None, "what is not saved may be forgotten");
    assert_eq!(saves(&hand.pass(3_000)), [], "one save at a time");
    // A failed save is tried again.
    let failed = StoreOutcome::Failed(StoreError::Io);
    hand.input(Input::Stored { ticket: *ticket, outcome: failed });
    assert_eq!(hand.node.view().layout(), None);
    let effects = hand.pass(1_500);
    let [(ticket, planned)] = &saves(&effects)[..] else { panic!("one more save") };
    let effects = hand.input(Input::Stored { ticket: *ticket, outcome: StoreOutcome::Durable });
    assert_eq!(events(&effects), [Event::LayoutChanged(LayoutVersion(1))]);
    assert_eq!(hand.node.view().layout(), Some(planned.head()));
    assert_eq!(saves(&hand.pass(5_000)), []);
}

#[test]
fn a_layout_is_saved_only_when_the_storage_has_room() {
    let limits = Limits { store_ops_max: 1, ..Limits::default() };
    let (mut hand, effects) = Hand::new(NodeConfig { limits, ..founder(2) });
    let [(ticket, _)] = stores(&effects)[..] else { panic!("the count of the hints") };
    hand.up(2);
    assert_eq!(saves(&hand.gossip(2, about(vec![info(2, 1, 5)]))), []);
    let counted = StoreOutcome::HintsCounted(Vec::new());
    hand.input(Input::Stored { ticket, outcome: counted });
    assert_eq!(saves(&hand.pass(1_500)).len(), 1);
}

#[test]
fn members_that_are_down_or_never_heard_of_found_nothing() {
    let (mut hand, _) = Hand::new(founder(3));
    hand.up(2);
    let witnesses = vec![NodeId(2), NodeId(4)];
    let members = vec![info(2, 1, 5), info(4, 1, 5)];
    let down = Pulse { heartbeat: 5, witnesses, ..pulse(4) };
    let effects = hand.gossip(2, Gossip { pulses: vec![down.clone()], ..about(members) });
    // One witness is the suspect itself, so three are there, one of them suspected.
    assert_eq!(saves(&effects).len(), 1);
    let (mut hand, _) = Hand::new(founder(4));
    hand.up(2);
    let members = vec![info(2, 1, 5), info(3, 1, 5), info(4, 1, 5)];
    let down = Pulse { witnesses: vec![NodeId(2), NodeId(3)], ..down };
    let effects = hand.gossip(2, Gossip { pulses: vec![down], ..about(members) });
    assert_eq!(saves(&effects), []);
}

#[test]
fn a_newer_layout_is_in_force_at_once_and_saved_and_told_to_who_lacks_it() {
    let (mut hand, _) = Hand::new(config(1));
    hand.up(2);
    let update = layout(3, 3);
    let told = of_layout(&update);
    let effects = hand.gossip(2, told.clone());
    assert!(events(&effects).contains(&Event::LayoutChanged(LayoutVersion(1))));
    assert_eq!(hand.node.view().layout(), Some(&update));
    let [(ticket, saved)] = &saves(&effects)[..] else { panic!("one save") };
    assert_eq!(saved.live(), std::slice::from_ref(&update));
    assert_eq!(dials(&effects), [(3, "ws://3".into())], "its members are dialled");
    let failed = StoreOutcome::Failed(StoreError::Io);
    hand.input(Input::Stored { ticket: *ticket, outcome: failed });
    assert_eq!(saves(&hand.pass(2_000)).len(), 1, "until it is saved");
    assert_eq!(saves(&hand.gossip(2, told)), [], "the same once more is no news");
    // Whoever has an older one gets it, be it with a question or with an answer.
    for asks in [None, Some((NodeId(0), NodeId(u64::MAX)))] {
        let [answer] = &gossip_to(&hand.gossip(3, Gossip { asks, ..silence() }), 3)[..] else {
            panic!("an answer")
        };
        assert_eq!(answer.layouts, std::slice::from_ref(&update));
    }
    let current = Gossip { layouts: Vec::new(), ..of_layout(&update) };
    assert_eq!(gossip_to(&hand.gossip(3, current), 3), []);
}

#[test]
fn a_new_address_is_part_of_the_layout_that_others_get() {
    let (mut hand, _) = Hand::new(in_layout(1));
    hand.up(2);
    let before = hand.node.view().layout().unwrap().clone();
    hand.gossip(2, about(vec![info(3, 1, 5)]));
    assert!(Arc::ptr_eq(&before, hand.node.view().layout().unwrap()), "nothing changed");
    let moved = MemberInfo { address: "ws://new".into(), ..info(3, 2, 6) };
    let effects = hand.gossip(2, about(vec![moved]));
    let after = hand.node.view().layout().unwrap().clone();
    assert_eq!(after.address(NodeId(3)), Some(&"ws://new".into()));
    assert_eq!(after.layout, before.layout);
    assert_eq!(events(&effects), [Event::MemberMet(NodeId(3))], "it is the same layout");
    assert_eq!(saves(&hand.pass(1_500)).len(), 1);
}

#[test]
fn a_layout_under_which_a_node_cannot_serve_is_not_taken() {
    let (mut hand, _) = Hand::new(config(1));
    hand.up(2);
    hand.gossip(2, of_layout(&layout(3, 1)));
    assert_eq!(hand.node.view().layout(), None, "R=2 of N=1");
    assert_eq!(hand.node.view().config().cluster, CLUSTER);
}
