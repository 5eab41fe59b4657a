//! A backup merged into a directory.
//!
//! Everything goes the way of a node's own writes, through the executor, as a merge: so an import
//! that is done twice changes nothing, one that was cut short is simply done again, and nothing that
//! is there is lost. The right to mint stays with the copies that have it.

use std::collections::HashMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use quorate_core::causality::{Payload, Record, RecordOp};
use quorate_core::ids::{ClusterId, Key, NodeId};
use quorate_core::machine::{HeldAs, StoreError, StoreOp, StoreOutcome, Ticket};
use quorate_core::merkle::TreeKey;

use super::contents::Contents;
use super::damage::{Damaged, DamagedList, Part};
use crate::backup::{BackupError, BackupReader, Entry, Header};
use crate::storage::{
    Answer, Answers, Directory, Durability, FjallOptions, Identity, OpenError, Settings, Storage,
};

/// One sync for so many entries.
const TURN_ENTRIES_MAX: usize = 1_024;

/// One sync for so many bytes of values, give or take one entry.
const TURN_BYTES_MAX: usize = 16 << 20;

/// No entry of a backup is looked at twice, but many share a block of the engine.
const CACHE_BYTES: usize = 1 << 20;

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Own copies that were merged, synced.
    pub records: u64,
    /// Hints that were merged, synced.
    pub hints: u64,
    /// How many of both told something new.
    pub changed: u64,
    /// What the directory holds damaged, so that nothing was merged into it.
    pub damaged: DamagedList,
}

/// An import that did not come to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum ImportError {
    /// The directory cannot be used. Nothing was imported.
    Open(OpenError),
    /// The directory belongs to another cluster than the backup. Nothing was imported.
    OtherCluster {
        /// Whose directory it is.
        found: Identity,
        /// The cluster of the backup.
        backup: ClusterId,
    },
    /// The backup is not whole. What stood before the damage was imported.
    Backup {
        /// What is wrong with it.
        error: BackupError,
        /// What was imported.
        imported: Box<Imported>,
    },
    /// The storage failed on the way.
    Storage {
        /// What was imported and synced.
        imported: Box<Imported>,
    },
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImportError::Open(error) => error.fmt(f),
            ImportError::OtherCluster { found, backup } => write!(
                f,
                "the directory belongs to {found}, and the backup to cluster {backup}: nothing is \
                 imported without --into-other-cluster"
            ),
            ImportError::Backup { error, imported } => {
                write!(f, "the backup is not whole: {error}. {}", told(imported))
            }
            ImportError::Storage { imported } => write!(
                f,
                "the directory cannot be written any more: check the device and the free space. {}",
                told(imported)
            ),
        }
    }
}

fn told(imported: &Imported) -> String {
    let Imported { records, hints, .. } = imported;
    format!("{records} records and {hints} hints were imported before that")
}

impl std::error::Error for ImportError {}

/// Where a backup goes.
#[derive(Debug)]
pub struct Importer {
    path: PathBuf,
    /// Keeps every other process out of a directory that is there.
    held: Option<Contents>,
}

impl Importer {
    /// Looks at the directory, and changes nothing. One that does not exist, or is empty, is made
    /// when the import begins.
    ///
    /// # Errors
    /// `InUse`, `NoData`, `Format`, `Damaged`, `Store`, `Engine`.
    pub fn look(path: impl Into<PathBuf>) -> Result<Importer, OpenError> {
        let path = path.into();
        let held = match is_new(&path) {
            true => None,
            false => Some(Contents::open(&path)?),
        };
        Ok(Importer { path, held })
    }

    /// Refuses a backup of another cluster than that of the directory.
    ///
    /// # Errors
    /// `OtherCluster`.
    pub fn check_cluster(&self, header: &Header) -> Result<(), ImportError> {
        let found = self.held.as_ref().and_then(|contents| contents.directory().identity());
        match found.filter(|found| found.cluster != header.cluster) {
            Some(found) => Err(ImportError::OtherCluster { found, backup: header.cluster }),
            None => Ok(()),
        }
    }

    /// Merges all that the backup holds, each entry after its checksum was compared. A directory
    /// that belongs to no cluster gets that of the backup, and an id of its own where it is new;
    /// trees that a stop saved are dropped. Hints become own copies where they are for this node, or
    /// come from another cluster. `seen` is told how far the backup was read, in bytes.
    ///
    /// # Errors
    /// `Open`, `Backup`, `Storage`.
    pub fn import(
        self,
        header: &Header,
        backup: &mut BackupReader<impl Read>,
        mut seen: impl FnMut(u64),
    ) -> Result<Imported, ImportError> {
        let mut import = Running::start(self, header).map_err(ImportError::Open)?;
        let broken = loop {
            match backup.read() {
                Ok(Some(entry)) => import.submit(entry),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
            if import.is_full() {
                import.finish_turn()?;
                seen(backup.bytes());
            }
        };
        import.finish_turn()?;
        import.close(broken)
    }
}

/// Whether nothing is there; what cannot be looked at is told when it is opened.
fn is_new(path: &Path) -> bool {
    match path.read_dir() {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

/// An import on its way.
struct Running {
    storage: Storage,
    answers: Receiver<Vec<Answer>>,
    node: NodeId,
    /// The targets of all hints are strangers.
    hints_are_own: bool,
    /// What has no last answer.
    waiting: HashMap<Ticket, (Part, Key)>,
    waiting_bytes: usize,
    next_ticket: u64,
    imported: Imported,
}

impl Running {
    fn start(importer: Importer, header: &Header) -> Result<Running, OpenError> {
        let Importer { path, held } = importer;
        // The engine opens a directory once.
        drop(held);
        let directory = Directory::open(path)?;
        let node = directory.node();
        let cluster = directory.identity().map_or(header.cluster, |identity| identity.cluster);
        // The cluster of the backup has its first layout: this node does not found it.
        let joined = Settings { replication: None, slots: None, ..header.settings };
        let settings = directory.settings().unwrap_or(joined);
        let adopted = directory.adopt(cluster, settings)?;
        let options = FjallOptions {
            durability: Durability::Group,
            cache_bytes: CACHE_BYTES,
            ..FjallOptions::default()
        };
        let (sender, answers) = mpsc::channel();
        let answer: Answers = Arc::new(move |answers| drop(sender.send(answers)));
        // Nobody asks for the states.
        let tree_key = TreeKey::derive(cluster, b"");
        let storage = Storage::fjall(&adopted, options, tree_key, answer)?;
        Ok(Running {
            storage,
            answers,
            node,
            hints_are_own: cluster != header.cluster,
            waiting: HashMap::new(),
            waiting_bytes: 0,
            next_ticket: 0,
            imported: Imported::default(),
        })
    }

    fn submit(&mut self, entry: Entry) {
        let (part, copy, key, record) = match entry {
            Entry::Record { key, record } => (Part::Record, HeldAs::Own, key, record),
            Entry::Hint { target, key, record } => {
                let part = Part::Hint { target: Some(target) };
                // What others kept for this node is its own, and in another cluster there is nobody
                // whom it could be handed to.
                let own = target == self.node || self.hints_are_own;
                let copy = if own { HeldAs::Own } else { HeldAs::Hint { target } };
                (part, copy, key, record)
            }
        };
        self.waiting_bytes += value_bytes(&record);
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waiting.insert(ticket, (part, key.clone()));
        let op = StoreOp::Apply { key, copy, op: RecordOp::Merge(record) };
        let mut answered = Vec::new();
        self.storage.submit(ticket, op, &mut answered);
        // Only a storage that has failed answers at once, and it goes on doing so.
        debug_assert!(answered.is_empty() || !self.storage.is_healthy());
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= TURN_ENTRIES_MAX || self.waiting_bytes >= TURN_BYTES_MAX
    }

    /// Waits until all that was submitted is synced.
    fn finish_turn(&mut self) -> Result<(), ImportError> {
        self.storage.flush();
        while !self.waiting.is_empty() && self.storage.is_healthy() {
            let Ok(answers) = self.answers.recv() else { break };
            answers.into_iter().for_each(|answer| self.on_answer(answer));
        }
        self.waiting_bytes = 0;
        if !self.waiting.is_empty() || !self.storage.is_healthy() {
            return Err(ImportError::Storage { imported: Box::new(self.imported.clone()) });
        }
        Ok(())
    }

    fn on_answer(&mut self, (ticket, outcome): Answer) {
        let refused = match outcome {
            StoreOutcome::Applied { applied, .. } => {
                self.imported.changed += u64::from(applied.changed);
                return;
            }
            StoreOutcome::Durable => None,
            // Where the whole storage has failed, the end of the turn says so.
            StoreOutcome::Failed(
                StoreError::Damaged | StoreError::Io | StoreError::Closed | StoreError::Full,
            ) => {
                Some("what the directory has of it cannot be read, so nothing is merged".to_owned())
            }
            StoreOutcome::Refused(refusal) => Some(format!("it is refused: {refusal:?}")),
            other @ (StoreOutcome::Read { .. }
            | StoreOutcome::Removed { .. }
            | StoreOutcome::Confirmed(_)
            | StoreOutcome::HintRemoved { .. }
            | StoreOutcome::HintsFound { .. }
            | StoreOutcome::HintsCounted(_)
            | StoreOutcome::StatesScanned { .. }
            | StoreOutcome::RecordsScanned { .. }) => {
                unreachable!("no answer to a merge: {other:?}")
            }
        };
        let Some((part, key)) = self.waiting.remove(&ticket) else { return };
        match (refused, part) {
            (Some(reason), _) => {
                self.imported.damaged.push(Damaged { part, key: Some(key), reason });
            }
            (None, Part::Record) => self.imported.records += 1,
            (None, Part::Hint { .. }) => self.imported.hints += 1,
        }
    }

    fn close(self, broken: Option<BackupError>) -> Result<Imported, ImportError> {
        let Running { storage, imported, .. } = self;
        match (storage.close(), broken) {
            (true, None) => Ok(imported),
            (true, Some(error)) => Err(ImportError::Backup { error, imported: Box::new(imported) }),
            (false, _) => Err(ImportError::Storage { imported: Box::new(imported) }),
        }
    }
}

/// Bytes of all values in a record.
fn value_bytes(record: &Record) -> usize {
    let payloads = record.siblings().map(|(_, sibling)| &sibling.payload);
    payloads
        .map(|payload| match payload {
            Payload::Value(value) => value.len(),
            Payload::Tombstone => 0,
        })
        .sum()
}
