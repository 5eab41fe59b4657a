//! A change to a record forgets nothing.

use quorate_core::causality::{Context, Dot, Record, RecordOp};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Applied;
use crate::oracle::{Facts, knows, superseded_without, supersedes};

pub(crate) const PROPERTY: Property = Property {
    name: "merge-keeps-everything",
    definition: "After a merge a record has as superseded what it or the merged one had, and as \
                 siblings what either had and neither superseded. After a write it has as \
                 superseded what it had and what the writer was shown, and as siblings the write \
                 and what it had and the writer was not shown. Only a write drops actors, those \
                 without siblings.",
    source: "DESIGN.md §6 (merge, update, truncation)",
};

pub(crate) struct MergeKeepsEverything;

impl Invariant for MergeKeepsEverything {
    fn on_applied(&mut self, scene: Scene<'_>, applied: Applied<'_>) -> Verdict {
        let Applied { node, key, op, record, .. } = applied;
        let before = scene.facts.before();
        let verdict = match op {
            RecordOp::Merge(merged) => merge(scene.facts, before, merged, record),
            RecordOp::Write(write) => {
                let minted = scene.facts.minted();
                let context = minted.map(|_| &write.context);
                let facts = scene.facts;
                let truncated = |dot: &Dot| {
                    record.history(dot.actor).is_none()
                        && facts.key(key).is_some_and(|key| key.truncated.contains(&dot.actor))
                };
                self::write(facts, before, context, minted.map(|one| one.dot), record, truncated)
            }
        };
        verdict.map_err(|violation| violation.at(node).of(key))
    }
}

fn merge(facts: &Facts, before: &Record, merged: &Record, after: &Record) -> Verdict {
    let superseded = |dot: Dot| supersedes(before, dot) || supersedes(merged, dot);
    for (name, record) in [("the old record", before), ("the merged record", merged)] {
        if record == after {
            continue;
        }
        let lost: Vec<Dot> = record
            .histories()
            .filter(|(actor, history)| {
                let after = after.history(*actor).map(|after| after.superseded());
                !after.is_some_and(|after| after.covers(history.superseded()))
                    && !history.superseded().is_empty()
            })
            .flat_map(|(actor, history)| superseded_of(actor, history, after))
            .collect();
        if !lost.is_empty() {
            let lost = facts.names(lost);
            let text = format!("after a merge {lost} is not superseded, as it was in {name}");
            return Err(Violation::new(text));
        }
        let vanished = record
            .siblings()
            .map(|(dot, _)| dot)
            .find(|dot| !superseded(*dot) && (!knows(after, *dot) || supersedes(after, *dot)));
        if let Some(dot) = vanished {
            let dot = facts.name(dot);
            let text = format!("after a merge {dot}, a sibling in {name}, stands no more");
            return Err(Violation::new(text));
        }
    }
    if before == after || merged == after {
        return Ok(());
    }
    let mut had = had_superseded(before);
    had.merge(&had_superseded(merged));
    if let Some(dot) = superseded_without(after, &had).first() {
        let dot = facts.name(*dot);
        let text = format!("after a merge {dot} is superseded, as it was in neither record");
        return Err(Violation::new(text));
    }
    Ok(())
}

fn write(
    facts: &Facts,
    before: &Record,
    context: Option<&Context>,
    minted: Option<Dot>,
    after: &Record,
    truncated: impl Fn(&Dot) -> bool,
) -> Verdict {
    let shown = |dot: Dot| context.is_some_and(|context| context.covers(dot));
    let mut due = had_superseded(before);
    if let Some(context) = context {
        due.merge(context);
    }
    let had = had_superseded(after);
    let mut lost = crate::oracle::difference(&due, &had);
    lost.retain(|dot| !truncated(dot));
    if !lost.is_empty() {
        let lost = facts.names(lost);
        let text = format!("after a write {lost} is not superseded, as it was or was to be");
        return Err(Violation::new(text));
    }
    if let Some(dot) = superseded_without(after, &due).first() {
        let dot = facts.name(*dot);
        let text = format!("a write supersedes {dot}, which its writer was not shown");
        return Err(Violation::new(text));
    }
    let siblings = before.siblings().map(|(dot, _)| dot).filter(|dot| !shown(*dot)).chain(minted);
    let mut siblings: Vec<Dot> = siblings.collect();
    siblings.sort_unstable();
    let stand: Vec<Dot> = after.siblings().map(|(dot, _)| dot).collect();
    if siblings != stand {
        let (expected, stand) = (facts.names(siblings), facts.names(stand));
        let text = format!("after a write the siblings are {stand}, but should be {expected}");
        return Err(Violation::new(text));
    }
    Ok(())
}

fn superseded_of(
    actor: quorate_core::causality::Actor,
    history: &quorate_core::causality::History,
    after: &Record,
) -> Vec<Dot> {
    let mut context = Context::new();
    context.insert_seen(actor, history.superseded().clone());
    crate::oracle::difference(&context, &had_superseded(after))
}

/// All that is superseded in a record.
fn had_superseded(record: &Record) -> Context {
    let mut context = Context::new();
    for (actor, history) in record.histories() {
        context.insert_seen(actor, history.superseded().clone());
    }
    context
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::{Record, RecordOp};

    use quorate_core::machine::HeldAs;

    use super::MergeKeepsEverything;
    use crate::observation::{Applied, Observation};
    use crate::oracle::stage::Stage;

    /// Shows a merge of `merged` into an empty record that ends in `record`.
    fn merged(stage: &mut Stage, merged: &Record, record: &Record) {
        let (op, key) = (RecordOp::Merge(merged.clone()), stage.key.clone());
        stage.see(&Observation::Applied(Applied {
            node: 2,
            copy: HeldAs::Own,
            key: &key,
            op: &op,
            applied: None,
            record,
        }));
    }

    #[test]
    fn writes_and_merges_keep_what_they_should() {
        let mut stage = Stage::new(MergeKeepsEverything);
        let put = stage.put(1, "v", &[]);
        let first = stage.write(0, put);
        stage.copy(0, 1);
        let over = stage.put(1, "w", &[first]);
        stage.write(0, over);
        let beside = stage.put(2, "x", &[]);
        stage.write(1, beside);
        stage.copy(0, 1);
        stage.copy(1, 0);
        stage.expect(true, "");
    }

    #[test]
    fn a_merge_that_loses_or_invents_is_found() {
        // (what the record has as superseded and as siblings after the merge, what is wrong)
        let cases: [(&[usize], &[usize], &str); 4] = [
            (&[0], &[1], ""),
            (&[0], &[], "stands no more"),
            (&[], &[0, 1], "is not superseded"),
            (&[0, 1], &[], "stands no more"),
        ];
        for (superseded, live, part) in cases {
            let mut stage = Stage::new(MergeKeepsEverything);
            let dots = [stage.dot(0, 1, 1), stage.dot(0, 1, 2)];
            let record = stage.forged(&[dots[0]], &[(dots[1], "v")]);
            let gone: Vec<_> = superseded.iter().map(|index| dots[*index]).collect();
            let live: Vec<_> = live.iter().map(|index| (dots[*index], "v")).collect();
            let after = stage.forged(&gone, &live);
            merged(&mut stage, &record, &after);
            stage.expect(part.is_empty(), part);
        }
        let mut stage = Stage::new(MergeKeepsEverything);
        let dots = [stage.dot(0, 1, 1), stage.dot(0, 2, 1)];
        let record = stage.forged(&[], &[(dots[0], "v")]);
        let after = stage.forged(&[dots[1]], &[(dots[0], "v")]);
        merged(&mut stage, &record, &after);
        stage.expect(false, "as it was in neither record");
    }

    #[test]
    fn a_write_that_takes_more_than_it_was_shown_is_found() {
        let mut stage = Stage::new(MergeKeepsEverything);
        let put = stage.put(1, "v", &[]);
        let first = stage.write(0, put);
        let blind = stage.put(1, "w", &[]);
        let mut honest = stage.write_of(0, blind, Default::default());
        let reported = RecordOp::Write(honest.clone());
        honest.context.insert(first);
        stage.apply_reported(0, &RecordOp::Write(honest), reported);
        stage.expect(false, "which its writer was not shown");
    }
}
