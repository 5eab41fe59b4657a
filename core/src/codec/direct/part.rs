//! Fields written in the order of their tags.

use alloc::vec::Vec;

use prost::Message;
use prost::encoding::{WireType, encode_varint, encoded_len_varint, message};

use super::key;

/// A message, or a packed list, that is a part of a frame.
pub(in crate::codec) trait Part {
    /// Writes its fields. They go twice over it: the first time for its length.
    fn write(&self, sink: &mut impl Sink);

    /// Bytes that it takes.
    fn length(&self) -> usize {
        let mut length = Length(0);
        self.write(&mut length);
        length.0
    }
}

/// What fields are written to. A field that has its default takes no bytes, unless it is optional
/// and there.
pub(in crate::codec) trait Sink {
    fn varint(&mut self, number: u64);
    fn raw(&mut self, bytes: &[u8]);
    /// A part, its length first.
    fn delimited(&mut self, part: &impl Part);
    /// A part that is seldom there.
    fn general(&mut self, tag: u32, part: &impl Message);

    fn number(&mut self, tag: u32, number: impl Into<u64>) {
        let number = number.into();
        if number != 0 {
            self.optional_number(tag, Some(number));
        }
    }

    fn optional_number(&mut self, tag: u32, number: Option<u64>) {
        if let Some(number) = number {
            self.raw(&[key(tag, WireType::Varint)]);
            self.varint(number);
        }
    }

    fn fixed64(&mut self, tag: u32, number: u64) {
        if number != 0 {
            self.optional_fixed64(tag, Some(number));
        }
    }

    fn optional_fixed64(&mut self, tag: u32, number: Option<u64>) {
        if let Some(number) = number {
            self.raw(&[key(tag, WireType::SixtyFourBit)]);
            self.raw(&number.to_le_bytes());
        }
    }

    fn fixed32(&mut self, tag: u32, number: u32) {
        if number != 0 {
            self.raw(&[key(tag, WireType::ThirtyTwoBit)]);
            self.raw(&number.to_le_bytes());
        }
    }

    fn bytes(&mut self, tag: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.raw(&[key(tag, WireType::LengthDelimited)]);
            self.varint(bytes.len() as u64);
            self.raw(bytes);
        }
    }

    fn part(&mut self, tag: u32, part: &impl Part) {
        self.raw(&[key(tag, WireType::LengthDelimited)]);
        self.delimited(part);
    }
}

/// Counts bytes.
struct Length(usize);

impl Sink for Length {
    fn varint(&mut self, number: u64) {
        self.0 += encoded_len_varint(number);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }

    fn delimited(&mut self, part: &impl Part) {
        let length = part.length();
        self.0 += encoded_len_varint(length as u64) + length;
    }

    fn general(&mut self, tag: u32, part: &impl Message) {
        self.0 += message::encoded_len(tag, part);
    }
}

impl Sink for Vec<u8> {
    fn varint(&mut self, number: u64) {
        encode_varint(number, self);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn delimited(&mut self, part: &impl Part) {
        self.varint(part.length() as u64);
        part.write(self);
    }

    fn general(&mut self, tag: u32, part: &impl Message) {
        message::encode(tag, part, self);
    }
}
