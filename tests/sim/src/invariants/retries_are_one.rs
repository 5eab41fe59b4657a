//! However often a write is tried, it is one write.

use quorate_core::ids::RequestId;
use quorate_core::message::Message;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{Applied, Caller, Sent};
use crate::oracle::{Seconds, text_of};

pub(crate) const PROPERTY: Property = Property {
    name: "retries-are-one",
    definition: "All PUT frames of a call name one request. All writes of one request to a key \
                 have equal payloads, and no storage carries out a write of a request of which a \
                 sibling stands in its record, whoever wrote that.",
    source: "DESIGN.md §6 (retried puts carry the same RequestId)",
};

pub(crate) struct RetriesAreOne;

impl Invariant for RetriesAreOne {
    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        let Sent { from: End::Client(client, _), message: Message::Put(put), .. } = sent else {
            return Ok(());
        };
        let op = scene.facts.call(Caller::Client(client), put.head.call);
        let Some((op, other)) = op.and_then(|op| Some((op, op.other_request?))) else {
            return Ok(());
        };
        let first = op.request;
        let text = format!("{op} is sent as {first:?} and as {other:?}");
        Err(Violation::new(text).of(&op.key))
    }

    fn on_applied(&mut self, scene: Scene<'_>, Applied { node, key, .. }: Applied<'_>) -> Verdict {
        let Some(minted) = scene.facts.minted() else { return Ok(()) };
        let Some(facts) = scene.facts.key(key) else { return Ok(()) };
        let Some(fact) = facts.writes.get(&minted.dot) else { return Ok(()) };
        let dots = match facts.by_request.get(&fact.request) {
            Some(dots) if fact.request != RequestId::default() => dots,
            Some(_) | None => return Ok(()),
        };
        let before = scene.facts.before();
        let name = scene.facts.name(minted.dot);
        for dot in dots.iter().copied().filter(|dot| *dot != minted.dot) {
            let first = &facts.writes[&dot];
            let stands = before.siblings().any(|(known, _)| known == dot);
            let text = if first.payload != fact.payload {
                format!(
                    "with other payloads: {} and {}",
                    text_of(&first.payload),
                    text_of(&fact.payload),
                )
            } else if stands {
                "although the first one stands there".to_owned()
            } else {
                continue;
            };
            let text = format!(
                "{:?} was carried out as {} at {} and again as {name}, {text}",
                fact.request,
                scene.facts.name(dot),
                Seconds(first.at),
            );
            return Err(Violation::new(text).at(node).of(key));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use quorate_core::causality::{Checksum, Context, Payload, RecordOp};
    use quorate_core::ids::RequestId;

    use super::RetriesAreOne;
    use crate::observation::Asked;
    use crate::oracle::stage::Stage;

    #[test]
    fn a_call_keeps_its_request() {
        for (sequence, fine) in [(1, true), (2, false)] {
            let mut stage = Stage::new(RetriesAreOne);
            let put = stage.put(1, "v", &[]);
            let asked = Asked::Put { value: Bytes::from_static(b"v"), context: Bytes::new() };
            stage.send_request(put, &asked, RequestId { client: 9, sequence });
            stage.expect(fine, "is sent as");
        }
    }

    #[test]
    fn another_coordinator_may_write_it_again_and_with_the_same_payload() {
        for (value, fine) in [("v", true), ("w", false)] {
            let mut stage = Stage::new(RetriesAreOne);
            let put = stage.put(1, "v", &[]);
            stage.write(0, put);
            let mut write = stage.write_of(1, put, Context::new());
            write.payload = Payload::Value(Bytes::from_static(value.as_bytes()));
            write.checksum = Checksum::of(&write.payload);
            stage.apply_write(1, write);
            stage.expect(fine, "with other payloads");
        }
    }

    #[test]
    fn no_record_holds_it_twice() {
        let mut stage = Stage::new(RetriesAreOne);
        let put = stage.put(1, "v", &[]);
        let first = stage.write(0, put);
        // The right answer of the storage: the first name, and no change.
        assert_eq!(stage.write(0, put), first);
        stage.expect(true, "");
        // A storage that forgets to look for the first try.
        let mut write = stage.write_of(0, put, Context::new());
        write.request = RequestId { client: 9, sequence: 50 };
        let op = RecordOp::Write(write.clone());
        write.request = stage.op(put).request.unwrap();
        stage.apply_reported(0, &op, RecordOp::Write(write));
        stage.expect(false, "although the first one stands there");
    }
}
