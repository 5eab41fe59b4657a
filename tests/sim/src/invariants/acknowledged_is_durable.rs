//! A write that is acknowledged is on W disks.

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::CallEnded;
use crate::oracle::How;

pub(crate) const PROPERTY: Property = Property {
    name: "acknowledged-is-durable",
    definition: "When a write ends acknowledged, at least W distinct primaries of the key hold it \
                 synced, standing or superseded, or held it so until a fault destroyed it there.",
    source: "DESIGN.md §5 (only Durable counts as an acknowledgement), §7 (Put)",
};

pub(crate) struct AcknowledgedIsDurable;

impl Invariant for AcknowledgedIsDurable {
    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let Some((op, How::Written { dot: Some(dot), .. }, key)) = scene.facts.ended(ended) else {
            return Ok(());
        };
        let holds = |node: &usize| key.held_durably(&op.key, scene.disks, *node, *dot);
        let holders: Vec<usize> = key.primaries.iter().copied().filter(holds).collect();
        if holders.len() >= usize::from(op.w) {
            return Ok(());
        }
        let text = format!(
            "{op} is acknowledged as {}, but of the primaries {:?} only {holders:?} hold it \
             synced; W is {}",
            scene.facts.name(*dot),
            key.primaries,
            op.w,
        );
        Err(Violation::new(text).of(&op.key))
    }
}

#[cfg(test)]
mod tests {
    use super::AcknowledgedIsDurable;
    use crate::oracle::stage::Stage;

    #[test]
    fn two_synced_copies_are_enough_and_one_is_not() {
        for (synced, fine) in [(vec![0, 1], true), (vec![0], false), (vec![0, 2], true)] {
            let mut stage = Stage::new(AcknowledgedIsDurable);
            let put = stage.put(1, "v", &[]);
            let dot = stage.write(0, put);
            for node in [1, 2] {
                stage.copy(0, node);
            }
            synced.iter().for_each(|node| stage.sync(*node));
            stage.acknowledge(put, &[dot]);
            stage.expect(fine, "only [0] hold it");
        }
    }

    #[test]
    fn a_copy_that_a_fault_destroyed_counts_and_one_that_a_crash_lost_does_not() {
        for wiped in [true, false] {
            let mut stage = Stage::new(AcknowledgedIsDurable);
            let put = stage.put(1, "v", &[]);
            let dot = stage.write(0, put);
            stage.copy(0, 1);
            stage.sync(0);
            if wiped {
                stage.sync(1);
            }
            stage.wipe(1);
            stage.acknowledge(put, &[dot]);
            stage.expect(wiped, "only [0] hold it");
        }
    }
}
