//! A slot is refilled by a comparison that leaves nothing out, whatever changes meanwhile.

use std::collections::BTreeSet;

use quorate_core::causality::{Checksum, Counter, Held, History, Record, Sibling};
use quorate_core::ids::{DurableMark, Epoch, Incarnation, Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::machine::{Found, Standing};
use quorate_core::message::{CallId, Collect, CollectStep, Compared, Comparison, EpochOf, Message};
use quorate_core::node::NodeConfig;
use quorate_core::ring::Slot;
use quorate_core::time::UnixMs;

use crate::machines::{now, value, write};
use crate::world::{INTERVAL_MS, Shape, World, key, layout, older_and_newer, settings};

/// All keys are in the first slot.
const SHAPE: Shape = Shape { nodes: 2, slots: 2, leaves: 1 };

/// What node 2 has that node 1 lacks.
const LACKED: [u64; 2] = [1, 2];

/// What node 1 has that node 2 lacks.
const WANTED: u64 = 3;

/// Node 1 refills its slots from node 2, its only peer. What node 2 answers waits until the test
/// hands it over, and what node 2 asks is lost.
struct Refilling {
    world: World,
    newer: Record,
}

impl Refilling {
    fn new() -> Refilling {
        let (older, newer) = older_and_newer(1);
        let held = |lacked: &Record, wanted: &Record| {
            let lacked = LACKED.iter().map(|number| (key(*number), lacked.clone()));
            lacked.chain([(key(WANTED), wanted.clone())]).collect()
        };
        let stores = vec![held(&older, &newer), held(&newer, &older)];
        let standing = Standing { refilling: true, lost: Some(UnixMs(1)) };
        let found =
            Found { mark: DurableMark(9), written: now(0).unix, standing, ..Found::default() };
        let configure = |config: NodeConfig| {
            let found = if config.id == NodeId(1) { found.clone() } else { Found::default() };
            let anti_entropy = settings(SHAPE.leaves);
            NodeConfig { anti_entropy, found, r: 1, w: 1, allow_weak: true, ..config }
        };
        let mut world = World::of(layout(&SHAPE), stores, 1, configure);
        world.holds = |from, _, message| {
            from == 2 && matches!(message, Message::Compare(_) | Message::Compared(_))
        };
        world.connect_all();
        assert_eq!(world.count(1, "slots_refilling"), 2);
        let slot = |number: u64| world.layout.layout.slot_of(key(number).as_bytes());
        assert!((1..=3).all(|number| slot(number) == Slot(0)), "so it is tested");
        Refilling { world, newer }
    }

    /// The next answer of node 2.
    fn answer(&mut self) -> Compared {
        for _ in 0..INTERVAL_MS / 10 {
            self.world.pass(10);
            for (_, _, message) in std::mem::take(&mut self.world.held) {
                if let Message::Compared(compared) = message {
                    return compared;
                }
            }
        }
        panic!("node 1 asks nothing")
    }

    /// Node 1 is told what node 2 has answered, up to the next answer of this kind: that one it is
    /// yet to be told.
    fn up_to(&mut self, is_wanted: fn(&Comparison) -> bool) -> Compared {
        for _ in 0..10 {
            let compared = self.answer();
            if is_wanted(&compared.answer) {
                return compared;
            }
            self.tell(compared);
        }
        panic!("there is no such answer")
    }

    fn tell(&mut self, compared: Compared) {
        self.world.frame(2, 1, Message::Compared(compared));
        self.world.deliver();
    }

    fn is_refilled(&self) -> bool {
        self.world.count(1, "slots_refilling") == 0
    }

    /// The session is at its end, and the next one, in which nothing changes, refills the slot.
    fn waits_for_the_next_session(mut self) {
        let ended = ["anti_entropy_rounds", "anti_entropy_lost"];
        assert_eq!(ended.map(|name| self.world.count(1, name)).iter().sum::<u64>(), 1);
        assert!(!self.is_refilled());
        let records = self.up_to(is_records);
        self.tell(records);
        assert!(self.is_refilled());
        assert!(self.world.are_equal());
    }
}

fn is_states(answer: &Comparison) -> bool {
    matches!(answer, Comparison::States { .. })
}

fn is_records(answer: &Comparison) -> bool {
    matches!(answer, Comparison::Records { .. })
}

/// The keys that are answered for: those whose records are given, and those that are wanted.
fn answered(compared: &Compared) -> BTreeSet<Key> {
    let Comparison::Records { records, wants, .. } = &compared.answer else {
        panic!("{compared:?}")
    };
    records.iter().map(|(key, _)| key).chain(wants).cloned().collect()
}

/// The same record, with values that do not match their checksums.
fn damaged(record: &Record) -> Record {
    let histories = record.histories().map(|(actor, history)| {
        let damaged = |(counter, sibling): &(Counter, Sibling)| {
            let checksum = Checksum(!sibling.checksum.0);
            (*counter, Sibling { checksum, ..sibling.clone() })
        };
        let live = history.live().iter().map(damaged).collect();
        let parts = History::from_parts(history.superseded().clone(), history.at(), live);
        (actor, parts.unwrap())
    });
    Record::from_histories(histories).unwrap()
}

fn keys(numbers: impl IntoIterator<Item = u64>) -> BTreeSet<Key> {
    numbers.into_iter().map(key).collect()
}

#[test]
fn a_slot_is_refilled_by_one_session_that_leaves_nothing_out() {
    let mut refilling = Refilling::new();
    let records = refilling.up_to(is_records);
    assert_eq!(answered(&records), keys(1..=3));
    assert!(!refilling.is_refilled());
    refilling.tell(records);
    assert!(refilling.is_refilled());
    assert!(refilling.world.are_equal());
    assert_eq!(refilling.world.count(1, "anti_entropy_rounds"), 1);
}

#[test]
fn what_comes_with_the_next_page_is_not_left_out() {
    let mut refilling = Refilling::new();
    let mut page = refilling.up_to(is_records);
    let Comparison::Records { records, wants, until, .. } = &mut page.answer else { panic!() };
    records.truncate(1);
    wants.clear();
    let first = records[0].0.clone();
    *until = Some(first.clone());
    refilling.tell(page);
    assert!(!refilling.is_refilled());
    let rest = refilling.up_to(is_records);
    assert!(!answered(&rest).contains(&first), "it goes on in the same session");
    refilling.tell(rest);
    assert!(refilling.is_refilled());
    assert_eq!(refilling.world.count(1, "anti_entropy_rounds"), 1);
}

#[test]
fn a_slot_waits_where_the_peer_leaves_out_what_has_changed_there() {
    for changed in [&[LACKED[0]][..], &LACKED, &[WANTED]] {
        let mut refilling = Refilling::new();
        let states = refilling.up_to(is_states);
        let mut held = Held::from_parts(refilling.newer.clone(), None);
        let context = held.record().context();
        let newest = write(&mut held, 50, value("newest"), &context);
        changed.iter().for_each(|number| refilling.world.merge(2, &key(*number), &newest));
        refilling.tell(states);
        let records = refilling.up_to(is_records);
        let sound = (1..=3).filter(|number| !changed.contains(number));
        assert_eq!(answered(&records), keys(sound), "so it is tested");
        refilling.tell(records);
        refilling.waits_for_the_next_session();
    }
}

#[test]
fn a_slot_waits_where_what_the_peer_gives_is_damaged_on_its_way() {
    let mut refilling = Refilling::new();
    let mut answer = refilling.up_to(is_records);
    let Comparison::Records { records, .. } = &mut answer.answer else { panic!() };
    let (_, record) = records.first_mut().unwrap();
    *record = damaged(record);
    refilling.tell(answer);
    assert_eq!(refilling.world.count(1, "damaged"), 1, "so it is tested");
    refilling.waits_for_the_next_session();
}

#[test]
fn a_slot_waits_where_own_copies_have_changed_since_they_were_scanned() {
    for changed in [&[LACKED[0]][..], &LACKED, &[1, 2, 3]] {
        let mut refilling = Refilling::new();
        let states = refilling.up_to(is_states);
        let (unseen, _) = older_and_newer(30);
        changed.iter().for_each(|number| refilling.world.merge(1, &key(*number), &unseen));
        refilling.tell(states);
        let sound = (1..=3).filter(|number| !changed.contains(number));
        let sound = keys(sound);
        if !sound.is_empty() {
            let records = refilling.up_to(is_records);
            assert_eq!(answered(&records), sound, "so it is tested");
            refilling.tell(records);
        }
        refilling.waits_for_the_next_session();
    }
}

#[test]
fn a_slot_waits_where_what_the_peer_has_given_may_not_be_merged_any_more() {
    let mut refilling = Refilling::new();
    let records = refilling.up_to(is_records);
    // A collection goes on, for which node 2 has begun a new epoch since.
    let (call, layout_version) = (CallId(5), LayoutVersion(1));
    let collect = |step| Message::Collect(Collect { call, layout_version, step });
    refilling.world.frame(1, 2, collect(CollectStep::NewEpoch));
    let first = Epoch::first(Incarnation(1));
    let floor = |node, epoch| EpochOf { node: NodeId(node), epoch };
    let floors = vec![floor(1, first), floor(2, first.next())];
    let look = CollectStep::Confirm { keys: Vec::new(), since: Some(0), floors };
    refilling.world.frame(2, 1, collect(look));
    refilling.tell(records);
    assert_eq!(refilling.world.count(1, "stale_refused"), 1, "so it is tested");
    refilling.waits_for_the_next_session();
}
