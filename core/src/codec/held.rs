//! What one node's disk keeps for one key: `Held` as Protocol Buffers, sealed.

use alloc::vec::Vec;

use bytes::Bytes;
use prost::Message as _;

use super::direct::{self, Part, Writer};
use super::{DecodeError, malformed, record, seal, unseal, wire};
use crate::causality::{Held, Own};

const VERSION: u8 = 1;

/// The bytes to store.
pub fn encode_held(held: &Held) -> Vec<u8> {
    seal(VERSION, held.guess() + 32, |bytes| held.write(&mut Writer::new(bytes)))
}

/// What was stored.
///
/// # Errors
/// `Malformed` where the bytes are not exactly what [`encode_held`] once made.
pub fn decode_held(bytes: Bytes) -> Result<Held, DecodeError> {
    let body = unseal(VERSION, &bytes)?;
    if let Some(held) = direct::decode_held(&body) {
        return Ok(held);
    }
    let held = wire::Held::decode(body).map_err(|_| malformed("a stored record"))?;
    let own = held.own.map(|actor| Own { actor: record::actor_in(actor) });
    Ok(Held::from_parts(record::record_in(held.record.unwrap_or_default())?, own))
}
