//! A replica that is read says what it holds, all of it and nothing else.

use std::sync::Arc;

use quorate_core::causality::Record;
use quorate_core::message::{CallId, Message, ReplicaRecord};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::Sent;
use crate::oracle::{Task, exceeds, known, knows};

pub(crate) const PROPERTY: Property = Property {
    name: "replicas-say-what-they-hold",
    definition: "The record that a node answers to a coordinator knows all that the node knew of \
                 the key when it was asked, and nothing that it does not know now; unless a fault \
                 destroyed data of the key in between. Actors that truncation dropped are \
                 excused; once it dropped any of a key, the record may know more.",
    source: "DESIGN.md §13 (a node must never mistake damage for absence)",
};

pub(crate) struct ReplicasSayWhatTheyHold;

impl Invariant for ReplicasSayWhatTheyHold {
    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        if let Sent { from: End::Node(from), to: End::Node(to), message } = sent
            && let Message::ReplicaRecord(ReplicaRecord { call, record: Some(record) }) = message
        {
            return check(scene, (from, to, *call), record);
        }
        Ok(())
    }
}

fn check(scene: Scene<'_>, (node, to, call): (usize, usize, CallId), record: &Record) -> Verdict {
    let Some(Task::Read { key: name, held: then, number }) = scene.facts.task(node, to, call)
    else {
        let text = format!("n{node} answers {call:?} of n{to}, which did not ask");
        return Err(Violation::new(text).at(node));
    };
    let Some(key) = scene.facts.key(name) else { return Ok(()) };
    let now = &key.memory[node];
    let unchanged = Arc::ptr_eq(then, now) && scene.facts.is_sent_as_stored();
    if unchanged || key.destroyed_last > *number {
        return Ok(());
    }
    let known_now = now.record().context();
    let mut forgotten = known(then.record());
    forgotten.retain(|dot| !knows(record, *dot) && !key.truncated.contains(&dot.actor));
    let (what, dots) = if !forgotten.is_empty() {
        ("does not know", forgotten)
    } else if key.truncated.is_empty() && exceeds(&record.context(), &known_now) {
        ("knows, other than its storage,", crate::oracle::difference(&record.context(), &known_now))
    } else {
        return Ok(());
    };
    let dots = scene.facts.names(dots);
    let text = format!("the record that n{node} answers to {call:?} of n{to} {what} {dots}");
    Err(Violation::new(text).at(node).of(name))
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::Record;
    use quorate_core::message::{CallId, Message, ReplicaRead, ReplicaRecord};

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
            let message = &Message::ReplicaRead(ReplicaRead { call, key });
            stage.see(&Observation::Sent(Sent { from, to, message }));
            stage.see(&Observation::Delivered(Delivered { from, to, message, again: false }));
            let other = stage.put(1, "w", &[]);
            stage.write(1, other);
            let mut both = stage.record(1);
            both.merge(&first);
            let record = Some([Record::new(), first, both][known].clone());
            let message = &Message::ReplicaRecord(ReplicaRecord { call, record });
            stage.see(&Observation::Sent(Sent { from: to, to: from, message }));
            stage.expect(part.is_empty(), part);
        }
    }
}
