//! Whether there is room for more: what makes the data larger is refused before the disk is full.
//!
//! An engine that meets a full disk in a commit or a flush is broken until it is opened again, and
//! then has no room to open. So a reserve is left to it: for the journal that is being written, for
//! what is in memory and must go to tables, and for a compaction, which needs room before it gives
//! some back. Reads, removals, and what the node must remember of itself go on in the reserve.
//!
//! Invariant: an operation that is refused has changed nothing.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::engine::EngineOptions;

/// Between two looks at the file system, where there is plenty.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Between two looks while there is no room.
pub(super) const FULL_INTERVAL: Duration = Duration::from_secs(1);

/// Where there is less than this above the reserve, each turn looks.
const NEAR_BYTES: u64 = 64 << 20;

/// There is room again once there is this part of the reserve above it.
const HYSTERESIS_PART: u64 = 8;

/// The reserve is this part of the file system at most.
const RESERVE_PART: u64 = 4;

/// The engine reserves so much for a journal.
const JOURNAL_BYTES: u64 = 64 << 20;

/// Memtables whose flush may be under way: those of records and of hints.
const FLUSHED_MEMTABLES: u64 = 2;

/// Tables of the first level that the engine compacts in one.
const COMPACTED_TABLES: u64 = 4;

/// What a file system has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Space {
    /// Bytes that this process may still use.
    pub(super) free: u64,
    /// Bytes of all.
    pub(super) total: u64,
}

/// Tells what a file system has.
pub(super) type SpaceSource = Box<dyn FnMut() -> io::Result<Space> + Send>;

/// The file system of a directory.
pub(super) fn space_of(directory: &Path) -> SpaceSource {
    let directory: PathBuf = directory.to_owned();
    Box::new(move || {
        let told = rustix::fs::statvfs(&directory)?;
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        Ok(Space { free: bytes(told.f_bavail), total: bytes(told.f_blocks) })
    })
}

/// What an engine needs to go on by itself.
pub(super) fn default_reserve(options: &EngineOptions) -> u64 {
    JOURNAL_BYTES + (FLUSHED_MEMTABLES + COMPACTED_TABLES) * options.memtable_bytes
}

/// What others may know of the room.
#[derive(Debug, Default)]
pub(super) struct SpaceGauge {
    free: AtomicU64,
    full: AtomicBool,
}

impl SpaceGauge {
    /// Bytes that were free at the last look.
    pub(super) fn free(&self) -> u64 {
        self.free.load(Ordering::Relaxed)
    }

    /// Whether writes are refused.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}

/// Lets operations in, or not. The writer's own.
pub(super) struct Room {
    source: SpaceSource,
    /// Bytes that are left to the engine, before the size of the file system is looked at.
    reserve: u64,
    looked: Option<Instant>,
    /// What the last look found; `None` where the file system does not tell.
    space: Option<Space>,
    /// Bytes that were let in since.
    since: u64,
    gauge: Arc<SpaceGauge>,
}

impl Room {
    pub(super) fn new(source: SpaceSource, reserve: u64, gauge: Arc<SpaceGauge>) -> Room {
        Room { source, reserve, looked: None, space: None, since: 0, gauge }
    }

    /// Whether a turn that makes the data larger by about so many bytes may do so.
    pub(super) fn admits(&mut self, bytes: u64, now: Instant) -> bool {
        self.look_if_due(now);
        if self.gauge.is_full() {
            return false;
        }
        if self.space.is_some() && self.above_reserve() < bytes {
            self.begin_full();
            return false;
        }
        self.since += bytes;
        true
    }

    /// Looks at the file system where that is due.
    pub(super) fn look_if_due(&mut self, now: Instant) {
        let full = self.gauge.is_full();
        let interval = if full { FULL_INTERVAL } else { LOOK_INTERVAL };
        let near = !full && self.space.is_some() && self.above_reserve() < NEAR_BYTES;
        let due = self.looked.is_none_or(|looked| now.duration_since(looked) >= interval);
        if !due && !near {
            return;
        }
        self.looked = Some(now);
        match (self.source)() {
            Ok(space) => {
                (self.space, self.since) = (Some(space), 0);
                self.gauge.free.store(space.free, Ordering::Relaxed);
                if full && self.above_reserve() >= self.reserve_now() / HYSTERESIS_PART {
                    self.end_full();
                }
            }
            Err(error) => tracing::debug!(%error, "the file system does not tell its free space"),
        }
    }

    fn reserve_now(&self) -> u64 {
        let most = self.space.map_or(u64::MAX, |space| space.total / RESERVE_PART);
        self.reserve.min(most)
    }

    fn above_reserve(&self) -> u64 {
        let free = self.space.map_or(0, |space| space.free);
        free.saturating_sub(self.since).saturating_sub(self.reserve_now())
    }

    fn begin_full(&mut self) {
        self.gauge.full.store(true, Ordering::Relaxed);
        tracing::error!(
            free_bytes = self.gauge.free(),
            reserve_bytes = self.reserve_now(),
            "THE DISK IS FULL: this node refuses writes until there is room again; reads go on"
        );
    }

    fn end_full(&mut self) {
        self.gauge.full.store(false, Ordering::Relaxed);
        let free_bytes = self.gauge.free();
        tracing::info!(free_bytes, "there is room on the disk again: this node takes writes");
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("space", &self.space).field("gauge", &self.gauge).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    const RESERVE: u64 = 400 << 20;

    const PLENTY: u64 = 10 << 30;

    /// A file system that is as a test says, and how often it was looked at.
    #[derive(Clone, Default)]
    struct Disk {
        free: Arc<AtomicU64>,
        looks: Arc<AtomicUsize>,
    }

    impl Disk {
        fn room(&self) -> Room {
            let Disk { free, looks } = self.clone();
            let source = Box::new(move || {
                looks.fetch_add(1, Ordering::Relaxed);
                Ok(Space { free: free.load(Ordering::Relaxed), total: 100 << 30 })
            });
            Room::new(source, RESERVE, Arc::default())
        }

        fn has(&self, free: u64) {
            self.free.store(free, Ordering::Relaxed);
        }

        fn looks(&self) -> usize {
            self.looks.swap(0, Ordering::Relaxed)
        }
    }

    #[test]
    fn a_turn_that_would_reach_into_the_reserve_is_refused() {
        let disk = Disk::default();
        let mut room = disk.room();
        let now = Instant::now();
        disk.has(RESERVE + 1_000);
        assert!(room.admits(1_000, now));
        assert!(!room.admits(1_001, now) && room.gauge.is_full());
    }

    #[test]
    fn there_is_room_again_only_above_the_reserve_and_within_a_second() {
        let disk = Disk::default();
        let mut room = disk.room();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        disk.has(RESERVE);
        assert!(!room.admits(1, at(0)));
        disk.has(RESERVE + RESERVE / 10);
        assert!(!room.admits(1, at(1_000)), "not at once at the edge");
        disk.has(RESERVE + RESERVE / 8);
        assert!(!room.admits(1, at(1_999)), "it looks once per second");
        assert!(room.admits(1, at(2_000)) && !room.gauge.is_full());
        assert_eq!(room.gauge.free(), RESERVE + RESERVE / 8);
    }

    #[test]
    fn where_there_is_plenty_few_looks_are_taken_and_near_the_reserve_one_per_turn() {
        let disk = Disk::default();
        let mut room = disk.room();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        disk.has(PLENTY);
        assert!((0..1_000).all(|ms| room.admits(1 << 10, at(ms))));
        assert_eq!(disk.looks(), 10);
        disk.has(RESERVE + NEAR_BYTES / 2);
        assert!(room.admits(1, at(1_000)));
        assert!((1_001..1_010).all(|ms| room.admits(1, at(ms))));
        assert_eq!(disk.looks(), 10);
    }

    #[test]
    fn what_was_let_in_since_the_last_look_counts() {
        let disk = Disk::default();
        let mut room = disk.room();
        let now = Instant::now();
        disk.has(RESERVE + 3 * NEAR_BYTES);
        assert!(room.admits(NEAR_BYTES, now) && room.admits(NEAR_BYTES, now));
        assert_eq!(disk.looks(), 1);
        disk.has(RESERVE + NEAR_BYTES - 1);
        assert!(room.admits(1, now), "it is near, and is looked at");
        assert!(!room.admits(NEAR_BYTES, now));
    }

    #[test]
    fn the_reserve_is_no_more_than_a_quarter_of_the_file_system() {
        let source = || Ok(Space { free: 30 << 20, total: 100 << 20 });
        let mut room = Room::new(Box::new(source), RESERVE, Arc::default());
        assert!(room.admits(5 << 20, Instant::now()));
        assert!(!room.admits(5 << 20 | 1, Instant::now()));
    }

    #[test]
    fn a_file_system_that_does_not_tell_is_taken_for_empty() {
        let mut room =
            Room::new(Box::new(|| Err(io::ErrorKind::Other.into())), RESERVE, Arc::default());
        assert!(room.admits(1 << 30, Instant::now()));
    }

    #[test]
    fn this_file_system_has_some_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let Space { free, total } = space_of(directory.path())().unwrap();
        assert!(free > 0 && total >= free, "{free} of {total}");
    }
}
