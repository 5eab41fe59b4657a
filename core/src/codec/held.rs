//! What one node's disk keeps for one key.
//!
//! ```text
//! [version: 1 byte][Held as Protocol Buffers][XXH64 of all before it: 8 bytes, little endian]
//! ```

use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message as _;
use twox_hash::XxHash64;

use super::{DecodeError, malformed, record, wire};
use crate::causality::{Held, Own};

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 8;

/// The bytes to store.
pub fn encode_held(held: &Held) -> Vec<u8> {
    let held = wire::Held {
        record: Some(record::record_out(held.record())),
        own: held.own().map(|own| record::actor_out(own.actor)),
    };
    let mut bytes = Vec::with_capacity(1 + held.encoded_len() + CHECKSUM_BYTES);
    bytes.push(VERSION);
    held.encode_raw(&mut bytes);
    bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
    bytes
}

/// What was stored.
///
/// # Errors
/// `Malformed` where the bytes are not exactly what [`encode_held`] once made.
pub fn decode_held(bytes: Bytes) -> Result<Held, DecodeError> {
    let (body, stored) = bytes
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or(malformed("a stored record is too short"))?;
    if checksum(body) != u64::from_le_bytes(*stored) {
        return Err(malformed("a stored record does not match its checksum"));
    }
    if body.first() != Some(&VERSION) {
        return Err(malformed("a stored record of another format"));
    }
    let body = bytes.slice(1..body.len());
    let held = wire::Held::decode(body).map_err(|_| malformed("a stored record"))?;
    let own = held.own.map(|actor| Own { actor: record::actor_in(actor) });
    Ok(Held::from_parts(record::record_in(held.record.unwrap_or_default())?, own))
}

fn checksum(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}
