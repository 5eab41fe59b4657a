//! What storage may do to the record of a key, as plain data.

use alloc::sync::Arc;
use core::fmt;

use super::{Actor, Checksum, Context, Dot, Payload, Record};
use crate::ids::{Incarnation, RequestId};
use crate::time::{Duration, UnixMs};

/// One step in the life of a record; [`Held::apply`](super::Held::apply) takes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RecordOp {
    /// A put or delete that this node coordinates.
    Write(Write),
    /// A record that another copy holds.
    Merge(Record),
}

/// A put or delete as its coordinator applies it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Write {
    /// What the writer was shown; the write supersedes just that.
    pub context: Context,
    /// The value or tombstone.
    pub payload: Payload,
    /// The checksum that the writer computed.
    pub checksum: Checksum,
    /// The coordinator's wall clock.
    pub written: UnixMs,
    /// When the value begins to read as a tombstone.
    pub expires: Option<UnixMs>,
    /// Names the write through its retries; the default one is no name.
    pub request: RequestId,
    /// The actor to begin with where none can be continued: of this node, of the running
    /// incarnation, and of a birth that no other key and no earlier write was given.
    pub newborn: Actor,
    /// Former lives of the node whose actors may be continued: each has ended with all that it wrote
    /// synced, and none but the running one has written since.
    pub continued: Arc<[Incarnation]>,
    /// Distinct siblings above which the write is refused.
    pub siblings_max: usize,
    /// Bytes of all siblings together above which the write is refused; a single value passes.
    pub record_bytes_max: usize,
    /// Actors above which old ones are dropped.
    pub actors_kept: usize,
    /// The age up to which an actor is kept in any case.
    pub actor_age_min: Duration,
}

/// What came of a [`RecordOp`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Applied {
    /// Whether there is anything to store.
    pub changed: bool,
    /// The name of the write; of a retry, the name of the first try. None for a merge.
    pub dot: Option<Dot>,
    /// Whether the newborn actor was used up.
    pub newborn: bool,
    /// Actors dropped.
    pub truncated: usize,
}

/// A [`RecordOp`] that was not carried out. Nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApplyRefusal {
    /// Too many siblings would stand. The writer should read and write with what it was shown.
    Siblings {
        /// Distinct siblings that would stand.
        count: usize,
        /// The most that may stand after a write.
        max: usize,
    },
    /// Too many bytes would stand, in several siblings. The writer should do the same.
    Bytes {
        /// Bytes that would stand.
        bytes: usize,
        /// The most that may stand after a write.
        max: usize,
    },
    /// A payload does not have its checksum.
    Checksum,
    /// The newborn actor is known to the record or the context: it is not new. A birth was given
    /// twice, or a context was forged.
    ActorTaken {
        /// The actor that was to be born.
        actor: Actor,
    },
}

impl fmt::Display for ApplyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApplyRefusal::Siblings { count, max } => {
                write!(f, "{count} siblings would stand, {max} may")
            }
            ApplyRefusal::Bytes { bytes, max } => {
                write!(f, "{bytes} bytes in several siblings would stand, {max} may")
            }
            ApplyRefusal::Checksum => f.write_str("a payload does not have its checksum"),
            ApplyRefusal::ActorTaken { actor } => write!(f, "{actor:?} was born already"),
        }
    }
}

impl core::error::Error for ApplyRefusal {}
