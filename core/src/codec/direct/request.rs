//! Get, put and the reply to them.

use alloc::vec::Vec;

use super::part::{Part, Writer};
use super::record::{digest, write_digest};
use super::{Reader, record};
use crate::causality::Checksum;
use crate::codec::request::{ceil_millis, failure_out, receipt_out, zone_in};
use crate::codec::{layout, wire};
use crate::ids::{Key, NodeId, RequestId, Text};
use crate::layout::LayoutVersion;
use crate::message::{
    Answer, CallId, Change, Entry, EntryValue, Get, Put, QuorumChoice, ReadKind, Reply,
    RequestHead, Strictness, Written,
};
use crate::time::{self, Duration, UnixMs};

pub(super) fn get(reader: &mut Reader<'_>) -> Option<Get> {
    let mut head = head(reader)?;
    head.strictness = strictness(reader, 9)?;
    let (context, read) = (reader.bytes(10)?, read_kind(reader, 11)?);
    head.zone = zone(reader, 12)?;
    Some(Get { head, context, read })
}

pub(super) fn put(reader: &mut Reader<'_>) -> Option<Put> {
    let mut head = head(reader)?;
    let context = reader.bytes(9)?;
    let request = RequestId { client: reader.fixed64(10)?, sequence: reader.number(11)? };
    let value = reader.nested(12, value)?;
    let delete = reader.nested(13, |_| Some(Change::Delete))?;
    let change = match (value, delete) {
        (Some(change), None) | (None, Some(change)) => change,
        _ => return None,
    };
    head.strictness = strictness(reader, 14)?;
    head.zone = zone(reader, 15)?;
    Some(Put { head, context, request, change })
}

/// Replies that tell of a layout, of nodes that are down or of who did what are rare.
pub(super) fn reply(reader: &mut Reader<'_>) -> Option<Reply> {
    let call = CallId(reader.number(1)?);
    let layout_version = LayoutVersion(reader.number(2)?);
    let passed_on_by = reader.optional_fixed64(5)?.map(NodeId);
    let entry = reader.nested(6, entry)?.map(Answer::Entry);
    let written = reader.nested(7, written)?.map(Answer::Written);
    let result = match (entry, written) {
        (Some(answer), None) | (None, Some(answer)) => Ok(answer),
        _ => return None,
    };
    let copy = digest(reader, 10)?;
    let (layout, receipt, down) = (None, None, Vec::new());
    Some(Reply { call, layout_version, layout, receipt, passed_on_by, down, result, copy })
}

/// The fields that both requests begin with.
fn head(reader: &mut Reader<'_>) -> Option<RequestHead> {
    Some(RequestHead {
        call: CallId(reader.number(1)?),
        key: Key(reader.bytes(2)?),
        quorum: QuorumChoice { r: reader.byte(3)?, w: reader.byte(4)? },
        budget: Duration::from_millis(reader.small_number(5)?.into()),
        layout_version: LayoutVersion(reader.number(6)?),
        passed_on: reader.flag(7)?,
        receipt: reader.flag(8)?,
        strictness: Strictness::default(),
        zone: None,
    })
}

fn zone(reader: &mut Reader<'_>, tag: u32) -> Option<Option<Text>> {
    let name = reader.bytes(tag)?;
    zone_in(core::str::from_utf8(&name).ok()?).ok()
}

fn strictness(reader: &mut Reader<'_>, tag: u32) -> Option<Strictness> {
    let number = reader.number(tag)?;
    let known = [Strictness::Configured, Strictness::Strict, Strictness::Sloppy];
    known.into_iter().find(|known| strictness_out(*known) as u64 == number)
}

fn read_kind(reader: &mut Reader<'_>, tag: u32) -> Option<ReadKind> {
    let number = reader.number(tag)?;
    let known = [ReadKind::Quorum, ReadKind::Data, ReadKind::Digest];
    known.into_iter().find(|known| read_kind_out(*known) as u64 == number)
}

fn value(reader: &mut Reader<'_>) -> Option<Change> {
    Some(Change::Value {
        payload: reader.bytes(1)?,
        checksum: Checksum(reader.fixed64(2)?),
        ttl: reader.optional_number(3)?.map(Duration::from_millis),
    })
}

fn entry(reader: &mut Reader<'_>) -> Option<Entry> {
    Some(Entry {
        values: record::list(reader, 1, entry_value)?,
        tombstones: reader.small_number(2)?,
        context: reader.bytes(3)?,
    })
}

fn entry_value(reader: &mut Reader<'_>) -> Option<EntryValue> {
    Some(EntryValue {
        payload: reader.bytes(1)?,
        checksum: Checksum(reader.fixed64(2)?),
        written: UnixMs(reader.number(3)?),
        expires: reader.optional_number(4)?.map(UnixMs),
    })
}

fn written(reader: &mut Reader<'_>) -> Option<Written> {
    Some(Written { context: reader.bytes(1)?, siblings: reader.small_number(2)? })
}

impl Part for Get {
    fn write(&self, writer: &mut Writer<'_>) {
        write_head(&self.head, writer);
        writer.number(9, strictness_out(self.head.strictness) as u32);
        writer.bytes(10, &self.context);
        writer.number(11, read_kind_out(self.read) as u32);
        write_zone(&self.head, 12, writer);
    }

    fn guess(&self) -> usize {
        self.head.key.as_bytes().len() + self.context.len() + 20
    }
}

impl Part for Put {
    fn write(&self, writer: &mut Writer<'_>) {
        write_head(&self.head, writer);
        writer.bytes(9, &self.context);
        writer.fixed64(10, self.request.client);
        writer.number(11, self.request.sequence);
        match &self.change {
            Change::Value { .. } => writer.part(12, &self.change),
            Change::Delete => writer.part(13, &self.change),
        }
        writer.number(14, strictness_out(self.head.strictness) as u32);
        write_zone(&self.head, 15, writer);
    }

    fn guess(&self) -> usize {
        self.head.key.as_bytes().len() + self.context.len() + self.change.guess() + 40
    }
}

impl Part for Change {
    fn write(&self, writer: &mut Writer<'_>) {
        match self {
            Change::Value { payload, checksum, ttl } => {
                writer.bytes(1, payload);
                writer.fixed64(2, checksum.0);
                writer.optional_number(3, ttl.map(time::millis));
            }
            Change::Delete => {}
        }
    }

    fn guess(&self) -> usize {
        match self {
            Change::Value { payload, .. } => payload.len() + 16,
            Change::Delete => 0,
        }
    }
}

impl Part for Reply {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.number(1, self.call.0);
        writer.number(2, self.layout_version.0);
        if let Some(update) = &self.layout {
            writer.general(3, &layout::layout_out(update));
        }
        if let Some(receipt) = &self.receipt {
            writer.general(4, &receipt_out(receipt));
        }
        writer.optional_fixed64(5, self.passed_on_by.map(|node| node.0));
        match &self.result {
            Ok(Answer::Entry(entry)) => writer.part(6, entry),
            Ok(Answer::Written(written)) => writer.part(7, written),
            Err(failure) => writer.general(8, &failure_out(failure)),
        }
        if !self.down.is_empty() {
            writer.part(9, &Nodes(&self.down));
        }
        write_digest(self.copy, 10, writer);
    }

    fn guess(&self) -> usize {
        let result = match &self.result {
            Ok(Answer::Entry(entry)) => entry.guess(),
            Ok(Answer::Written(written)) => written.guess(),
            Err(_) => 0,
        };
        result + 12
    }
}

impl Part for Entry {
    fn write(&self, writer: &mut Writer<'_>) {
        for value in &self.values {
            writer.part(1, value);
        }
        writer.number(2, self.tombstones);
        writer.bytes(3, &self.context);
    }

    fn guess(&self) -> usize {
        let values: usize = self.values.iter().map(|value| value.guess() + 2).sum();
        values + self.context.len()
    }
}

impl Part for EntryValue {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(1, &self.payload);
        writer.fixed64(2, self.checksum.0);
        writer.number(3, self.written.0);
        writer.optional_number(4, self.expires.map(|at| at.0));
    }

    fn guess(&self) -> usize {
        self.payload.len() + 20
    }
}

impl Part for Written {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.bytes(1, &self.context);
        writer.number(2, self.siblings);
    }

    fn guess(&self) -> usize {
        self.context.len() + 4
    }
}

/// Ids in one field.
struct Nodes<'a>(&'a [NodeId]);

impl Part for Nodes<'_> {
    fn write(&self, writer: &mut Writer<'_>) {
        self.0.iter().for_each(|node| writer.raw(&node.0.to_le_bytes()));
    }
}

fn strictness_out(strictness: Strictness) -> wire::Strictness {
    match strictness {
        Strictness::Configured => wire::Strictness::Unspecified,
        Strictness::Strict => wire::Strictness::Strict,
        Strictness::Sloppy => wire::Strictness::Sloppy,
    }
}

fn read_kind_out(read: ReadKind) -> wire::ReadKind {
    match read {
        ReadKind::Quorum => wire::ReadKind::ReadQuorum,
        ReadKind::Data => wire::ReadKind::ReadData,
        ReadKind::Digest => wire::ReadKind::ReadDigest,
    }
}

fn write_head(head: &RequestHead, writer: &mut Writer<'_>) {
    writer.number(1, head.call.0);
    writer.bytes(2, head.key.as_bytes());
    writer.number(3, head.quorum.r);
    writer.number(4, head.quorum.w);
    writer.number(5, ceil_millis(head.budget));
    writer.number(6, head.layout_version.0);
    writer.number(7, head.passed_on);
    writer.number(8, head.receipt);
}

fn write_zone(head: &RequestHead, tag: u32, writer: &mut Writer<'_>) {
    if let Some(zone) = &head.zone {
        writer.bytes(tag, zone.as_bytes());
    }
}
