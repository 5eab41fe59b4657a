//! Everything that replicas share about one key: siblings and causal history.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::iter;

use super::{Actor, ByActor, Checksum, Context, Counter, Dot, History, Payload, Sibling};
use crate::ids::RequestId;
use crate::time::{Duration, UnixMs};

/// The siblings of one key and what superseded their forerunners.
///
/// Records of one key form a lattice: [`merge`](Record::merge) is its join and
/// [`descends`](Record::descends) its order. Equal records are equal on every replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Record {
    /// Invariant: each history keeps its own invariant, so none is empty.
    histories: ByActor<History>,
}

impl Record {
    /// The record of a key that was never written.
    pub fn new() -> Record {
        Record::default()
    }

    /// The record with these histories; `None` where an actor comes twice or a history is empty.
    pub fn from_histories(histories: impl IntoIterator<Item = (Actor, History)>) -> Option<Record> {
        let mut record = Record::new();
        for (actor, history) in histories {
            if !history.is_valid() || !record.histories.insert(actor, history) {
                return None;
            }
        }
        Some(record)
    }

    /// The same of histories that stand in the order of their actors, each of them once; `None` also
    /// where they do not.
    pub fn from_ascending(histories: Vec<(Actor, History)>) -> Option<Record> {
        let is_valid = histories.iter().all(|(_, history)| history.is_valid());
        let histories = ByActor::from_ascending(histories).filter(|_| is_valid)?;
        Some(Record { histories })
    }

    /// Whether nothing is known of the key: no sibling and no history.
    pub fn is_empty(&self) -> bool {
        self.histories.is_empty()
    }

    /// The number of actors.
    pub fn actors(&self) -> usize {
        self.histories.len()
    }

    /// What is known of each actor, in their order.
    pub fn histories(&self) -> impl Iterator<Item = (Actor, &History)> {
        self.histories.iter()
    }

    /// What is known of one actor.
    pub fn history(&self, actor: Actor) -> Option<&History> {
        self.histories.get(actor)
    }

    /// All that a reader of this record is shown: what is superseded and what is live.
    pub fn context(&self) -> Context {
        let mut context = Context::new();
        for (actor, history) in self.histories() {
            context.insert_seen(actor, history.known());
        }
        context
    }

    /// The siblings that stand, in the order of their dots.
    pub fn siblings(&self) -> impl Iterator<Item = (Dot, &Sibling)> {
        self.histories().flat_map(|(actor, history)| {
            history
                .live()
                .iter()
                .map(move |(counter, sibling)| (Dot { actor, counter: *counter }, sibling))
        })
    }

    /// Since when nothing but tombstones and values whose time is over stands in the record, by the
    /// clocks of those who wrote it; `None` where a value stands, or will until after `now`.
    pub fn dead_since(&self, now: UnixMs) -> Option<UnixMs> {
        let mut since = self.histories().map(|(_, history)| history.at()).max()?;
        for (_, sibling) in self.siblings() {
            let dead = match sibling.payload {
                Payload::Tombstone => Some(sibling.written),
                Payload::Value(_) => sibling.expires.filter(|expires| *expires <= now),
            };
            sane_or!(let dead, CollectsBesideValue => Some(dead.unwrap_or(sibling.written)));
            since = since.max(dead?);
        }
        sane_or!(let since, CollectsBesideValue => super::wrong::without_tombstone(self, since)?);
        Some(since)
    }

    /// The number of distinct values and tombstones: the length of [`values`](Record::values). A
    /// value that has expired is counted, as a tombstone is, until somebody overwrites it.
    pub fn sibling_count(&self) -> usize {
        distinct(self.siblings()).len()
    }

    /// The distinct siblings, the newest `written` first, then in the order of their dots.
    ///
    /// Siblings with equal bytes, and those of one request, are one value: the one that expires
    /// last stands for all of them, then the newest.
    pub fn values(&self) -> Vec<&Sibling> {
        let mut values = distinct(self.siblings());
        values.sort_by_key(|(dot, sibling)| (Reverse(sibling.written), *dot));
        values.into_iter().map(|(_, sibling)| sibling).collect()
    }

    /// Whether all that `context` was shown is known here.
    pub fn covers(&self, context: &Context) -> bool {
        context.iter().all(|(actor, seen)| {
            self.history(actor).is_some_and(|history| history.known().covers(seen))
        })
    }

    /// Whether merging `other` would add neither a supersession nor a sibling.
    pub fn descends(&self, other: &Record) -> bool {
        other
            .histories()
            .all(|(actor, theirs)| self.history(actor).is_some_and(|ours| ours.descends(theirs)))
    }

    /// Whether this record descends from `other` and knows more.
    pub fn dominates(&self, other: &Record) -> bool {
        self.descends(other) && !other.descends(self)
    }

    /// Whether each of the two knows something that the other does not.
    pub fn concurrent(&self, other: &Record) -> bool {
        !self.descends(other) && !other.descends(self)
    }

    /// Adds all that `other` knows; answers whether anything changed.
    ///
    /// Superseded is what either side has as superseded; live is what either side has as live and
    /// neither as superseded.
    pub fn merge(&mut self, other: &Record) -> bool {
        sane_or!(
            let other,
            MergeIgnoresDeletes => &super::wrong::without_deletes(other),
            MergeDropsQuietActors => &super::wrong::without_quiet(other, self),
        );
        self.histories.merge(&other.histories, History::merge)
    }

    /// Drops the oldest actors above `actors_kept` and answers how many (Dynamo §4.4).
    ///
    /// Only actors without live siblings go, and only where nothing was added to their history for
    /// longer than `actor_age_min`. At worst a replica that missed the supersession brings an old
    /// value back as a sibling; no value is lost.
    pub fn truncate(&mut self, now: UnixMs, actors_kept: usize, actor_age_min: Duration) -> usize {
        let excess = self.actors().saturating_sub(actors_kept);
        if excess == 0 {
            return 0;
        }
        let mut old: Vec<(UnixMs, Actor)> = self
            .histories()
            .filter(|(_, history)| {
                sane_or!(history.live().is_empty(), TruncatesLive => true)
                    && sane_or!(now.since(history.at()) > actor_age_min, TruncatesYoung => true)
            })
            .map(|(actor, history)| (history.at(), actor))
            .collect();
        old.sort_unstable();
        old.truncate(excess);
        for (_, actor) in &old {
            self.histories.remove(*actor);
        }
        old.len()
    }

    /// Panics where the invariant of the record is broken.
    pub fn check_invariants(&self) {
        for (actor, history) in self.histories() {
            assert!(history.is_valid(), "broken history of {actor:?}: {history:?}");
        }
    }

    /// The distinct siblings that would stand after a write of `sibling` with `context`, and the
    /// bytes of all payloads together.
    pub(super) fn standing_after(
        &self,
        context: &Context,
        dot: Dot,
        sibling: &Sibling,
    ) -> (usize, usize) {
        let standing = || {
            let kept = self.siblings().filter(|(dot, _)| !context.covers(*dot));
            kept.chain(iter::once((dot, sibling)))
        };
        (distinct(standing()).len(), standing().map(|(_, sibling)| sibling.payload.len()).sum())
    }

    /// Supersedes what `context` was shown and adds `sibling` as the write named `dot`.
    pub(super) fn update(&mut self, context: &Context, dot: Dot, sibling: Sibling) {
        assert!(!context.covers(dot), "a write cannot supersede itself");
        for (actor, seen) in context.iter() {
            self.histories.or_default(actor).supersede(seen, sibling.written);
        }
        let own = self.histories.or_default(dot.actor);
        sane_or!(NoDots => own.supersede(&own.known(), sibling.written));
        own.push(dot.counter, sibling);
    }

    /// The greatest counter known of an actor; `None` where the actor is unknown.
    pub(super) fn counter_max(&self, actor: Actor) -> Option<Counter> {
        self.history(actor).map(History::max)
    }

    /// Whether every value matches its checksum.
    pub fn is_intact(&self) -> bool {
        self.siblings().all(|(_, sibling)| sibling.is_intact())
    }

    /// Whether a merge of `other` would take in a sibling whose bytes are damaged.
    pub(super) fn would_take_damage(&self, other: &Record) -> bool {
        other.siblings().any(|(dot, sibling)| {
            let known = self.history(dot.actor).is_some_and(|ours| ours.knows(dot.counter));
            !known && !sibling.is_intact()
        })
    }
}

/// One sibling for each value: of those with equal bytes or of one request, the one that expires
/// last, then the newest, then the one with the least dot.
fn distinct<'a>(siblings: impl Iterator<Item = (Dot, &'a Sibling)>) -> Vec<(Dot, &'a Sibling)> {
    let mut candidates: Vec<(Dot, &Sibling)> = siblings.collect();
    if candidates.len() < 2 {
        return candidates;
    }
    candidates.sort_by_key(|(dot, sibling)| {
        let forever = sibling.expires.is_none();
        (Reverse((forever, sibling.expires, sibling.written)), *dot)
    });
    let mut requests: BTreeSet<RequestId> = BTreeSet::new();
    let mut payloads: BTreeSet<(Checksum, &Payload)> = BTreeSet::new();
    // Only what stays counts against the rest, so no bytes vanish without standing elsewhere or
    // being a retry of what stays.
    candidates.retain(|(_, sibling)| {
        let payload = (sibling.checksum, &sibling.payload);
        let stands = !requests.contains(&sibling.request) && !payloads.contains(&payload);
        if stands {
            payloads.insert(payload);
            if sane_or!(sibling.request != RequestId::default(), UnnamedAreOne => true) {
                requests.insert(sibling.request);
            }
        }
        stands
    });
    candidates
}
