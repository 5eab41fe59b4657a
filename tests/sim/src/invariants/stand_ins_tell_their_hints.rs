//! Whoever stands in for a primary answers with what it keeps for it.

use std::collections::BTreeMap;

use quorate_core::causality::Context;
use quorate_core::ids::{Key, NodeId};
use quorate_core::machine::HeldAs;
use quorate_core::message::{CallId, Message, ReplicaMerged, ReplicaRecord, ReplicaState};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{Delivered, Destroyed, Removed, Sent, Started};
use crate::oracle::{Task, unknown_to};

pub(crate) const PROPERTY: Property = Property {
    name: "stand-ins-tell-their-hints",
    definition: "The record that a node answers as a stand-in knows what the node has \
                 acknowledged, in whichever of its lives and before it was asked, to keep of the \
                 key as hints, unless such a hint has been removed or destroyed since. Actors \
                 that truncation dropped are excused.",
    source: "DESIGN.md §7 (Put, Get), §10",
};

/// What is kept of a key, by target.
type Kept = BTreeMap<NodeId, Context>;

#[derive(Default)]
pub(crate) struct StandInsTellTheirHints {
    /// What each node has acknowledged to keep, by key and target.
    kept: BTreeMap<(usize, Key), Kept>,
    /// What was kept when a stand-in was asked: by node, coordinator, call.
    asked: BTreeMap<(usize, usize, CallId), (Key, Kept)>,
}

impl StandInsTellTheirHints {
    fn forget(&mut self, node: usize, target: NodeId, key: &Key) {
        if let Some(kept) = self.kept.get_mut(&(node, key.clone())) {
            kept.remove(&target);
        }
        for ((asked, _, _), (of, kept)) in &mut self.asked {
            if *asked == node && of == key {
                kept.remove(&target);
            }
        }
    }
}

impl Invariant for StandInsTellTheirHints {
    fn on_started(&mut self, _: Scene<'_>, Started { node, .. }: Started<'_>) -> Verdict {
        // What was acknowledged is synced.
        self.asked.retain(|(by, _, _), _| *by != node);
        Ok(())
    }

    fn on_removed(&mut self, _: Scene<'_>, removed: Removed<'_>) -> Verdict {
        if let Removed { node, copy: HeldAs::Hint { target }, key, .. } = removed {
            self.forget(node, target, key);
        }
        Ok(())
    }

    fn on_destroyed(&mut self, _: Scene<'_>, destroyed: Destroyed<'_>) -> Verdict {
        if let Destroyed { node, copy: HeldAs::Hint { target }, key, .. } = destroyed {
            self.forget(node, target, key);
        }
        Ok(())
    }

    fn on_delivered(&mut self, _: Scene<'_>, delivered: Delivered<'_>) -> Verdict {
        if let Delivered { from: End::Node(from), to: End::Node(to), message, .. } = delivered
            && let Message::ReplicaRead(read) = message
            && read.stand_in
        {
            // A frame that comes twice is answered twice, and the answers are alike to all: what
            // was kept when it first came is due.
            let kept = self.kept.get(&(to, read.key.clone())).cloned().unwrap_or_default();
            self.asked.entry((to, from, read.call)).or_insert((read.key.clone(), kept));
        }
        Ok(())
    }

    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        let Sent { from: End::Node(from), to: End::Node(to), message } = sent else {
            return Ok(());
        };
        if let Message::ReplicaMerged(ReplicaMerged { call, durable: true }) = message
            && let Some(Task::Merge { key, copy: HeldAs::Hint { target }, known }) =
                scene.facts.task(from, to, *call)
            && scene.disks[from].hints().any(|(of, name, held)| {
                // It may have been handed over before it was acknowledged.
                of == *target && name == key && unknown_to(held.record(), known).is_empty()
            })
        {
            let kept = self.kept.entry((from, key.clone())).or_default();
            kept.entry(*target).or_default().merge(known);
        }
        let Message::ReplicaRecord(ReplicaRecord { call, state }) = message else {
            return Ok(());
        };
        let Some((key, kept)) = self.asked.remove(&(from, to, *call)) else { return Ok(()) };
        let ReplicaState::Record(record) = state else { return Ok(()) };
        let excused = scene.facts.key(&key).map(|key| &key.truncated);
        for (target, hint) in &kept {
            let mut dots = unknown_to(record, hint);
            dots.retain(|dot| !excused.is_some_and(|actors| actors.contains(&dot.actor)));
            if !dots.is_empty() {
                let dots = scene.facts.names(dots);
                let text =
                    format!("n{from} answers {call:?} without {dots} of its hint for {target}");
                return Err(Violation::new(text).at(from).of(&key));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::Record;
    use quorate_core::ids::{Epoch, NodeId};
    use quorate_core::layout::LayoutVersion;
    use quorate_core::machine::HeldAs;
    use quorate_core::message::{
        CallId, MergeReason, Message, ReplicaMerge, ReplicaMerged, ReplicaRead, ReplicaRecord,
        ReplicaState,
    };

    use super::StandInsTellTheirHints;
    use crate::network::End;
    use crate::observation::{Delivered, Observation, Removed, Sent};
    use crate::oracle::stage::Stage;

    const COORDINATOR: usize = 0;
    const FALLBACK: usize = 1;

    fn ask(stage: &mut Stage, message: &Message) {
        let (from, to) = (End::Node(COORDINATOR), End::Node(FALLBACK));
        stage.see(&Observation::Delivered(Delivered { from, to, message, again: false }));
    }

    fn answer(stage: &mut Stage, message: &Message) {
        let (from, to) = (End::Node(FALLBACK), End::Node(COORDINATOR));
        stage.see(&Observation::Sent(Sent { from, to, message }));
    }

    #[test]
    fn what_was_acknowledged_is_told_until_it_is_removed() {
        // (durable, asked as a stand-in, removed, told)
        let table = [
            (true, true, false, true, true),
            (true, true, false, false, false),
            (true, true, true, false, true),
            (true, false, false, false, true),
            (false, true, false, false, true),
        ];
        for (durable, stand_in, removed, told, fine) in table {
            let mut stage = Stage::new(StandInsTellTheirHints::default());
            let put = stage.put(1, "v", &[]);
            stage.write(COORDINATOR, put);
            stage.hint(COORDINATOR, FALLBACK, 2);
            let (key, record, target) = (stage.key.clone(), stage.record(COORDINATOR), NodeId(3));
            let (call, reason) = (CallId(7), MergeReason::Write);
            let (hint_for, hint) = (Some(target), record.clone());
            ask(
                &mut stage,
                &Message::ReplicaMerge(ReplicaMerge {
                    call,
                    key: key.clone(),
                    record: hint,
                    hint_for,
                    reason,
                    epoch: Epoch(1),
                    layout_version: LayoutVersion(0),
                }),
            );
            answer(&mut stage, &Message::ReplicaMerged(ReplicaMerged { call, durable }));
            let call = CallId(8);
            let read = ReplicaRead { call, key: key.clone(), digest: None, stand_in };
            ask(&mut stage, &Message::ReplicaRead(read));
            if removed {
                let (node, copy) = (FALLBACK, HeldAs::Hint { target });
                let (key, record) = (&key, &record);
                stage.see(&Observation::Removed(Removed { node, copy, key, record }));
            }
            let state = ReplicaState::Record(if told { record } else { Record::new() });
            answer(&mut stage, &Message::ReplicaRecord(ReplicaRecord { call, state }));
            stage.expect(fine, "of its hint for");
        }
    }
}
