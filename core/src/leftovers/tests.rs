//! What moved away goes once everyone who holds it now has all of it.

use alloc::vec;
use alloc::vec::Vec;

use super::{Leftovers, PAGE, PAUSE};
use crate::config::NodeConfig;
use crate::ids::{ClusterId, Incarnation, Key, NodeId};
use crate::layouts::Layouts;
use crate::layouts::tests::{at, owned};
use crate::machine::{Effect, Effects, StoreError, StoreOp, StoreOutcome};
use crate::merkle::{Forest, LeafCount, State, StateHash, TreeKey};
use crate::ring::{RingArc, Slot, SlotCount};
use crate::tickets::{Purpose, Tickets};
use crate::time::{Duration, Instant};

const OWN: NodeId = NodeId(1);
const STATE: State = State { hash: StateHash(7), bytes: 100 };
const OTHER: State = State { hash: StateHash(8), bytes: 100 };

/// The node 1, its storage a test.
struct Former {
    leftovers: Leftovers,
    layouts: Layouts,
    forest: Forest,
    tickets: Tickets,
    now: Instant,
}

fn slots() -> SlotCount {
    SlotCount::new(4).expect("a power of two")
}

/// 1 is a primary of the slots 2 and 3; 0 and 1 are those of 2 and 3.
fn moved() -> Layouts {
    let newest = owned(2, &[1, 2, 3], &[1, 2, 1, 0]);
    let lists = [0, 1, 2, 3].map(|slot| newest.layout.primaries(Slot(slot)).to_vec());
    assert_eq!(lists, [[2, 3], [3, 2], [2, 1], [1, 2]].map(|list| list.map(NodeId)));
    at(1, vec![newest], [2, 2, 2])
}

fn tickets(store_ops_max: usize) -> Tickets {
    let config = NodeConfig {
        cluster: ClusterId(1),
        id: OWN,
        incarnation: Incarnation(1),
        label: "n1".into(),
        zone: "z".into(),
        weight: 1,
        address: "ws://1".into(),
        seeds: vec![],
        layouts: None,
        trees: None,
        found: Default::default(),
        founding: None,
        r: 1,
        w: 1,
        strict: false,
        allow_weak: true,
        fanout: Default::default(),
        gossip: Default::default(),
        anti_entropy: Default::default(),
        collection: Default::default(),
        changes: Default::default(),
        credentials: Default::default(),
        limits: crate::limits::Limits { store_ops_max, ..Default::default() },
    };
    Tickets::new(&config, 1)
}

impl Former {
    /// It holds a record of each of these slots, and layouts have just changed.
    fn with(layouts: Layouts, held: &[u32]) -> Former {
        let key = TreeKey::derive(ClusterId(1), &[]);
        let leaves = LeafCount::new(16).expect("a power of two");
        let mut former = Former {
            leftovers: Leftovers::default(),
            layouts,
            forest: Forest::new(key, slots(), leaves),
            tickets: tickets(100),
            now: Instant(1),
        };
        former.leftovers.on_layouts();
        held.iter().for_each(|slot| former.change(*slot, State::NOTHING, STATE));
        former
    }

    /// The same, and the slots that moved away are compared with all.
    fn clearing(held: &[u32]) -> Former {
        let mut former = Former::with(moved(), held);
        assert!(former.look());
        let held: Vec<Slot> = held.iter().copied().map(Slot).collect();
        for peer in [2, 3] {
            former.compared(peer, &held);
        }
        former
    }

    fn change(&mut self, slot: u32, before: State, after: State) {
        self.forest.change(slots().arc(Slot(slot)).first, before, after);
        self.leftovers.on_change(Slot(slot));
    }

    fn look(&mut self) -> bool {
        let changed = self.leftovers.look(OWN, &self.layouts, Some(&self.forest));
        self.leftovers.check_invariants();
        changed
    }

    fn compared(&mut self, peer: u64, compared: &[Slot]) {
        self.leftovers.on_compared(self.now, NodeId(peer), compared);
        self.leftovers.check_invariants();
    }

    fn waiting(&self) -> Vec<(u32, Vec<u64>)> {
        let waiting = self.leftovers.waiting();
        waiting.map(|(slot, peers)| (slot.0, peers.iter().map(|it| it.0).collect())).collect()
    }

    /// The scan that is asked for, if one is: its page, where, and behind what.
    fn wake(&mut self) -> Option<(u32, RingArc, Option<Key>)> {
        let mut out = Effects::new();
        let storage = (&mut self.tickets, &mut out);
        self.leftovers.on_wake(self.now, slots(), storage);
        let Some(Effect::Store { ticket, op, .. }) = out.pop() else { return None };
        assert!(out.is_empty(), "one page at a time");
        let StoreOp::ScanStates { arc, after, count_max: PAGE } = op else {
            panic!("a page of states: {op:?}")
        };
        let open = self.tickets.on_answer(ticket, false).expect("it is under way");
        let Purpose::Leftovers { page } = open.purpose else { panic!("{:?}", open.purpose) };
        Some((page, arc, after))
    }

    /// What is removed once a page is there.
    fn scanned(&mut self, page: u32, outcome: StoreOutcome) -> Vec<Key> {
        let mut out = Effects::new();
        let storage = (&mut self.tickets, &mut out);
        let count = self.leftovers.on_scanned(self.now, storage, page, outcome);
        self.leftovers.check_invariants();
        let removed: Vec<Key> = out
            .drain()
            .map(|effect| {
                let Effect::Store { op: StoreOp::Remove { key, state }, .. } = effect else {
                    panic!("a removal of what was scanned: {effect:?}")
                };
                assert_eq!(state, STATE.hash);
                key
            })
            .collect();
        assert_eq!(count, removed.len() as u64);
        removed
    }
}

fn page_of(keys: &[&'static str], more: bool) -> StoreOutcome {
    let states = keys.iter().map(|key| (Key::from(*key), STATE)).collect();
    StoreOutcome::StatesScanned { states, more }
}

fn keys(keys: &[&'static str]) -> Vec<Key> {
    keys.iter().copied().map(Key::from).collect()
}

#[test]
fn slots_with_records_that_moved_away_are_compared_with_all_primaries() {
    let mut former = Former::with(moved(), &[1, 2, 3]);
    assert!(!former.leftovers.is_done());
    assert!(!former.leftovers.look(OWN, &former.layouts, None), "nothing is counted yet");
    assert!(!former.leftovers.is_done());
    assert!(former.look());
    assert_eq!(former.waiting(), [(1, vec![2, 3])]);
    assert!(former.leftovers.is_waiting(Slot(1), NodeId(3)));
    assert!(!former.leftovers.is_waiting(Slot(2), NodeId(2)));
    assert!(!former.look(), "nothing has changed");
    former.compared(2, &[Slot(1)]);
    former.change(0, State::NOTHING, STATE);
    assert!(former.look());
    assert_eq!(former.waiting(), [(0, vec![2, 3]), (1, vec![3])]);
}

#[test]
fn nothing_moves_away_while_an_older_layout_is_in_force() {
    let older = owned(1, &[1, 2, 3], &[0, 0, 0, 1]);
    let newest = moved().updates()[0].clone();
    assert!(older.layout.is_primary(Slot(0), OWN));
    let mut former = Former::with(at(1, vec![older, newest], [2, 2, 2]), &[0, 2, 3]);
    assert!(!former.look());
    assert!(former.leftovers.is_done());
}

#[test]
fn nothing_is_removed_that_one_primary_may_lack() {
    let mut former = Former::with(moved(), &[0]);
    former.look();
    former.compared(2, &[Slot(0)]);
    former.compared(2, &[Slot(0)]);
    former.compared(9, &[Slot(0)]);
    assert_eq!((former.waiting(), former.leftovers.next_wake()), (vec![(0, vec![3])], None));
    assert_eq!(former.wake(), None);
    former.compared(3, &[Slot(0), Slot(1), Slot(2)]);
    assert_eq!(former.leftovers.next_wake(), Some(former.now));
    assert_eq!((former.waiting(), former.leftovers.slots()), (vec![], 1));
    let (_, arc, after) = former.wake().expect("a page");
    assert_eq!((arc, after), (slots().arc(Slot(0)), None));
}

#[test]
fn pages_follow_each_other_with_a_pause() {
    let mut former = Former::clearing(&[0, 1]);
    let (page, arc, _) = former.wake().expect("a page");
    assert_eq!(arc, slots().arc(Slot(0)));
    assert_eq!(former.wake(), None, "one at a time");
    assert_eq!(former.scanned(page, page_of(&["a", "b"], true)), keys(&["a", "b"]));
    assert_eq!(former.leftovers.next_wake(), Some(former.now + PAUSE));
    assert_eq!(former.wake(), None, "clients come first");

    former.now = former.now + PAUSE;
    let (next, arc, after) = former.wake().expect("a page");
    assert_eq!((arc, after), (slots().arc(Slot(0)), Some(Key::from("b"))));
    assert_eq!(former.scanned(page, page_of(&["a"], true)), [], "that one is over");
    assert_eq!(former.scanned(next, page_of(&["c"], false)), keys(&["c"]));

    // The other slot begins at its beginning.
    former.now = former.now + PAUSE;
    let (last, arc, after) = former.wake().expect("a page");
    assert_eq!((arc, after), (slots().arc(Slot(1)), None));
    assert_eq!(former.scanned(last, page_of(&[], false)), []);
    assert_eq!((former.leftovers.next_wake(), former.leftovers.slots()), (None, 0));
    assert!(!former.leftovers.is_done(), "whether all is gone is to be looked at");
}

#[test]
fn what_could_not_be_removed_is_found_again() {
    let mut former = Former::clearing(&[0]);
    let (page, ..) = former.wake().expect("a page");
    former.scanned(page, page_of(&["a"], false));
    former.look();
    assert_eq!(former.waiting(), [(0, vec![2, 3])]);

    let mut former = Former::clearing(&[0]);
    let (page, ..) = former.wake().expect("a page");
    former.scanned(page, page_of(&["a"], false));
    former.change(0, STATE, State::NOTHING);
    assert!(!former.look());
    assert!(former.leftovers.is_done());
}

#[test]
fn a_page_that_cannot_be_read_is_asked_for_again() {
    let mut former = Former::clearing(&[0]);
    let (page, ..) = former.wake().expect("a page");
    assert_eq!(former.scanned(page, StoreOutcome::Failed(StoreError::Io)), []);
    former.now = former.now + PAUSE;
    assert!(former.wake().is_some_and(|(next, _, after)| next != page && after.is_none()));
}

#[test]
fn a_storage_that_has_too_much_to_do_is_left_alone() {
    let mut former = Former::clearing(&[0]);
    former.tickets = tickets(2);
    let op = StoreOp::Read { key: Key::from("a"), hints: vec![] };
    former.tickets.store(Purpose::Repair, None, op, &mut Effects::new());
    assert_eq!(former.wake(), None);
    assert_eq!(former.leftovers.next_wake(), Some(former.now + PAUSE));
    former.tickets = tickets(100);
    former.now = former.now + PAUSE;
    assert!(former.wake().is_some());
}

#[test]
fn a_record_that_comes_ends_the_removal_of_its_slot() {
    let mut former = Former::clearing(&[0]);
    let (page, ..) = former.wake().expect("a page");
    former.change(0, STATE, OTHER);
    assert_eq!(former.scanned(page, page_of(&["a"], false)), [], "it may name what came");
    assert_eq!((former.leftovers.next_wake(), former.wake()), (None, None));
    assert!(former.look());
    assert_eq!(former.waiting(), [(0, vec![2, 3])]);
    former.compared(2, &[Slot(0)]);
    former.compared(3, &[Slot(0)]);
    assert_eq!(former.scanned(page, page_of(&["a"], false)), [], "that page is late");
    assert!(former.wake().is_some());
}

#[test]
fn a_slot_that_comes_first_begins_at_its_beginning() {
    let mut former = Former::with(moved(), &[0, 1]);
    former.look();
    let all = [Slot(0), Slot(1)];
    former.compared(2, &all);
    former.compared(3, &all[1..]);
    let (page, ..) = former.wake().expect("a page");
    former.scanned(page, page_of(&["a"], true));
    former.compared(3, &all);
    former.now = former.now + PAUSE;
    let (_, arc, after) = former.wake().expect("a page");
    assert_eq!((arc, after), (slots().arc(Slot(0)), None));
}

#[test]
fn the_removal_of_other_slots_goes_on() {
    let mut former = Former::clearing(&[0, 1]);
    let (page, ..) = former.wake().expect("a page");
    former.change(0, STATE, OTHER);
    assert_eq!(former.scanned(page, page_of(&["a"], true)), []);
    let (_, arc, after) = former.wake().expect("a page");
    assert_eq!((arc, after), (slots().arc(Slot(1)), None));
}

#[test]
fn a_record_that_comes_between_comparisons_makes_them_void() {
    let mut former = Former::with(moved(), &[0]);
    former.look();
    former.compared(2, &[Slot(0)]);
    former.change(0, STATE, OTHER);
    // This comparison began before the record came, or after it: nobody knows.
    former.compared(3, &[Slot(0)]);
    former.look();
    assert_eq!(former.waiting(), [(0, vec![2, 3])]);
    former.now = former.now + Duration::from_secs(1);
    assert_eq!((former.leftovers.next_wake(), former.wake()), (None, None));
}

#[test]
fn another_layout_ends_all_removals() {
    let mut former = Former::clearing(&[0, 1]);
    let (page, ..) = former.wake().expect("a page");
    former.leftovers.on_layouts();
    assert_eq!(former.scanned(page, page_of(&["a"], false)), []);
    assert_eq!((former.leftovers.next_wake(), former.leftovers.slots()), (None, 0));
    former.look();
    assert_eq!(former.waiting(), [(0, vec![2, 3]), (1, vec![2, 3])]);
}
