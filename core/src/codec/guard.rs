//! A look at a frame before it is decoded, so that a few bytes cannot become many.
//!
//! An empty element of a repeated message takes 2 bytes on the wire and over 100 in memory; a
//! small number takes 1 byte there and 8 here. Real elements carry ids, times and checksums, so a
//! frame whose elements would take more than [`MEMORY_PER_BYTE`] is refused here, without
//! allocating; [`direct`](super::direct), which comes first, stops at a few elements.
//! `core/tests/codec_allocation.rs` measures what is left to a hostile sender.
//!
//! Texts and lists of fixed width are not charged: in memory they take a few times their bytes.
//! Neither are the primaries that a valid layout lists for its slots: Q x N ids, once per frame,
//! however short the frame is.

use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

use super::{DecodeError, malformed, wire};
use crate::causality::{Actor, History, HistoryOutline};
use crate::message::{MarksOf, PastLayout};

/// Bytes of memory that a frame may spend on repeated elements for each of its own bytes.
const MEMORY_PER_BYTE: usize = 32;

/// Bytes of memory that are granted to every frame besides.
const MEMORY_GRANTED: usize = 16 * 1024;

/// How many times its own size an element is charged. A vector that grows holds, for a moment, its
/// elements and twice as many places; one with a single element has four places.
const PLACES_PER_ELEMENT: usize = 4;

/// The fields of one message that hold, or lead to, repeated elements.
struct Shape(&'static [Field]);

struct Field {
    tag: u32,
    kind: Kind,
}

enum Kind {
    /// A message that is not repeated.
    One(Shape),
    /// A repeated message.
    Many { charge: usize, shape: Shape },
    /// Repeated bytes.
    Blobs { charge: usize },
    /// A repeated number of variable width, packed or not.
    Numbers { charge: usize },
}

const fn one(tag: u32, shape: Shape) -> Field {
    Field { tag, kind: Kind::One(shape) }
}

const fn many<Element>(tag: u32, shape: Shape) -> Field {
    Field { tag, kind: Kind::Many { charge: PLACES_PER_ELEMENT * size_of::<Element>(), shape } }
}

const fn blobs(tag: u32) -> Field {
    let charge = PLACES_PER_ELEMENT * size_of::<bytes::Bytes>();
    Field { tag, kind: Kind::Blobs { charge } }
}

const fn numbers<Number>(tag: u32) -> Field {
    Field { tag, kind: Kind::Numbers { charge: PLACES_PER_ELEMENT * size_of::<Number>() } }
}

/// Histories grow into a second vector, that of their record, while the first one stands.
const HISTORY_CHARGE: usize =
    PLACES_PER_ELEMENT * size_of::<wire::History>() + 2 * size_of::<(Actor, History)>();

/// Likewise; one alone has four places in the second vector, too.
const OUTLINE_CHARGE: usize =
    PLACES_PER_ELEMENT * (size_of::<wire::HistoryOutline>() + size_of::<(Actor, HistoryOutline)>());

/// Likewise.
const MARKS_CHARGE: usize =
    PLACES_PER_ELEMENT * size_of::<wire::LayoutMarks>() + 2 * size_of::<MarksOf>();

/// Likewise.
const PAST_CHARGE: usize =
    PLACES_PER_ELEMENT * size_of::<wire::PastLayout>() + 2 * size_of::<PastLayout>();

const LEAF: Shape = Shape(&[]);
const LAYOUT_UPDATE: Shape = Shape(&[many::<wire::Member>(3, LEAF), numbers::<u32>(4)]);
const WELCOME: Shape = Shape(&[one(7, LAYOUT_UPDATE)]);
const ENTRY: Shape = Shape(&[many::<wire::EntryValue>(1, LEAF)]);
const RECEIPT: Shape = Shape(&[many::<wire::StandIn>(6, LEAF)]);
const REPLY: Shape = Shape(&[one(3, LAYOUT_UPDATE), one(4, RECEIPT), one(6, ENTRY)]);
const STAGING: Shape = Shape(&[many::<wire::StagedChange>(3, LEAF)]);
const GOSSIP: Shape = Shape(&[
    many::<wire::Pulse>(4, LEAF),
    many::<wire::MemberInfo>(5, LEAF),
    many::<wire::LayoutUpdate>(8, LAYOUT_UPDATE),
    Field { tag: 13, kind: Kind::Many { charge: MARKS_CHARGE, shape: LEAF } },
    one(14, STAGING),
]);
const SEEN: Shape = Shape(&[numbers::<u64>(2)]);
const HISTORY: Shape = Shape(&[one(2, SEEN), many::<wire::Live>(4, LEAF)]);
const RECORD: Shape =
    Shape(&[Field { tag: 1, kind: Kind::Many { charge: HISTORY_CHARGE, shape: HISTORY } }]);
const REPLICA_RECORD: Shape = Shape(&[one(3, RECORD)]);
const REPLICA_MERGE: Shape = Shape(&[one(3, RECORD)]);
const HISTORY_OUTLINE: Shape = Shape(&[one(2, SEEN), numbers::<u64>(4)]);
const KEY_OUTLINE: Shape =
    Shape(&[Field { tag: 2, kind: Kind::Many { charge: OUTLINE_CHARGE, shape: HISTORY_OUTLINE } }]);
const COMPARE: Shape = Shape(&[
    one(4, Shape(&[many::<wire::BranchHash>(1, LEAF)])),
    one(5, Shape(&[many::<wire::KeyState>(6, LEAF)])),
    one(6, Shape(&[many::<wire::KeyOutline>(2, KEY_OUTLINE)])),
]);
const KEY_RECORD: Shape = Shape(&[one(2, RECORD)]);
const COMPARED: Shape = Shape(&[
    one(2, Shape(&[many::<wire::BranchChildren>(1, LEAF), numbers::<u32>(2)])),
    one(3, Shape(&[many::<wire::KeyState>(1, LEAF)])),
    one(4, Shape(&[many::<wire::KeyRecord>(1, KEY_RECORD), blobs(2)])),
]);
const COLLECT: Shape = Shape(&[
    one(3, Shape(&[blobs(1), many::<wire::EpochOf>(3, LEAF)])),
    one(5, Shape(&[many::<wire::KeyState>(1, LEAF)])),
]);
const COLLECTED: Shape = Shape(&[one(2, Shape(&[many::<wire::HeldState>(1, LEAF)]))]);
const STATUS_REPLY: Shape = Shape(&[
    many::<wire::MemberStatus>(11, LEAF),
    many::<wire::Number>(12, LEAF),
    many::<wire::Number>(13, LEAF),
    many::<wire::PairStatus>(15, LEAF),
]);
const LAYOUT_REQUEST: Shape =
    Shape(&[one(5, Shape(&[many::<wire::StagedChange>(1, LEAF)])), one(7, STAGING)]);
const PAST_LAYOUT: Shape = Shape(&[
    many::<wire::Member>(4, LEAF),
    many::<wire::Member>(5, LEAF),
    many::<wire::Member>(6, LEAF),
]);
const LAYOUT_REPORT: Shape = Shape(&[
    many::<wire::LayoutUpdate>(1, LAYOUT_UPDATE),
    Field { tag: 3, kind: Kind::Many { charge: MARKS_CHARGE, shape: LEAF } },
    one(4, STAGING),
    many::<wire::SlotWaits>(5, LEAF),
    many::<wire::SlotWaits>(6, LEAF),
]);
const LAYOUT_REPLY: Shape = Shape(&[
    one(3, LAYOUT_REPORT),
    one(4, Shape(&[numbers::<u32>(1), numbers::<u64>(2), numbers::<u64>(3)])),
    one(
        5,
        Shape(&[Field { tag: 1, kind: Kind::Many { charge: PAST_CHARGE, shape: PAST_LAYOUT } }]),
    ),
    one(6, STAGING),
]);
const FRAME: Shape = Shape(&[
    one(2, WELCOME),
    one(7, REPLY),
    one(9, REPLICA_RECORD),
    one(10, REPLICA_MERGE),
    one(13, STATUS_REPLY),
    one(14, GOSSIP),
    one(15, COMPARE),
    one(16, COMPARED),
    one(19, COLLECT),
    one(20, COLLECTED),
    one(21, LAYOUT_REQUEST),
    one(22, LAYOUT_REPLY),
]);

/// Refuses a frame whose elements are too many for its length.
pub(super) fn check(frame: &[u8]) -> Result<(), DecodeError> {
    let memory = frame.len().saturating_mul(MEMORY_PER_BYTE).saturating_add(MEMORY_GRANTED);
    Budget { memory }.scan(frame, &FRAME)
}

/// The bytes of memory that a frame may still spend.
struct Budget {
    memory: usize,
}

impl Budget {
    fn scan(&mut self, mut bytes: &[u8], shape: &Shape) -> Result<(), DecodeError> {
        if shape.0.is_empty() {
            // Nothing in it is charged; what is wrong with it is found in decoding it.
            return Ok(());
        }
        let broken = || malformed("no Protocol Buffers fields");
        while bytes.has_remaining() {
            let (tag, wire_type) = decode_key(&mut bytes).map_err(|_| broken())?;
            let length = match wire_type {
                WireType::Varint => {
                    decode_varint(&mut bytes).map_err(|_| broken())?;
                    0
                }
                WireType::SixtyFourBit => 8,
                WireType::ThirtyTwoBit => 4,
                WireType::LengthDelimited => decode_varint(&mut bytes).map_err(|_| broken())?,
                WireType::StartGroup | WireType::EndGroup => return Err(broken()),
            };
            let length = usize::try_from(length).map_err(|_| broken())?;
            let (field, rest) = bytes.split_at_checked(length).ok_or_else(broken)?;
            bytes = rest;
            let known = shape.0.iter().find(|known| known.tag == tag);
            let delimited = wire_type == WireType::LengthDelimited;
            match known.map(|known| &known.kind) {
                Some(Kind::One(shape)) if delimited => self.scan(field, shape)?,
                Some(Kind::Many { charge, shape }) if delimited => {
                    self.spend(1, *charge)?;
                    self.scan(field, shape)?;
                }
                Some(Kind::Blobs { charge }) if delimited => self.spend(1, *charge)?,
                Some(Kind::Numbers { charge }) if delimited => {
                    // The last byte of a number is the one below 0x80.
                    let count = field.iter().filter(|byte| **byte < 0x80).count();
                    self.spend(count, *charge)?;
                }
                Some(Kind::Numbers { charge }) => self.spend(1, *charge)?,
                // Of another wire type: it allocates nothing before it is found out.
                Some(Kind::One(_) | Kind::Many { .. } | Kind::Blobs { .. }) | None => {}
            }
        }
        Ok(())
    }

    fn spend(&mut self, count: usize, charge: usize) -> Result<(), DecodeError> {
        let left = self.memory.checked_sub(count.saturating_mul(charge));
        self.memory = left.ok_or(malformed("too many elements for its length"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{HISTORY_CHARGE, MEMORY_GRANTED, check};

    #[test]
    fn a_frame_of_empty_histories_is_refused() {
        let history = [0x0a, 0];
        let granted = MEMORY_GRANTED / HISTORY_CHARGE;
        let frame = |histories: usize| {
            let histories = history.repeat(histories);
            let record = [&[0x1a, histories.len() as u8][..], &histories].concat();
            [&[0x52, record.len() as u8][..], &record].concat()
        };
        assert!(check(&frame(granted)).is_ok());
        assert!(check(&frame(granted + 20)).is_err());
    }

    #[test]
    fn numbers_of_one_byte_are_in_order() {
        let also = [&[0x12, 100][..], &[3; 100]].concat();
        let history = [&[0x12, 102][..], &also].concat();
        let record = [&[0x0a, 104][..], &history].concat();
        let merge = [&[0x1a, 106][..], &record].concat();
        assert!(check(&[&[0x52, 108][..], &merge].concat()).is_ok());
    }

    #[test]
    fn what_is_no_protocol_buffers_is_refused() {
        for broken in [&[0x52][..], &[0x52, 1], &[0x52, 1, 0x1a], &[0x0b], &[0x52, 1, 0x1b], &[0]] {
            assert!(check(broken).is_err(), "{broken:?}");
        }
        assert!(check(&[]).is_ok());
    }
}
