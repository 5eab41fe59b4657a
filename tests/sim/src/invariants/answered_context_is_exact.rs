//! An answer's context covers what was shown, no more and no less.

use quorate_core::causality::{Context, Dot, Payload};
use quorate_core::message::EntryValue;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::CallEnded;
use crate::oracle::{How, KeyFacts, Op, difference, exceeds};

pub(crate) const PROPERTY: Property = Property {
    name: "answered-context-is-exact",
    definition: "The context of a put's answer is what the caller gave and exactly one dot more, \
                 that of a write of this very request; that of a delete without context is what \
                 its tombstone covered and the tombstone, or names no value that stands. The \
                 context of a get covers only dots of applied writes, among them one of each \
                 value shown, with its checksum and time; and every write that it covers and that \
                 no write had been shown is shown.",
    source: "DESIGN.md §6 (a put answers with the writer's own context plus the new dot, exactly)",
};

pub(crate) struct AnsweredContextIsExact;

impl Invariant for AnsweredContextIsExact {
    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let Some((op, how, key)) = scene.facts.ended(ended) else { return Ok(()) };
        let verdict = match how {
            How::Found { context, values, tombstones } => {
                found(scene, op, key, context, values, *tombstones)
            }
            How::Written { context, fresh, dot } => written(scene, op, key, context, fresh, *dot),
            How::Garbled => {
                let text = format!("the answer to {op} has a context that is no token of the key");
                Err(Violation::new(text))
            }
            How::Refused | How::Unknown => Ok(()),
        };
        verdict.map_err(|violation| violation.of(&op.key))
    }
}

fn written(
    scene: Scene<'_>,
    op: &Op,
    key: &KeyFacts,
    context: &Context,
    fresh: &[Dot],
    dot: Option<Dot>,
) -> Verdict {
    let facts = scene.facts;
    if op.wish.is_blind_delete() {
        let value =
            |dot: &Dot| context.covers(*dot) && key.writes[dot].payload != Payload::Tombstone;
        let stands = key.standing.iter().copied().find(value);
        if exceeds(context, &key.minted) {
            let dots = facts.names(difference(context, &key.minted));
            return Err(Violation::new(format!("{op} covers {dots}, which nobody wrote")));
        }
        return match (dot, stands) {
            (None, Some(dot)) => {
                let dot = facts.name(dot);
                Err(Violation::new(format!("{op} covers {dot}, but wrote no tombstone over it")))
            }
            (None, None) | (Some(_), _) => Ok(()),
        };
    }
    let nothing = Context::new();
    let given = op.wish.given().unwrap_or(&nothing);
    if exceeds(given, context) || fresh.len() != 1 {
        let text = format!(
            "{op} gave {} and was answered {}: that is {} more and {} less",
            facts.text(given),
            facts.text(context),
            facts.names(fresh.iter().copied()),
            facts.names(difference(given, context)),
        );
        return Err(Violation::new(text));
    }
    let request = key.writes.get(&fresh[0]).map(|fact| fact.request);
    if request.is_some() && request == op.request {
        return Ok(());
    }
    let text = format!(
        "{op} was sent as {:?} and answered as {}, but that names a write of {request:?}",
        op.request,
        facts.name(fresh[0]),
    );
    Err(Violation::new(text))
}

fn found(
    scene: Scene<'_>,
    op: &Op,
    key: &KeyFacts,
    context: &Context,
    values: &[EntryValue],
    tombstones: u32,
) -> Verdict {
    let facts = scene.facts;
    if exceeds(context, &key.minted) {
        let dots = facts.names(difference(context, &key.minted));
        return Err(Violation::new(format!("{op} covers {dots}, which nobody wrote")));
    }
    for shown in values {
        let dots = key.by_value.get(&shown.payload).map_or(&[][..], Vec::as_slice);
        let stands_for = |dot: &&Dot| {
            let fact = &key.writes[*dot];
            context.covers(**dot)
                && fact.checksum == shown.checksum
                && fact.written == shown.written
        };
        if dots.iter().find(stands_for).is_none() {
            let text = format!(
                "{op} shows {:?}, written at {} ms, but of its writes ({}) its context covers \
                 none of that time: {}",
                String::from_utf8_lossy(&shown.payload),
                shown.written.0,
                facts.names(dots.iter().copied()),
                facts.text(context),
            );
            return Err(Violation::new(text));
        }
    }
    let due = key.standing.iter().copied().filter(|dot| context.covers(*dot));
    for dot in due {
        if !key.shows(dot, values, tombstones) {
            let dot = facts.name(dot);
            let text =
                format!("{op} covers {dot}, which no write had been shown, but shows it not");
            return Err(Violation::new(text));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::AnsweredContextIsExact;
    use crate::oracle::stage::Stage;

    #[test]
    fn a_put_is_answered_with_what_it_gave_and_itself() {
        // (which dots the answer covers: the one given, its own, another's)
        for (given, own, other, part) in [
            (true, true, false, ""),
            (false, true, false, "more and n0/"),
            (true, false, false, "that is nothing more"),
            (true, true, true, "more and nothing less"),
            (true, false, true, "names a write of Some"),
        ] {
            let mut stage = Stage::new(AnsweredContextIsExact);
            let put = stage.put(1, "v", &[]);
            let first = stage.write(0, put);
            let foreign = stage.put(2, "x", &[]);
            let foreign = stage.write(1, foreign);
            let over = stage.put(1, "w", &[first]);
            let second = stage.write(0, over);
            let all = [(given, first), (own, second), (other, foreign)];
            let covers: Vec<_> =
                all.iter().filter(|(covered, _)| *covered).map(|(_, dot)| *dot).collect();
            stage.acknowledge(over, &covers);
            stage.expect(part.is_empty(), part);
        }
    }

    #[test]
    fn a_get_covers_what_it_shows_and_shows_what_it_covers() {
        for (shown, covered, part) in [
            (true, true, ""),
            (false, false, ""),
            (true, false, "its context covers none"),
            (false, true, "but shows it not"),
        ] {
            let mut stage = Stage::new(AnsweredContextIsExact);
            let put = stage.put(1, "v", &[]);
            let dot = stage.write(0, put);
            let get = stage.get(1);
            let values: &[&str] = if shown { &["v"] } else { &[] };
            let covers = if covered { vec![dot] } else { Vec::new() };
            stage.find(get, values, &covers);
            stage.expect(part.is_empty(), part);
        }
    }

    #[test]
    fn a_delete_that_finds_a_value_writes_a_tombstone() {
        for written in [true, false] {
            let mut stage = Stage::new(AnsweredContextIsExact);
            let put = stage.put(1, "v", &[]);
            let dot = stage.write(0, put);
            let delete = stage.delete(1, &[]);
            let mut covers = vec![dot];
            if written {
                covers.push(stage.write_with(0, delete, &[dot]));
            }
            stage.acknowledge(delete, &covers);
            stage.expect(written, "but wrote no tombstone over it");
        }
    }
}
