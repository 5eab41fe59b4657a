//! Only old, quiet actors are dropped, and no more of them than there are too many.

use quorate_core::causality::{Actor, Record, RecordOp, Write};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Applied;
use crate::oracle::Facts;

pub(crate) const PROPERTY: Property = Property {
    name: "truncation-is-careful",
    definition: "An actor that a write drops from a record had no sibling that stood after it, had \
                 been added to for the last time longer than actor_age_min before the write, by \
                 its coordinator's wall clock, and nothing of it was new to the record; and no \
                 more actors are dropped than there are above actors_kept.",
    source: "DESIGN.md §6 (Truncation); Dynamo §4.4",
};

pub(crate) struct TruncationIsCareful;

impl Invariant for TruncationIsCareful {
    fn on_applied(&mut self, scene: Scene<'_>, applied: Applied<'_>) -> Verdict {
        let Applied { node, key, op: RecordOp::Write(write), record, .. } = applied else {
            return Ok(());
        };
        if scene.facts.minted().is_none() {
            return Ok(());
        }
        check(scene.facts, write, scene.facts.before(), record)
            .map_err(|violation| violation.at(node).of(key))
    }
}

fn check(facts: &Facts, write: &Write, before: &Record, after: &Record) -> Verdict {
    let gone = |actor: &Actor| after.history(*actor).is_none();
    let known = before.histories().map(|(actor, _)| actor).filter(gone);
    let shown = write.context.iter().map(|(actor, _)| actor);
    let shown = shown.filter(|actor| gone(actor) && before.history(*actor).is_none());
    let dropped: Vec<Actor> = known.chain(shown).collect();
    let spare = (after.actors() + dropped.len()).saturating_sub(write.actors_kept);
    for actor in &dropped {
        let name = facts.actor_name(*actor);
        let seen = write.context.seen(*actor);
        let text = match before.history(*actor) {
            None => format!("the writer was shown the actor {name}, which is dropped at once"),
            Some(history) => {
                let stands = history
                    .live()
                    .iter()
                    .any(|(counter, _)| !seen.is_some_and(|seen| seen.contains(*counter)));
                let new = seen.is_some_and(|seen| !history.superseded().covers(seen));
                let age = write.written.since(history.at());
                if stands {
                    format!("the actor {name} is dropped with a sibling that stands")
                } else if new || age <= write.actor_age_min {
                    let least = write.actor_age_min;
                    format!(
                        "the actor {name} is dropped at the age of {age:?}, not above {least:?}"
                    )
                } else if dropped.len() > spare {
                    format!("{} actors are dropped, {name} among them, not {spare}", dropped.len())
                } else {
                    continue;
                }
            }
        };
        return Err(Violation::new(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::RecordOp;
    use quorate_core::time::{Duration, UnixMs};

    use super::TruncationIsCareful;
    use crate::oracle::stage::Stage;

    #[test]
    fn old_and_quiet_actors_above_the_limit_may_go() {
        // (least age in seconds and actors kept as the check is told; two actors are left)
        for (age, kept, part) in
            [(1, 1, ""), (9, 1, "at the age of 5s"), (1, 3, "1 actors are dropped")]
        {
            let mut stage = Stage::new(TruncationIsCareful);
            let put = stage.put(1, "v", &[]);
            let first = stage.write(0, put);
            let over = stage.put(1, "w", &[first]);
            let second = stage.write(1, over);
            stage.copy(1, 2);
            let last = stage.put(1, "x", &[second]);
            let mut write = stage.write_of(2, last, crate::oracle::stage::context(&[]));
            write.written = UnixMs(6_000);
            write.actors_kept = 2;
            write.actor_age_min = Duration::from_secs(1);
            let mut reported = write.clone();
            reported.actor_age_min = Duration::from_secs(age);
            reported.actors_kept = kept;
            stage.apply_reported(2, &RecordOp::Write(write), RecordOp::Write(reported));
            stage.expect(part.is_empty(), part);
        }
    }
}
