//! One value, or tombstone, that no other sibling supersedes.

use core::fmt;

use bytes::Bytes;
use twox_hash::XxHash64;

use crate::ids::RequestId;
use crate::time::UnixMs;

/// What a write leaves behind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Payload {
    /// The bytes of a put.
    Value(Bytes),
    /// A delete.
    Tombstone,
}

/// XXH64 (seed 0) of the bytes of a value; 0 for a tombstone.
///
/// The client that writes a value computes it; coordinator, replicas and readers check it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum(pub u64);

impl Payload {
    /// Bytes of the value; a tombstone has none.
    pub(crate) fn len(&self) -> usize {
        match self {
            Payload::Value(value) => value.len(),
            Payload::Tombstone => 0,
        }
    }
}

impl Checksum {
    /// The checksum of a payload.
    pub fn of(payload: &Payload) -> Checksum {
        match payload {
            Payload::Value(value) => Checksum::of_value(value),
            Payload::Tombstone => Checksum(0),
        }
    }

    /// The checksum of the bytes of a value.
    pub fn of_value(value: &[u8]) -> Checksum {
        Checksum(XxHash64::oneshot(0, value))
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One value, or tombstone, and what belongs to it. Its dot is kept by the record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sibling {
    /// The value or tombstone.
    pub payload: Payload,
    /// What the payload's checksum should be.
    pub checksum: Checksum,
    /// The coordinator's wall clock at the write.
    pub written: UnixMs,
    /// When the value begins to read as a tombstone.
    pub expires: Option<UnixMs>,
    /// The write that made it, through all its retries.
    pub request: RequestId,
}

impl Sibling {
    /// Whether the payload has the checksum that it should have.
    pub fn is_intact(&self) -> bool {
        Checksum::of(&self.payload) == self.checksum
    }

    /// The value as it reads at `now`: none for a tombstone or an expired value.
    pub fn value_at(&self, now: UnixMs) -> Option<&Bytes> {
        match &self.payload {
            Payload::Value(value) => (!self.is_expired_at(now)).then_some(value),
            Payload::Tombstone => None,
        }
    }

    /// Whether its time is over at `now`. It goes on standing in its record, like a tombstone.
    pub fn is_expired_at(&self, now: UnixMs) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether a merge keeps this one and not `other` under the same dot.
    ///
    /// One dot has one content unless bytes were damaged: the intact one stays, and any total order
    /// makes the replicas agree on the rest.
    pub(super) fn outranks(&self, other: &Sibling) -> bool {
        self != other && (self.is_intact(), self) > (other.is_intact(), other)
    }
}
