//! The frames that every request takes, straight between bytes and messages.
//!
//! ```text
//!   bytes ──▶ Reader ──▶ message      the form that `Part` writes; for any other form `None`
//!   message ──▶ Part ──▶ bytes        fields in the order of their tags
//! ```
//!
//! prost makes a value of its own for each part of a frame, and this crate another one of that: for
//! a REPLICA_MERGE with a value of 100 bytes three quarters of what it took to decode it. So what a
//! get and a put send is read and written here field by field. The bytes are those of prost.
//!
//! Invariant: nothing is refused here, nor accepted that would be refused. Fields in another order,
//! twice, unknown ones, more than [`LISTED_MAX`] elements and everything that is wrong go the
//! general way, which alone decides.

mod part;
mod reader;
mod record;
mod replica;
mod request;

use alloc::vec::Vec;

use bytes::Bytes;
use prost::encoding::WireType;

pub(super) use part::{Part, Writer};
use reader::Reader;

use crate::causality::{Held, Own};
use crate::message::Message;

// The numbers of the bodies in `message Frame`.
pub(super) const GET: u32 = 5;
pub(super) const PUT: u32 = 6;
pub(super) const REPLY: u32 = 7;
pub(super) const REPLICA_READ: u32 = 8;
pub(super) const REPLICA_RECORD: u32 = 9;
pub(super) const REPLICA_MERGE: u32 = 10;
pub(super) const REPLICA_MERGED: u32 = 11;

/// Elements that all lists of a frame have at most here: no more than the guard grants to any frame.
const LISTED_MAX: usize = 16;

/// Appends one frame with this body, its length first.
pub(super) fn append(tag: u32, body: &impl Part, out: &mut Vec<u8>) {
    out.reserve(body.guess() + 32);
    Writer::new(out).delimited(&Framed { tag, body });
}

/// A frame: its body is its only field.
struct Framed<'a, P> {
    tag: u32,
    body: &'a P,
}

impl<P: Part> Part for Framed<'_, P> {
    fn write(&self, writer: &mut Writer<'_>) {
        writer.part(self.tag, self.body);
    }

    fn guess(&self) -> usize {
        self.body.guess() + 3
    }
}

/// The message in the body of one frame, where it is one of a request and in its one form.
pub(super) fn decode(frame: &Bytes) -> Option<Message> {
    let mut reader = Reader::new(frame);
    let message = match reader.next_tag()? {
        GET => Message::Get(reader.one(GET, request::get)?),
        PUT => Message::Put(reader.one(PUT, request::put)?),
        REPLY => Message::Reply(reader.one(REPLY, request::reply)?),
        REPLICA_READ => Message::ReplicaRead(reader.one(REPLICA_READ, replica::read)?),
        REPLICA_RECORD => Message::ReplicaRecord(reader.one(REPLICA_RECORD, replica::record)?),
        REPLICA_MERGE => Message::ReplicaMerge(reader.one(REPLICA_MERGE, replica::merge)?),
        REPLICA_MERGED => Message::ReplicaMerged(reader.one(REPLICA_MERGED, replica::merged)?),
        _ => return None,
    };
    reader.is_done().then_some(message)
}

/// The same of what a client is answered.
pub(super) fn decode_reply(frame: &Bytes) -> Option<Message> {
    let mut reader = Reader::new(frame);
    let reply = reader.one(REPLY, request::reply)?;
    reader.is_done().then_some(Message::Reply(reply))
}

/// What is stored of a key, where it is in its one form.
pub(super) fn decode_held(body: &Bytes) -> Option<Held> {
    let mut reader = Reader::new(body);
    let record = reader.one(1, record::record)?;
    let own = reader.nested(2, record::actor)?.map(|actor| Own { actor });
    reader.is_done().then(|| Held::from_parts(record, own))
}

/// What stands before a field.
const fn key(tag: u32, kind: WireType) -> u8 {
    // Fields up to 15 have keys of one byte, and the frames here no others.
    (tag << 3) as u8 | kind as u8
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use bytes::Bytes;
    use prost::Message as _;

    use super::decode;
    use crate::causality::{
        Actor, Birth, Checksum, Counter, Held, History, Own, Payload, Record, RecordDigest, Seen,
        Sibling,
    };
    use crate::codec::{decode_held, encode, encode_held, frames, guard, wire};
    use crate::ids::{Epoch, Incarnation, Key, NodeId, RequestId};
    use crate::layout::LayoutVersion;
    use crate::message::{
        Answer, CallId, Change, Entry, EntryValue, Failure, FailureCode, Get, MergeReason, Message,
        Put, QuorumChoice, ReadKind, Receipt, ReplicaMerge, ReplicaMerged, ReplicaRead,
        ReplicaRecord, ReplicaState, Reply, RequestHead, StandIn, Strictness, Written,
    };
    use crate::time::{Duration, UnixMs};

    const BIG: u64 = u64::MAX - 7;

    fn head(strictness: Strictness) -> RequestHead {
        RequestHead {
            call: CallId(BIG),
            key: "key".into(),
            quorum: QuorumChoice { r: 2, w: 255 },
            strictness,
            budget: Duration::from_millis(4_294_967_295),
            layout_version: LayoutVersion(300),
            passed_on: true,
            receipt: true,
            zone: None,
        }
    }

    /// The least that a request says.
    fn bare() -> RequestHead {
        RequestHead {
            call: CallId(0),
            key: Key(Bytes::new()),
            quorum: QuorumChoice::default(),
            strictness: Strictness::Configured,
            budget: Duration::ZERO,
            layout_version: LayoutVersion(0),
            passed_on: false,
            receipt: false,
            zone: None,
        }
    }

    /// One that is counted in a zone.
    fn local() -> RequestHead {
        RequestHead { zone: Some("eu".into()), ..bare() }
    }

    fn sibling(payload: Payload, expires: Option<UnixMs>, request: RequestId) -> Sibling {
        let checksum = Checksum::of(&payload);
        Sibling { payload, checksum, written: UnixMs(1_700_000_000_000), expires, request }
    }

    /// Histories with gaps, without anything superseded, and without anything that stands.
    fn record() -> Record {
        let actor =
            |node| Actor { node: NodeId(node), incarnation: Incarnation(9), birth: Birth(0) };
        let value = |bytes| Payload::Value(Bytes::from(bytes));
        let request = RequestId { client: BIG, sequence: 1 };
        let none = RequestId::default();
        let live = vec![
            (Counter(5), sibling(value(vec![7; 200]), Some(UnixMs(0)), request)),
            (Counter(BIG), sibling(Payload::Tombstone, None, none)),
        ];
        let gap = Seen::from_parts(3, vec![7, 300, 301]).unwrap();
        let alone = vec![(Counter(1), sibling(value(vec![]), None, none))];
        let gone = Seen::from_parts(BIG, vec![]).unwrap();
        Record::from_ascending(vec![
            (actor(1), History::from_parts(gap, UnixMs(5), live).unwrap()),
            (actor(2), History::from_parts(Seen::new(), UnixMs(0), alone).unwrap()),
            (actor(BIG), History::from_parts(gone, UnixMs(BIG), vec![]).unwrap()),
        ])
        .unwrap()
    }

    fn reply(result: Result<Answer, Failure>) -> Reply {
        Reply {
            call: CallId(3),
            layout_version: LayoutVersion(4),
            layout: None,
            receipt: None,
            passed_on_by: Some(NodeId(0)),
            copy: None,
            down: Vec::new(),
            result,
        }
    }

    /// Messages that are read here as they are written here.
    fn usual() -> Vec<Message> {
        let (context, payload) = (Bytes::from(vec![1; 40]), Bytes::from(vec![2; 300]));
        let request = RequestId { client: 1, sequence: 2 };
        let value = |ttl| Change::Value { payload: payload.clone(), checksum: Checksum(6), ttl };
        let put = |head, change| Put { head, context: context.clone(), request, change };
        let (written, expires) = (UnixMs(1), Some(UnixMs(2)));
        let checksum = Checksum(BIG);
        let entry_value = EntryValue { payload: payload.clone(), checksum, written, expires };
        let values = vec![entry_value.clone(), EntryValue { expires: None, ..entry_value }];
        let entry = Entry { values, tombstones: 3, context: context.clone() };
        let (call, key, digest) = (CallId(BIG), Key::from("key"), Some(RecordDigest(5)));
        let merge = |reason, hint_for| {
            let (key, epoch) = (key.clone(), Epoch(BIG));
            Message::ReplicaMerge(ReplicaMerge {
                call,
                key,
                record: record(),
                hint_for,
                reason,
                epoch,
                layout_version: LayoutVersion(0),
            })
        };
        let held = |state| Message::ReplicaRecord(ReplicaRecord { call, state });
        let read = |digest, stand_in| {
            Message::ReplicaRead(ReplicaRead { call, key: key.clone(), digest, stand_in })
        };
        let written = Written { context: context.clone(), siblings: 1 };
        vec![
            Message::Get(Get {
                head: head(Strictness::Strict),
                context: context.clone(),
                read: ReadKind::Digest,
            }),
            Message::Get(Get { head: bare(), context: Bytes::new(), read: ReadKind::Quorum }),
            Message::Get(Get { head: local(), context: Bytes::new(), read: ReadKind::Quorum }),
            Message::Put(put(head(Strictness::Sloppy), value(Some(Duration::ZERO)))),
            Message::Put(put(bare(), value(None))),
            Message::Put(put(bare(), Change::Delete)),
            Message::Put(put(local(), Change::Delete)),
            Message::Reply(reply(Ok(Answer::Entry(entry)))),
            Message::Reply(reply(Ok(Answer::Entry(Entry::default())))),
            Message::Reply(Reply { copy: digest, ..reply(Ok(Answer::Entry(Entry::default()))) }),
            Message::Reply(reply(Ok(Answer::Written(written)))),
            read(digest, true),
            read(None, false),
            held(ReplicaState::Unreadable),
            held(ReplicaState::Same),
            held(ReplicaState::Record(record())),
            held(ReplicaState::Record(Record::new())),
            merge(MergeReason::Write, None),
            merge(MergeReason::Repair, Some(NodeId(0))),
            merge(MergeReason::Handoff, Some(NodeId(BIG))),
            merge(MergeReason::AntiEntropy, None),
            Message::ReplicaMerged(ReplicaMerged { call: CallId(0), durable: false }),
            Message::ReplicaMerged(ReplicaMerged { call, durable: true }),
        ]
    }

    /// Messages that are only written here.
    fn seldom() -> Vec<Message> {
        let failure = Failure::refused(FailureCode::Overloaded)
            .quorum(1, 2)
            .limit(3, 4)
            .retry_after(Duration::from_millis(5));
        let receipt = Receipt {
            coordinator: NodeId(1),
            primaries: vec![NodeId(2)],
            repaired: vec![],
            needed: 2,
            layout_version: LayoutVersion(3),
            fallbacks: vec![StandIn { node: NodeId(4), primary: NodeId(5) }],
            zone: None,
        };
        let refused = reply(Err(failure.unknown()));
        vec![
            Message::Reply(Reply {
                copy: Some(RecordDigest(7)),
                down: vec![NodeId(7), NodeId(0)],
                ..refused.clone()
            }),
            Message::Reply(Reply { receipt: Some(receipt), ..refused }),
        ]
    }

    fn frame(message: &Message) -> Bytes {
        let mut bytes = Vec::new();
        encode(message, &mut bytes);
        frames(bytes.into(), usize::MAX).next().unwrap().unwrap()
    }

    #[test]
    fn the_bytes_are_those_of_prost() {
        for message in usual().iter().chain(&seldom()) {
            let frame = frame(message);
            let again = wire::Frame::decode(frame.clone()).unwrap().encode_to_vec();
            assert_eq!(frame, again, "{message:?}");
        }
    }

    #[test]
    fn every_length_has_as_many_bytes_as_it_needs() {
        for length in (0..300).chain(16_200..16_400).chain([2_097_100, 2_097_140, 2_097_152]) {
            let value = Payload::Value(vec![7; length].into());
            let live = vec![(Counter(1), sibling(value, None, RequestId::default()))];
            let history = History::from_parts(Seen::new(), UnixMs(0), live).unwrap();
            let actor = Actor { node: NodeId(0), incarnation: Incarnation(0), birth: Birth(0) };
            let record = Record::from_ascending(vec![(actor, history)]).unwrap();
            let state = ReplicaState::Record(record);
            let frame = frame(&Message::ReplicaRecord(ReplicaRecord { call: CallId(0), state }));
            let again = wire::Frame::decode(frame.clone()).unwrap().encode_to_vec();
            assert!(frame == again, "a value of {length} bytes");
        }
    }

    #[test]
    fn what_is_written_here_is_read_here() {
        for message in usual() {
            assert_eq!(decode(&frame(&message)), Some(message));
        }
        for message in seldom() {
            assert_eq!(decode(&frame(&message)), None);
        }
    }

    #[test]
    fn what_is_held_is_read_as_prost_reads_it() {
        let own = Actor { node: NodeId(1), incarnation: Incarnation(9), birth: Birth(0) };
        for own in [None, Some(Own { actor: own })] {
            let held = Held::from_parts(record(), own);
            let bytes = Bytes::from(encode_held(&held));
            let body = bytes.slice(1..bytes.len() - 8);
            let again = wire::Held::decode(body.clone()).unwrap().encode_to_vec();
            assert_eq!(body, again);
            assert_eq!(super::decode_held(&body), Some(held.clone()));
            assert_eq!(decode_held(bytes), Ok(held));
        }
    }

    #[test]
    fn what_the_guard_refuses_is_not_read_here() {
        // Histories of one actor each, with live tombstones of which only the counters are told.
        let live: Vec<u8> = (1..=16).flat_map(|counter| [0x22, 2, 0x08, counter]).collect();
        let history = |birth| [&[0x0a, 2, 0x18, birth][..], &live].concat();
        let histories = (1..=4).map(|birth| [&[0x0a, 68][..], &history(birth)].concat());
        let record = histories.collect::<Vec<_>>().concat();
        let lengths = |bytes: usize| [bytes as u8 | 0x80, (bytes >> 7) as u8];
        let merge = [&[0x1a][..], &lengths(record.len()), &record].concat();
        let frame = Bytes::from([&[0x52][..], &lengths(merge.len()), &merge].concat());
        assert!(guard::check(&frame).is_err());
        assert_eq!(decode(&frame), None);
    }

    #[test]
    fn long_lists_go_the_general_way() {
        let own = Actor { node: NodeId(1), incarnation: Incarnation(9), birth: Birth(0) };
        let history = |node| {
            let actor = Actor { node: NodeId(node), ..own };
            let seen = Seen::from_parts(1, vec![]).unwrap();
            (actor, History::from_parts(seen, UnixMs(1), vec![]).unwrap())
        };
        for (histories, read) in [(16, true), (17, false)] {
            let record = Record::from_ascending((0..histories).map(history).collect()).unwrap();
            let state = ReplicaState::Record(record);
            let message = Message::ReplicaRecord(ReplicaRecord { call: CallId(1), state });
            let frame = frame(&message);
            assert_eq!(decode(&frame).is_some(), read);
            assert_eq!(crate::codec::decode(frame), Ok(message));
        }
    }
}
