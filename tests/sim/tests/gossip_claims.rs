//! One membership, fed by hand: which claims it takes, and what it answers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use quorate_core::ids::{Incarnation, NodeId};
use quorate_core::limits::MEMBER_TEXT_BYTES_MAX;
use quorate_core::membership::{Change, MEMBERS_PER_MESSAGE, Membership};
use quorate_core::message::{Gossip, MemberInfo, MemberState, Pulse};
use quorate_core::node::GossipSettings;
use quorate_core::time::{Instant, Now, UnixMs};
use quorate_sim::gossip::{GossipNet, GossipNetConfig};

const EVERYTHING: (NodeId, NodeId) = (NodeId(0), NodeId(u64::MAX));

/// One of five that have known each other for 30 rounds, and the present.
struct Hand {
    membership: Membership,
    now: Now,
}

impl Hand {
    fn new() -> Hand {
        let mut net = GossipNet::new(GossipNetConfig::default());
        net.run(30);
        Hand { membership: net.membership(0).clone(), now: net.now() }
    }

    fn tell(&mut self, from: NodeId, gossip: Gossip) -> (Option<Gossip>, Vec<Change>) {
        let mut changes = Vec::new();
        let answer = self.membership.on_gossip(self.now, from, &gossip, &mut changes);
        self.membership.check_invariants();
        (answer, changes)
    }

    fn pulse(&mut self, from: NodeId, pulse: Pulse) -> (Option<Gossip>, Vec<Change>) {
        self.tell(from, Gossip { pulses: vec![pulse], ..silence() })
    }

    fn info(&mut self, from: NodeId, info: MemberInfo) -> (Option<Gossip>, Vec<Change>) {
        self.tell(from, Gossip { members: vec![info], ..silence() })
    }

    fn heartbeat(&self, node: usize) -> u64 {
        self.membership.heartbeat(id(node)).unwrap()
    }

    fn known(&self, node: usize) -> MemberInfo {
        self.membership.member(self.now, id(node)).unwrap().info
    }

    fn pass_seconds(&mut self, seconds: u64) {
        let Now { instant, unix } = self.now;
        let (instant, unix) = (instant.0 + seconds * 1_000_000, unix.0 + seconds * 1_000);
        self.now = Now { instant: Instant(instant), unix: UnixMs(unix) };
    }
}

fn id(node: usize) -> NodeId {
    GossipNet::id(node)
}

fn silence() -> Gossip {
    Gossip::default()
}

fn pulse(node: usize, heartbeat: u64) -> Pulse {
    Pulse {
        id: id(node),
        incarnation: Incarnation(1),
        heartbeat,
        witnesses: vec![],
        remembered: Default::default(),
    }
}

#[test]
fn a_heartbeat_that_cannot_be_is_refused_and_told() {
    // Who speaks of node 2, how far it is ahead, after how many seconds, and whether it is taken.
    let cases = [
        ("a little ahead, as news may be", 3, 60, 0, true),
        ("far ahead", 3, 100, 0, false),
        ("far ahead, but after a long time", 3, 100, 20, true),
        ("absurdly far ahead", 3, 1 << 40, 1_000, false),
        ("the member itself may have slept", 2, 100_000, 0, true),
        ("the member itself cannot have lived so long", 2, 1 << 48, 0, false),
    ];
    for (name, from, ahead, seconds, is_taken) in cases {
        let mut hand = Hand::new();
        let known = hand.heartbeat(2);
        hand.pass_seconds(seconds);
        let (_, changes) = hand.pulse(id(from), pulse(2, known + ahead));
        let expected = if is_taken { known + ahead } else { known };
        assert_eq!(hand.heartbeat(2), expected, "{name}");
        assert_eq!(changes.contains(&Change::Refused(id(from))), !is_taken, "{name}");
        assert_eq!(hand.membership.refused(), u64::from(!is_taken), "{name}");
    }
}

#[test]
fn a_new_life_with_a_heartbeat_that_cannot_be_is_refused() {
    let mut hand = Hand::new();
    let former = hand.known(2);
    let heartbeat = former.heartbeat + 1_000;
    let info = MemberInfo { incarnation: Incarnation(9), heartbeat, ..former.clone() };
    let (_, changes) = hand.info(id(3), info.clone());
    assert_eq!(changes, [Change::Refused(id(3))]);
    assert_eq!(hand.known(2), former);
    let (_, changes) = hand.info(id(2), info.clone());
    assert_eq!(changes, [Change::Met(id(2))]);
    assert_eq!(hand.known(2), info);
}

#[test]
fn a_strangers_heartbeat_has_an_absolute_bound() {
    let mut hand = Hand::new();
    let stranger = MemberInfo { id: NodeId(7), heartbeat: 1 << 48, ..hand.known(2) };
    assert_eq!(hand.info(id(3), stranger.clone()).1, [Change::Refused(id(3))]);
    let stranger = MemberInfo { heartbeat: (1 << 48) - 1, ..stranger };
    assert_eq!(hand.info(id(3), stranger).1, [Change::Met(NodeId(7))]);
}

#[test]
fn details_do_not_change_within_one_life() {
    let mut hand = Hand::new();
    let known = hand.known(2);
    let heartbeat = known.heartbeat + 1;
    let forged = MemberInfo { address: "ws://evil".into(), heartbeat, weight: 9, ..known.clone() };
    hand.info(id(2), forged);
    assert_eq!(hand.known(2), MemberInfo { heartbeat, ..known });
}

#[test]
fn nobody_else_raises_the_own_heartbeat() {
    let mut hand = Hand::new();
    let own = hand.heartbeat(0);
    let (_, changes) = hand.pulse(id(3), pulse(0, own + 1));
    assert_eq!((hand.heartbeat(0), changes), (own, vec![Change::Refused(id(3))]));
    let absurd = Pulse { incarnation: Incarnation(9), ..pulse(0, 1 << 47) };
    let (_, changes) = hand.pulse(id(3), absurd);
    assert_eq!((hand.heartbeat(0), changes), (own, vec![Change::Refused(id(3))]));
}

#[test]
fn a_node_that_starts_again_goes_on_above_its_former_life() {
    let mut hand = Hand::new();
    let own = hand.heartbeat(0);
    let former = Pulse { incarnation: Incarnation(9), ..pulse(0, own + 500) };
    let (answer, changes) = hand.pulse(id(3), former);
    assert_eq!((hand.heartbeat(0), changes), (own + 501, vec![]));
    assert_eq!(answer.unwrap().members, [hand.known(0)], "and says so at once");
    // Who knows an even older life is told, too.
    let older = Pulse { incarnation: Incarnation(9), ..pulse(0, own + 400) };
    let (answer, _) = hand.pulse(id(3), older);
    assert_eq!(answer.unwrap().members, [hand.known(0)]);
}

#[test]
fn a_witness_must_be_a_member_and_not_the_suspect() {
    let states = [
        (vec![id(2)], MemberState::Up),
        (vec![NodeId(99)], MemberState::Up),
        (vec![id(3)], MemberState::Suspected),
        (vec![id(3), id(3)], MemberState::Suspected),
        (vec![id(3), id(2)], MemberState::Suspected),
        (vec![id(3), id(4)], MemberState::Down),
    ];
    for (witnesses, state) in states {
        let mut hand = Hand::new();
        let heartbeat = hand.heartbeat(2);
        let suspicion = Pulse { witnesses: witnesses.clone(), ..pulse(2, heartbeat) };
        hand.pulse(id(3), suspicion);
        assert_eq!(hand.membership.state(id(2)), Some(state), "{witnesses:?}");
        let down: Vec<_> = hand.membership.down().collect();
        assert_eq!(down == [id(2)], state == MemberState::Down);
    }
}

#[test]
fn a_suspicion_is_about_one_heartbeat_and_a_higher_one_ends_it() {
    let mut hand = Hand::new();
    let heartbeat = hand.heartbeat(2);
    let witnesses = vec![id(3), id(4)];
    let old = Pulse { witnesses: witnesses.clone(), ..pulse(2, heartbeat - 1) };
    assert_eq!(hand.pulse(id(3), old).1, []);
    let present = Pulse { witnesses: witnesses.clone(), ..pulse(2, heartbeat) };
    let (_, changes) = hand.pulse(id(3), present);
    assert_eq!(changes, [Change::Down { node: id(2), witnesses }]);
    let (_, changes) = hand.pulse(id(4), pulse(2, heartbeat + 1));
    assert_eq!(changes, [Change::Up(id(2))]);
    assert_eq!(hand.membership.state(id(2)), Some(MemberState::Up));
}

#[test]
fn nobody_suspects_this_node_but_others() {
    let mut hand = Hand::new();
    let own = hand.heartbeat(0);
    let witnesses = vec![id(3), id(4)];
    hand.pulse(id(3), Pulse { witnesses, ..pulse(0, own) });
    assert_eq!(hand.membership.state(id(0)), Some(MemberState::Up));
}

#[test]
fn people_are_told_once_that_a_member_stays_down() {
    let mut hand = Hand::new();
    let heartbeat = hand.heartbeat(2);
    hand.pulse(id(3), Pulse { witnesses: vec![id(3), id(4)], ..pulse(2, heartbeat) });
    let mut told = Vec::new();
    for _ in 0..700 {
        hand.pass_seconds(1);
        hand.membership.on_wake(hand.now, &|_| false, &mut told);
    }
    let stays_down = |change: &&Change| matches!(change, Change::StaysDown { .. });
    let stays_down: Vec<_> = told.iter().filter(stays_down).collect();
    let [Change::StaysDown { node, down }] = stays_down[..] else { panic!("{stays_down:?}") };
    assert_eq!((*node, down.as_secs()), (id(2), 600));
}

#[test]
fn a_question_is_answered_with_what_the_asker_lacks_and_with_what_is_wanted() {
    let mut hand = Hand::new();
    let stranger = NodeId(7);
    let older = Pulse { incarnation: Incarnation(5), ..pulse(1, 1) };
    let ahead = hand.heartbeat(4) + 1;
    let pulses = vec![Pulse { id: stranger, ..pulse(0, 3) }, older, pulse(2, 1), pulse(4, ahead)];
    let (answer, _) = hand.tell(stranger, Gossip { asks: Some(EVERYTHING), pulses, ..silence() });
    let answer = answer.unwrap();
    assert_eq!(answer.asks, None);
    assert_eq!(answer.wanted, [stranger]);
    let mut described: Vec<NodeId> = answer.members.iter().map(|info| info.id).collect();
    described.sort();
    assert_eq!(described, [id(0), id(1), id(3)], "lives that it lacks or that ended");
    let newer: Vec<NodeId> = answer.pulses.iter().map(|pulse| pulse.id).collect();
    assert_eq!(newer, [id(0), id(2)], "the own one, and what is older there");
    assert_eq!(hand.heartbeat(4), ahead, "and what is newer there is taken");
    // The range that a question speaks of is all that it says of what is missing.
    let asks = Some((id(1), id(2)));
    let (answer, _) = hand.tell(stranger, Gossip { asks, ..silence() });
    let described: Vec<NodeId> = answer.unwrap().members.iter().map(|info| info.id).collect();
    assert_eq!(described, [id(1), id(2)]);
    let (answer, _) = hand.tell(stranger, Gossip { asks: Some((id(2), id(1))), ..silence() });
    assert_eq!(answer.unwrap().members, [], "a range from end to begin is empty");
}

#[test]
fn a_message_names_each_member_once_in_ascending_order_and_news_among_them() {
    let settings = GossipSettings { window: 5, ..GossipSettings::default() };
    let mut net = GossipNet::new(GossipNetConfig { nodes: 40, settings, ..Default::default() });
    net.run(10);
    net.restart(7, 77);
    net.run(12);
    let (mut membership, mut changes) = (net.membership(20).clone(), Vec::new());
    let due = Now { instant: membership.next_wake().unwrap(), ..net.now() };
    let questions = membership.on_wake(due, &|_| true, &mut changes);
    assert_eq!(questions.len(), settings.fanout);
    for (to, question) in questions {
        let named: Vec<NodeId> = question.pulses.iter().map(|pulse| pulse.id).collect();
        assert!(named.is_sorted_by(|one, next| one < next), "{named:?}");
        assert!(named.contains(&id(7)) && named.contains(&id(20)), "{named:?}");
        let mut asked = net.membership((to.0 >> 32) as usize - 1).clone();
        let answer = asked.on_gossip(due, id(20), &question, &mut changes).unwrap();
        let named: Vec<NodeId> = answer.pulses.iter().map(|pulse| pulse.id).collect();
        assert!(named.is_sorted_by(|one, next| one < next), "{named:?}");
        assert!(named.contains(&to), "{named:?}");
    }
}

#[test]
fn what_one_message_brings_is_bounded() {
    let mut hand = Hand::new();
    let like = hand.known(2);
    let many = (0..2_000).map(|id| MemberInfo { id: NodeId(id + 1), ..like.clone() }).collect();
    hand.tell(id(3), Gossip { members: many, ..silence() });
    assert_eq!(hand.membership.count(), 5 + MEMBERS_PER_MESSAGE);
    let (answer, _) = hand.tell(id(3), Gossip { asks: Some(EVERYTHING), ..silence() });
    assert_eq!(answer.unwrap().members.len(), MEMBERS_PER_MESSAGE);
    let wanted = (0..2_000).map(NodeId).collect();
    let (answer, _) = hand.tell(id(3), Gossip { wanted, ..silence() });
    assert!(answer.unwrap().members.len() <= MEMBERS_PER_MESSAGE);
    let label = "x".repeat(MEMBER_TEXT_BYTES_MAX + 1).into();
    let (_, changes) = hand.info(id(3), MemberInfo { id: NodeId(5_000), label, ..like });
    assert_eq!(changes, [Change::Refused(id(3))]);
}

#[test]
fn more_members_than_there_is_room_for_are_refused() {
    let mut hand = Hand::new();
    let like = hand.known(2);
    for message in 0..30_u64 {
        let ids = (0..500).map(|id| NodeId(message * 500 + id + 1));
        let members = ids.map(|id| MemberInfo { id, ..like.clone() }).collect();
        hand.tell(id(3), Gossip { members, ..silence() });
    }
    assert_eq!(hand.membership.count(), 10_000);
    assert_eq!(hand.membership.refused(), 15_000 + 5 - 10_000);
}

#[test]
fn an_answer_that_wants_nothing_is_the_last_word() {
    let mut hand = Hand::new();
    let heartbeat = hand.heartbeat(2);
    let unknown = Pulse { id: NodeId(7), ..pulse(0, 3) };
    for pulse in [pulse(2, heartbeat + 1), pulse(2, 1), pulse(0, 1), unknown] {
        assert_eq!(hand.pulse(id(2), pulse.clone()).0, None, "{pulse:?}");
    }
}

#[test]
fn of_two_lives_that_ended_with_one_heartbeat_all_settle_on_one() {
    let heartbeat = Hand::new().heartbeat(1);
    for (other, taken) in [(0, false), (2, true)] {
        let life = Pulse { incarnation: Incarnation(other), ..pulse(1, heartbeat) };
        let info = |hand: &Hand| MemberInfo { incarnation: Incarnation(other), ..hand.known(1) };
        let mut hand = Hand::new();
        let question = Gossip { asks: Some(EVERYTHING), pulses: vec![life], ..silence() };
        let answer = hand.tell(id(2), question).0.unwrap();
        assert_eq!(answer.wanted.contains(&id(1)), taken);
        let describes = answer.members.iter().any(|info| info.incarnation == Incarnation(1));
        assert!(taken || describes, "who knows the lesser one is told of the greater one");
        let other_life = info(&hand);
        hand.info(id(2), other_life);
        assert_eq!(hand.known(1).incarnation == Incarnation(other), taken);
    }
}
