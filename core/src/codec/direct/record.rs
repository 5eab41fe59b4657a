//! Records.

use alloc::vec::Vec;

use super::part::{Part, Sink};
use super::{LISTED_MAX, Reader};
use crate::causality::{
    Actor, Birth, Checksum, Counter, Held, History, Payload, Record, Seen, Sibling,
};
use crate::ids::{Incarnation, NodeId, RequestId};
use crate::time::UnixMs;

pub(super) fn record(reader: &mut Reader<'_>) -> Option<Record> {
    Record::from_ascending(list(reader, 1, history)?)
}

pub(super) fn actor(reader: &mut Reader<'_>) -> Option<Actor> {
    Some(Actor {
        node: NodeId(reader.fixed64(1)?),
        incarnation: Incarnation(reader.fixed32(2)?),
        birth: Birth(reader.number(3)?),
    })
}

/// The elements of a list, one field each.
pub(super) fn list<'a, T>(
    reader: &mut Reader<'a>,
    tag: u32,
    element: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(first) = reader.nested(tag, &element)? else { return Some(Vec::new()) };
    let mut elements = Vec::with_capacity(1);
    elements.push(first);
    while let Some(next) = reader.nested(tag, &element)? {
        elements.push(next);
        if elements.len() > LISTED_MAX {
            return None;
        }
    }
    Some(elements)
}

fn history(reader: &mut Reader<'_>) -> Option<(Actor, History)> {
    let actor = reader.one(1, actor)?;
    let superseded = reader.nested(2, seen)?.unwrap_or_default();
    let at = UnixMs(reader.number(3)?);
    let live = list(reader, 4, live)?;
    Some((actor, History::from_parts(superseded, at, live)?))
}

fn seen(reader: &mut Reader<'_>) -> Option<Seen> {
    let upto = reader.number(1)?;
    let also = reader.nested(2, |packed| {
        let mut also = Vec::new();
        while !packed.is_done() {
            also.push(packed.varint()?);
            if also.len() > LISTED_MAX {
                return None;
            }
        }
        Some(also)
    })?;
    Seen::from_parts(upto, also.unwrap_or_default())
}

fn live(reader: &mut Reader<'_>) -> Option<(Counter, Sibling)> {
    let counter = Counter(reader.number(1)?);
    let tombstone = reader.flag(2)?;
    let value = reader.bytes(3)?;
    let payload = match (tombstone, value.is_empty()) {
        (false, _) => Payload::Value(value),
        (true, true) => Payload::Tombstone,
        (true, false) => return None,
    };
    let sibling = Sibling {
        payload,
        checksum: Checksum(reader.fixed64(4)?),
        written: UnixMs(reader.number(5)?),
        expires: reader.optional_number(6)?.map(UnixMs),
        request: RequestId { client: reader.fixed64(7)?, sequence: reader.number(8)? },
    };
    Some((counter, sibling))
}

impl Part for Record {
    fn write(&self, sink: &mut impl Sink) {
        for (actor, history) in self.histories() {
            sink.part(1, &(actor, history));
        }
    }
}

impl Part for Held {
    fn write(&self, sink: &mut impl Sink) {
        sink.part(1, self.record());
        if let Some(own) = self.own() {
            sink.part(2, &own.actor);
        }
    }
}

impl Part for (Actor, &History) {
    fn write(&self, sink: &mut impl Sink) {
        let (actor, history) = self;
        sink.part(1, actor);
        sink.part(2, history.superseded());
        sink.number(3, history.at().0);
        for live in history.live() {
            sink.part(4, live);
        }
    }
}

impl Part for Actor {
    fn write(&self, sink: &mut impl Sink) {
        sink.fixed64(1, self.node.0);
        sink.fixed32(2, self.incarnation.0);
        sink.number(3, self.birth.0);
    }
}

impl Part for Seen {
    fn write(&self, sink: &mut impl Sink) {
        sink.number(1, self.upto());
        if !self.also().is_empty() {
            sink.part(2, &Numbers(self.also()));
        }
    }
}

impl Part for (Counter, Sibling) {
    fn write(&self, sink: &mut impl Sink) {
        let (counter, sibling) = self;
        sink.number(1, counter.0);
        match &sibling.payload {
            Payload::Value(value) => sink.bytes(3, value),
            Payload::Tombstone => sink.number(2, true),
        }
        sink.fixed64(4, sibling.checksum.0);
        sink.number(5, sibling.written.0);
        sink.optional_number(6, sibling.expires.map(|at| at.0));
        sink.fixed64(7, sibling.request.client);
        sink.number(8, sibling.request.sequence);
    }
}

/// Numbers in one field.
struct Numbers<'a>(&'a [u64]);

impl Part for Numbers<'_> {
    fn write(&self, sink: &mut impl Sink) {
        self.0.iter().for_each(|number| sink.varint(*number));
    }
}
