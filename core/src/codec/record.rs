//! Records.

use alloc::vec::Vec;

use super::{DecodeError, malformed, wire};
use crate::causality::{Actor, Birth, Checksum, Counter, History, Payload, Record, Seen, Sibling};
use crate::ids::{Incarnation, NodeId, RequestId};
use crate::time::UnixMs;

pub(super) fn record_out(record: &Record) -> wire::Record {
    let histories = record.histories().map(|(actor, history)| wire::History {
        actor: Some(actor_out(actor)),
        superseded: Some(seen_out(history.superseded())),
        at_ms: history.at().0,
        live: history.live().iter().map(live_out).collect(),
    });
    wire::Record { histories: histories.collect() }
}

pub(super) fn record_in(record: wire::Record) -> Result<Record, DecodeError> {
    let histories = record.histories.into_iter().map(history_in);
    let histories = histories.collect::<Result<Vec<_>, _>>()?;
    Record::from_ascending(histories)
        .ok_or(malformed("the histories of a record are not ascending"))
}

pub(super) fn actor_out(actor: Actor) -> wire::Actor {
    wire::Actor { node: actor.node.0, incarnation: actor.incarnation.0, birth: actor.birth.0 }
}

pub(super) fn actor_in(actor: wire::Actor) -> Actor {
    Actor {
        node: NodeId(actor.node),
        incarnation: Incarnation(actor.incarnation),
        birth: Birth(actor.birth),
    }
}

pub(super) fn seen_out(seen: &Seen) -> wire::Seen {
    wire::Seen { upto: seen.upto(), also: seen.also().to_vec() }
}

pub(super) fn seen_in(seen: Option<wire::Seen>) -> Result<Seen, DecodeError> {
    let seen = seen.unwrap_or_default();
    let malformed = malformed("a set of counters is not in its one form");
    Seen::from_parts(seen.upto, seen.also).ok_or(malformed)
}

fn history_in(history: wire::History) -> Result<(Actor, History), DecodeError> {
    let actor = actor_in(history.actor.ok_or(malformed("a history without an actor"))?);
    let superseded = seen_in(history.superseded)?;
    let live = history.live.into_iter().map(live_in).collect::<Result<Vec<_>, _>>()?;
    let history = History::from_parts(superseded, UnixMs(history.at_ms), live)
        .ok_or(malformed("a history has a live counter twice or superseded"))?;
    Ok((actor, history))
}

fn live_out((counter, sibling): &(Counter, Sibling)) -> wire::Live {
    let (tombstone, payload) = match &sibling.payload {
        Payload::Value(value) => (false, value.clone()),
        Payload::Tombstone => (true, bytes::Bytes::new()),
    };
    wire::Live {
        counter: counter.0,
        tombstone,
        payload,
        checksum: sibling.checksum.0,
        written_ms: sibling.written.0,
        expires_ms: sibling.expires.map(|at| at.0),
        request_client: sibling.request.client,
        request_sequence: sibling.request.sequence,
    }
}

fn live_in(live: wire::Live) -> Result<(Counter, Sibling), DecodeError> {
    let payload = match (live.tombstone, live.payload.is_empty()) {
        (false, _) => Payload::Value(live.payload),
        (true, true) => Payload::Tombstone,
        (true, false) => return Err(malformed("a tombstone with a payload")),
    };
    let sibling = Sibling {
        payload,
        checksum: Checksum(live.checksum),
        written: UnixMs(live.written_ms),
        expires: live.expires_ms.map(UnixMs),
        request: RequestId { client: live.request_client, sequence: live.request_sequence },
    };
    Ok((Counter(live.counter), sibling))
}
