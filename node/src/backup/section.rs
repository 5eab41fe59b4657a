//! The sections of a backup as bytes.

use bytes::{Buf, BufMut, Bytes};
use quorate_core::causality::{Checksum, Held, Record};
use quorate_core::codec;
use quorate_core::ids::{Key, NodeId};

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The node's own copy of a record.
    Record {
        /// Its key.
        key: Key,
        /// All that the node held of it.
        record: Record,
    },
    /// A record that the node held for another one.
    Hint {
        /// Whom it is for.
        target: NodeId,
        /// Its key.
        key: Key,
        /// What the target is to be told.
        record: Record,
    },
}

/// What a section holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Header = 1,
    Record = 2,
    Hint = 3,
    End = 4,
}

impl Kind {
    pub(super) fn of(byte: u8) -> Option<Kind> {
        [Kind::Header, Kind::Record, Kind::Hint, Kind::End]
            .into_iter()
            .find(|kind| *kind as u8 == byte)
    }
}

/// Bytes before the body of a section.
pub(super) const HEAD_BYTES: usize = 5;

/// Bytes behind the body of a section.
pub(super) const CHECKSUM_BYTES: usize = 8;

/// The checksums of a file, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain(u64);

impl Chain {
    pub(super) fn begin(preamble: &[u8]) -> Chain {
        Chain(Checksum::of_value(preamble).0)
    }

    /// Goes on to the checksum of a section: its kind, length and body, behind 8 bytes of room.
    pub(super) fn go_on(&mut self, with_room: &mut [u8]) -> u64 {
        with_room[..CHECKSUM_BYTES].copy_from_slice(&self.0.to_be_bytes());
        self.0 = Checksum::of_value(with_room).0;
        self.0
    }
}

/// The body of a record or a hint.
pub(super) fn encode_entry(target: Option<NodeId>, key: &Key, record: Record, out: &mut Vec<u8>) {
    if let Some(target) = target {
        out.put_u64(target.0);
    }
    let key = key.as_bytes();
    out.put_u32(u32::try_from(key.len()).expect("keys are short"));
    out.put_slice(key);
    out.put_slice(&codec::encode_held(&Held::from_parts(record, None)));
}

/// What the body of a record or a hint says; a sentence where it says nothing.
pub(super) fn decode_entry(kind: Kind, mut body: Bytes) -> Result<Entry, &'static str> {
    let too_short = "an entry is too short";
    let target = match kind {
        Kind::Hint => Some(NodeId(body.try_get_u64().map_err(|_| too_short)?)),
        Kind::Record | Kind::Header | Kind::End => None,
    };
    let key_bytes = body.try_get_u32().map_err(|_| too_short)? as usize;
    if key_bytes > body.len() {
        return Err(too_short);
    }
    let key = Key(body.split_to(key_bytes));
    if key.0.is_empty() {
        return Err("a key is empty");
    }
    let held = codec::decode_held(body).map_err(|_| "a record does not decode")?;
    if held.own().is_some() {
        return Err("a record comes with the right to mint");
    }
    let record = held.into_record();
    if !record.is_intact() {
        return Err("a value does not match its checksum");
    }
    Ok(match target {
        Some(target) => Entry::Hint { target, key, record },
        None => Entry::Record { key, record },
    })
}
