//! Fields written in the order of their tags.

use alloc::vec::Vec;

use prost::Message;
use prost::encoding::{WireType, encode_varint, encoded_len_varint, message};

use super::key;

/// Bytes that a varint has at most.
const VARINT_MAX: usize = 10;

/// A message, or a packed list, that is a part of a frame.
pub(in crate::codec) trait Part {
    /// Writes its fields.
    fn write(&self, writer: &mut Writer<'_>);

    /// About how many bytes that takes. The length of a part stands before it and takes the more
    /// bytes the longer it is: where this is right to a factor, nothing is moved.
    fn guess(&self) -> usize {
        0
    }
}

/// Appends fields. One that has its default takes no bytes, unless it is optional and there.
pub(in crate::codec) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    pub(in crate::codec) fn new(out: &mut Vec<u8>) -> Writer<'_> {
        Writer { out }
    }

    pub(super) fn number(&mut self, tag: u32, number: impl Into<u64>) {
        let number = number.into();
        if number != 0 {
            self.optional_number(tag, Some(number));
        }
    }

    pub(super) fn optional_number(&mut self, tag: u32, number: Option<u64>) {
        if let Some(number) = number {
            self.out.push(key(tag, WireType::Varint));
            self.varint(number);
        }
    }

    pub(super) fn fixed64(&mut self, tag: u32, number: u64) {
        if number != 0 {
            self.optional_fixed64(tag, Some(number));
        }
    }

    pub(super) fn optional_fixed64(&mut self, tag: u32, number: Option<u64>) {
        if let Some(number) = number {
            self.out.push(key(tag, WireType::SixtyFourBit));
            self.raw(&number.to_le_bytes());
        }
    }

    pub(super) fn fixed32(&mut self, tag: u32, number: u32) {
        if number != 0 {
            self.out.push(key(tag, WireType::ThirtyTwoBit));
            self.raw(&number.to_le_bytes());
        }
    }

    pub(super) fn bytes(&mut self, tag: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.out.push(key(tag, WireType::LengthDelimited));
            self.varint(bytes.len() as u64);
            self.raw(bytes);
        }
    }

    pub(super) fn part(&mut self, tag: u32, part: &impl Part) {
        self.out.push(key(tag, WireType::LengthDelimited));
        self.delimited(part);
    }

    /// A part that is seldom there.
    pub(super) fn general(&mut self, tag: u32, part: &impl Message) {
        message::encode(tag, part, self.out);
    }

    /// A number without a tag, as in a packed list.
    pub(super) fn varint(&mut self, number: u64) {
        if number < 0x80 {
            self.out.push(number as u8);
        } else {
            encode_varint(number, self.out);
        }
    }

    /// The same of bytes.
    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A part, its length first.
    pub(super) fn delimited(&mut self, part: &impl Part) {
        let at = self.out.len();
        let room = encoded_len_varint(part.guess() as u64);
        self.raw(&[0; VARINT_MAX][..room]);
        part.write(self);
        let length = self.out.len() - at - room;
        let needed = encoded_len_varint(length as u64);
        if needed != room {
            self.out.resize(at + length + room.max(needed), 0);
            self.out.copy_within(at + room..at + room + length, at + needed);
            self.out.truncate(at + needed + length);
        }
        encode_varint(length as u64, &mut &mut self.out[at..at + needed]);
    }
}
