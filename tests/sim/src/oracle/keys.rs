//! What is known of one key: its writes, what they covered, and what became of their copies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::causality::{
    Actor, Checksum, Context, Dot, Held, Payload, Record, Sibling, Write,
};
use quorate_core::ids::{Key, NodeId, RequestId};
use quorate_core::machine::HeldAs;
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
    /// All that was known to records that were collected, and what of it was overwritten.
    pub(crate) collected: Collected,
    /// What faults destroyed after it was synced, and at which nodes.
    pub(crate) destroyed: BTreeMap<Dot, Vec<usize>>,
    /// The number of the last observation of such a fault.
    pub(crate) destroyed_last: u64,
    /// Whether a fault brought back an older copy, and nobody told its node so before it was taken
    /// for what it should be: what was collected may come with it.
    pub(crate) revived: bool,
    /// What was synced and, at some moment, was synced nowhere any more.
    pub(crate) lost: BTreeSet<Dot>,
    /// What the engine of each node shows.
    pub(crate) memory: Vec<Arc<Held>>,
    /// The hints that the engine of each node shows, by node and target.
    pub(crate) hints: BTreeMap<(usize, NodeId), Arc<Held>>,
    /// What was removed with hints when those who are to hold it did so durably, and from which
    /// nodes.
    handed_over: BTreeMap<Dot, Vec<usize>>,
    /// What nodes held in own copies until those moved away.
    moved_away: BTreeSet<(Dot, usize)>,
}

/// What went with records that were removed for good.
#[derive(Clone, Debug, Default)]
pub(crate) struct Collected {
    /// Everything: whoever does not hold it any more lost nothing.
    pub(crate) all: Context,
    /// What was overwritten in them: it must never stand anywhere again.
    pub(crate) gone: Context,
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
    /// How many primaries it can be found at, of those that it asked for: W, or where fallbacks
    /// count perhaps fewer.
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
            collected: Collected::default(),
            revived: false,
            destroyed: BTreeMap::new(),
            destroyed_last: 0,
            lost: BTreeSet::new(),
            memory: vec![Arc::default(); nodes],
            hints: BTreeMap::new(),
            handed_over: BTreeMap::new(),
            moved_away: BTreeSet::new(),
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

    /// What the engine of `node` shows of one of its copies.
    pub(crate) fn copy(&self, node: usize, copy: HeldAs) -> Option<&Arc<Held>> {
        match copy {
            HeldAs::Own => Some(&self.memory[node]),
            HeldAs::Hint { target } => self.hints.get(&(node, target)),
        }
    }

    /// What the engine of `node` shows of all its copies, the own one first.
    pub(crate) fn copies_at(&self, node: usize) -> impl Iterator<Item = &Arc<Held>> {
        let hints = self.hints.range((node, NodeId(0))..=(node, NodeId(u64::MAX)));
        std::iter::once(&self.memory[node]).chain(hints.map(|(_, held)| held))
    }

    /// Stores what the engine of `node` shows of a copy; answers what it showed before.
    pub(super) fn set_copy(
        &mut self,
        node: usize,
        copy: HeldAs,
        held: Option<Arc<Held>>,
    ) -> Arc<Held> {
        let before = match (copy, held) {
            (HeldAs::Own, held) => {
                Some(std::mem::replace(&mut self.memory[node], held.unwrap_or_default()))
            }
            (HeldAs::Hint { target }, Some(held)) => self.hints.insert((node, target), held),
            (HeldAs::Hint { target }, None) => self.hints.remove(&(node, target)),
        };
        before.unwrap_or_default()
    }

    /// Takes in that `node` removed a hint for the node of index `target`: what others have taken
    /// counts as held by `node`, too.
    pub(super) fn hand_over(
        &mut self,
        (node, target): (usize, usize),
        (key, record): (&Key, &Record),
        lists: &[Vec<usize>],
        disks: &[Disk],
    ) {
        for dot in known(record) {
            if self.is_taken((key, dot), target, lists, disks) {
                let nodes = self.handed_over.entry(dot).or_default();
                if !nodes.contains(&node) {
                    nodes.push(node);
                }
            }
        }
    }

    /// Whether the target of a hint holds durably what the hint knew, or all others of one of
    /// these lists do, or did until it moved away.
    pub(crate) fn is_taken(
        &self,
        (key, dot): (&Key, Dot),
        target: usize,
        lists: &[Vec<usize>],
        disks: &[Disk],
    ) -> bool {
        let holds = |node: usize| {
            self.held_durably(key, disks, node, dot) || self.has_moved_away(node, dot)
        };
        let by = |list: &Vec<usize>| {
            let mut others = list.iter().filter(|node| **node != target).peekable();
            others.peek().is_some() && others.all(|node| holds(*node))
        };
        holds(target) || lists.iter().any(by)
    }

    /// Takes in that a node removed its own copy since it had moved away.
    pub(super) fn move_away(&mut self, node: usize, record: &Record) {
        for dot in known(record) {
            self.moved_away.insert((dot, node));
        }
    }

    /// Whether a node held `dot` in its own copy until that moved away.
    pub(crate) fn has_moved_away(&self, node: usize, dot: Dot) -> bool {
        self.moved_away.contains(&(dot, node))
    }

    /// Takes in that a node removed its own copy for good.
    pub(super) fn collect(&mut self, record: &Record) {
        self.collected.all.merge(&record.context());
        for (actor, history) in record.histories() {
            self.collected.gone.insert_seen(actor, history.superseded().clone());
        }
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
        // What a copy no longer shows, since it was removed, is gone with the next sync.
        let usable = |disk: &Disk, dot| {
            let shows = |copy| disk.copy(copy, key).is_some_and(|held| knows(held.record(), dot));
            let mut sound = disk.synced_as(key).filter(|(copy, _)| !disk.is_damaged(*copy, key));
            sound.any(|(copy, record)| knows(record, dot) && shows(copy))
        };
        for dot in known(before).into_iter().filter(|dot| !knows(after, *dot)) {
            let nodes = self.destroyed.entry(dot).or_default();
            if !nodes.contains(&node) {
                nodes.push(node);
            }
            if !disks.iter().any(|disk| usable(disk, dot)) {
                self.lost.insert(dot);
            }
        }
    }

    /// Whether `node` holds `dot` durably, or did so until a fault destroyed it.
    pub(crate) fn held_durably(&self, key: &Key, disks: &[Disk], node: usize, dot: Dot) -> bool {
        disks[node].synced(key).is_some_and(|record| knows(record, dot))
            || self.is_excused(node, dot)
    }

    /// Whether a fault destroyed `dot` at `node`, truncation dropped its actor, or it was collected.
    pub(crate) fn is_excused(&self, node: usize, dot: Dot) -> bool {
        self.destroyed.get(&dot).is_some_and(|nodes| nodes.contains(&node)) || self.is_dropped(dot)
    }

    /// Whether `node` holds `dot` durably in its own copy or in a hint, or did so until a fault
    /// destroyed it or the hint came home.
    pub(crate) fn kept_durably(&self, key: &Key, disks: &[Disk], node: usize, dot: Dot) -> bool {
        self.held_durably(key, disks, node, dot)
            || disks[node].copies_synced(key).any(|record| knows(record, dot))
            || self.is_handed_over(node, dot)
    }

    /// Whether `node` held `dot` in a hint until its target held it durably.
    pub(crate) fn is_handed_over(&self, node: usize, dot: Dot) -> bool {
        self.handed_over.get(&dot).is_some_and(|nodes| nodes.contains(&node))
    }

    /// Whether `node` holds `dot` durably in its hint for a primary, or did so until a fault
    /// destroyed it or the hint came home.
    pub(crate) fn hinted_durably(
        &self,
        key: &Key,
        disks: &[Disk],
        (node, target): (usize, NodeId),
        dot: Dot,
    ) -> bool {
        let hint = disks[node].copy_synced(HeldAs::Hint { target }, key);
        hint.is_some_and(|held| knows(held.record(), dot))
            || self.is_excused(node, dot)
            || self.is_handed_over(node, dot)
    }

    /// The nodes that count for an acknowledgement of `dot`: the primaries, or all of them where
    /// the call is sloppy.
    pub(crate) fn keepers(&self, key: &Key, disks: &[Disk], dot: Dot, strict: bool) -> Vec<usize> {
        if strict {
            let holds = |node: &usize| self.held_durably(key, disks, *node, dot);
            return self.primaries.iter().copied().filter(holds).collect();
        }
        (0..disks.len()).filter(|node| self.kept_durably(key, disks, *node, dot)).collect()
    }

    /// The same for all that `context` covers.
    pub(crate) fn holders(
        &self,
        key: &Key,
        disks: &[Disk],
        context: &Context,
        strict: bool,
    ) -> Vec<usize> {
        let missing = |node: usize| match disks[node].synced(key) {
            Some(record) => unknown_to(record, context),
            None => difference(context, &Context::new()),
        };
        if strict {
            let holds = |node: &usize| {
                missing(*node).into_iter().all(|dot| self.held_durably(key, disks, *node, dot))
            };
            return self.primaries.iter().copied().filter(holds).collect();
        }
        let keeps = |node: &usize| {
            missing(*node).into_iter().all(|dot| self.kept_durably(key, disks, *node, dot))
        };
        (0..disks.len()).filter(keeps).collect()
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
        dots.retain(|dot| !promise.excused.contains(dot) && !self.is_dropped(*dot));
        dots
    }

    /// Whether nobody has to know of a write any more: truncation dropped its actor, or it was
    /// collected.
    pub(crate) fn is_dropped(&self, dot: Dot) -> bool {
        self.truncated.contains(&dot.actor) || self.collected.all.covers(dot)
    }

    /// Whether a get with these values shows the write named `dot`: its bytes, or another write of
    /// the same request, which stands for it. A value that expires may be among the tombstones:
    /// only who answered knows by which clock.
    pub(crate) fn shows(&self, dot: Dot, values: &[EntryValue], tombstones: u32) -> bool {
        let Some(fact) = self.writes.get(&dot) else { return false };
        let has = |fact: &WriteFact| match &fact.payload {
            Payload::Value(value) => {
                values.iter().any(|shown| shown.payload == *value)
                    || fact.expires.is_some() && tombstones > 0
            }
            Payload::Tombstone => tombstones > 0,
        };
        has(fact) || self.twins(fact).any(has)
    }

    /// The writes of the same request, this one among them; none where it has no name.
    pub(crate) fn twins(&self, fact: &WriteFact) -> impl Iterator<Item = &WriteFact> {
        let named = Some(fact.request).filter(|request| *request != RequestId::default());
        let dots = named.and_then(|request| self.by_request.get(&request));
        dots.into_iter().flatten().map(move |dot| &self.writes[dot])
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
