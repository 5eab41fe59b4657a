//! A directory that is only looked at.

use std::path::PathBuf;

use bytes::Bytes;
use quorate_core::causality::Held;
use quorate_core::codec;
use quorate_core::ids::{Key, NodeId};
use quorate_core::ring::Position;

use super::damage::{Damaged, Part};
use super::journal::JournalEnds;
use super::walk::{Step, Stretch, Walk};
use crate::storage::directory::{Directory, engine_error};
use crate::storage::hints::HintKey;
use crate::storage::{OpenError, RecordKey};

/// Bytes before the position, in the place of a hint: those of its target.
const HINT_RING_AT: usize = size_of::<NodeId>();

/// A data directory that is held to look at what is in it.
#[derive(Debug)]
pub struct Contents {
    pub(super) directory: Directory,
    journal_cut: u64,
}

/// A record or a hint as it is stored.
pub(super) struct Stored {
    pub(super) part: Part,
    pub(super) key: Key,
    pub(super) held: Held,
    /// Where it lies, and what lies there.
    pub(super) bytes: u64,
    /// Whether nothing but what it says is stored of it.
    pub(super) one_form: bool,
}

impl Contents {
    /// Opens a directory that no process has open.
    ///
    /// # Errors
    /// `InUse`, `NoData`, `Format`, `Damaged`, `Engine`.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Contents, OpenError> {
        let path = directory.into();
        // Where there is no directory, opening it says so.
        let ends = JournalEnds::of(&path).ok();
        let directory = Directory::open_to_read(path)?;
        let cut = ends.map_or(Ok(0), |ends| ends.cut());
        let journal_cut = cut.map_err(|error| engine_error(directory.path(), &error))?;
        Ok(Contents { directory, journal_cut })
    }

    /// What the directory says of itself.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// Bytes that the engine found not to be whole at the end of its journal, and cut off: what a
    /// killed process had not finished, or damage.
    pub fn journal_cut(&self) -> u64 {
        self.journal_cut
    }

    /// How many records and hints there are, as far as the engine knows without counting.
    pub fn estimated_entries(&self) -> Result<u64, OpenError> {
        let (records, hints) = (self.directory.stored_records()?, self.directory.stored_hints()?);
        let keyspaces = records.into_iter().chain(hints);
        Ok(keyspaces.map(|keyspace| keyspace.approximate_len() as u64).sum())
    }

    /// All own copies, in the order of the ring.
    pub(super) fn records(
        &self,
    ) -> Result<impl Iterator<Item = Result<Stored, Damaged>>, OpenError> {
        Ok(Walk::new(self.directory.stored_records()?, 0).map(|step| match step {
            Step::Found(place, value) => decode_record(RecordKey(place), value),
            Step::Unreadable(stretch) => Err(unreadable(Part::Record, &stretch)),
        }))
    }

    /// All hints, one target after the other, in the order of the ring.
    pub(super) fn hints(&self) -> Result<impl Iterator<Item = Result<Stored, Damaged>>, OpenError> {
        Ok(Walk::new(self.directory.stored_hints()?, HINT_RING_AT).map(|step| match step {
            Step::Found(place, value) => decode_hint(HintKey(place), value),
            Step::Unreadable(stretch) => Err(unreadable(Part::Hint { target: None }, &stretch)),
        }))
    }
}

fn decode_record(place: RecordKey, value: Bytes) -> Result<Stored, Damaged> {
    let key = place.parts().filter(|(position, key)| Position::of(key.as_bytes()) == *position);
    let key = key.map(|(_, key)| key).ok_or_else(|| misplaced(Part::Record, &place.0))?;
    decode(Part::Record, key, place.0.len(), value)
}

fn decode_hint(place: HintKey, value: Bytes) -> Result<Stored, Damaged> {
    let part = Part::Hint { target: place.target() };
    let key = place.key().ok_or_else(|| misplaced(part, &place.0))?;
    decode(part, key, place.0.len(), value)
}

fn decode(part: Part, key: Key, place_bytes: usize, value: Bytes) -> Result<Stored, Damaged> {
    let damaged = |key, reason: String| Damaged { part, key: Some(key), reason };
    let bytes = (place_bytes + value.len()) as u64;
    let held = match codec::decode_held(Bytes::clone(&value)) {
        Ok(held) => held,
        Err(error) => return Err(damaged(key, error.to_string())),
    };
    if let Some((dot, _)) = held.record().siblings().find(|(_, sibling)| !sibling.is_intact()) {
        let counter = dot.counter.0;
        return Err(damaged(key, format!("value {counter} does not match its checksum")));
    }
    let one_form = codec::encode_held(&held) == value;
    Ok(Stored { part, key, held, bytes, one_form })
}

fn misplaced(part: Part, place: &[u8]) -> Damaged {
    let reason = format!("it lies where no key belongs, under {}", hex(place));
    Damaged { part, key: None, reason }
}

fn unreadable(part: Part, stretch: &Stretch) -> Damaged {
    let Stretch { after, until, reason } = stretch;
    let after = after.as_ref().map_or("the first place".into(), |place| hex(place));
    let until = until.map_or("the last place".into(), |place| hex(&place));
    let reason = format!("the engine cannot read from {after} to {until}: {reason}");
    Damaged { part, key: None, reason }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
