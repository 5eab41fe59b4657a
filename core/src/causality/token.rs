//! The opaque bytes of a context, as users hold and return them.
//!
//! ```text
//! token     version (1 byte, 1)  body  checksum (8 bytes, big-endian)
//! body      number of actors, then the actors in ascending order
//! actor     node (8 bytes, big-endian)  incarnation (4 bytes, big-endian)  birth  upto
//!           length of also, then of each: its distance to the least that could stand there
//!           (upto + 2, then the one before + 1)
//! checksum  XXH64 over version and body; its seed is the XXH64 (seed 0) of the key
//! ```
//!
//! Numbers without a width are unsigned LEB128 of the least length. The empty context is the empty
//! token. Equal contexts of one key have equal tokens, and every other spelling is refused. The
//! checksum finds damage and a token that strayed to another key; it is no secret.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use twox_hash::XxHash64;

use super::{Actor, Birth, Context, Seen};
use crate::ids::{Incarnation, Key, NodeId};

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 8;

/// Bytes that are not the context token of this key. The caller is at fault; no state changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// Shorter than any token.
    Truncated {
        /// The length of what came.
        bytes: usize,
    },
    /// Of a version that this build does not read.
    Version {
        /// The version named.
        found: u8,
    },
    /// Damaged, or made for another key.
    Checksum,
    /// The checksum is right, but the body is not the canonical spelling of a context.
    Malformed,
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenError::Truncated { bytes } => {
                write!(f, "a context token cannot have just {bytes} bytes")
            }
            TokenError::Version { found } => write!(f, "unknown context token version {found}"),
            TokenError::Checksum => f.write_str("context token damaged or of another key"),
            TokenError::Malformed => f.write_str("context token is not in canonical form"),
        }
    }
}

impl core::error::Error for TokenError {}

impl Context {
    /// The token of this context for one key: opaque to users, equal for equal contexts.
    pub fn to_token(&self, key: &Key) -> Bytes {
        if self.is_empty() {
            return Bytes::new();
        }
        let mut token = Vec::new();
        token.push(VERSION);
        put_number(&mut token, self.len() as u64);
        for (actor, seen) in self.iter() {
            put_actor(&mut token, actor);
            sane_or!(let seen, TokenClosesGaps => &super::wrong::gapless(seen));
            put_seen(&mut token, seen);
        }
        let sum = checksum(key, &token);
        token.extend_from_slice(&sum.to_be_bytes());
        Bytes::from(token)
    }

    /// Reads the token of one key. Memory stays within a small multiple of the token's length.
    pub fn from_token(key: &Key, token: &[u8]) -> Result<Context, TokenError> {
        let Some(found) = token.first().copied() else {
            return Ok(Context::new());
        };
        if found != VERSION {
            return Err(TokenError::Version { found });
        }
        let truncated = TokenError::Truncated { bytes: token.len() };
        let (signed, sum) = token.split_last_chunk::<CHECKSUM_BYTES>().ok_or(truncated)?;
        let (_, body) = signed.split_first().ok_or(truncated)?;
        if checksum(key, signed) != u64::from_be_bytes(*sum) {
            return Err(TokenError::Checksum);
        }
        Reader { rest: body }.context().ok_or(TokenError::Malformed)
    }
}

fn checksum(key: &Key, signed: &[u8]) -> u64 {
    XxHash64::oneshot(XxHash64::oneshot(0, key.as_bytes()), signed)
}

fn put_actor(token: &mut Vec<u8>, actor: Actor) {
    token.extend_from_slice(&actor.node.0.to_be_bytes());
    token.extend_from_slice(&actor.incarnation.0.to_be_bytes());
    put_number(token, actor.birth.0);
}

fn put_seen(token: &mut Vec<u8>, seen: &Seen) {
    put_number(token, seen.upto());
    put_number(token, seen.also().len() as u64);
    // Wraps only where `also` is empty: its members are above `upto + 1`.
    let mut least = seen.upto().wrapping_add(2);
    for also in seen.also() {
        put_number(token, also - least);
        least = also.wrapping_add(1);
    }
}

fn put_number(token: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        token.push(number as u8 | 0x80);
        number >>= 7;
    }
    token.push(number as u8);
}

/// What is left of a body; `None` from any of its methods is a malformed token.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn context(mut self) -> Option<Context> {
        let count = self.number()?;
        let mut context = Context::new();
        let mut last = None;
        for _ in 0..count {
            let actor = self.actor()?;
            if last.is_some_and(|last| last >= actor) {
                return None;
            }
            let seen = self.seen()?;
            if seen.is_empty() || !context.insert_new(actor, seen) {
                return None;
            }
            last = Some(actor);
        }
        (self.rest.is_empty() && !context.is_empty()).then_some(context)
    }

    fn actor(&mut self) -> Option<Actor> {
        Some(Actor {
            node: NodeId(u64::from_be_bytes(self.fixed()?)),
            incarnation: Incarnation(u32::from_be_bytes(self.fixed()?)),
            birth: Birth(self.number()?),
        })
    }

    fn seen(&mut self) -> Option<Seen> {
        let upto = self.number()?;
        let count = self.number()?;
        // Grows with the bytes that are there, never with the count that they claim.
        let mut also = Vec::new();
        let mut least = upto.checked_add(2);
        for _ in 0..count {
            let counter = least?.checked_add(self.number()?)?;
            also.push(counter);
            least = counter.checked_add(1);
        }
        Seen::from_parts(upto, also)
    }

    fn fixed<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (bytes, rest) = self.rest.split_first_chunk::<LENGTH>()?;
        self.rest = rest;
        Some(*bytes)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.fixed()?;
            let bits = u64::from(byte & 0x7f);
            number |= bits << shift;
            let lossless = (bits << shift) >> shift == bits;
            if byte < 0x80 {
                let least_length = shift == 0 || byte != 0;
                return (lossless && least_length).then_some(number);
            }
        }
        None
    }
}
