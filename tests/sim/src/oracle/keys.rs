//! What is known of one key: its writes, what they covered, and what became of their copies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::causality::{
    Actor, Checksum, Context, Dot, Held, Payload, Record, Sibling, Write,
};
use quorate_core::ids::{Key, RequestId};
use quorate_core::message::EntryValue;
use quorate_core::time::{Instant, UnixMs};

use super::OpId;
use super::dots::{difference, known, knows, unknown_to};
use crate::disk::Disk;
use crate::recent::Table;

/// Everything that is known of one key.
pub(crate) struct KeyFacts {
    /// Its primaries, in the order of its preference list.
    pub(crate) primaries: Vec<usize>,
    /// Every write that a storage carried out, by its name.
    pub(crate) writes: BTreeMap<Dot, WriteFact>,
    /// The names of all writes.
    pub(crate) minted: Context,
    /// All that writes were shown.
    pub(crate) covered: Context,
    /// The writes that no write was shown. Invariant: `minted` without `covered`.
    pub(crate) standing: BTreeSet<Dot>,
    /// The writes of each request; the default one is the name of all that have none.
    pub(crate) by_request: Table<RequestId, Vec<Dot>>,
    /// The writes of each value.
    pub(crate) by_value: Table<Bytes, Vec<Dot>>,
    /// The calls that put each value.
    pub(crate) puts: Table<Bytes, Vec<OpId>>,
    /// The acknowledged writes, in the order of their ends.
    pub(crate) acknowledged: Vec<Acknowledged>,
    /// By W: what all acknowledged writes name and were shown.
    promised: Vec<Context>,
    /// By W: what all acknowledged writes were shown.
    overwritten: Vec<Context>,
    /// All that anybody was ever shown.
    pub(crate) shown: Context,
    /// Actors that a storage dropped from a record.
    pub(crate) truncated: BTreeSet<Actor>,
    /// What faults destroyed after it was synced, and at which nodes.
    pub(crate) destroyed: BTreeMap<Dot, Vec<usize>>,
    /// The number of the last observation of such a fault.
    pub(crate) destroyed_last: u64,
    /// What was synced and, at some moment, was synced nowhere any more.
    pub(crate) lost: BTreeSet<Dot>,
    /// What the engine of each node shows.
    pub(crate) memory: Vec<Arc<Held>>,
}

/// One write, as the storage that carried it out was given it.
#[derive(Clone, Debug)]
pub(crate) struct WriteFact {
    pub(crate) payload: Payload,
    pub(crate) checksum: Checksum,
    pub(crate) written: UnixMs,
    pub(crate) expires: Option<UnixMs>,
    pub(crate) request: RequestId,
    /// What its writer had been shown.
    pub(crate) context: Context,
    pub(crate) node: usize,
    pub(crate) at: Instant,
    /// The number of the observation of it.
    pub(crate) number: u64,
}

/// An acknowledged write.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) op: OpId,
    pub(crate) w: u8,
    /// Its name; a delete that found nothing to delete has none.
    pub(crate) dot: Option<Dot>,
    /// What it covered.
    pub(crate) given: Context,
}

/// What a call that begins now and asks R replicas must come to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Promise {
    /// Writes that it must know of.
    pub(crate) known: Context,
    /// Writes that it must know to be overwritten.
    pub(crate) overwritten: Context,
    /// Writes of which faults left too few copies.
    pub(crate) excused: Vec<Dot>,
}

impl KeyFacts {
    pub(super) fn new(primaries: Vec<usize>, nodes: usize) -> KeyFacts {
        KeyFacts {
            primaries,
            writes: BTreeMap::new(),
            minted: Context::new(),
            covered: Context::new(),
            standing: BTreeSet::new(),
            by_request: Table::default(),
            by_value: Table::default(),
            puts: Table::default(),
            acknowledged: Vec::new(),
            promised: Vec::new(),
            overwritten: Vec::new(),
            shown: Context::new(),
            truncated: BTreeSet::new(),
            destroyed: BTreeMap::new(),
            destroyed_last: 0,
            lost: BTreeSet::new(),
            memory: vec![Arc::default(); nodes],
        }
    }

    /// Takes in a write that got its name; false where the name was given before.
    pub(super) fn mint(
        &mut self,
        dot: Dot,
        write: &Write,
        node: usize,
        (at, number): (Instant, u64),
    ) -> bool {
        let new = self.minted.insert(dot);
        if self.covered.merge(&write.context) {
            self.standing.retain(|dot| !write.context.covers(*dot));
        }
        if !new {
            return false;
        }
        if !self.covered.covers(dot) {
            self.standing.insert(dot);
        }
        self.by_request.entry(write.request).or_default().push(dot);
        if let Payload::Value(value) = &write.payload {
            self.by_value.entry(value.clone()).or_default().push(dot);
        }
        let fact = WriteFact {
            payload: write.payload.clone(),
            checksum: write.checksum,
            written: write.written,
            expires: write.expires,
            request: write.request,
            context: write.context.clone(),
            node,
            at,
            number,
        };
        self.writes.insert(dot, fact);
        true
    }

    /// Takes in an acknowledgement. `answered` is the context of the answer.
    pub(super) fn acknowledge(&mut self, ack: Acknowledged, answered: &Context) {
        let w = usize::from(ack.w);
        let rows = self.promised.len().max(w + 1);
        self.promised.resize(rows, Context::new());
        self.overwritten.resize(rows, Context::new());
        if ack.dot.is_some() {
            self.promised[w].merge(answered);
        }
        self.overwritten[w].merge(&ack.given);
        self.acknowledged.push(ack);
    }

    /// The tombstone that a delete without context wrote, if the answer names one that was written
    /// after the observation `began`.
    pub(super) fn blind_tombstone(&self, answered: &Context, began: u64) -> Option<Dot> {
        let unnamed = self.by_request.get(&RequestId::default())?;
        unnamed.iter().copied().find(|dot| {
            let fact = &self.writes[dot];
            fact.payload == Payload::Tombstone
                && fact.number > began
                && answered.covers(*dot)
                && answered.descends(&fact.context)
                && difference(answered, &fact.context) == [*dot]
        })
    }

    /// Takes in that `node` no longer holds what it had synced.
    pub(super) fn destroy(
        &mut self,
        (node, key, number): (usize, &Key, u64),
        before: &Record,
        after: &Record,
        disks: &[Disk],
    ) {
        self.destroyed_last = number;
        let usable: Vec<&Record> = disks
            .iter()
            .filter(|disk| !disk.is_damaged(key))
            .filter_map(|disk| disk.synced(key))
            .collect();
        for dot in known(before).into_iter().filter(|dot| !knows(after, *dot)) {
            let nodes = self.destroyed.entry(dot).or_default();
            if !nodes.contains(&node) {
                nodes.push(node);
            }
            if !usable.iter().any(|record| knows(record, dot)) {
                self.lost.insert(dot);
            }
        }
    }

    /// Whether `node` holds `dot` durably, or did so until a fault destroyed it.
    pub(crate) fn held_durably(&self, key: &Key, disks: &[Disk], node: usize, dot: Dot) -> bool {
        disks[node].synced(key).is_some_and(|record| knows(record, dot))
            || self.destroyed.get(&dot).is_some_and(|nodes| nodes.contains(&node))
            || self.truncated.contains(&dot.actor)
    }

    /// Those of the primaries that hold all that `context` covers durably, or did so until faults
    /// destroyed it.
    pub(crate) fn holders(&self, key: &Key, disks: &[Disk], context: &Context) -> Vec<usize> {
        let holds = |node: &usize| {
            let missing = match disks[*node].synced(key) {
                Some(record) => unknown_to(record, context),
                None => difference(context, &Context::new()),
            };
            missing.into_iter().all(|dot| self.held_durably(key, disks, *node, dot))
        };
        self.primaries.iter().copied().filter(holds).collect()
    }

    /// What a call that begins now and asks `r` of `n` replicas must come to know.
    pub(crate) fn promise(&self, key: &Key, disks: &[Disk], n: u8, r: u8) -> Promise {
        let mut promise = Promise::default();
        let least = usize::from(n.saturating_sub(r)) + 1;
        for promised in self.promised.iter().skip(least) {
            promise.known.merge(promised);
        }
        if self.destroyed.is_empty() {
            for overwritten in self.overwritten.iter().skip(least) {
                promise.overwritten.merge(overwritten);
            }
            return promise;
        }
        let enough = (self.primaries.len() + 1).saturating_sub(r.into());
        let doubtful = self.destroyed.keys().copied().filter(|dot| promise.known.covers(*dot));
        promise.excused = doubtful
            .filter(|dot| {
                let holds = |node: &&usize| {
                    disks[**node].synced(key).is_some_and(|record| knows(record, *dot))
                };
                self.primaries.iter().filter(holds).count() < enough
            })
            .collect();
        for ack in self.acknowledged.iter().filter(|ack| usize::from(ack.w) >= least) {
            if ack.dot.is_some_and(|dot| !promise.excused.contains(&dot)) {
                promise.overwritten.merge(&ack.given);
            }
        }
        promise
    }

    /// What an answer with this context should cover and does not.
    pub(crate) fn unseen(&self, promise: &Promise, context: &Context) -> Vec<Dot> {
        if context.descends(&promise.known) {
            return Vec::new();
        }
        let mut dots = difference(&promise.known, context);
        dots.retain(|dot| !promise.excused.contains(dot) && !self.truncated.contains(&dot.actor));
        dots
    }

    /// Whether a get with these values shows the write named `dot`: its bytes, or another write of
    /// the same request, which stands for it.
    pub(crate) fn shows(&self, dot: Dot, values: &[EntryValue], tombstones: u32) -> bool {
        let Some(fact) = self.writes.get(&dot) else { return false };
        let has = |payload: &Payload| match payload {
            Payload::Value(value) => values.iter().any(|shown| shown.payload == *value),
            Payload::Tombstone => tombstones > 0,
        };
        let twins = || self.by_request.get(&fact.request).into_iter().flatten();
        has(&fact.payload)
            || fact.request != RequestId::default()
                && twins().any(|twin| has(&self.writes[twin].payload))
    }
}

impl WriteFact {
    /// Whether `sibling` is what the write left behind.
    pub(crate) fn is_content_of(&self, sibling: &Sibling) -> bool {
        self.payload == sibling.payload
            && self.checksum == sibling.checksum
            && self.written == sibling.written
            && self.expires == sibling.expires
            && self.request == sibling.request
    }
}
