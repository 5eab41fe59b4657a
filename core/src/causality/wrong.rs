//! What the [`mutants`](crate::mutants) of this module and of those above put in place of records,
//! contexts and writes.

use alloc::vec::Vec;

use super::{Context, Counter, Dot, History, Payload, Record, Seen, Sibling, Write};
use crate::ids::RequestId;
use crate::time::UnixMs;

/// The write with a context that covers all of `record`.
pub(super) fn over_all(write: &Write, record: &Record) -> Write {
    let mut context = record.context();
    context.merge(&write.context);
    Write { context, ..write.clone() }
}

/// The same for a blind delete; the tombstones of others carry a request id.
pub(super) fn delete_all(write: &Write, record: &Record) -> Write {
    let blind = write.payload == Payload::Tombstone && write.request == RequestId::default();
    if blind { over_all(write, record) } else { write.clone() }
}

/// `record` as if each node reckoned by its own clock when the time to live of a value is over.
pub(crate) fn expiring_by(record: &Record, now: UnixMs) -> Record {
    let histories = record.histories().filter_map(|(actor, history)| {
        let live = history.live().iter().map(|(counter, sibling)| {
            let moment = |expires: UnixMs| now + expires.since(sibling.written);
            let expires = sibling.expires.map(moment);
            (*counter, Sibling { expires, ..sibling.clone() })
        });
        let seen = history.superseded().clone();
        Some((actor, History::from_parts(seen, history.at(), live.collect())?))
    });
    Record::from_histories(histories).unwrap_or_default()
}

/// Only what has expired at `now`, where anything has.
pub(crate) fn expired_if_any(mut values: Vec<&Sibling>, now: UnixMs) -> Vec<&Sibling> {
    if values.iter().any(|sibling| sibling.is_expired_at(now)) {
        values.retain(|sibling| sibling.is_expired_at(now));
    }
    values
}

/// The live siblings of `record`, without what is superseded.
pub(crate) fn live_only(record: &Record) -> Record {
    live(record, |_| true)
}

/// The record without its tombstones; where it has any, without all that is superseded, too.
pub(super) fn without_deletes(record: &Record) -> Record {
    let is_value = |sibling: &Sibling| sibling.payload != Payload::Tombstone;
    let deleted = record.siblings().any(|(_, sibling)| !is_value(sibling));
    if deleted { live(record, is_value) } else { record.clone() }
}

/// `record` without actors that `known` does not know and that have no live siblings.
pub(super) fn without_quiet(record: &Record, known: &Record) -> Record {
    let kept = record
        .histories()
        .filter(|(actor, theirs)| known.history(*actor).is_some() || !theirs.live().is_empty())
        .map(|(actor, theirs)| (actor, theirs.clone()));
    Record::from_histories(kept).unwrap_or_default()
}

/// What both histories have as superseded. A history that would be empty keeps what it has.
pub(super) fn superseded_by_both(ours: &History, theirs: &History) -> Seen {
    let (one, other) = (ours.superseded(), theirs.superseded());
    let upto = one.upto().min(other.upto());
    let mut both = Seen::from_parts(upto, Vec::new()).unwrap_or_default();
    for also in one.also().iter().chain(other.also()).map(|also| Counter(*also)) {
        if one.contains(also) && other.contains(also) {
            both.insert(also);
        }
    }
    if both.is_empty() && ours.live().is_empty() && theirs.live().is_empty() {
        both.union(one);
        both.union(other);
    }
    both
}

/// All counters up to the greatest one.
pub(super) fn gapless(seen: &Seen) -> Seen {
    Seen::from_parts(seen.max().0, Vec::new()).unwrap_or_default()
}

/// The context of `record` and the next dot of its first actor.
pub(crate) fn one_more(record: &Record) -> Context {
    let mut context = record.context();
    let next = context.iter().next().map(|(actor, seen)| (actor, seen.max().0.saturating_add(1)));
    if let Some((actor, counter)) = next {
        context.insert(Dot { actor, counter: Counter(counter) });
    }
    context
}

fn live(record: &Record, keep: impl Fn(&Sibling) -> bool) -> Record {
    let histories = record.histories().filter_map(|(actor, history)| {
        let live = history.live().iter().filter(|(_, sibling)| keep(sibling)).cloned().collect();
        Some((actor, History::from_parts(Seen::new(), history.at(), live)?))
    });
    Record::from_histories(histories).unwrap_or_default()
}

/// Leaves a record alone in which no tombstone stands.
pub(crate) fn without_tombstone(record: &Record, since: UnixMs) -> Option<UnixMs> {
    let mut siblings = record.siblings();
    siblings.any(|(_, sibling)| sibling.payload == Payload::Tombstone).then_some(since)
}
