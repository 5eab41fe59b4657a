//! What one node's disk keeps for one key: `Held` as Protocol Buffers, sealed.

use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message as _;

use super::{DecodeError, malformed, record, seal, unseal, wire};
use crate::causality::{Held, Own};

const VERSION: u8 = 1;

/// The bytes to store.
pub fn encode_held(held: &Held) -> Vec<u8> {
    let held = wire::Held {
        record: Some(record::record_out(held.record())),
        own: held.own().map(|own| record::actor_out(own.actor)),
    };
    seal(VERSION, held.encoded_len(), |bytes| held.encode_raw(bytes))
}

/// What was stored.
///
/// # Errors
/// `Malformed` where the bytes are not exactly what [`encode_held`] once made.
pub fn decode_held(bytes: Bytes) -> Result<Held, DecodeError> {
    let body = unseal(VERSION, &bytes)?;
    let held = wire::Held::decode(body).map_err(|_| malformed("a stored record"))?;
    let own = held.own.map(|actor| Own { actor: record::actor_in(actor) });
    Ok(Held::from_parts(record::record_in(held.record.unwrap_or_default())?, own))
}
