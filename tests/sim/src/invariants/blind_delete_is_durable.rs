//! A delete that finds nothing to delete promises as much as one that does.

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::CallEnded;
use crate::oracle::How;

pub(crate) const PROPERTY: Property = Property {
    name: "blind-delete-is-durable",
    definition: "When a delete without context ends acknowledged, be it that it wrote a tombstone \
                 or found nothing to write one for, at least W distinct nodes hold synced all that \
                 its answer covers, or held it so until a fault destroyed it there; which nodes \
                 count, and how, is as for acknowledged-is-durable: no crash brings back what it was told to be gone.",
    source: "DESIGN.md §2 (a deleted key does not come back), §5 (only Durable counts)",
};

pub(crate) struct BlindDeleteIsDurable;

impl Invariant for BlindDeleteIsDurable {
    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let Some((op, How::Written { context, .. }, key)) = scene.facts.ended(ended) else {
            return Ok(());
        };
        if !op.wish.is_blind_delete() {
            return Ok(());
        }
        let holders = key.holders(&op.key, scene.disks, context, op.strict);
        if holders.len() >= usize::from(op.w) {
            return Ok(());
        }
        let text = format!(
            "{op} is acknowledged, but only {holders:?} hold all that its answer covers synced: \
             {}; the primaries are {:?}",
            scene.facts.text(context),
            key.primaries,
        );
        Err(Violation::new(text).of(&op.key))
    }
}

#[cfg(test)]
mod tests {
    use super::BlindDeleteIsDurable;
    use crate::oracle::stage::Stage;

    #[test]
    fn a_tombstone_that_others_wrote_has_to_be_synced() {
        for (synced, fine) in [(vec![0, 1], true), (vec![0], false)] {
            let mut stage = Stage::new(BlindDeleteIsDurable);
            let put = stage.put(1, "v", &[]);
            let dot = stage.write(0, put);
            let first = stage.delete(1, &[]);
            let tombstone = stage.write_with(0, first, &[dot]);
            stage.copy(0, 1);
            synced.iter().for_each(|node| stage.sync(*node));
            let second = stage.delete(2, &[]);
            stage.acknowledge(second, &[dot, tombstone]);
            stage.expect(fine, "only [0] hold all that its answer covers");
        }
    }

    #[test]
    fn its_own_tombstone_has_to_be_synced() {
        for (synced, fine) in [(vec![0, 2], true), (vec![2], false)] {
            let mut stage = Stage::new(BlindDeleteIsDurable);
            let put = stage.put(1, "v", &[]);
            let dot = stage.write(0, put);
            let delete = stage.delete(1, &[]);
            let tombstone = stage.write_with(0, delete, &[dot]);
            stage.copy(0, 2);
            synced.iter().for_each(|node| stage.sync(*node));
            stage.acknowledge(delete, &[dot, tombstone]);
            stage.expect(fine, "only [2] hold all that its answer covers");
        }
    }
}
