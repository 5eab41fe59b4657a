//! In the end, all replicas hold the same bytes.

use quorate_core::causality::{Actor, Counter, History, Record};
use quorate_core::codec;
use quorate_core::machine::HeldAs;
use quorate_core::message::{CallId, Message, ReplicaRecord, ReplicaState};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::oracle::Facts;

pub(crate) const PROPERTY: Property = Property {
    name: "replicas-converge",
    definition: "At rest, when hints are home (hints-come-home), all whole primaries of a key hold \
                 equal records, in memory and synced, and equal bytes encode them. A copy that \
                 cannot be read, and that nobody could read since, is none.",
    source: "DESIGN.md §2 (always, in every setting); Dynamo §4.7",
};

pub(crate) struct ReplicasConverge;

impl Invariant for ReplicasConverge {
    fn at_rest(&mut self, scene: Scene<'_>, whole: &[usize]) -> Verdict {
        for (name, key) in scene.facts.keys() {
            for node in whole.iter().copied() {
                let held = scene.disks[node].memory(name);
                let same = held.map_or(key.memory[node].record().is_empty(), |held| {
                    held == key.memory[node].record()
                });
                assert!(same, "the facts know what n{node} holds of {name:?}");
            }
            let mut first: Option<(usize, &Record, Vec<u8>)> = None;
            let homes = scene.facts.homes(name);
            for node in homes.into_iter().filter(|node| whole.contains(node)) {
                let disk = &scene.disks[node];
                if disk.is_damaged(HeldAs::Own, name) {
                    continue;
                }
                let empty = &Record::new();
                let memory = disk.memory(name).unwrap_or(empty);
                if disk.unsynced() == 0 && disk.synced(name).unwrap_or(empty) != memory {
                    let synced = disk.synced(name).unwrap_or(empty);
                    let text = format!(
                        "n{node} holds one record in memory and another one synced: {}",
                        differences(scene.facts, memory, synced),
                    );
                    return Err(Violation::new(text).at(node).of(name));
                }
                let record = key.memory[node].record();
                let bytes = encoded(record);
                match &first {
                    None => first = Some((node, record, bytes)),
                    Some((other, theirs, their_bytes)) => {
                        if *theirs == record && *their_bytes == bytes {
                            continue;
                        }
                        let text = format!(
                            "n{node} and n{other} hold different records: {}",
                            differences(scene.facts, record, theirs),
                        );
                        return Err(Violation::new(text).at(node).of(name));
                    }
                }
            }
        }
        Ok(())
    }
}

/// How two records differ, actor by actor.
fn differences(facts: &Facts, one: &Record, other: &Record) -> String {
    let mut actors: Vec<Actor> = one.histories().chain(other.histories()).map(|(a, _)| a).collect();
    actors.sort_unstable();
    actors.dedup();
    let text = |history: Option<&History>| match history {
        None => "nothing".to_owned(),
        Some(history) => format!(
            "superseded {}{:?}, siblings {:?}, at {} ms",
            history.superseded().upto(),
            history.superseded().also(),
            history.live().iter().map(|(Counter(counter), _)| *counter).collect::<Vec<u64>>(),
            history.at().0,
        ),
    };
    let differing = actors.into_iter().filter(|a| one.history(*a) != other.history(*a));
    let differences: Vec<String> = differing
        .map(|actor| {
            let name = facts.actor_name(actor);
            format!(
                "of {name} {}, against {}",
                text(one.history(actor)),
                text(other.history(actor))
            )
        })
        .collect();
    if differences.is_empty() { "in their bytes alone".to_owned() } else { differences.join("; ") }
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    let answer = ReplicaRecord { call: CallId(1), state: ReplicaState::Record(record.clone()) };
    codec::encode(&Message::ReplicaRecord(answer), &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::ReplicasConverge;
    use crate::oracle::stage::Stage;

    #[test]
    fn all_primaries_hold_one_record() {
        for (reached, fine) in [(vec![1, 2], true), (vec![2], false)] {
            let mut stage = Stage::new(ReplicasConverge);
            let put = stage.put(1, "v", &[]);
            stage.write(0, put);
            reached.iter().for_each(|node| stage.copy(0, *node));
            (0..3).for_each(|node| stage.sync(node));
            stage.rest();
            stage.expect(fine, "hold different records: of n0/1/1");
        }
    }

    #[test]
    #[should_panic(expected = "the facts know what n0 holds")]
    fn what_is_compared_is_what_the_disks_hold() {
        let mut stage = Stage::new(ReplicasConverge);
        let put = stage.put(1, "v", &[]);
        stage.write(0, put);
        // A crash that nobody sees.
        stage.disks[0].crash(stage.now, 0);
        stage.rest();
    }
}
