//! Nothing is superseded that no writer had been shown.

use quorate_core::causality::{Payload, RecordOp, Write};
use quorate_core::ids::RequestId;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{Applied, CallStarted};
use crate::oracle::{Carried, KeyFacts, difference, superseded_without};

pub(crate) const PROPERTY: Property = Property {
    name: "justified-supersession",
    definition: "In every record that is stored or sent, what is superseded was covered by the \
                 context of a write that was applied to the key. The context of a write is what \
                 its caller gave, who is found by its request, or by its value where a put names \
                 no request; that of a delete that names no request, as one without context, \
                 names only writes that were applied to the key before. Callers give only what \
                 somebody was shown.",
    source: "DESIGN.md §6 (superseded: overwritten by someone who had been shown it)",
};

pub(crate) struct JustifiedSupersession;

impl Invariant for JustifiedSupersession {
    fn on_applied(&mut self, scene: Scene<'_>, applied: Applied<'_>) -> Verdict {
        if let Applied { node, key, op: RecordOp::Write(write), .. } = applied
            && let Some(facts) = scene.facts.key(key)
        {
            context(scene, facts, node, write).map_err(|violation| violation.of(key))?;
        }
        Ok(())
    }

    fn on_call_started(&mut self, scene: Scene<'_>, started: CallStarted<'_>) -> Verdict {
        let CallStarted { caller, call, key, .. } = started;
        if let Some(op) = scene.facts.call(caller, call)
            && let (Some(facts), Some(given)) = (scene.facts.key(key), op.wish.given())
            && let dots = difference(given, &facts.shown)
            && !dots.is_empty()
        {
            let dots = scene.facts.names(dots);
            return Err(Violation::new(format!("nobody was ever shown {dots}: {op}")).of(key));
        }
        Ok(())
    }

    fn on_carried(&mut self, scene: Scene<'_>, carried: Carried<'_>) -> Verdict {
        let Some(facts) = scene.facts.key(carried.key) else { return Ok(()) };
        let dots = superseded_without(carried.record, &facts.covered);
        if dots.is_empty() {
            return Ok(());
        }
        let text = format!(
            "the record that n{} {} has {} as superseded, though no write that was applied to \
             the key had been shown it",
            carried.node,
            if carried.stored { "stored" } else { "sent" },
            scene.facts.names(dots),
        );
        Err(Violation::new(text).at(carried.node).of(carried.key))
    }
}

fn context(scene: Scene<'_>, key: &KeyFacts, node: usize, write: &Write) -> Verdict {
    let unnamed = write.request == RequestId::default();
    if unnamed && write.payload == Payload::Tombstone {
        let dots = difference(&write.context, &key.minted);
        if dots.is_empty() {
            return Ok(());
        }
        let dots = scene.facts.names(dots);
        let text = format!("a delete without a request covers {dots}, which nobody wrote before");
        return Err(Violation::new(text).at(node));
    }
    let writers = || scene.facts.writers(key, write.request, &write.payload);
    let known = writers().next().is_some();
    if !known || writers().any(|op| op.wish.given() == Some(&write.context)) {
        return Ok(());
    }
    let given: Vec<String> = writers()
        .filter_map(|op| Some(format!("{op} gave {}", scene.facts.text(op.wish.given()?))))
        .collect();
    let text = format!(
        "a write was applied with the context {}, but {}",
        scene.facts.text(&write.context),
        given.join("; "),
    );
    Err(Violation::new(text).at(node))
}

#[cfg(test)]
mod tests {
    use super::JustifiedSupersession;
    use crate::oracle::stage::Stage;

    #[test]
    fn what_a_writer_was_shown_may_go_and_nothing_else() {
        let mut stage = Stage::new(JustifiedSupersession);
        let put = stage.put(1, "v", &[]);
        let first = stage.write(0, put);
        stage.acknowledge(put, &[first]);
        let over = stage.put(1, "w", &[first]);
        let second = stage.write(0, over);
        stage.copy(0, 1);
        stage.send_record(0, 1);
        stage.expect(true, "");
        stage.forge(2, &[second], &[]);
        stage.expect(false, "the record that n2 stored has n0");
    }

    #[test]
    fn a_write_covers_what_its_caller_gave() {
        let mut stage = Stage::new(JustifiedSupersession);
        let put = stage.put(1, "v", &[]);
        let first = stage.write(0, put);
        stage.acknowledge(put, &[first]);
        let over = stage.put(1, "w", &[first]);
        stage.write_with(1, over, &[]);
        stage.expect(false, "a write was applied with the context nothing");
    }

    #[test]
    fn a_write_without_a_request_covers_what_its_caller_gave() {
        for fine in [true, false] {
            let mut stage = Stage::new(JustifiedSupersession);
            let put = stage.put(1, "v", &[]);
            let first = stage.write(0, put);
            stage.acknowledge(put, &[first]);
            let over = stage.put_by_hand("w", &[first]);
            let covers = if fine { vec![first] } else { Vec::new() };
            stage.write_with(1, over, &covers);
            stage.expect(fine, "a write was applied with the context nothing");
        }
    }

    #[test]
    fn a_blind_delete_covers_only_what_was_written() {
        for (covers, fine) in [(vec![0], true), (vec![0, 1], false)] {
            let mut stage = Stage::new(JustifiedSupersession);
            let put = stage.put(1, "v", &[]);
            let first = stage.write(0, put);
            let dots = [first, stage.dot(1, 7, 1)];
            let delete = stage.delete(1, &[]);
            let covers: Vec<_> = covers.iter().map(|index: &usize| dots[*index]).collect();
            stage.write_with(0, delete, &covers);
            stage.expect(fine, "which nobody wrote before");
        }
    }

    #[test]
    fn callers_invent_no_contexts() {
        let mut stage = Stage::new(JustifiedSupersession);
        let dot = stage.dot(0, 1, 1);
        stage.put(1, "v", &[dot]);
        stage.expect(false, "nobody was ever shown");
    }
}
