//! Records.

use alloc::vec::Vec;

use super::Reader;
use super::part::{Part, Writer};
use crate::causality::{
    Actor, Birth, Checksum, Counter, Held, History, Payload, Record, RecordDigest, Seen, Sibling,
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

/// 16 bytes, or nothing.
pub(super) fn digest(reader: &mut Reader<'_>, tag: u32) -> Option<Option<RecordDigest>> {
    match &*reader.bytes(tag)? {
        [] => Some(None),
        bytes => Some(Some(RecordDigest(u128::from_be_bytes(bytes.try_into().ok()?)))),
    }
}

pub(super) fn write_digest(digest: Option<RecordDigest>, tag: u32, writer: &mut Writer<'_>) {
    if let Some(RecordDigest(digest)) = digest {
        writer.bytes(tag, &digest.to_be_bytes());
    }
}

/// The elements of a list, one field each.
pub(super) fn list<'a, T>(
    reader: &mut Reader<'a>,
    tag: u32,
    element: impl Fn(&mut Reader<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(first) = reader.nested(tag, &element)? else { return Some(Vec::new()) };
    reader.list_one()?;
    let mut elements = Vec::with_capacity(1);
    elements.push(first);
    while let Some(next) = reader.nested(tag, &element)? {
        reader.list_one()?;
        elements.push(next);
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
            packed.list_one()?;
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
    fn write(&self, writer: &mut Writer<'_>) {
        for (actor, history) in self.histories() {
            writer.part(1, &(actor, history));
        }
    }

    fn guess(&self) -> usize {
        self.histories().map(|history| history.guess() + 2).sum()
    }
}

impl Part for Held {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.part(1, self.record());
        if let Some(own) = self.own() {
            writer.part(2, &own.actor);
        }
    }

    fn guess(&self) -> usize {
        self.record().guess() + 24
    }
}

impl Part for (Actor, &History) {
    fn write(&self, writer: &mut Writer<'_>) {
        let (actor, history) = self;
        writer.part(1, actor);
        writer.part(2, history.superseded());
        writer.number(3, history.at().0);
        for live in history.live() {
            writer.part(4, live);
        }
    }

    fn guess(&self) -> usize {
        let (_, history) = self;
        history.live().iter().map(|live| live.guess() + 2).sum::<usize>() + 30
    }
}

impl Part for Actor {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.fixed64(1, self.node.0);
        writer.fixed32(2, self.incarnation.0);
        writer.number(3, self.birth.0);
    }
}

impl Part for Seen {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.number(1, self.upto());
        if !self.also().is_empty() {
            writer.part(2, &Numbers(self.also()));
        }
    }
}

impl Part for (Counter, Sibling) {
    fn write(&self, writer: &mut Writer<'_>) {
        let (counter, sibling) = self;
        writer.number(1, counter.0);
        match &sibling.payload {
            Payload::Value(value) => writer.bytes(3, value),
            Payload::Tombstone => writer.number(2, true),
        }
        writer.fixed64(4, sibling.checksum.0);
        writer.number(5, sibling.written.0);
        writer.optional_number(6, sibling.expires.map(|at| at.0));
        writer.fixed64(7, sibling.request.client);
        writer.number(8, sibling.request.sequence);
    }

    fn guess(&self) -> usize {
        let (_, sibling) = self;
        sibling.payload.len() + 32
    }
}

/// Numbers in one field.
struct Numbers<'a>(&'a [u64]);

impl Part for Numbers<'_> {
    fn write(&self, writer: &mut Writer<'_>) {
        self.0.iter().for_each(|number| writer.varint(*number));
    }
}
