//! A look at a frame before it is decoded, so that a few bytes cannot become many.
//!
//! An empty element of a repeated message takes 2 bytes on the wire and over 100 in memory. Real
//! elements carry ids and checksums, so frames whose elements take less than [`ELEMENT_BYTES_MIN`]
//! on average are refused here, without allocating.

use prost::bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

use super::{DecodeError, malformed};

/// What an element of a repeated message takes on the wire, at least, on average.
const ELEMENT_BYTES_MIN: usize = 8;

/// Elements that are granted to every frame.
const ELEMENTS_GRANTED: usize = 16;

/// The fields of one message that hold, or lead to, repeated messages.
struct Shape(&'static [Field]);

struct Field {
    tag: u32,
    repeated: bool,
    shape: Shape,
}

const fn one(tag: u32, shape: Shape) -> Field {
    Field { tag, repeated: false, shape }
}

const fn many(tag: u32, shape: Shape) -> Field {
    Field { tag, repeated: true, shape }
}

const LEAF: Shape = Shape(&[]);
const LAYOUT_UPDATE: Shape = Shape(&[many(3, LEAF)]);
const WELCOME: Shape = Shape(&[one(7, LAYOUT_UPDATE)]);
const ENTRY: Shape = Shape(&[many(1, LEAF)]);
const REPLY: Shape = Shape(&[one(3, LAYOUT_UPDATE), one(6, ENTRY)]);
const HISTORY: Shape = Shape(&[many(4, LEAF)]);
const RECORD: Shape = Shape(&[many(1, HISTORY)]);
const REPLICA_RECORD: Shape = Shape(&[one(3, RECORD)]);
const REPLICA_MERGE: Shape = Shape(&[one(3, RECORD)]);
const STATUS_REPLY: Shape = Shape(&[many(11, LEAF), many(12, LEAF), many(13, LEAF)]);
const FRAME: Shape = Shape(&[
    one(2, WELCOME),
    one(7, REPLY),
    one(9, REPLICA_RECORD),
    one(10, REPLICA_MERGE),
    one(13, STATUS_REPLY),
]);

/// Refuses a frame whose elements are too many for its length.
pub(super) fn check(frame: &[u8]) -> Result<(), DecodeError> {
    let mut granted = frame.len() / ELEMENT_BYTES_MIN + ELEMENTS_GRANTED;
    scan(frame, &FRAME, &mut granted)
}

fn scan(mut bytes: &[u8], shape: &Shape, granted: &mut usize) -> Result<(), DecodeError> {
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
        let known = shape.0.iter().find(|field| field.tag == tag);
        if let (Some(known), WireType::LengthDelimited) = (known, wire_type) {
            if known.repeated {
                *granted =
                    granted.checked_sub(1).ok_or(malformed("too many elements for its length"))?;
            }
            scan(field, &known.shape, granted)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ELEMENTS_GRANTED, check};

    #[test]
    fn a_frame_of_empty_histories_is_refused() {
        let histories = [0x0a, 0].repeat(ELEMENTS_GRANTED * 2);
        let record = [&[0x1a, histories.len() as u8][..], &histories].concat();
        let frame = [&[0x52, record.len() as u8][..], &record].concat();
        assert!(check(&frame).is_err());
        assert!(check(&frame[..2]).is_err());
        assert!(check(&[]).is_ok());
    }
}
