//! A directory that is only looked at.

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;
use fjall::{Database, Keyspace};
use quorate_core::causality::Held;
use quorate_core::codec;
use quorate_core::ids::{Key, NodeId};
use quorate_core::ring::Position;

use super::damage::{Damaged, Part};
use super::shadow::Shadow;
use super::walk::{Step, Stretch, Walk};
use crate::storage::directory::{Directory, STORE, io_error};
use crate::storage::engine::{self, EngineError, HINTS, META, RECORDS};
use crate::storage::hints::HintKey;
use crate::storage::mark::Evidence;
use crate::storage::meta::Meta;
use crate::storage::{JournalState, OpenError, RecordKey, journal};

/// Bytes before the position, in the place of a hint: those of its target.
const HINT_RING_AT: usize = size_of::<NodeId>();

/// A data directory that is held to look at what is in it.
#[derive(Debug)]
pub struct Contents {
    pub(super) directory: Directory,
    /// `None`: there is no store.
    store: Option<Store>,
    journals: Vec<JournalState>,
    /// What the engine has open where a journal is not whole. Dropped after the engine.
    _shadow: Option<Shadow>,
}

/// The store of a directory.
struct Store {
    records: Option<Keyspace>,
    hints: Option<Keyspace>,
    meta: Option<Keyspace>,
    _database: Database,
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
    /// Opens a directory that no process has open. Nothing is set aside.
    ///
    /// # Errors
    /// `InUse`, `NoData`, `Format`, `Damaged`, `Store`, `Engine`.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Contents, OpenError> {
        let directory = Directory::open_to_read(directory)?;
        let path = directory.path().join(STORE);
        // Where there is no store, opening it says so.
        let journals = journal::look(&path).unwrap_or_default();
        let shadow = match journals.iter().all(|journal| journal.scan.is_whole()) {
            true => None,
            false => {
                let shadow = Shadow::of(&path, directory.path(), &journals);
                Some(shadow.map_err(|error| io_error(directory.path(), &error))?)
            }
        };
        let path = shadow.as_ref().map_or(&*path, Shadow::path);
        let opened = engine::open_to_read(path).map_err(|error| refused(&directory, error))?;
        let store = opened.map(Store::of).transpose();
        let store = store.map_err(|error| refused(&directory, error))?;
        Ok(Contents { directory, store, journals, _shadow: shadow })
    }

    /// What the directory says of itself.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The engine's journals as they were found, the oldest first. What stands behind the whole
    /// batches of one is not among the contents: what a power loss or a killed process had not
    /// finished, or damage.
    pub fn journals(&self) -> &[JournalState] {
        &self.journals
    }

    /// How many records and hints there are, as far as the engine knows without counting.
    pub fn estimated_entries(&self) -> u64 {
        let keyspaces = self.store.iter().flat_map(|store| [&store.records, &store.hints]);
        keyspaces.flatten().map(|keyspace| keyspace.approximate_len() as u64).sum()
    }

    /// Whether more commits were synced than the store knows of.
    pub(super) fn lacks_commits(&self) -> Result<bool, OpenError> {
        let path = self.directory.path();
        let evidence = Evidence::of(path).map_err(|error| io_error(path, &error))?;
        let mark = self.meta()?.committed.map(|committed| committed.mark);
        Ok(evidence.contradicts(mark))
    }

    /// What the store says of itself; empty where there is none.
    pub(super) fn meta(&self) -> Result<Meta, OpenError> {
        let Some(keyspace) = self.store.as_ref().and_then(|store| store.meta.as_ref()) else {
            return Ok(Meta::default());
        };
        Meta::read(keyspace).map_err(|error| refused(&self.directory, error.into()))
    }

    fn walk(&self, of: impl Fn(&Store) -> &Option<Keyspace>, ring_at: usize) -> Walk {
        Walk::new(self.store.as_ref().and_then(|store| of(store).clone()), ring_at)
    }

    /// All own copies, in the order of the ring.
    pub(super) fn records(&self) -> impl Iterator<Item = Result<Stored, Damaged>> + use<> {
        self.walk(|store| &store.records, 0).map(|step| match step {
            Step::Found(place, value) => decode_record(RecordKey(place), value),
            Step::Unreadable(stretch) => Err(unreadable(Part::Record, &stretch)),
        })
    }

    /// All hints, one target after the other, in the order of the ring.
    pub(super) fn hints(&self) -> impl Iterator<Item = Result<Stored, Damaged>> + use<> {
        self.walk(|store| &store.hints, HINT_RING_AT).map(|step| match step {
            Step::Found(place, value) => decode_hint(HintKey(place), value),
            Step::Unreadable(stretch) => Err(unreadable(Part::Hint { target: None }, &stretch)),
        })
    }
}

impl Store {
    fn of(database: Database) -> Result<Store, EngineError> {
        let keyspace = |name| engine::existing(&database, name);
        let (records, hints, meta) = (keyspace(RECORDS)?, keyspace(HINTS)?, keyspace(META)?);
        Ok(Store { records, hints, meta, _database: database })
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

fn refused(directory: &Directory, error: EngineError) -> OpenError {
    let directory = directory.path().to_owned();
    match error {
        EngineError::Locked => OpenError::InUse { directory },
        EngineError::Refused(reason) => OpenError::Engine { directory, reason },
        EngineError::Damaged(reason) => OpenError::Store { directory, reason },
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
