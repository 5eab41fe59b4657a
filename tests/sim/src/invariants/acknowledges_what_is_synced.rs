//! Nobody acknowledges what is not synced.

use quorate_core::causality::Context;
use quorate_core::machine::HeldAs;
use quorate_core::message::{CallId, Message, ReplicaMerged};

use crate::invariants::{Invariant, Property, REPAIR, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::Sent;
use crate::oracle::{Task, unknown_to};

pub(crate) const PROPERTY: Property = Property {
    name: "acknowledges-what-is-synced",
    definition: "A node that acknowledges a merge as durable has all that the merged record knew \
                 synced in the copy that it was asked to change, its own or the hint for one \
                 primary, or had until a fault destroyed it, or until it removed the hint as \
                 hints-come-home allows, or the own copy as moved-away-is-held does; and it was \
                 asked. Actors that truncation dropped are \
                 excused; repairs, which have no call of their own, are left out.",
    source: "DESIGN.md §5 (only Durable counts as an acknowledgement), §13",
};

pub(crate) struct AcknowledgesWhatIsSynced;

impl Invariant for AcknowledgesWhatIsSynced {
    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        if let Sent { from: End::Node(from), to: End::Node(to), message } = sent
            && let Message::ReplicaMerged(ReplicaMerged { call, durable: true }) = message
            && *call != REPAIR
        {
            return check(scene, from, to, *call);
        }
        Ok(())
    }
}

fn check(scene: Scene<'_>, from: usize, to: usize, call: CallId) -> Verdict {
    let Some(Task::Merge { key, copy, known }) = scene.facts.task(from, to, call) else {
        let text = format!("n{from} acknowledges {call:?} of n{to}, which did not ask for it");
        return Err(Violation::new(text).at(from));
    };
    let mut missing = match scene.disks[from].copy_synced(*copy, key) {
        Some(held) => unknown_to(held.record(), known),
        None => crate::oracle::difference(known, &Context::new()),
    };
    if let Some(facts) = scene.facts.key(key) {
        let is_removed = *copy == HeldAs::Own && facts.memory[from].record().is_empty();
        if is_removed && scene.facts.may_move_away(from, key) {
            return Ok(());
        }
        missing.retain(|dot| {
            !facts.is_excused(from, *dot)
                && (*copy == HeldAs::Own || !facts.is_handed_over(from, *dot))
        });
    }
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!(
        "n{from} acknowledges the merge of {call:?} of n{to} as durable, but {} is not synced",
        scene.facts.names(missing),
    );
    Err(Violation::new(text).at(from).of(key))
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::Epoch;
    use quorate_core::layout::LayoutVersion;
    use quorate_core::message::{CallId, MergeReason, Message, ReplicaMerge, ReplicaMerged};

    use super::AcknowledgesWhatIsSynced;
    use crate::network::End;
    use crate::observation::{Delivered, Observation, Sent};
    use crate::oracle::stage::Stage;

    #[test]
    fn a_merge_is_acknowledged_once_it_is_synced() {
        // (asked, synced, said to be durable, what is wrong)
        for (asked, synced, durable, part) in [
            (true, true, true, ""),
            (true, false, false, ""),
            (true, false, true, "is not synced"),
            (false, true, true, "did not ask"),
        ] {
            let mut stage = Stage::new(AcknowledgesWhatIsSynced);
            let put = stage.put(1, "v", &[]);
            stage.write(0, put);
            let (call, key, record) = (CallId(7), stage.key.clone(), stage.record(0));
            let (from, to) = (End::Node(0), End::Node(1));
            let message = &Message::ReplicaMerge(ReplicaMerge {
                call,
                key,
                record,
                hint_for: None,
                reason: MergeReason::Write,
                epoch: Epoch(1),
                layout_version: LayoutVersion(0),
            });
            if asked {
                stage.see(&Observation::Delivered(Delivered { from, to, message, again: false }));
            }
            stage.copy(0, 1);
            if synced {
                stage.sync(1);
            }
            let message = &Message::ReplicaMerged(ReplicaMerged { call, durable });
            stage.see(&Observation::Sent(Sent { from: to, to: from, message }));
            stage.expect(part.is_empty(), part);
        }
    }
}
