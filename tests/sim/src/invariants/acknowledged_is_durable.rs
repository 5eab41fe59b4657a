//! A write that is acknowledged is on W disks.

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::CallEnded;
use crate::oracle::How;

pub(crate) const PROPERTY: Property = Property {
    name: "acknowledged-is-durable",
    definition: "When a write ends acknowledged, at least W distinct nodes hold it synced, standing \
                 or superseded, or held it so until a fault destroyed it there. Where the write \
                 is strict they are primaries of the key, with their own copies; else they may \
                 also be others, with hints, and a node counts on that removed such a hint as \
                 hints-come-home allows.",
    source: "DESIGN.md §5 (only Durable counts as an acknowledgement), §7 (Put)",
};

pub(crate) struct AcknowledgedIsDurable;

impl Invariant for AcknowledgedIsDurable {
    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let Some((op, How::Written { dot: Some(dot), .. }, key)) = scene.facts.ended(ended) else {
            return Ok(());
        };
        let holders = key.keepers(&op.key, scene.disks, *dot, op.strict);
        if holders.len() >= usize::from(op.w) {
            return Ok(());
        }
        let text = format!(
            "{op} is acknowledged as {}, but only {holders:?} hold it synced; the primaries are \
             {:?}, W is {}",
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
    fn a_synced_hint_counts_where_the_write_is_sloppy_and_goes_on_counting_when_it_is_home() {
        // (sloppy, the hint is synced, it is handed over, what is wrong)
        for (sloppy, synced, home, fine) in [
            (true, true, false, true),
            (true, true, true, true),
            (true, false, false, false),
            (false, true, false, false),
        ] {
            let mut stage = Stage::with_nodes(4, AcknowledgedIsDurable);
            if sloppy {
                stage.turn_sloppy();
            }
            let primaries = stage.primaries();
            let fallback = (0..4).find(|node| !primaries.contains(node)).unwrap();
            let put = stage.put_with(1, "v", &[], 0, 3);
            let dot = stage.write(primaries[0], put);
            stage.copy(primaries[0], primaries[1]);
            stage.hint(primaries[0], fallback, primaries[1]);
            stage.sync(primaries[0]);
            stage.sync(primaries[1]);
            if synced {
                stage.sync(fallback);
            }
            if home {
                stage.remove_hint(fallback, primaries[1]);
                stage.sync(fallback);
            }
            stage.acknowledge(put, &[dot]);
            stage.expect(fine, "hold it synced");
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
