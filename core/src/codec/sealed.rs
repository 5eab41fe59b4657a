//! The envelope of all that a node keeps on its disk, so that damage is found out.
//!
//! ```text
//! [version: 1 byte][body][XXH64 of all before it: 8 bytes, little endian]
//! ```

use alloc::vec::Vec;

use bytes::Bytes;
use twox_hash::XxHash64;

use super::{DecodeError, malformed};

const CHECKSUM_BYTES: usize = 8;

/// Puts a body into its envelope. `version` names the format of the body; `body_bytes` is about how
/// long the body will be, and `write` appends it.
pub fn seal(version: u8, body_bytes: usize, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 + body_bytes + CHECKSUM_BYTES);
    bytes.push(version);
    write(&mut bytes);
    bytes.extend_from_slice(&checksum(&bytes).to_le_bytes());
    bytes
}

/// The body in an envelope.
///
/// # Errors
/// `Malformed` where the bytes are not exactly what [`seal`] once made of this version.
pub fn unseal(version: u8, bytes: &Bytes) -> Result<Bytes, DecodeError> {
    let (sealed, stored) = bytes
        .split_last_chunk::<CHECKSUM_BYTES>()
        .ok_or(malformed("what is stored is too short"))?;
    if checksum(sealed) != u64::from_le_bytes(*stored) {
        return Err(malformed("what is stored does not match its checksum"));
    }
    if sealed.first() != Some(&version) {
        return Err(malformed("what is stored has another format"));
    }
    Ok(bytes.slice(1..sealed.len()))
}

fn checksum(bytes: &[u8]) -> u64 {
    XxHash64::oneshot(0, bytes)
}
