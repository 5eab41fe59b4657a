//! A value is shown until its time is over by the clock of whoever answers, and not for longer.

use quorate_core::causality::{Context, Payload};
use quorate_core::ids::Key;
use quorate_core::message::{Answer, Entry, EntryValue, Message, Reply};
use quorate_core::time::UnixMs;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{CallEnded, Ending, Sent};
use crate::oracle::KeyFacts;

pub(crate) const PROPERTY: Property = Property {
    name: "expiry-is-in-the-record",
    definition: "A node whose wall clock reads t answers a get with no value that expires at t or \
                 before. Each value shown is told to expire when a write of its bytes that the \
                 context covers does, and no earlier than any such write that no write had been \
                 shown. A write that the context covers and that no write had been shown is shown \
                 as long as t is before its moment of expiry, and counts among the tombstones \
                 from then on, unless an equal value stands for it. That replicas keep the same \
                 moment is a part of one-dot-one-content.",
    source: "DESIGN.md §12 (a TTL puts the moment of expiry into the sibling, so every replica \
             agrees)",
};

pub(crate) struct ExpiryIsInTheRecord;

impl Invariant for ExpiryIsInTheRecord {
    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        match sent {
            Sent { from: End::Node(node), message: Message::Reply(reply), .. } => {
                answered(scene, reply).map_err(|violation| violation.at(node))
            }
            Sent { .. } => Ok(()),
        }
    }

    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        match ended.ending {
            // It ends in the very step that answers it.
            Ending::Hand(reply) => answered(scene, reply),
            Ending::Client(_) => Ok(()),
        }
    }
}

fn answered(scene: Scene<'_>, reply: &Reply) -> Verdict {
    // One that was passed on was worded earlier, by another clock.
    let (Ok(Answer::Entry(entry)), None) = (&reply.result, reply.passed_on_by) else {
        return Ok(());
    };
    // A reply does not name its key, but its context belongs to one.
    for (name, key) in scene.facts.keys() {
        if let Ok(context) = Context::from_token(name, &entry.context)
            && !context.is_empty()
        {
            return check(scene, (name, key), entry, &context);
        }
    }
    Ok(())
}

fn check(
    scene: Scene<'_>,
    (name, key): (&Key, &KeyFacts),
    entry: &Entry,
    context: &Context,
) -> Verdict {
    let now = scene.wall;
    let text = |value: &EntryValue| String::from_utf8_lossy(&value.payload).into_owned();
    for shown in &entry.values {
        let UnixMs(wall) = now;
        if let Some(UnixMs(expires)) = shown.expires.filter(|expires| *expires <= now) {
            let value = text(shown);
            let text = format!("{value:?} is shown at {wall} ms, but expired at {expires} ms");
            return Err(Violation::new(text).of(name));
        }
        let dots = key.by_value.get(&shown.payload).map_or(&[][..], Vec::as_slice);
        let mut covered = dots.iter().filter(|dot| context.covers(**dot));
        if !covered.any(|dot| key.writes[dot].expires == shown.expires) {
            let value = text(shown);
            let text = format!(
                "{value:?} is told to expire at {:?}, but no write of it that the context covers \
                 does so: {}",
                shown.expires,
                scene.facts.names(dots.iter().copied()),
            );
            return Err(Violation::new(text).of(name));
        }
    }
    for dot in key.standing.iter().copied().filter(|dot| context.covers(*dot)) {
        let fact = &key.writes[&dot];
        let Payload::Value(value) = &fact.payload else { continue };
        let equal = |shown: &&EntryValue| shown.payload == *value;
        let stands = |payload: &Payload| {
            let is = |shown: &EntryValue| Payload::Value(shown.payload.clone()) == *payload;
            entry.values.iter().any(is)
        };
        let over = fact.expires.is_some_and(|expires| expires <= now);
        let wrong = match entry.values.iter().find(equal) {
            Some(shown) if ends_before(shown.expires, fact.expires) => "is told to expire earlier",
            Some(_) => continue,
            None if key.twins(fact).any(|twin| stands(&twin.payload)) => continue,
            None if over && entry.tombstones == 0 => "has expired, but is among no tombstones",
            None if over => continue,
            None => "has not expired, but is not shown",
        };
        let text = format!(
            "{}, which expires at {:?} and which no write had been shown, {wrong} at {now:?}",
            scene.facts.name(dot),
            fact.expires,
        );
        return Err(Violation::new(text).of(name));
    }
    Ok(())
}

/// Whether the first of two moments is earlier; `None` is never.
fn ends_before(one: Option<UnixMs>, other: Option<UnixMs>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one < other,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Context, Entry, EntryValue, ExpiryIsInTheRecord, Message, UnixMs};
    use crate::network::End;
    use crate::observation::{Observation, Sent};
    use crate::oracle::stage::Stage;
    use bytes::Bytes;
    use quorate_core::causality::Checksum;

    /// A value as it was written and as it is shown: its bytes and when it expires.
    type Value = (&'static str, Option<u64>);

    /// What is found where a node whose clock reads 1,000 answers with `shown` while `written` stands.
    fn staged(written: &[Value], shown: &[Value], tombstones: u32) -> Stage {
        let mut stage = Stage::new(ExpiryIsInTheRecord);
        let dots = written.iter().map(|(value, expires)| {
            let put = stage.put(1, value, &[]);
            let mut write = stage.write_of(0, put, Context::new());
            write.expires = expires.map(UnixMs);
            stage.apply_write(0, write)
        });
        let dots: Vec<_> = dots.collect();
        let get = stage.get(2);
        let value = |(value, expires): &Value| {
            let payload = Bytes::from_static(value.as_bytes());
            let checksum = Checksum::of_value(&payload);
            let expires = expires.map(UnixMs);
            EntryValue { payload, checksum, written: UnixMs(1_000), expires }
        };
        let values = shown.iter().map(value).collect();
        let entry = Entry { values, tombstones, context: stage.token(&dots) };
        let message = Message::Reply(stage.reply(get, Ok(Answer::Entry(entry))));
        let (from, to) = (End::Node(0), stage.end(get.0));
        stage.see(&Observation::Sent(Sent { from, to, message: &message }));
        stage
    }

    #[test]
    fn a_value_is_shown_as_long_as_its_time_is_not_over() {
        const OVER: Option<u64> = Some(1_000);
        const LATER: Option<u64> = Some(1_001);
        // (what stands, what is shown, tombstones, what is wrong)
        for (written, shown, tombstones, part) in [
            (&[("a", LATER)][..], &[("a", LATER)][..], 0, ""),
            (&[("a", OVER)], &[], 1, ""),
            (&[("a", OVER)], &[], 0, "among no tombstones"),
            (&[("a", OVER)], &[("a", OVER)], 0, "but expired at 1000 ms"),
            (&[("a", OVER)], &[("a", LATER)], 0, "no write of it that the context covers"),
            (&[("a", LATER)], &[], 1, "has not expired, but is not shown"),
            (&[("a", None)], &[], 1, "has not expired, but is not shown"),
            (&[("a", None)], &[("a", LATER)], 0, "no write of it that the context covers"),
            (&[("a", None), ("b", OVER)], &[("a", None)], 1, ""),
            (&[("a", None), ("b", OVER)], &[], 1, "has not expired, but is not shown"),
            (&[("a", None), ("a", OVER)], &[("a", None)], 0, ""),
            (&[("a", None), ("a", LATER)], &[("a", LATER)], 0, "is told to expire earlier"),
            (&[("a", None), ("a", LATER)], &[("a", None)], 0, ""),
            (&[("a", OVER), ("a", LATER)], &[], 1, "has not expired, but is not shown"),
        ] {
            let stage = staged(written, shown, tombstones);
            stage.expect(part.is_empty(), part);
        }
    }
}
