//! A delete without context takes away what was acknowledged before it.

use quorate_core::causality::Payload;
use quorate_core::message::CallId;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{CallEnded, CallStarted, Caller};
use crate::oracle::{How, Promise};
use crate::recent::Table;

pub(crate) const PROPERTY: Property = Property {
    name: "delete-covers-what-was-read",
    definition: "The answer to a strict delete without context covers every write with w + r > n, r \
                 being the delete's, that was acknowledged before it began, and by its end no \
                 value of them is left that no write had been shown; w and excuses as in \
                 read-your-writes. A sloppy delete may have read from fallbacks, of which nobody \
                 is told.",
    source: "DESIGN.md §12 (without one it deletes what a quorum read by its coordinator returned)",
};

#[derive(Default)]
pub(crate) struct DeleteCoversWhatWasRead {
    /// What the deletes under way must come to know.
    open: Table<(Caller, CallId), Promise>,
}

impl Invariant for DeleteCoversWhatWasRead {
    fn on_call_started(&mut self, scene: Scene<'_>, started: CallStarted<'_>) -> Verdict {
        let CallStarted { caller, call, key, .. } = started;
        if let Some(op) =
            scene.facts.call(caller, call).filter(|op| op.wish.is_blind_delete() && op.strict)
            && let Some(facts) = scene.facts.key(key)
        {
            let promise = facts.promise(key, scene.disks, scene.facts.n, op.r);
            self.open.insert((caller, call), promise);
        }
        Ok(())
    }

    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let Some(promise) = self.open.remove(&(ended.caller, ended.call)) else { return Ok(()) };
        let Some((op, How::Written { context, .. }, key)) = scene.facts.ended(ended) else {
            return Ok(());
        };
        if key.destroyed_last > op.began {
            return Ok(());
        }
        if let Some(dot) = key.unseen(&promise, context).first() {
            let text = format!(
                "{op} covers {}, but not {}, which had been acknowledged, or shown to an \
                 acknowledged writer",
                scene.facts.text(context),
                scene.facts.name(*dot),
            );
            return Err(Violation::new(text).of(&op.key));
        }
        let stands = key.standing.iter().find(|dot| {
            promise.known.covers(**dot)
                && !promise.excused.contains(dot)
                && !key.is_dropped(**dot)
                && key.writes[dot].payload != Payload::Tombstone
        });
        let Some(dot) = stands else { return Ok(()) };
        let name = scene.facts.name(*dot);
        let text = format!("{op} is acknowledged, but nobody wrote who had been shown {name}");
        Err(Violation::new(text).of(&op.key))
    }
}

#[cfg(test)]
mod tests {
    use super::DeleteCoversWhatWasRead;
    use crate::oracle::stage::Stage;

    #[test]
    fn what_was_acknowledged_before_is_covered_and_gone() {
        // (acknowledged before, covered by the answer, by the write, what is wrong)
        for (before, answered, written, part) in [
            (true, true, true, ""),
            (true, false, false, "but not n0/"),
            (true, true, false, "nobody wrote who had been shown"),
            (false, false, false, ""),
        ] {
            let mut stage = Stage::new(DeleteCoversWhatWasRead::default());
            let put = stage.put(1, "v", &[]);
            let dot = stage.write(0, put);
            if before {
                stage.acknowledge(put, &[dot]);
            }
            let delete = stage.delete(2, &[]);
            let mut covers = if answered { vec![dot] } else { Vec::new() };
            if written {
                covers.push(stage.write_with(0, delete, &[dot]));
            }
            stage.acknowledge(delete, &covers);
            stage.expect(part.is_empty(), part);
        }
    }
}
