//! What a disk does to the operations that are given to it.

use quorate_core::time::Duration;

/// The condition of a disk. Chances are per thousand operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskTemper {
    /// Time for a read, and until a change is in the memory of the engine.
    pub access: Duration,
    /// Time for a sync.
    pub sync: Duration,
    /// Chance that something takes longer.
    pub tail: u32,
    /// Most time that it takes longer.
    pub tail_max: Duration,
    /// But for the tail, everything takes so many times as long: a device that fails slowly.
    pub slowness: u32,
    /// Chance that a read fails.
    pub read_fails: u32,
    /// Chance that a change fails; half of those are kept nevertheless.
    pub write_fails: u32,
    /// Chance that a sync fails, after which the engine takes no changes until it is opened again.
    pub sync_fails: u32,
    /// Whether there is no room for any change.
    pub full: bool,
}

impl Default for DiskTemper {
    fn default() -> DiskTemper {
        DiskTemper {
            access: Duration::from_micros(20),
            sync: Duration::from_micros(500),
            tail: 0,
            tail_max: Duration::ZERO,
            slowness: 1,
            read_fails: 0,
            write_fails: 0,
            sync_fails: 0,
            full: false,
        }
    }
}
