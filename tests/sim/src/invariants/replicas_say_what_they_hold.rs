//! A replica that is read says what it holds, all of it and nothing else.

use quorate_core::causality::Record;
use quorate_core::message::{CallId, Message, ReplicaRecord, ReplicaState};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::Sent;
use crate::oracle::{HeldThen, Task, exceeds, known, knows};

pub(crate) const PROPERTY: Property = Property {
    name: "replicas-say-what-they-hold",
    definition: "The record that a node answers to a coordinator knows all that its own copy of \
                 the key knew when it was asked, and nothing that neither its copies knew each \
                 time it was asked nor its own copy knows at the answer; hints are copies here \
                 where it was asked as a stand-in. Where it answers that it has the same as the \
                 coordinator, the digest that it was sent is that of its own copy when it was \
                 asked, merged with some of those hints. All this unless a fault destroyed data \
                 of the key in between. Actors that truncation dropped, and what was \
                 collected, are excused; once it dropped any of a key, the record may know more.",
    source: "DESIGN.md §7 (Get), §13 (a node must never mistake damage for absence)",
};

pub(crate) struct ReplicasSayWhatTheyHold;

impl Invariant for ReplicasSayWhatTheyHold {
    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        if let Sent { from: End::Node(from), to: End::Node(to), message } = sent
            && let Message::ReplicaRecord(ReplicaRecord { call, state }) = message
        {
            let names = (from, to, *call);
            return match state {
                ReplicaState::Record(record) => check(scene, names, record),
                ReplicaState::Same => check_same(scene, names),
                ReplicaState::Unreadable => Ok(()),
            };
        }
        Ok(())
    }
}

fn check(scene: Scene<'_>, (node, to, call): (usize, usize, CallId), record: &Record) -> Verdict {
    let Some(Task::Read { key: name, held, number, .. }) = scene.facts.task(node, to, call) else {
        return Err(unasked((node, to, call)));
    };
    let Some(key) = scene.facts.key(name) else { return Ok(()) };
    let now = &key.memory[node];
    let Some(first) = held.first() else { return Ok(()) };
    let unchanged = held.iter().all(|then| then.is_only(now)) && scene.facts.is_sent_as_stored();
    if unchanged || key.destroyed_last > *number {
        return Ok(());
    }
    let mut all = now.record().context();
    for then in held {
        then.copies().for_each(|copy| {
            all.merge(&copy.record().context());
        });
    }
    let mut forgotten = known(first.own.record());
    forgotten.retain(|dot| !knows(record, *dot) && !key.is_dropped(*dot));
    let (what, dots) = if !forgotten.is_empty() {
        ("does not know", forgotten)
    } else if key.truncated.is_empty() && exceeds(&record.context(), &all) {
        ("knows, other than its storage,", crate::oracle::difference(&record.context(), &all))
    } else {
        return Ok(());
    };
    let dots = scene.facts.names(dots);
    let text = format!("the record that n{node} answers to {call:?} of n{to} {what} {dots}");
    Err(Violation::new(text).at(node).of(name))
}

fn check_same(scene: Scene<'_>, (node, to, call): (usize, usize, CallId)) -> Verdict {
    let Some(Task::Read { key: name, held, digest, number, .. }) = scene.facts.task(node, to, call)
    else {
        return Err(unasked((node, to, call)));
    };
    let destroyed = scene.facts.key(name).is_some_and(|key| key.destroyed_last > *number);
    let same = |record: Record| Some(record.digest()) == *digest;
    if destroyed || held.iter().flat_map(HeldThen::records).any(same) {
        return Ok(());
    }
    let text = format!("n{node} answers {call:?} of n{to} that it holds the same, but it does not");
    Err(Violation::new(text).at(node).of(name))
}

fn unasked((node, to, call): (usize, usize, CallId)) -> Box<Violation> {
    let text = format!("n{node} answers {call:?} of n{to}, which did not ask");
    Violation::new(text).at(node)
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::Record;
    use quorate_core::message::{CallId, Message, ReplicaRead, ReplicaRecord, ReplicaState};

    use super::ReplicasSayWhatTheyHold;
    use crate::network::End;
    use crate::observation::{Delivered, Observation, Sent};
    use crate::oracle::stage::Stage;

    #[test]
    fn an_answer_is_neither_older_nor_newer_than_the_storage() {
        // (which of two writes the answer knows; one was there when it was asked, one is not)
        for (known, part) in [(0, "does not know"), (1, ""), (2, "knows, other than its storage")] {
            let mut stage = Stage::new(ReplicasSayWhatTheyHold);
            let put = stage.put(1, "v", &[]);
            stage.write(0, put);
            let (call, key, first) = (CallId(7), stage.key.clone(), stage.record(0));
            let (from, to) = (End::Node(1), End::Node(0));
            let read = ReplicaRead { call, key, digest: None, stand_in: false };
            let message = &Message::ReplicaRead(read);
            stage.see(&Observation::Sent(Sent { from, to, message }));
            stage.see(&Observation::Delivered(Delivered { from, to, message, again: false }));
            let other = stage.put(1, "w", &[]);
            stage.write(1, other);
            let mut both = stage.record(1);
            both.merge(&first);
            let record = [Record::new(), first, both][known].clone();
            let state = ReplicaState::Record(record);
            let message = &Message::ReplicaRecord(ReplicaRecord { call, state });
            stage.see(&Observation::Sent(Sent { from: to, to: from, message }));
            stage.expect(part.is_empty(), part);
        }
    }
}
