//! What is in a directory, counted.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use quorate_core::causality::{Payload, Record};
use quorate_core::ids::{DurableMark, NodeId, Remembered};
use quorate_core::machine::{Standing, hint_bytes};
use quorate_core::ring::{Position, Slot, SlotCount};
use quorate_core::time::UnixMs;

use super::contents::{Contents, Stored};
use super::damage::Part;
use crate::clock::Clock;
use crate::storage::OpenError;
use crate::storage::directory::io_error;
use crate::storage::meta::Meta;

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The durable mark and the wall time of the last commit; `None` where there was none.
    pub commit: Option<(DurableMark, UnixMs)>,
    /// What is known of losses.
    pub standing: Standing,
    /// What the node remembered of the storages of others.
    pub peers: Vec<(NodeId, Remembered)>,
    /// Whether the last process that had it open stopped as it should.
    pub stopped_cleanly: bool,
    /// Whether more commits were synced than are there: the next start finds that out, and the node
    /// refills itself.
    pub lacks_commits: bool,
    /// The names of what was set aside.
    pub asides: Vec<String>,
    /// Whether a clean stop saved the trees of all records for the next start.
    pub trees_saved: bool,
    /// Own copies that can be read.
    pub records: u64,
    /// Bytes of their keys and of what is stored of them.
    pub record_bytes: u64,
    /// Records with several concurrent values or tombstones.
    pub siblings: u64,
    /// Records in which nothing but tombstones and expired values stands.
    pub dead: u64,
    /// Records in which a value has expired.
    pub expired: u64,
    /// Hints by target.
    pub hints: BTreeMap<NodeId, HintsFor>,
    /// Slots that hold records; `None` where the directory does not know how many slots there are.
    pub slots: Option<BTreeMap<Slot, SlotCounts>>,
    /// What cannot be read, hints included.
    pub damaged: u64,
    /// Bytes that all files take on the disk.
    pub disk_bytes: u64,
}

/// The hints for one target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HintsFor {
    /// How many there are.
    pub hints: u64,
    /// Their bytes, as a node counts them for its limits.
    pub bytes: u64,
}

/// The records of one slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SlotCounts {
    /// How many there are.
    pub records: u64,
    /// Bytes of their keys and of what is stored of them.
    pub bytes: u64,
}

impl Contents {
    /// Reads everything and counts it. `seen` is called after each record and hint.
    ///
    /// # Errors
    /// `Engine` where nothing can be read at all.
    pub fn inventory(&self, mut seen: impl FnMut()) -> Result<Inventory, OpenError> {
        let path = self.directory.path();
        let disk_bytes = disk_bytes(path).map_err(|error| io_error(path, &error))?;
        let Meta { committed, standing, peers, lives, trees, past: _ } = self.meta()?;
        let asides = self.directory.asides()?;
        let slot_count = self.slot_count();
        let slots = slot_count.map(|_| BTreeMap::new());
        let mut inventory = Inventory {
            commit: committed.map(|committed| (committed.mark, committed.written)),
            standing,
            peers,
            stopped_cleanly: lives.is_some(),
            trees_saved: trees.is_some(),
            lacks_commits: self.lacks_commits()?,
            asides,
            slots,
            disk_bytes,
            ..Inventory::default()
        };
        let now = Clock::start().now().unix;
        for stored in self.records().chain(self.hints()) {
            match stored {
                Ok(Stored { part: Part::Record, key, held, bytes, .. }) => {
                    inventory.count(held.record(), bytes, now);
                    if let Some((slots, slot_count)) = inventory.slots.as_mut().zip(slot_count) {
                        let slot = Position::of(key.as_bytes()).slot(slot_count);
                        let counts: &mut SlotCounts = slots.entry(slot).or_default();
                        counts.records += 1;
                        counts.bytes += bytes;
                    }
                }
                Ok(Stored { part: Part::Hint { target: Some(target) }, key, held, .. }) => {
                    let hints = inventory.hints.entry(target).or_default();
                    hints.hints += 1;
                    hints.bytes += hint_bytes(&key, held.record());
                }
                Ok(Stored { part: Part::Hint { target: None }, .. }) | Err(_) => {
                    inventory.damaged += 1;
                }
            }
            seen();
        }
        Ok(inventory)
    }

    fn slot_count(&self) -> Option<SlotCount> {
        match self.directory.layout() {
            Some(update) => Some(update.layout.slot_count()),
            None => SlotCount::new(self.directory.settings()?.slots?),
        }
    }
}

impl Inventory {
    fn count(&mut self, record: &Record, bytes: u64, now: UnixMs) {
        self.records += 1;
        self.record_bytes += bytes;
        self.siblings += u64::from(record.sibling_count() > 1);
        self.dead += u64::from(record.dead_since(now).is_some());
        let expired = record.siblings().any(|(_, sibling)| {
            sibling.is_expired_at(now) && matches!(sibling.payload, Payload::Value(_))
        });
        self.expired += u64::from(expired);
    }
}

/// What the files below a directory take, holes left out.
fn disk_bytes(directory: &Path) -> io::Result<u64> {
    /// Of `st_blocks`, whatever the file system uses.
    const BLOCK_BYTES: u64 = 512;
    let mut bytes = 0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += match metadata.is_dir() {
            true => disk_bytes(&entry.path())?,
            false => metadata.blocks() * BLOCK_BYTES,
        };
    }
    Ok(bytes)
}
