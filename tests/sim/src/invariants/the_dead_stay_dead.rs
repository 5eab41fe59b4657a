//! What is collected was dead, is older nowhere, and never stands again.

use quorate_core::causality::{Dot, Payload, Record};
use quorate_core::ids::Key;
use quorate_core::machine::HeldAs;
use quorate_core::time::UnixMs;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{Applied, Removed, Stepped};
use crate::oracle::supersedes;

pub(crate) const PROPERTY: Property = Property {
    name: "the-dead-stay-dead",
    definition: "A node removes its own copy for good only where nothing stands in it but tombstones \
                 and values that expire, all of them dead for the grace time by a clock that is no \
                 faster than the fastest that any node ever had. At that moment no copy of any \
                 member of its newest layout, own or hint, in memory or synced, shows as standing \
                 what the removed record had superseded, and no storage of any node ever takes it \
                 in again. Excused: keys of which a fault once brought back an older copy, where the clock of its node called \
                 it young, or where those who let the node take part remembered no later commit: \
                 the first who spoke to it or, where its clock calls the copy old, the first who \
                 remembered any, or half of the others.",
    source: "DESIGN.md §2 (a deleted key does not come back), §12",
};

#[derive(Default)]
pub(crate) struct TheDeadStayDead {
    /// By how much the fastest clock so far was ahead of time, in ms.
    ahead: i128,
}

impl Invariant for TheDeadStayDead {
    fn on_stepped(&mut self, scene: Scene<'_>, _: Stepped<'_>) -> Verdict {
        self.ahead = self.ahead.max(i128::from(scene.wall.0) - time(scene));
        Ok(())
    }

    fn on_removed(&mut self, scene: Scene<'_>, removed: Removed<'_>) -> Verdict {
        let Removed { node, copy: HeldAs::Own, key, record } = removed else { return Ok(()) };
        if scene.facts.may_move_away(node, key) {
            // It moved away, and others hold it.
            return Ok(());
        }
        let (live, since) = dead_since(record);
        let text = if let Some(dot) = live {
            format!("n{node} removes a record in which {} stands", scene.facts.name(dot))
        } else if self.is_young(scene, since) {
            let grace = scene.facts.grace;
            format!("n{node} removes a record that has not been dead for {grace:?}")
        } else if let Some((at, dot)) = found_elsewhere(scene, node, key, record) {
            let dot = scene.facts.name(dot);
            format!("n{node} removes a record, while n{at} shows {dot}, which it had superseded")
        } else {
            return Ok(());
        };
        Err(Violation::new(text).at(node).of(key))
    }

    fn on_applied(&mut self, scene: Scene<'_>, applied: Applied<'_>) -> Verdict {
        let Applied { node, key, record, .. } = applied;
        let Some(facts) = scene.facts.key(key) else { return Ok(()) };
        if facts.collected.gone.is_empty() || facts.revived {
            return Ok(());
        }
        let mut dots = record.siblings().map(|(dot, _)| dot);
        match dots.find(|dot| facts.collected.gone.covers(*dot)) {
            Some(dot) => {
                let dot = scene.facts.name(dot);
                let text = format!("n{node} takes in {dot}, which was overwritten and collected");
                Err(Violation::new(text).at(node).of(key))
            }
            None => Ok(()),
        }
    }
}

impl TheDeadStayDead {
    fn is_young(&self, scene: Scene<'_>, since: UnixMs) -> bool {
        let grace = scene.facts.grace.as_millis() as i128;
        i128::from(since.0) + grace > time(scene) + self.ahead
    }
}

/// A node that shows as standing what `record` has superseded, which `by` removes.
fn found_elsewhere(
    scene: Scene<'_>,
    by: usize,
    key: &Key,
    record: &Record,
) -> Option<(usize, Dot)> {
    let facts = scene.facts.key(key).filter(|facts| !facts.revived)?;
    // What is put back while it is removed elsewhere is set aside, or taken in to be caught.
    let nodes = (0..scene.disks.len()).filter(|node| !scene.facts.is_old_copy(*node, key));
    let mut members = nodes.filter(|node| !scene.facts.is_given_up(by, *node));
    members.find_map(|node| {
        let memory = facts.copies_at(node).map(|held| held.record());
        let copies = memory.chain(scene.disks[node].copies_synced(key));
        let mut dots = copies.flat_map(|copy| copy.siblings().map(|(dot, _)| dot));
        dots.find(|dot| supersedes(record, *dot)).map(|dot| (node, dot))
    })
}

/// A sibling that never dies, if there is one, and since when all others are dead.
fn dead_since(record: &Record) -> (Option<Dot>, UnixMs) {
    let mut since = UnixMs(0);
    for (dot, sibling) in record.siblings() {
        since = since.max(match (&sibling.payload, sibling.expires) {
            (Payload::Tombstone, _) => sibling.written,
            (Payload::Value(_), Some(expires)) => expires,
            (Payload::Value(_), None) => return (Some(dot), since),
        });
    }
    (None, since)
}

/// The time of the world as a clock that was never touched reads it.
fn time(scene: Scene<'_>) -> i128 {
    i128::from(crate::world::unix(scene.now).0)
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::{Record, RecordOp};
    use quorate_core::machine::HeldAs;
    use quorate_core::time::Duration;

    use super::TheDeadStayDead;
    use crate::observation::{By, Destroyed, Observation, Replaced};
    use crate::oracle::stage::Stage;

    /// A value that is deleted at all primaries but those of `late`.
    fn deleted(late: &[usize], nodes: usize) -> Stage {
        let mut stage = Stage::with_nodes(nodes, TheDeadStayDead::default());
        stage.turn_sloppy();
        let put = stage.put(1, "v", &[]);
        let first = stage.write(0, put);
        [1, 2].into_iter().for_each(|node| stage.copy(0, node));
        (0..3).for_each(|node| stage.sync(node));
        let delete = stage.delete(1, &[first]);
        stage.write_with(0, delete, &[first]);
        let reached = [1, 2].into_iter().filter(|node| !late.contains(node));
        reached.for_each(|node| stage.copy(0, node));
        stage
    }

    fn sync_all(stage: &mut Stage) {
        (0..3).for_each(|node| stage.sync(node));
    }

    #[test]
    fn what_all_hold_and_nobody_holds_older_may_go() {
        let mut stage = deleted(&[], 3);
        sync_all(&mut stage);
        (0..3).for_each(|node| stage.collect(node));
        stage.expect(true, "");
    }

    #[test]
    fn an_older_copy_is_found_in_memory_on_disk_and_among_hints() {
        let mut stage = deleted(&[2], 3);
        sync_all(&mut stage);
        stage.collect(0);
        stage.expect(false, "while n2 shows");

        let mut stage = deleted(&[], 3);
        (0..2).for_each(|node| stage.sync(node));
        stage.collect(0);
        stage.expect(false, "while n2 shows");

        let mut stage = Stage::with_nodes(4, TheDeadStayDead::default());
        stage.turn_sloppy();
        let primaries = stage.primaries();
        let fallback = (0..4).find(|node| !primaries.contains(node)).unwrap();
        let [a, b, c] = primaries[..] else { panic!("three primaries") };
        let put = stage.put(1, "v", &[]);
        let first = stage.write(a, put);
        stage.hint(a, fallback, c);
        let delete = stage.delete(1, &[first]);
        stage.write_with(a, delete, &[first]);
        [b, c].into_iter().for_each(|node| stage.copy(a, node));
        [a, b, c].into_iter().for_each(|node| stage.sync(node));
        stage.collect(a);
        stage.expect(false, "which it had superseded");
    }

    #[test]
    fn what_a_node_has_that_was_removed_is_given_up() {
        for (removed, fine) in [(1, false), (2, true)] {
            let mut stage = deleted(&[2], 3);
            sync_all(&mut stage);
            let newest = stage.layout_without(removed);
            stage.learn(0, &newest);
            stage.collect(0);
            stage.expect(fine, "while n2 shows");
        }
    }

    #[test]
    fn what_stands_or_is_young_may_not_go() {
        let mut stage = Stage::new(TheDeadStayDead::default());
        let put = stage.put(1, "v", &[]);
        stage.write(0, put);
        stage.collect(0);
        stage.expect(false, "stands");

        let mut stage = deleted(&[], 3);
        sync_all(&mut stage);
        stage.facts.grace = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        stage.collect(0);
        stage.expect(false, "has not been dead for");
    }

    /// A fault puts an older copy in the place of that of the second node.
    fn bring_back(stage: &mut Stage, old: &Record) {
        let (node, by) = (1, By::Fault);
        let committed_at = stage.now;
        stage.see(&Observation::Replaced(Replaced { node, by, committed_at }));
        let (copy, key) = (HeldAs::Own, stage.key.clone());
        let (key, before, after) = (&key, &stage.record(1), old);
        let seen = Destroyed { node, by, copy, key, before, after };
        stage.see(&Observation::Destroyed(seen));
    }

    #[test]
    fn what_a_node_holds_back_comes_back_by_the_word_of_half_of_the_others() {
        for (told_by, fine) in [(&[2][..], false), (&[2, 2], false), (&[2, 3], true)] {
            let mut stage = deleted(&[], 5);
            let old = stage.disks[1].synced(&stage.key).unwrap().clone();
            sync_all(&mut stage);
            bring_back(&mut stage, &old);
            stage.start_node(1);
            stage.step_vouching(1);
            told_by.iter().for_each(|from| stage.remember(*from, 1, 0));
            (0..3).for_each(|node| stage.collect(node));
            stage.apply(2, RecordOp::Merge(old), true);
            stage.expect(fine, "which was overwritten and collected");
        }
    }

    #[test]
    fn what_went_is_never_taken_in_again_unless_a_fault_brought_it_back() {
        for (revived, told, fine) in [(false, 0, false), (true, 100, false), (true, 0, true)] {
            let mut stage = deleted(&[], 3);
            let old = stage.disks[1].synced(&stage.key).unwrap().clone();
            sync_all(&mut stage);
            if revived {
                bring_back(&mut stage, &old);
                stage.start_node(1);
                stage.remember(2, 1, told);
            }
            (0..3).for_each(|node| stage.collect(node));
            stage.apply(2, RecordOp::Merge(old), true);
            stage.expect(fine, "which was overwritten and collected");
        }
    }
}
