//! What was acknowledged is there in the end, or was overwritten by someone who had read it.

use quorate_core::causality::{Context, Dot};
use quorate_core::ids::Key;
use quorate_core::machine::HeldAs;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::oracle::{knows, supersedes};

pub(crate) const PROPERTY: Property = Property {
    name: "no-acknowledged-write-lost",
    definition: "At rest every whole primary of a key knows each acknowledged write of the key, \
                 unless faults once had destroyed every synced copy of it; and where it is \
                 superseded, a write that the same record knows had been shown it. Excused: \
                 writes whose synced copies are all at nodes that are not whole or in hints for \
                 such nodes, actors that truncation dropped, and what was collected.",
    source: "DESIGN.md §2 (always, in every setting), §6",
};

pub(crate) struct NoAcknowledgedWriteLost;

impl Invariant for NoAcknowledgedWriteLost {
    fn at_rest(&mut self, scene: Scene<'_>, whole: &[usize]) -> Verdict {
        for (name, key) in scene.facts.keys() {
            let homes = scene.facts.homes(name);
            for node in homes.into_iter().filter(|node| whole.contains(node)) {
                let record = key.memory[node].record();
                let mut covered = Context::new();
                for (_, fact) in key.writes.iter().filter(|(dot, _)| knows(record, **dot)) {
                    covered.merge(&fact.context);
                }
                for ack in &key.acknowledged {
                    let Some(dot) = ack.dot.filter(|dot| !key.is_dropped(*dot)) else {
                        continue;
                    };
                    let text = if !knows(record, dot) {
                        if key.lost.contains(&dot) || is_elsewhere(scene, name, whole, dot) {
                            continue;
                        }
                        "knows nothing of it"
                    } else if supersedes(record, dot)
                        && !covered.covers(dot)
                        && key.truncated.is_empty()
                    {
                        "holds it as superseded, though no write that it knows had been shown it"
                    } else {
                        continue;
                    };
                    let op = scene.facts.op(ack.op);
                    let dot = scene.facts.name(dot);
                    let text = format!("{op} was acknowledged as {dot}, but n{node} {text}");
                    return Err(Violation::new(text).at(node).of(name));
                }
            }
        }
        Ok(())
    }
}

/// Whether only nodes that nobody can ask, and hints for such nodes, hold `dot` synced.
fn is_elsewhere(scene: Scene<'_>, key: &Key, whole: &[usize], dot: Dot) -> bool {
    let is_whole = |node: Option<usize>| node.is_some_and(|node| whole.contains(&node));
    let copies = scene.disks.iter().enumerate().flat_map(|(node, disk)| {
        disk.synced_as(key).map(move |(copy, record)| (node, copy, record))
    });
    let mut holders = copies.filter(|(_, _, record)| knows(record, dot)).peekable();
    let within_reach = |(node, copy): (usize, HeldAs)| match copy {
        HeldAs::Own => is_whole(Some(node)),
        HeldAs::Hint { target } => is_whole(Some(node)) && is_whole(scene.facts.index(target)),
    };
    holders.peek().is_some() && holders.all(|(node, copy, _)| !within_reach((node, copy)))
}

#[cfg(test)]
mod tests {
    use super::NoAcknowledgedWriteLost;
    use crate::oracle::stage::Stage;

    #[test]
    fn every_primary_must_know_it_in_the_end() {
        for (reached, fine) in [(vec![1, 2], true), (vec![1], false)] {
            let mut stage = Stage::new(NoAcknowledgedWriteLost);
            let put = stage.put(1, "v", &[]);
            let dot = stage.write(0, put);
            reached.iter().for_each(|node| stage.copy(0, *node));
            (0..3).for_each(|node| stage.sync(node));
            stage.acknowledge(put, &[dot]);
            stage.rest();
            stage.expect(fine, "n2 knows nothing of it");
        }
    }

    #[test]
    fn it_may_be_gone_only_where_faults_took_every_synced_copy() {
        for (wiped, fine) in [(vec![0, 1], true), (vec![0], false)] {
            let mut stage = Stage::new(NoAcknowledgedWriteLost);
            let put = stage.put(1, "v", &[]);
            let dot = stage.write(0, put);
            stage.copy(0, 1);
            stage.sync(0);
            stage.sync(1);
            stage.acknowledge(put, &[dot]);
            wiped.iter().for_each(|node| stage.wipe(*node));
            stage.rest();
            stage.expect(fine, "knows nothing of it");
        }
    }

    #[test]
    fn superseded_is_fine_where_the_overwriter_is_known() {
        let mut stage = Stage::new(NoAcknowledgedWriteLost);
        let put = stage.put(1, "v", &[]);
        let first = stage.write(0, put);
        stage.acknowledge(put, &[first]);
        let over = stage.put(1, "w", &[first]);
        stage.write(0, over);
        [1, 2].into_iter().for_each(|node| stage.copy(0, node));
        stage.rest();
        stage.expect(true, "");

        let mut stage = Stage::new(NoAcknowledgedWriteLost);
        let put = stage.put(1, "v", &[]);
        let first = stage.write(0, put);
        stage.acknowledge(put, &[first]);
        (0..3).for_each(|node| stage.forge(node, &[first], &[]));
        stage.rest();
        stage.expect(false, "no write that it knows had been shown it");
    }
}
