//! Each step of a change waits for the marks of all, and none is taken back.

use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use super::{Advance, InUse, Layouts, Learned};
use crate::ids::NodeId;
use crate::layout::{Layout, LayoutVersion, Member};
use crate::message::{LayoutHistory, LayoutId, LayoutSpan, LayoutUpdate, Marks, MarksOf};
use crate::time::UnixMs;

/// Nothing is under way.
const IDLE: InUse = InUse { writes: false, reads: false };

/// The node's own marks stay what they are.
const BUSY: InUse = InUse { writes: true, reads: true };

/// A layout of these members with N = 2, in which each slot has the owner of that place in `owners`.
pub(crate) fn owned(version: u64, members: &[u64], owners: &[u16]) -> Arc<LayoutUpdate> {
    let member = |id: &u64| Member {
        id: NodeId(*id),
        label: format!("n{id}").into(),
        zone: "z".into(),
        weight: 1,
    };
    let list = members.iter().map(member).collect();
    let layout = Layout::from_parts(LayoutVersion(version), 2, list, owners.to_vec());
    let addresses = members.iter().map(|id| format!("ws://{id}").into()).collect();
    Arc::new(LayoutUpdate { layout: layout.expect("the parts of a test fit"), addresses })
}

/// The layouts in force at `own`, which has said how far it is: `ack`, `sync`, `sync_ack`.
pub(crate) fn at(own: u64, live: Vec<Arc<LayoutUpdate>>, own_marks: [u64; 3]) -> Layouts {
    let history = LayoutHistory::new(live, marks(own_marks)).expect("they fit each other");
    Layouts::new(NodeId(own), Some(&history))
}

pub(crate) fn marks([ack, sync, sync_ack]: [u64; 3]) -> Marks {
    let [ack, sync, sync_ack] = [ack, sync, sync_ack].map(LayoutVersion);
    Marks { ack, sync, sync_ack }
}

/// How far each node is that knows all layouts up to `head`.
pub(crate) fn say(layouts: &mut Layouts, head: &LayoutUpdate, marks_of: &[(u64, [u64; 3])]) {
    let of = |(node, told): &(u64, [u64; 3])| MarksOf {
        node: NodeId(*node),
        head: LayoutId::of(head),
        marks: marks(*told),
    };
    let told: Vec<MarksOf> = marks_of.iter().map(of).collect();
    layouts.on_told(&LayoutSpan::default(), &told);
}

fn four(version: u64, members: &[u64]) -> Arc<LayoutUpdate> {
    let owners: Vec<u16> = (0..4).map(|slot| slot % members.len() as u16).collect();
    owned(version, members, &owners)
}

/// Two layouts of one version, that with the lesser hash first.
fn rivals(version: u64) -> [Arc<LayoutUpdate>; 2] {
    let mut rivals = [owned(version, &[1, 2, 3], &[0, 1]), owned(version, &[1, 2, 3], &[1, 2])];
    rivals.sort_by_key(|update| update.layout.hash());
    rivals
}

fn versions(layouts: &Layouts) -> Vec<u64> {
    layouts.live().map(|layout| layout.version().0).collect()
}

fn lagging(layouts: &Layouts, mark: fn(Marks) -> LayoutVersion) -> Vec<u64> {
    layouts.lagging(mark).map(|node| node.0).collect()
}

/// Takes a step, and saves the marks that it leaves.
fn step(layouts: &mut Layouts, in_use: InUse, is_filled: bool) -> Advance {
    let advance = layouts.advance(in_use, is_filled);
    layouts.on_saved(layouts.marks());
    layouts.check_invariants();
    advance
}

#[test]
fn table_of_steps_that_wait_for_all() {
    let (v1, v2) = (four(1, &[1, 2, 3]), four(2, &[1, 2, 3, 4]));
    type Row = ([[u64; 3]; 4], bool, u64, &'static [u64]);
    let table: [Row; 14] = [
        // marks of 1 (this node), 2, 3, 4: whether all write to it, what is read, what is in force
        ([[1, 1, 1], [1, 1, 1], [1, 1, 1], [1, 1, 1]], false, 1, &[1, 2]),
        ([[2, 1, 1], [2, 1, 1], [2, 1, 1], [1, 1, 1]], false, 1, &[1, 2]),
        ([[1, 1, 1], [2, 1, 1], [2, 1, 1], [2, 1, 1]], false, 1, &[1, 2]),
        ([[2, 1, 1], [2, 1, 1], [2, 1, 1], [2, 1, 1]], true, 1, &[1, 2]),
        ([[2, 2, 1], [2, 2, 1], [2, 2, 1], [2, 1, 1]], true, 1, &[1, 2]),
        ([[2, 1, 1], [2, 2, 1], [2, 2, 1], [2, 2, 1]], true, 1, &[1, 2]),
        ([[2, 2, 1], [2, 2, 1], [2, 2, 1], [2, 2, 1]], true, 2, &[1, 2]),
        ([[2, 2, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2]], true, 2, &[1, 2]),
        ([[2, 2, 2], [2, 2, 1], [2, 2, 2], [2, 2, 2]], true, 2, &[1, 2]),
        ([[2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 1]], true, 2, &[1, 2]),
        ([[2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2]], true, 2, &[2]),
        // One mark says nothing of another.
        ([[1, 2, 1], [1, 2, 1], [1, 2, 1], [1, 2, 1]], false, 2, &[1, 2]),
        ([[2, 1, 1], [2, 1, 2], [2, 1, 2], [2, 1, 2]], true, 1, &[1, 2]),
        ([[2, 2, 1], [0, 0, 0], [2, 2, 1], [2, 2, 1]], false, 1, &[1, 2]),
    ];
    for (told, all_write, read, live) in table {
        let mut layouts = at(1, vec![v1.clone(), v2.clone()], told[0]);
        say(&mut layouts, &v2, &[(2, told[1]), (3, told[2]), (4, told[3])]);
        let advance = step(&mut layouts, BUSY, false);
        let found = (layouts.all_write_to_head(), layouts.span().read.0, versions(&layouts));
        assert_eq!(found, (all_write, read, live.to_vec()), "{told:?}");
        assert_eq!(advance.dropped, live.len() == 1, "{told:?}");
    }
}

#[test]
fn a_member_that_said_nothing_lags_with_every_mark() {
    let (v1, v2) = (four(1, &[1, 2, 3]), four(2, &[1, 2, 3, 4]));
    let mut layouts = at(1, vec![v1, v2.clone()], [2, 2, 1]);
    say(&mut layouts, &v2, &[(2, [2, 1, 1]), (3, [2, 2, 2])]);
    assert_eq!(lagging(&layouts, |marks| marks.ack), [4]);
    assert_eq!(lagging(&layouts, |marks| marks.sync), [2, 4]);
    assert_eq!(lagging(&layouts, |marks| marks.sync_ack), [1, 2, 4]);
    say(&mut layouts, &v2, &[(2, [2, 2, 2]), (4, [2, 2, 2])]);
    assert_eq!(lagging(&layouts, |marks| marks.sync), [0; 0]);
    assert_eq!(lagging(&layouts, |marks| marks.sync_ack), [1]);
    // Word that is late takes nothing back.
    say(&mut layouts, &v2, &[(2, [2, 1, 1]), (4, [0, 0, 0])]);
    assert_eq!(lagging(&layouts, |marks| marks.sync), [0; 0]);
}

#[test]
fn own_marks_count_once_they_are_saved() {
    let (v1, v2) = (four(1, &[1, 2]), four(2, &[1, 2]));
    let mut layouts = at(1, vec![v1.clone()], [1, 1, 1]);
    assert_eq!(layouts.learn(&[v1, v2.clone()]), Learned::Newer);
    say(&mut layouts, &v2, &[(2, [2, 2, 2])]);
    let told = |layouts: &Layouts| layouts.known_marks()[0].marks;

    assert!(layouts.advance(IDLE, true).marked);
    assert_eq!((layouts.marks(), told(&layouts)), (marks([2, 2, 1]), marks([1, 1, 1])));
    assert!(layouts.is_unsaved() && !layouts.all_write_to_head());
    assert_eq!(layouts.advance(IDLE, true), Advance::default(), "nothing more without the disk");

    layouts.on_saved(marks([2, 1, 1]));
    assert!(layouts.is_unsaved() && layouts.all_write_to_head());
    assert_eq!(told(&layouts), marks([2, 1, 1]));
    assert!(!layouts.advance(IDLE, true).read);

    layouts.on_saved(marks([2, 2, 1]));
    assert!(!layouts.is_unsaved());
    let synced = layouts.advance(IDLE, true);
    assert_eq!((synced.read, synced.marked, synced.dropped), (true, false, false));
    assert!(layouts.advance(IDLE, true).marked);
    assert_eq!((layouts.marks(), versions(&layouts)), (marks([2, 2, 2]), vec![1, 2]));

    layouts.on_saved(layouts.marks());
    assert!(layouts.advance(IDLE, true).dropped);
    assert_eq!(versions(&layouts), [2]);
}

#[test]
fn what_is_under_way_by_a_former_layout_holds_a_mark_back() {
    let (v1, v2) = (four(1, &[1, 2]), four(2, &[1, 2]));
    let mut layouts = at(1, vec![v1, v2.clone()], [1, 1, 1]);
    say(&mut layouts, &v2, &[(2, [2, 2, 2])]);
    let mut next = |writes, reads| {
        step(&mut layouts, InUse { writes, reads }, true);
        (layouts.marks(), layouts.span().read.0, layouts.span().oldest.0)
    };
    assert_eq!(next(true, false), (marks([1, 2, 1]), 1, 1), "a write does not reach it");
    assert_eq!(next(false, true), (marks([2, 2, 1]), 2, 1), "a read may have begun before");
    assert_eq!(next(false, true), (marks([2, 2, 1]), 2, 1));
    assert_eq!(next(false, false), (marks([2, 2, 2]), 2, 1));
    assert_eq!(next(false, false), (marks([2, 2, 2]), 2, 2));
}

#[test]
fn a_read_of_the_step_itself_is_not_yet_acknowledged() {
    let (v1, v2) = (four(1, &[1, 2]), four(2, &[1, 2]));
    let mut layouts = at(1, vec![v1, v2.clone()], [2, 2, 1]);
    say(&mut layouts, &v2, &[(2, [2, 2, 2])]);
    // What is under way was asked for while reads went by the former layout.
    assert!(step(&mut layouts, IDLE, true).read);
    assert_eq!(layouts.marks(), marks([2, 2, 1]));
    step(&mut layouts, IDLE, true);
    assert_eq!(layouts.marks(), marks([2, 2, 2]));
}

#[test]
fn nobody_syncs_before_it_is_filled() {
    let (v1, v2) = (four(1, &[1, 2]), four(2, &[1, 2]));
    let mut layouts = at(1, vec![v1, v2.clone()], [1, 1, 1]);
    say(&mut layouts, &v2, &[(2, [2, 2, 2])]);
    assert!(!step(&mut layouts, IDLE, false).read);
    assert!(!step(&mut layouts, IDLE, false).read);
    assert_eq!(layouts.marks(), marks([2, 1, 1]));
    step(&mut layouts, IDLE, true);
    assert!(layouts.marks() == marks([2, 2, 1]) && step(&mut layouts, IDLE, true).read);
}

#[test]
fn marks_of_a_head_that_is_not_known_count_as_nothing() {
    let v1 = owned(1, &[1, 2], &[0, 1]);
    let [lesser, greater] = rivals(2);
    let foreign = four(3, &[1, 2, 3]);
    for head in [&lesser, &foreign] {
        let mut layouts = at(1, vec![v1.clone(), greater.clone()], [2, 2, 1]);
        say(&mut layouts, &greater, &[(3, [2, 2, 2])]);
        say(&mut layouts, head, &[(2, [2, 2, 2])]);
        assert_eq!(step(&mut layouts, BUSY, false), Advance::default());
        assert_eq!(lagging(&layouts, |marks| marks.ack), [2]);
        assert!(!layouts.all_write_to_head());
    }
    // It hears of the one that won, and begins anew.
    let mut layouts = at(1, vec![v1, greater.clone()], [2, 2, 1]);
    say(&mut layouts, &lesser, &[(2, [2, 2, 2])]);
    say(&mut layouts, &greater, &[(2, [1, 1, 1]), (3, [2, 2, 2])]);
    assert!(!layouts.all_write_to_head());
    say(&mut layouts, &lesser, &[(2, [2, 2, 2])]);
    assert!(!layouts.all_write_to_head(), "what it said of the other one is old");
    say(&mut layouts, &greater, &[(2, [2, 1, 1])]);
    assert!(layouts.all_write_to_head());
    say(&mut layouts, &lesser, &[(2, [2, 2, 2])]);
    assert!(layouts.all_write_to_head());
}

#[test]
fn a_layout_that_its_maker_forgot_before_anybody_had_it_is_not_waited_for() {
    let (v1, v2, v3) = (four(1, &[1, 2]), four(2, &[1, 2]), four(3, &[1, 2]));
    let mut layouts = at(1, vec![v1, v2.clone()], [2, 2, 1]);
    say(&mut layouts, &v3, &[(2, [1, 1, 1])]);
    say(&mut layouts, &v2, &[(2, [2, 2, 1])]);
    assert!(layouts.all_write_to_head());
    assert!(step(&mut layouts, IDLE, true).read);
}

#[test]
fn nobody_says_more_than_its_newest_layout_allows() {
    let (v1, v2, v3) = (four(1, &[1, 2]), four(2, &[1, 2]), four(3, &[1, 2]));
    let mut layouts = at(1, vec![v1, v2.clone(), v3], [3, 3, 1]);
    say(&mut layouts, &v2, &[(2, [9, 9, 9])]);
    assert!(!layouts.all_write_to_head());
    assert!(step(&mut layouts, BUSY, false).read);
    assert_eq!(layouts.span().read, LayoutVersion(2));
}

#[test]
fn of_two_layouts_of_one_version_the_greater_hash_wins() {
    let v1 = owned(1, &[1, 2, 3], &[0, 1]);
    let [lesser, greater] = rivals(2);
    let mut layouts = at(1, vec![v1.clone(), lesser.clone()], [2, 2, 1]);
    say(&mut layouts, &lesser, &[(2, [2, 2, 1])]);

    let replaced = layouts.learn(&[v1.clone(), greater.clone()]);
    assert_eq!(replaced, Learned::Replaced(LayoutId::of(&lesser)));
    assert_eq!(layouts.head().map(|update| LayoutId::of(update)), Some(LayoutId::of(&greater)));
    assert_eq!(layouts.marks(), marks([1, 1, 1]), "as of the last one that both have");
    assert_eq!(layouts.known_marks()[0].marks, marks([1, 1, 1]));
    layouts.on_saved(marks([2, 2, 1]));
    assert!(!layouts.is_unsaved(), "what was saved of the lost one says nothing of this one");
    assert_eq!(lagging(&layouts, |marks| marks.ack), [1, 2, 3]);

    let former = layouts.span();
    assert_eq!(layouts.learn(&[v1, lesser]), Learned::Nothing);
    assert_eq!(layouts.span(), former);
}

#[test]
fn a_longer_history_replaces_what_it_does_not_name() {
    let v1 = owned(1, &[1, 2, 3], &[0, 1]);
    let [lesser, greater] = rivals(2);
    let v3 = owned(3, &[1, 2, 3], &[2, 1]);
    let mut layouts = at(1, vec![v1.clone(), greater.clone()], [2, 2, 1]);
    let told = [v1.clone(), lesser, v3.clone()];
    assert_eq!(layouts.learn(&told), Learned::Replaced(LayoutId::of(&greater)));
    assert_eq!((layouts.marks(), versions(&layouts)), (marks([1, 1, 1]), vec![1, 2, 3]));

    // One that goes on from it keeps what was said of it.
    let mut layouts = at(1, vec![v1.clone(), greater.clone()], [2, 2, 1]);
    assert_eq!(layouts.learn(&[v1, greater, v3]), Learned::Newer);
    assert_eq!((layouts.marks(), versions(&layouts)), (marks([2, 2, 1]), vec![1, 2, 3]));
}

#[test]
fn one_that_lags_learns_and_does_not_go_back() {
    let [v1, v2, v3, v4] = [1, 2, 3, 4].map(|version| four(version, &[1, 2]));
    let mut layouts = at(1, vec![v2.clone()], [2, 2, 2]);
    let of_one_that_lags = [v1.clone(), v2.clone(), v3.clone()];
    assert_eq!(layouts.learn(&of_one_that_lags), Learned::Newer);
    assert_eq!(versions(&layouts), [2, 3], "the first one is over");
    assert_eq!(layouts.learn(&[v1.clone(), v2.clone()]), Learned::Nothing);
    assert_eq!(layouts.learn(&of_one_that_lags), Learned::Nothing);
    assert_eq!(layouts.learn(&[]), Learned::Nothing);
    assert_eq!((versions(&layouts), layouts.marks()), (vec![2, 3], marks([2, 2, 2])));

    // One that was away while several were dropped.
    let mut layouts = at(1, vec![v1], [1, 1, 1]);
    assert_eq!(layouts.learn(&[v3, v4]), Learned::Newer);
    assert_eq!((versions(&layouts), layouts.span().read.0), (vec![3, 4], 3));
    assert_eq!(layouts.marks(), marks([3, 3, 3]));
    layouts.check_invariants();
}

#[test]
fn whoever_knows_less_is_told_of_all_that_are_in_force() {
    let [v1, v2, v3] = [1, 2, 3].map(|version| four(version, &[1, 2]));
    let layouts = at(1, vec![v2.clone(), v3.clone()], [2, 2, 2]);
    let lags = at(2, vec![v1, v2.clone()], [1, 1, 1]);
    assert_eq!(layouts.news_for(&lags.span()), Some(vec![v2, v3]));
    assert_eq!(lags.news_for(&layouts.span()), None);
    assert_eq!(layouts.news_for(&layouts.span()), None);
}

#[test]
fn a_member_that_was_removed_is_not_waited_for() {
    let (v1, v2) = (four(1, &[1, 2, 3]), four(2, &[1, 2]));
    let mut layouts = at(1, vec![v1, v2.clone()], [2, 2, 2]);
    assert_eq!(lagging(&layouts, |marks| marks.ack), [2]);
    assert!(layouts.knows(NodeId(3)) && !layouts.is_member(NodeId(3)));
    say(&mut layouts, &v2, &[(2, [2, 2, 2])]);
    let advance = step(&mut layouts, BUSY, false);
    assert!(advance.dropped && !layouts.knows(NodeId(3)));
    assert_eq!(versions(&layouts), [2]);
}

#[test]
fn those_who_hold_are_primaries_of_any_layout_that_are_left() {
    // The slot goes from 1 and 2 to 3 and 4; 2 was removed.
    let v1 = owned(1, &[1, 2], &[0, 1]);
    let v2 = owned(2, &[1, 3, 4], &[1, 2]);
    let layouts = at(1, vec![v1, v2], [1, 1, 1]);
    let slot = crate::ring::Slot(0);
    assert_eq!(layouts.holders(slot), [1, 3, 4].map(NodeId));
    assert!([1, 2, 3, 4].iter().all(|node| layouts.is_primary(slot, NodeId(*node))));
}

#[test]
fn who_has_forgotten_a_layout_is_not_admitted_as_coordinator() {
    let (v1, v2) = (four(1, &[1, 2, 3]), four(2, &[1, 2, 3]));
    let mut layouts = at(1, vec![v1.clone(), v2.clone()], [2, 1, 1]);
    say(&mut layouts, &v2, &[(2, [2, 1, 1]), (3, [1, 1, 1])]);
    let admits = |node, version| layouts.admits(NodeId(node), LayoutVersion(version));
    assert!(!admits(2, 1), "it said that it writes to the newer one");
    assert!(admits(2, 2) && admits(2, 3));
    assert!(admits(3, 1) && admits(3, 2), "it said no such thing");
    assert!(admits(4, 0), "nobody has heard of it");
}

#[test]
fn reads_never_go_back() {
    let (v1, v2) = (four(1, &[1, 2]), four(2, &[1, 2]));
    let span = |head: &LayoutUpdate, oldest, read| LayoutSpan {
        head: LayoutId::of(head),
        oldest: LayoutVersion(oldest),
        read: LayoutVersion(read),
    };
    let read = |layouts: &Layouts| layouts.span().read.0;
    let mut layouts = at(1, vec![v1.clone(), v2.clone()], [1, 1, 1]);
    layouts.on_told(&span(&v1, 1, 2), &[]);
    assert_eq!(read(&layouts), 1, "that one says nothing of what is in force here");
    layouts.on_told(&span(&v2, 1, 3), &[]);
    assert_eq!(read(&layouts), 1, "none such is in force");
    layouts.on_told(&span(&v2, 1, 2), &[]);
    assert_eq!(read(&layouts), 2, "all have synced, as that one knows");
    layouts.on_told(&span(&v2, 1, 1), &[]);
    say(&mut layouts, &v2, &[(2, [1, 1, 1])]);
    assert!(!step(&mut layouts, BUSY, false).read);
    assert_eq!(read(&layouts), 2);
    let v3 = four(3, &[1, 2]);
    assert_eq!(layouts.learn(&[v1.clone(), v2.clone(), v3]), Learned::Newer);
    assert_eq!((read(&layouts), layouts.marks()), (2, marks([1, 1, 1])));

    // A start goes by what this node has said, be it of no more than that.
    assert_eq!(read(&at(1, vec![v1.clone(), v2.clone()], [2, 2, 2])), 2);
    assert_eq!(read(&at(1, vec![v1.clone(), v2.clone()], [2, 2, 1])), 1);

    // Somebody knows that all are through with it.
    let mut layouts = at(1, vec![v1, v2.clone()], [1, 1, 1]);
    layouts.on_told(&span(&v2, 2, 2), &[]);
    assert_eq!((versions(&layouts), read(&layouts), layouts.marks()), (vec![2], 2, marks([2; 3])));
}

#[test]
fn what_others_tell_of_this_node_raises_its_marks() {
    let (v1, v2) = (owned(1, &[1, 2, 3], &[0, 1]), rivals(2));
    let mut layouts = at(1, vec![v1, v2[1].clone()], [1, 1, 1]);
    say(&mut layouts, &v2[0], &[(1, [2, 2, 2])]);
    assert_eq!(layouts.marks(), marks([1, 1, 1]), "it was another layout");
    say(&mut layouts, &v2[1], &[(1, [2, 1, 1])]);
    assert_eq!(layouts.marks(), marks([2, 1, 1]));
    assert!(layouts.is_unsaved());
    say(&mut layouts, &v2[1], &[(1, [1, 9, 0])]);
    assert_eq!(layouts.marks(), marks([2, 2, 1]), "none falls, and none is beyond the newest");
}

#[test]
fn strangers_are_not_remembered() {
    let (v1, v2) = (four(1, &[1, 2, 3]), four(2, &[1, 2]));
    let mut layouts = at(1, vec![v1, v2.clone()], [2, 2, 2]);
    say(&mut layouts, &v2, &[(3, [2, 2, 2]), (9, [2, 2, 2])]);
    let known = |layouts: &Layouts| -> Vec<u64> {
        layouts.known_marks().iter().map(|told| told.node.0).collect()
    };
    assert_eq!(known(&layouts), [1, 3]);
    say(&mut layouts, &v2, &[(2, [2, 2, 2])]);
    step(&mut layouts, BUSY, false);
    assert_eq!(known(&layouts), [1, 2]);
}

#[test]
fn a_fresh_node_begins_with_the_oldest_layout() {
    let (v1, v2) = (four(1, &[1, 2]), four(2, &[1, 2, 3]));
    for (told, oldest) in [(vec![v2.clone()], 2), (vec![v1, v2], 1)] {
        let mut layouts = Layouts::new(NodeId(3), None);
        assert!(layouts.history().is_none() && layouts.known_marks().is_empty());
        assert_eq!(layouts.learn(&told), Learned::Newer);
        assert_eq!(layouts.marks(), Marks::all(LayoutVersion(oldest)));
        assert_eq!((layouts.span().read.0, layouts.span().oldest.0), (oldest, oldest));
        assert_eq!(layouts.known_marks()[0].marks, Marks::default(), "nothing is saved yet");
        assert!(layouts.is_unsaved());
        layouts.check_invariants();
    }
}

#[test]
fn one_more_layout_comes_where_a_write_has_room_for_its_primaries() {
    let of = |count: u64| -> Vec<Arc<LayoutUpdate>> {
        (1..=count).map(|version| four(version, &[1, 2])).collect()
    };
    assert!(Layouts::new(NodeId(1), None).has_room());
    assert!(at(1, of(7), [1, 1, 1]).has_room());
    assert!(!at(1, of(8), [1, 1, 1]).has_room());
}

#[test]
fn who_left_is_remembered_to_have_been_a_member() {
    let former = vec![four(1, &[1, 2, 3])];
    let mut layouts = at(1, vec![four(2, &[1, 3, 4])], [2, 2, 2]);
    let ids = |ids: &[u64]| ids.iter().map(|id| NodeId(*id)).collect();
    assert_eq!(layouts.ever_members(), ids(&[1, 3, 4]));
    layouts.remember(UnixMs(1), &former);
    assert_eq!(layouts.ever_members(), ids(&[1, 2, 3, 4]));
}

#[test]
fn what_is_settled_does_not_give_way_to_a_rival_that_is_not() {
    let v1 = owned(1, &[1, 2, 3], &[0, 1]);
    let [lesser, greater] = rivals(2);
    let settled = || at(1, vec![lesser.clone()], [2, 2, 2]);
    let under_way = || at(2, vec![v1.clone(), greater.clone()], [2, 1, 1]);
    assert_eq!(settled().learn(&[v1.clone(), greater.clone()]), Learned::Nothing);
    assert_eq!(settled().news_for(&under_way().span()), Some(vec![lesser.clone()]));
    assert_eq!(under_way().news_for(&settled().span()), None);

    let mut layouts = under_way();
    let told = MarksOf { node: NodeId(3), head: layouts.span().head, marks: marks([2, 2, 2]) };
    layouts.on_told(&LayoutSpan::default(), &[told]);
    let lost = Learned::Replaced(LayoutId::of(&greater));
    assert_eq!(layouts.learn(core::slice::from_ref(&lesser)), lost);
    assert_eq!((versions(&layouts), layouts.marks()), (vec![2], marks([2, 2, 2])));
    // What others have said of the one that gave way is over, whatever its hash.
    let told = MarksOf { head: LayoutId::of(&lesser), marks: marks([2, 2, 1]), ..told };
    layouts.on_told(&LayoutSpan::default(), &[told]);
    assert!(layouts.known_marks().contains(&told));

    // Of two that are settled the greater hash wins, for they must not stand for ever.
    assert_eq!(
        settled().learn(core::slice::from_ref(&greater)),
        Learned::Replaced(settled().span().head)
    );
    layouts.check_invariants();
}

#[test]
fn a_rival_history_goes_on_from_what_is_settled_here() {
    let v1 = owned(1, &[1, 2, 3], &[0, 1]);
    let [lesser, greater] = rivals(2);
    let v3 = owned(3, &[1, 2, 3], &[2, 1]);
    let mut layouts = at(1, vec![lesser.clone()], [2, 2, 2]);
    assert_eq!(layouts.learn(&[v1, greater, v3.clone()]), Learned::Newer);
    assert_eq!(layouts.updates(), [lesser, v3]);
    assert_eq!((layouts.span().read.0, layouts.marks()), (2, marks([2, 2, 2])));
    layouts.check_invariants();
}
