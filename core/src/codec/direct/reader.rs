//! Fields read in the order of their tags.
//!
//! What every field takes is to be inlined, wherever the compiler cuts the crate into units.

use bytes::Bytes;
use prost::encoding::{WireType, decode_varint};

use super::{LISTED_MAX, key};

/// What is left of a message. Each function reads the field of a tag, or its default where the next
/// field is another one; `None` where the field is not in its one form.
pub(super) struct Reader<'a> {
    /// The frame, which payloads are slices of.
    frame: &'a Bytes,
    rest: &'a [u8],
    /// Elements of lists that were read.
    listed: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(frame: &'a Bytes) -> Reader<'a> {
        Reader { frame, rest: frame, listed: 0 }
    }

    /// Whether everything was read.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// The tag of the next field, which is a nested message.
    #[inline]
    pub(super) fn next_tag(&self) -> Option<u32> {
        let tag = u32::from(*self.rest.first()?) >> 3;
        self.is_next(tag, WireType::LengthDelimited).then_some(tag)
    }

    #[inline]
    pub(super) fn number(&mut self, tag: u32) -> Option<u64> {
        Some(self.optional_number(tag)?.unwrap_or(0))
    }

    #[inline]
    pub(super) fn optional_number(&mut self, tag: u32) -> Option<Option<u64>> {
        if self.takes(tag, WireType::Varint) { Some(Some(self.varint()?)) } else { Some(None) }
    }

    #[inline]
    pub(super) fn small_number(&mut self, tag: u32) -> Option<u32> {
        u32::try_from(self.number(tag)?).ok()
    }

    #[inline]
    pub(super) fn byte(&mut self, tag: u32) -> Option<u8> {
        u8::try_from(self.number(tag)?).ok()
    }

    #[inline]
    pub(super) fn flag(&mut self, tag: u32) -> Option<bool> {
        match self.number(tag)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    #[inline]
    pub(super) fn fixed64(&mut self, tag: u32) -> Option<u64> {
        Some(self.optional_fixed64(tag)?.unwrap_or(0))
    }

    #[inline]
    pub(super) fn optional_fixed64(&mut self, tag: u32) -> Option<Option<u64>> {
        if !self.takes(tag, WireType::SixtyFourBit) {
            return Some(None);
        }
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(Some(u64::from_le_bytes(*bytes)))
    }

    #[inline]
    pub(super) fn fixed32(&mut self, tag: u32) -> Option<u32> {
        if !self.takes(tag, WireType::ThirtyTwoBit) {
            return Some(0);
        }
        let (bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u32::from_le_bytes(*bytes))
    }

    /// A slice of the frame.
    #[inline]
    pub(super) fn bytes(&mut self, tag: u32) -> Option<Bytes> {
        let bytes = self.delimited(tag)?;
        Some(bytes.map_or_else(Bytes::new, |bytes| self.frame.slice_ref(bytes)))
    }

    /// A message that may be absent, read by `read` to its end.
    pub(super) fn nested<T>(
        &mut self,
        tag: u32,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        let Some(rest) = self.delimited(tag)? else { return Some(None) };
        let mut inner = Reader { frame: self.frame, rest, listed: self.listed };
        let value = read(&mut inner)?;
        self.listed = inner.listed;
        inner.is_done().then_some(Some(value))
    }

    /// Counts one more element of a list; `None` where they are too many.
    #[inline]
    pub(super) fn list_one(&mut self) -> Option<()> {
        self.listed += 1;
        (self.listed <= LISTED_MAX).then_some(())
    }

    /// A message that is there.
    pub(super) fn one<T>(
        &mut self,
        tag: u32,
        read: impl FnOnce(&mut Reader<'a>) -> Option<T>,
    ) -> Option<T> {
        self.nested(tag, read)?
    }

    /// A varint without a tag, as in a packed list.
    #[inline]
    pub(super) fn varint(&mut self) -> Option<u64> {
        match *self.rest {
            [one, ref rest @ ..] if one < 0x80 => {
                self.rest = rest;
                Some(one.into())
            }
            _ => decode_varint(&mut self.rest).ok(),
        }
    }

    #[inline]
    fn delimited(&mut self, tag: u32) -> Option<Option<&'a [u8]>> {
        if !self.takes(tag, WireType::LengthDelimited) {
            return Some(None);
        }
        let length = usize::try_from(self.varint()?).ok()?;
        let (field, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(Some(field))
    }

    #[inline]
    fn is_next(&self, tag: u32, kind: WireType) -> bool {
        self.rest.first() == Some(&key(tag, kind))
    }

    #[inline]
    fn takes(&mut self, tag: u32, kind: WireType) -> bool {
        let is_next = self.is_next(tag, kind);
        if is_next {
            self.rest = &self.rest[1..];
        }
        is_next
    }
}
