//! Operators stage, look and commit at any node, and nodes join and leave by themselves
//! (DESIGN.md §9).

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one answer")]

#[path = "node_orders/by_itself.rs"]
mod by_itself;
mod machines;
#[path = "node_orders/past.rs"]
mod past;
#[path = "node_orders/town.rs"]
mod town;
mod world;

use std::collections::BTreeSet;

use quorate_core::ids::NodeId;
use quorate_core::layout::{LayoutVersion, Member};
use quorate_core::message::{
    ChangeRefusal, LayoutOrder, LayoutReport, Marks, Message, SlotWaits, Staging, Target,
};
use quorate_core::node::NodeConfig;
use town::{A_WHILE_MS, BY_HAND, CHANGE_MS, Town, first_layout, member, target};
use world::World;

/// Three members, and one who would be.
fn four() -> Town {
    Town::new(3, &[BY_HAND; 4])
}

#[test]
fn what_is_staged_on_one_node_is_seen_on_all() {
    let mut town = four();
    let staging = town.stage(1, &[target(4, 1), target(2, 5)]);
    assert_eq!(staging.base, town.report(1).staging.base);
    assert_eq!(staging.base.version, LayoutVersion(1));
    town.world.pass(A_WHILE_MS);
    for id in 1..=4 {
        assert_eq!(town.report(id).staging, staging, "node {id}");
    }
    // The last word about a node holds, wherever it is said.
    town.stage(4, &[target(2, 7)]);
    town.world.pass(A_WHILE_MS);
    let staged = town.staged();
    assert!(staged.values().all(|staged| *staged == [target(2, 7), target(4, 1)]), "{staged:?}");
    assert_eq!(town.versions(), [1; 4], "nothing happens before it is committed");
}

#[test]
fn what_is_staged_on_one_node_is_committed_from_another() {
    let mut town = four();
    town.stage(1, &[target(4, 1)]);
    town.world.pass(A_WHILE_MS);
    let looked_at = town.report(3).staging;
    assert_eq!(town.commit(3, looked_at), Ok(2));
    assert!(town.report(3).staging.changes.is_empty(), "it is used up");
    town.world.pass(CHANGE_MS);
    assert_eq!(town.versions(), [2; 4]);
    assert_eq!(town.weights(4), [(1, 1), (2, 1), (3, 1), (4, 1)]);
    assert_eq!(town.staged().len(), 0);
}

#[test]
fn a_node_that_is_no_member_commits_like_any_other() {
    let mut town = four();
    let staging = town.stage(4, &[target(4, 2)]);
    assert_eq!(town.commit(4, staging), Ok(2));
    town.world.pass(CHANGE_MS);
    assert_eq!(town.weights(1), [(1, 1), (2, 1), (3, 1), (4, 2)]);
}

/// Nothing has changed, and nothing does.
fn check_refused(town: &mut Town, at: u64, looked_at: Staging, refusal: ChangeRefusal) {
    let (report, newest) = (town.report(at), town.versions().into_iter().max());
    assert_eq!(town.commit(at, looked_at), Err(refusal.to_string()));
    assert_eq!(town.report(at), report);
    town.world.pass(A_WHILE_MS);
    assert_eq!(town.versions().into_iter().max(), newest);
}

#[test]
fn only_what_is_staged_right_now_is_committed() {
    let mut town = four();
    let looked_at = town.stage(1, &[target(4, 1)]);
    town.world.pass(A_WHILE_MS);
    // Somebody else says more.
    town.stage(2, &[target(3, 9)]);
    town.world.pass(A_WHILE_MS);
    check_refused(&mut town, 1, looked_at.clone(), ChangeRefusal::StagedMeanwhile);
    // Something else.
    town.stage(2, &[(NodeId(3), Target::AsItIs), target(4, 2)]);
    check_refused(&mut town, 2, looked_at.clone(), ChangeRefusal::StagedMeanwhile);
    // Less, and what was looked at is made up.
    let made_up = Staging { changes: town.report(2).staging.changes, ..Staging::default() };
    let newest = LayoutVersion(1);
    check_refused(&mut town, 2, made_up, ChangeRefusal::Outdated { newest });
    let nothing = Staging { changes: Vec::new(), ..looked_at.clone() };
    check_refused(&mut town, 2, nothing, ChangeRefusal::StagedMeanwhile);
    // The same once more, by other words.
    town.stage(2, &[target(4, 1)]);
    assert_eq!(town.commit(2, looked_at), Ok(2));
}

#[test]
fn what_was_planned_from_an_older_layout_is_not_committed() {
    let mut town = four();
    let looked_at = town.stage(1, &[target(4, 1)]);
    town.world.pass(A_WHILE_MS);
    assert_eq!(town.commit(2, looked_at.clone()), Ok(2));
    let outdated = ChangeRefusal::Outdated { newest: LayoutVersion(2) };
    check_refused(&mut town, 2, looked_at.clone(), outdated);
    town.world.pass(CHANGE_MS);
    check_refused(&mut town, 1, looked_at, outdated);
}

#[test]
fn what_changes_nothing_is_not_committed() {
    let mut town = four();
    let empty = town.report(1).staging;
    check_refused(&mut town, 1, empty, ChangeRefusal::NothingStaged);
    // Staged, and so already.
    let as_it_is = town.stage(1, &[target(2, 1), (NodeId(4), Target::Gone)]);
    check_refused(&mut town, 1, as_it_is, ChangeRefusal::NothingStaged);
    let taken_back = town.revert(1);
    check_refused(&mut town, 1, taken_back, ChangeRefusal::NothingStaged);
}

#[test]
fn nobody_is_staged_who_was_not_heard_of() {
    let mut town = four();
    let refusal = ChangeRefusal::Unknown { node: NodeId(9) }.to_string();
    let targets = vec![target(4, 1), target(9, 1)];
    assert_eq!(town.order(2, LayoutOrder::Stage(targets)), Err(refusal));
    let long = Member { zone: "z".repeat(1_025).as_str().into(), ..member(4, 1) };
    let refusal = ChangeRefusal::BadMember { node: NodeId(4) }.to_string();
    let targets = vec![target(2, 3), (NodeId(4), Target::Member(long))];
    assert_eq!(town.order(2, LayoutOrder::Stage(targets)), Err(refusal));
    assert_eq!(town.staged().len(), 0, "nothing of it is staged");
}

#[test]
fn a_node_without_a_layout_stages_nothing() {
    let without = |config: NodeConfig| NodeConfig { layouts: None, ..config };
    let world = World::of(first_layout(16, 2), vec![Vec::new(); 2], 1, without);
    let mut town = Town::of(world);
    let refusal = ChangeRefusal::NoLayout.to_string();
    assert_eq!(town.order(1, LayoutOrder::Stage(vec![target(1, 1)])), Err(refusal.clone()));
    assert_eq!(town.commit(1, Staging::default()), Err(refusal));
    assert_eq!(town.report(1), LayoutReport::default());
    assert_eq!(town.revert(1), Staging::default());
    assert_eq!(town.past(1), []);
}

#[test]
fn a_node_that_has_just_started_commits_only_once_it_has_heard_of_the_others() {
    let mut town = four();
    town.world.restart(2, 50);
    let staging = town.stage(2, &[target(3, 4)]);
    check_refused(&mut town, 2, staging.clone(), ChangeRefusal::NotReady);
    town.world.connect_all();
    town.world.pass(A_WHILE_MS);
    assert_eq!(town.commit(2, staging), Ok(2));
}

#[test]
fn what_is_taken_back_is_taken_back_everywhere() {
    let mut town = four();
    town.stage(1, &[target(4, 1), target(2, 5)]);
    town.world.pass(A_WHILE_MS);
    // One who hears of nothing still tells of it later.
    town.cut_off(3);
    let staging = town.revert(2);
    assert_eq!(staging.effective().count(), 0);
    town.world.pass(A_WHILE_MS);
    assert_eq!(town.staged().into_keys().collect::<Vec<_>>(), [3]);
    town.reconnect(3);
    town.world.pass(A_WHILE_MS);
    assert_eq!(town.staged().len(), 0);
    // What is said later counts.
    town.stage(3, &[target(4, 1)]);
    town.world.pass(A_WHILE_MS);
    assert!(town.staged().values().all(|staged| *staged == [target(4, 1)]));
    assert_eq!(town.staged().len(), 4);
}

/// Whom slots wait for, all together.
fn peers(waits: &[SlotWaits]) -> BTreeSet<u64> {
    waits.iter().flat_map(|waits| &waits.peers).map(|peer| peer.0).collect()
}

#[test]
fn a_report_shows_what_waits_for_whom_until_nothing_does() {
    let mut town = four();
    let settled = town.report(2);
    assert_eq!((settled.live.len(), settled.read), (1, LayoutVersion(1)));
    assert_eq!((settled.to_fill.len(), settled.to_give.len(), settled.hints), (0, 0, 0));

    // Node 4 is told nothing of what it asks; node 3 is not asked anything.
    town.world.holds =
        |from, to, message| matches!(message, Message::Compared(_)) && (to == 4 || from == 4);
    town.change(1, &[target(4, 1)]);
    town.world.pass(20_000);
    let new = town.report(4);
    let versions = |report: &LayoutReport| -> Vec<u64> {
        report.live.iter().map(|update| update.layout.version().0).collect()
    };
    assert_eq!((versions(&new), new.read), (vec![1, 2], LayoutVersion(1)));
    let next = new.live[1].layout.clone();
    let filled: Vec<_> = new.to_fill.iter().map(|waits| waits.slot).collect();
    let held = |slot| next.is_primary(slot, NodeId(4));
    let expected: Vec<_> = next.slot_count().slots().filter(|slot| held(*slot)).collect();
    assert_eq!(filled, expected);
    assert_eq!(peers(&new.to_fill), BTreeSet::from([1, 2, 3]));
    assert!(new.to_fill.iter().all(|waits| waits.peers.len() == 3), "{:?}", new.to_fill);

    // All write to the new one; node 4 has not filled its slots, and the others know that.
    let old = town.report(1);
    let marks = |of: u64| old.marks.iter().find(|marks| marks.node.0 == of).map(|of| of.marks);
    let [before, after] = [1, 2].map(LayoutVersion);
    assert_eq!(marks(4), Some(Marks { ack: after, sync: before, sync_ack: before }));
    assert_eq!(marks(1), Some(Marks { ack: after, sync: after, sync_ack: before }));
    assert_eq!(old.to_fill, []);

    // It fills them; what it takes over is still where it was.
    town.world.holds = |from, _, message| matches!(message, Message::Compared(_)) && from == 4;
    town.world.disconnect(1, 4);
    town.world.connect(1, 4);
    town.world.pass(CHANGE_MS);
    let old = town.report(1);
    assert_eq!((versions(&old), old.read), (vec![2], after));
    let moved: BTreeSet<_> = old.to_give.iter().map(|waits| waits.slot).collect();
    assert!(!moved.is_empty());
    assert!(moved.iter().all(|slot| !next.is_primary(*slot, NodeId(1))));
    assert!(peers(&old.to_give).contains(&4), "{:?}", old.to_give);

    town.world.holds = |_, _, _| false;
    for other in 1..=3 {
        town.world.disconnect(other, 4);
        town.world.connect(other, 4);
    }
    town.world.pass(CHANGE_MS);
    for id in 1..=4 {
        let report = town.report(id);
        assert_eq!((report.to_fill, report.to_give), (vec![], vec![]), "node {id}");
        assert_eq!((report.live.len(), report.read), (1, after), "node {id}");
    }
}
