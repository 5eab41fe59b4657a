//! A put that would leave too much behind is refused.

use quorate_core::causality::{Payload, RecordOp, Sibling};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Applied;

pub(crate) const PROPERTY: Property = Property {
    name: "puts-leave-few-siblings",
    definition: "A write that was carried out leaves no more than siblings_max distinct siblings, \
                 and, where it leaves several, no more than record_bytes_max bytes in them.",
    source: "DESIGN.md §15 (siblings: more are refused on put, never on merge)",
};

pub(crate) struct PutsLeaveFewSiblings;

impl Invariant for PutsLeaveFewSiblings {
    fn on_applied(&mut self, scene: Scene<'_>, applied: Applied<'_>) -> Verdict {
        let Applied { node, key, op: RecordOp::Write(write), record, .. } = applied else {
            return Ok(());
        };
        let Some(minted) = scene.facts.minted() else { return Ok(()) };
        let count = record.sibling_count();
        let bytes: usize = record.siblings().map(|(_, sibling)| bytes_of(sibling)).sum();
        let (most, most_bytes) = (write.siblings_max, write.record_bytes_max);
        if count <= most && (count == 1 || bytes <= most_bytes) {
            return Ok(());
        }
        let text = format!(
            "the write {} leaves {count} siblings with {bytes} bytes; {most} with {most_bytes} may \
             be left",
            scene.facts.name(minted.dot),
        );
        Err(Violation::new(text).at(node).of(key))
    }
}

fn bytes_of(sibling: &Sibling) -> usize {
    match &sibling.payload {
        Payload::Value(value) => value.len(),
        Payload::Tombstone => 0,
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::RecordOp;

    use super::PutsLeaveFewSiblings;
    use crate::oracle::stage::Stage;

    #[test]
    fn siblings_and_their_bytes_are_bounded() {
        for (siblings_max, record_bytes_max, fine) in [(2, 2, true), (1, 2, false), (2, 1, false)] {
            let mut stage = Stage::new(PutsLeaveFewSiblings);
            let put = stage.put(1, "v", &[]);
            stage.write(0, put);
            let other = stage.put(2, "w", &[]);
            let write = stage.write_of(0, other, Default::default());
            let mut reported = write.clone();
            reported.siblings_max = siblings_max;
            reported.record_bytes_max = record_bytes_max;
            stage.apply_reported(0, &RecordOp::Write(write), RecordOp::Write(reported));
            stage.expect(fine, "leaves 2 siblings with 2 bytes");
        }
    }
}
