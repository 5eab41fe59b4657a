//! A node that has lost something finds out, and does not vote until it has it again.

#![expect(clippy::wildcard_enum_match_arm, reason = "tests look for one kind")]

#[path = "losses/lives.rs"]
mod lives;
mod machines;
#[path = "losses/old_copies.rs"]
mod old_copies;

use machines::five::some_record;
use machines::{ALICE, Alone, greeting, key_of, replies, run, sends, stores};
use quorate_core::causality::Held;
use quorate_core::ids::{DurableMark, Incarnation, Key, NodeId, Remembered};
use quorate_core::layout::LayoutVersion;
use quorate_core::machine::{
    Effect, Event, Found, Input, PastLife, PastLives, Peer, Standing, StoreError, StoreOp,
    StoreOutcome, Ticket,
};
use quorate_core::merkle::Branch;
use quorate_core::message::{
    BranchHash, CallId, Compare, Compared, Comparison, FailureCode, Gossip, Message, Pulse,
    Question, ReplicaRead, ReplicaState,
};
use quorate_core::node::AntiEntropySettings;
use quorate_core::ring::Slot;
use quorate_core::time::UnixMs;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

const FORMER: Incarnation = Incarnation(77);

/// One of three replicas, which has found something, and to whom nobody has said a word.
struct Replica {
    alone: Alone,
    key: Key,
}

impl Replica {
    fn new(found: Found) -> Replica {
        Replica::of(3, found)
    }

    fn of(nodes: u64, found: Found) -> Replica {
        let alone = Alone::ungreeted(nodes, 5, |config| {
            config.anti_entropy = AntiEntropySettings::default();
            config.found = found;
        });
        let (key, _) = key_of(&alone.layout, NodeId(1));
        Replica { alone, key }
    }

    /// A peer says what it remembers of this node.
    fn told(&mut self, from: u64, life: Incarnation, mark: u64) -> Vec<Effect> {
        let (heartbeat, witnesses) = (3, Vec::new());
        let remembered = Remembered { mark: DurableMark(mark), life };
        let pulse = Pulse { id: NodeId(1), incarnation: life, heartbeat, witnesses, remembered };
        let gossip = Gossip { pulses: vec![pulse], ..greeting() };
        self.alone.frame(Peer::Node(NodeId(from)), Message::Gossip(gossip))
    }

    /// A peer says what it remembers of another one.
    fn told_of(&mut self, of: u64, mark: u64, life: u32) {
        let (id, incarnation) = (NodeId(of), Incarnation(life));
        let remembered = Remembered { mark: DurableMark(mark), life: incarnation };
        let pulse = Pulse { id, incarnation, heartbeat: 3, witnesses: Vec::new(), remembered };
        let gossip = Gossip { pulses: vec![pulse], ..greeting() };
        self.alone.frame(Peer::Node(NodeId(5 - of)), Message::Gossip(gossip));
    }

    /// What it tells a peer of that one as soon as it is connected.
    fn greets(&mut self, peer: u64) -> Vec<Remembered> {
        let effects = self.alone.input(Input::PeerUp(Peer::Node(NodeId(peer))));
        let told = sends(&effects).into_iter().flat_map(|(_, message)| match message {
            Message::Gossip(gossip) => gossip.pulses,
            _ => Vec::new(),
        });
        told.filter(|pulse| pulse.id == NodeId(peer)).map(|pulse| pulse.remembered).collect()
    }

    /// Runs the rounds of two seconds.
    fn rounds(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for _ in 0..20 {
            self.alone.millis += 100;
            effects.extend(self.alone.input(Input::Wake));
        }
        effects
    }

    fn greeted(&mut self, from: u64) -> Vec<Effect> {
        self.alone.frame(Peer::Node(NodeId(from)), Message::Gossip(greeting()))
    }

    /// What it says when a coordinator asks what it holds.
    fn asked(&mut self) -> ReplicaState {
        let read =
            ReplicaRead { call: CallId(7), key: self.key.clone(), digest: None, stand_in: false };
        let effects = self.alone.frame(Peer::Node(NodeId(2)), Message::ReplicaRead(read));
        let effects = match &stores(&effects)[..] {
            [(ticket, StoreOp::Read { .. })] => {
                let record = Some(some_record());
                self.alone.stored(*ticket, StoreOutcome::Read { record })
            }
            [] => effects,
            other => panic!("{other:?}"),
        };
        let state = |(_, message)| match message {
            Message::ReplicaRecord(record) => Some(record.state),
            _ => None,
        };
        sends(&effects).into_iter().find_map(state).expect("an answer")
    }

    fn votes(&mut self) -> bool {
        self.asked() != ReplicaState::Unreadable
    }

    /// Answers all questions of comparisons with a peer: it holds the same. The storage holds nothing.
    fn is_equal_to(&mut self, peer: u64, mut effects: Vec<Effect>) -> Vec<Effect> {
        let mut all = Vec::new();
        for _ in 0..100 {
            let question = |(to, message)| match (to, message) {
                (Peer::Node(to), Message::Compare(compare)) if to == NodeId(peer) => Some(compare),
                _ => None,
            };
            let asked = sends(&effects).into_iter().find_map(question);
            let from = Peer::Node(NodeId(peer));
            let next = match asked {
                Some(compare) => {
                    assert!(matches!(compare.question, Question::Branches(_)));
                    let answer = Comparison::Branches { differ: vec![], busy: vec![] };
                    let compared = Compared { call: compare.call, answer };
                    self.alone.frame(from, Message::Compared(compared))
                }
                None => {
                    self.alone.millis += 100;
                    self.alone.input(Input::Wake)
                }
            };
            all.append(&mut effects);
            effects = next;
            for (ticket, op) in stores(&effects) {
                if let StoreOp::ScanStates { .. } = op {
                    let nothing = StoreOutcome::StatesScanned { states: vec![], more: false };
                    effects.extend(self.alone.stored(ticket, nothing));
                }
            }
        }
        all
    }
}

/// What the life `FORMER` has left.
fn found(mark: u64) -> Found {
    let (mark, written) = (DurableMark(mark), machines::now(0).unix);
    let mut past = PastLives::default();
    past.push(PastLife { life: FORMER, mark, is_accounted: false });
    Found { mark, written, past, ..Found::default() }
}

fn saved(effects: &[Effect]) -> Vec<(Ticket, Standing, Vec<Remembered>, Vec<Key>)> {
    let save = |(ticket, op)| match op {
        StoreOp::SaveStanding { standing, above, discard } => {
            Some((ticket, standing, above, discard))
        }
        _ => None,
    };
    stores(effects).into_iter().filter_map(save).collect()
}

/// What the storage is to keep of what is remembered of others, the last time that it is told.
fn kept(effects: &[Effect]) -> Option<Vec<(u64, u64, u32)>> {
    let kept = stores(effects).into_iter().filter_map(|(_, op)| match op {
        StoreOp::Remember(peers) => Some(peers),
        _ => None,
    });
    let plain = |(id, told): (NodeId, Remembered)| (id.0, told.mark.0, told.life.0);
    kept.last().map(|peers| peers.into_iter().map(plain).collect())
}

fn is_lost(effects: &[Effect]) -> Option<bool> {
    let lost = |effect: &Effect| match effect {
        Effect::Observe(Event::DataLost { is_old }) => Some(*is_old),
        _ => None,
    };
    effects.iter().find_map(lost)
}

#[test]
fn nobody_votes_before_a_peer_has_said_what_it_remembers() {
    let mut replica = Replica::new(found(9));
    assert!(!replica.votes());
    replica.greeted(2);
    assert!(replica.votes());
}

#[test]
fn an_unasked_coordinator_does_not_count_what_it_holds_itself() {
    for greeted in [false, true] {
        let mut replica = Replica::new(found(9));
        if greeted {
            replica.greeted(2);
        }
        let mut get = replica.alone.get(&replica.key);
        get.head.quorum.r = 1;
        get.head.quorum.w = 3;
        let effects = replica.alone.frame(ALICE, Message::Get(get));
        let [(ticket, _)] = &stores(&effects)[..] else { panic!("{effects:?}") };
        let record = Some(some_record());
        let effects = replica.alone.stored(*ticket, StoreOutcome::Read { record });
        assert_eq!(replies(&effects).len(), usize::from(greeted), "{effects:?}");
    }
}

#[test]
fn what_others_remember_is_no_loss_up_to_what_was_found_and_told() {
    let mut replica = Replica::new(found(9));
    assert_eq!(is_lost(&replica.told(2, FORMER, 9)), None);
    replica.alone.input(Input::Marked(DurableMark(20)));
    assert_eq!(is_lost(&replica.told(3, Incarnation(5), 20)), None, "it was told in this life");
    assert!(replica.votes());
    assert_eq!(is_lost(&replica.told(3, FORMER, 10)), Some(false));
    assert!(!replica.votes());
    assert_eq!(is_lost(&replica.told(2, FORMER, 10)), None, "that is known");
}

#[test]
fn a_life_of_the_same_directory_that_wrote_on_contradicts_this_one() {
    let mut replica = Replica::new(found(9));
    replica.alone.input(Input::Marked(DurableMark(10)));
    assert_eq!(is_lost(&replica.told(2, FORMER, 10)), Some(false));
}

#[test]
fn a_slot_is_refilled_once_it_was_compared_with_all_other_primaries() {
    let mut replica = Replica::new(found(9));
    replica.greeted(2);
    let effects = replica.told(3, FORMER, 10);
    let [(ticket, standing, above, discard)] = &saved(&effects)[..] else { panic!("{effects:?}") };
    assert!(standing.refilling && standing.lost.is_some() && discard.is_empty());
    assert_eq!(above[..], [Remembered { mark: DurableMark(10), life: FORMER }]);
    let wanted = replica.alone.node.view().counters();
    assert!(wanted.iter().any(|(name, count)| *name == "slots_refilling" && *count == 64));
    replica.alone.stored(*ticket, StoreOutcome::Durable);

    let effects = replica.is_equal_to(2, effects);
    assert!(!replica.votes(), "node 3 may hold what node 2 lacks");
    assert!(saved(&effects).len() <= 1);
    let mut effects = replica.is_equal_to(3, effects);
    assert!(replica.votes());
    effects.extend(replica.alone.input(Input::Wake));
    let last = saved(&effects).pop().expect("it is saved that nothing is missing");
    assert_eq!((last.1.refilling, last.1.lost), (false, standing.lost));
    let told = replica.alone.stored(last.0, StoreOutcome::Durable);
    assert!(told.contains(&Effect::Observe(Event::Refilled)));
}

#[test]
fn a_loss_that_could_not_be_saved_is_saved_again() {
    let mut replica = Replica::new(found(9));
    let effects = replica.told(3, FORMER, 10);
    let ticket = saved(&effects)[0].0;
    let effects = replica.alone.stored(ticket, StoreOutcome::Failed(StoreError::Io));
    assert_eq!(saved(&effects), []);
    replica.alone.millis += 2_000;
    let effects = replica.alone.input(Input::Wake);
    assert_eq!(saved(&effects).len(), 1);
}

#[test]
fn a_life_that_begins_in_the_middle_of_a_refill_goes_on_with_it() {
    let standing = Standing { refilling: true, lost: Some(UnixMs(1)) };
    let mut replica = Replica::new(Found { standing, ..found(9) });
    let effects = replica.greeted(2);
    assert!(!replica.votes());
    let effects = replica.is_equal_to(2, effects);
    replica.is_equal_to(3, effects);
    assert!(replica.votes());
}

#[test]
fn a_question_of_a_peer_that_came_late_refills_no_slot() {
    let mut replica = Replica::new(found(9));
    replica.greeted(2);
    replica.greeted(3);
    replica.told(3, FORMER, 10);
    let refilling = |replica: &Replica| {
        let counters = replica.alone.node.view().counters();
        counters.iter().find(|(name, _)| *name == "slots_refilling").map(|(_, count)| *count)
    };
    replica.alone.input(Input::PeerDown(Peer::Node(NodeId(2))));
    replica.alone.input(Input::PeerDown(Peer::Node(NodeId(3))));
    let roots = (0..64).map(|slot| BranchHash { slot: Slot(slot), branch: Branch::ROOT, hash: 0 });
    let question = Question::Branches(roots.collect());
    for peer in [2, 3] {
        let (call, question) = (CallId(3), question.clone());
        let compare = Compare { call, layout_version: LayoutVersion(1), leaves: 256, question };
        replica.alone.frame(Peer::Node(NodeId(peer)), Message::Compare(compare));
    }
    assert_eq!(refilling(&replica), Some(64), "both were asked before they held anything");
    assert!(!replica.votes());
}

#[test]
fn actors_of_former_lives_are_continued_once_all_others_remember_this_one() {
    // (what node 3 remembers, whether they are continued)
    let own = Incarnation(5);
    for (life, mark, continued) in [(own, 10, true), (FORMER, 9, false), (FORMER, 10, false)] {
        let mut replica = Replica::new(Found { lives: vec![FORMER], ..found(9) });
        replica.alone.input(Input::Marked(DurableMark(10)));
        replica.told(2, own, 10);
        assert_eq!(replica.alone.node.view().lives(), [own], "node 3 may object");
        replica.told(3, life, mark);
        let lives = replica.alone.node.view().lives();
        assert_eq!(lives.contains(&FORMER), continued, "{life:?} {mark}");
        let put = replica.alone.put(&replica.key.clone(), "v", 1);
        let effects = replica.alone.frame(ALICE, Message::Put(put));
        let apply = stores(&effects).into_iter().find_map(|(_, op)| match op {
            StoreOp::Apply { op, .. } => Some(op),
            _ => None,
        });
        let Some(quorate_core::causality::RecordOp::Write(write)) = apply else {
            panic!("{effects:?}")
        };
        assert_eq!(write.continued.contains(&FORMER), continued);
    }
}

#[test]
fn a_copy_that_cannot_be_read_is_removed_and_its_slot_refilled() {
    let mut replica = Replica::new(found(9));
    let effects = replica.greeted(2);
    replica.is_equal_to(2, effects);
    replica.greeted(3);
    let read =
        ReplicaRead { call: CallId(7), key: replica.key.clone(), digest: None, stand_in: false };
    let effects = replica.alone.frame(Peer::Node(NodeId(2)), Message::ReplicaRead(read));
    let [(ticket, _)] = &stores(&effects)[..] else { panic!("{effects:?}") };
    let damaged = StoreOutcome::Failed(StoreError::Damaged);
    let effects = replica.alone.stored(*ticket, damaged);
    let [(ticket, standing, _, discard)] = &saved(&effects)[..] else { panic!("{effects:?}") };
    assert!(standing.refilling);
    assert_eq!(discard[..], [replica.key.clone()]);
    assert!(!replica.votes());
    let effects = replica.alone.stored(*ticket, StoreOutcome::Durable);
    assert!(!replica.votes(), "nothing is there");
    let effects = replica.is_equal_to(2, effects);
    assert!(!replica.votes());
    replica.is_equal_to(3, effects);
    assert!(replica.votes());
}

#[test]
fn a_storage_without_room_refuses_writes_and_says_so() {
    let mut replica = Replica::new(found(9));
    replica.greeted(2);
    let put = replica.alone.put(&replica.key.clone(), "v", 1);
    let effects = replica.alone.frame(ALICE, Message::Put(put));
    let [(ticket, op)] = &stores(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(run(&mut Held::new(), op).len(), 2);
    let effects = replica.alone.stored(*ticket, StoreOutcome::Failed(StoreError::Full));
    let [reply] = &replies(&effects)[..] else { panic!("{effects:?}") };
    let failure = reply.result.as_ref().unwrap_err();
    assert_eq!(failure.code, FailureCode::StorageFull);
    assert_eq!(failure.outcome, quorate_core::message::Outcome::None);
}

#[test]
fn a_mark_is_told_under_the_name_of_the_life_that_said_it() {
    // Node 2 is a member of the layout, of which nothing was heard.
    let mut replica = Replica::new(found(9));
    for (mark, life) in [(70, 5), (60, 4), (80, 3), (80, 6)] {
        replica.told_of(2, mark, life);
    }
    assert_eq!(replica.greets(2), [remembered(80, 3)]);
}

fn remembered(mark: u64, life: u32) -> Remembered {
    Remembered { mark: DurableMark(mark), life: Incarnation(life) }
}

#[test]
fn what_is_remembered_of_others_goes_to_the_storage_in_the_next_round_and_once() {
    let mut replica = Replica::new(found(9));
    replica.told_of(2, 70, 5);
    replica.told_of(3, 8, 6);
    assert_eq!(kept(&replica.rounds()), Some(vec![(2, 70, 5), (3, 8, 6)]));
    replica.told_of(2, 69, 4);
    assert_eq!(kept(&replica.rounds()), None, "there is no news");
    replica.told_of(2, 71, 5);
    let effects = replica.rounds();
    assert_eq!(kept(&effects), Some(vec![(2, 71, 5), (3, 8, 6)]));
    let tells = stores(&effects).into_iter().filter(|(_, op)| matches!(op, StoreOp::Remember(_)));
    assert_eq!(tells.count(), 1);
}

#[test]
fn nobody_waits_for_what_is_remembered_to_be_stored() {
    let under_way = |replica: &Replica| {
        let counters = replica.alone.node.view().counters();
        counters.into_iter().find(|(name, _)| *name == "storage_operations_under_way")
    };
    let mut replica = Replica::new(found(9));
    replica.rounds();
    let before = under_way(&replica);
    replica.told_of(2, 70, 5);
    assert!(kept(&replica.rounds()).is_some());
    assert_eq!(under_way(&replica), before);
}

#[test]
fn a_life_tells_what_the_ones_before_it_remembered() {
    let peers = vec![(NodeId(2), remembered(80, 3)), (NodeId(99), remembered(7, 7))];
    let mut replica = Replica::new(Found { peers, ..found(9) });
    assert_eq!(replica.greets(2), [remembered(80, 3)]);
    replica.told_of(2, 79, 4);
    assert_eq!(replica.greets(2), [remembered(80, 3)], "the greatest mark counts");
    assert_eq!(kept(&replica.rounds()), Some(vec![(2, 80, 3)]), "node 99 is no member");
    replica.told_of(2, 81, 4);
    assert_eq!(replica.greets(2), [remembered(81, 4)]);
    assert_eq!(kept(&replica.rounds()), Some(vec![(2, 81, 4)]));
}

#[test]
fn what_may_be_an_old_copy_is_no_witness() {
    for (age, told) in [(DAY_MS / 2 - 1, vec![remembered(80, 3)]), (DAY_MS / 2, vec![])] {
        let written = UnixMs(machines::now(0).unix.0 - age);
        let peers = vec![(NodeId(2), remembered(80, 3))];
        let mut replica = Replica::new(Found { peers, written, ..found(9) });
        assert_eq!(replica.greets(2), told);
    }
}

#[test]
fn a_life_that_counted_on_beyond_what_others_remember_hides_no_loss() {
    // The former life lost its tenth commit, was told so, and died before that was saved.
    let mut past = found(9).past;
    past.push(PastLife { life: Incarnation(78), mark: DurableMark(12), is_accounted: false });
    let mut replica = Replica::new(Found { mark: DurableMark(12), past, ..found(9) });
    replica.alone.input(Input::Marked(DurableMark(13)));
    let effects = replica.told(2, FORMER, 10);
    assert_eq!(is_lost(&effects), Some(false));
    // Nobody is given anything else to remember until it is saved.
    replica.alone.input(Input::Marked(DurableMark(20)));
    let told = |replica: &mut Replica| {
        let effects = replica.alone.input(Input::PeerUp(Peer::Node(NodeId(3))));
        let told = sends(&effects).into_iter().flat_map(|(_, message)| match message {
            Message::Gossip(gossip) => gossip.pulses,
            _ => Vec::new(),
        });
        let own = told.filter(|pulse| pulse.id == NodeId(1));
        own.map(|pulse| pulse.remembered.mark.0).max()
    };
    assert_eq!(told(&mut replica), Some(0));
    let ticket = saved(&effects)[0].0;
    replica.alone.stored(ticket, StoreOutcome::Durable);
    assert_eq!(told(&mut replica), Some(20));
}

#[test]
fn a_storage_that_began_empty_is_not_set_aside_for_what_was_lost_before() {
    let written = UnixMs(machines::now(0).unix.0 - DAY_MS);
    for (mark, is_old) in [(9, false), (10, true)] {
        let mut replica = Replica::new(Found { written, ..found(9) });
        assert_eq!(is_lost(&replica.told(2, Incarnation(70), mark)), Some(is_old));
    }
}
