//! Five nodes, three primaries of each key, and records that are dead.

use std::collections::BTreeSet;

use quorate_core::causality::{Actor, Birth, Context, Held, Payload, Record};
use quorate_core::causality::{RecordOp, Write};
use quorate_core::ids::{Epoch, Incarnation, Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::machine::Event;
use quorate_core::message::{
    CallId, Collect, CollectStep, LayoutUpdate, MergeReason, Message, ReplicaMerge,
};
use quorate_core::node::{CollectionSettings, NodeConfig};
use quorate_core::time::Duration;

use crate::machines::{blind, layout, now, value, write};
use crate::world::{World, key, place};

/// Passes begin every tenth second, and the looks are forty seconds apart.
pub(crate) const GRACE_MS: u64 = 80_000;
pub(crate) const PASS_MS: u64 = GRACE_MS / 8;
pub(crate) const SETTLE_MS: u64 = GRACE_MS / 2;

/// A whole collection of what was dead already.
pub(crate) const ROUND_MS: u64 = PASS_MS + SETTLE_MS + 5_000;

pub(crate) const NODES: u64 = 5;

/// So many keys with their preference lists.
pub(crate) fn keys(count: u64) -> Vec<(Key, Vec<u64>)> {
    let layout = layout(NODES, 3);
    (0..count).map(key).map(|key| (key.clone(), list(&layout, &key))).collect()
}

/// The three primaries and the two fallbacks of a key.
pub(crate) fn list(layout: &LayoutUpdate, key: &Key) -> Vec<u64> {
    let slot = layout.layout.slot_of(key.as_bytes());
    layout.layout.preference_list(slot).map(|node| node.0).collect()
}

/// A cluster in which all primaries of each key hold its record; all are connected.
pub(crate) fn cluster(records: &[(Key, Record)]) -> World {
    cluster_with_grace(records, GRACE_MS)
}

pub(crate) fn cluster_with_grace(records: &[(Key, Record)], grace_ms: u64) -> World {
    let layout = layout(NODES, 3);
    let mut stores = vec![Vec::new(); NODES as usize];
    for (key, record) in records {
        for node in &list(&layout, key)[..3] {
            stores[*node as usize - 1].push((key.clone(), record.clone()));
        }
    }
    let collection = CollectionSettings { grace: Duration::from_millis(grace_ms) };
    let mut world = World::of(layout, stores, 1, |config| NodeConfig { collection, ..config });
    world.connect_all();
    world
}

/// A write of a hundred years ago that was deleted as long ago, and what it was before.
pub(crate) fn dead_and_older() -> (Record, Record) {
    let mut held = Held::new();
    let older = write(&mut held, 1, value("deleted"), &Context::new());
    let dead = write(&mut held, 2, Payload::Tombstone, &older.context());
    (dead, older)
}

pub(crate) fn dead() -> Record {
    dead_and_older().0
}

/// What `record` becomes by a write that has seen all of it.
pub(crate) fn newer(record: &Record) -> Record {
    let mut held = Held::from_parts(record.clone(), None);
    write(&mut held, 3, value("newer"), &record.context())
}

/// A record of one sibling that was written, and ends, so many milliseconds after the start.
pub(crate) fn of_one(payload: Payload, written_ms: u64, expires_ms: Option<u64>) -> Record {
    let moment = |millis: u64| now(millis).unix;
    let newborn = Actor { node: NodeId(1), incarnation: Incarnation(9), birth: Birth(1) };
    let expires = expires_ms.map(moment);
    let write = Write { expires, ..blind(newborn, payload, moment(written_ms)) };
    let mut held = Held::new();
    held.apply(&RecordOp::Write(write)).unwrap();
    held.into_record()
}

/// A record that some node sends, read in its epoch.
pub(crate) fn merge(key: &Key, record: &Record, epoch: Epoch) -> Message {
    let (call, reason) = (CallId(77), MergeReason::Write);
    let (key, record) = (key.clone(), record.clone());
    Message::ReplicaMerge(ReplicaMerge {
        call,
        key,
        record,
        hint_for: None,
        reason,
        epoch,
        layout_version: LayoutVersion(0),
    })
}

impl World {
    /// The nodes that hold an own copy.
    pub(crate) fn holders(&self, key: &Key) -> BTreeSet<u64> {
        let holds = |id: &&u64| self.houses[id].store.contains_key(&place(key));
        self.houses.keys().filter(holds).copied().collect()
    }

    pub(crate) fn held_by(&self, id: u64, key: &Key) -> Option<&Record> {
        self.houses[&id].store.get(&place(key)).map(|(held, _)| held.record())
    }

    /// Steps of collections that were asked for.
    pub(crate) fn steps(&self, is: fn(&CollectStep) -> bool) -> usize {
        let asked = self.log.iter().filter(
            |(_, _, message)| matches!(message, Message::Collect(Collect { step, .. }) if is(step)),
        );
        asked.count()
    }

    /// Lets time pass until something is so.
    pub(crate) fn pass_until(&mut self, is: impl Fn(&World) -> bool) {
        for _ in 0..4 * GRACE_MS / 10 {
            if is(self) {
                return;
            }
            self.pass(10);
        }
        panic!("it does not come to it");
    }

    /// Until the first look is over, and the second one is to come.
    pub(crate) fn pass_to_between_the_looks(&mut self) {
        let before = self.steps(is_new_epoch);
        self.pass_until(|world| world.steps(is_new_epoch) > before);
        self.pass(1_000);
    }

    pub(crate) fn collected(&self, id: u64) -> Vec<Key> {
        let key = |event: &Event| match event {
            Event::Collected { key } => Some(key.clone()),
            _ => None,
        };
        self.houses[&id].events.iter().filter_map(key).collect()
    }
}

pub(crate) fn is_first_look(step: &CollectStep) -> bool {
    matches!(step, CollectStep::Confirm { since: None, .. })
}

pub(crate) fn is_new_epoch(step: &CollectStep) -> bool {
    matches!(step, CollectStep::NewEpoch)
}

pub(crate) fn is_second_look(step: &CollectStep) -> bool {
    matches!(step, CollectStep::Confirm { since: Some(_), .. })
}

pub(crate) fn is_removal(step: &CollectStep) -> bool {
    matches!(step, CollectStep::Remove(_))
}
