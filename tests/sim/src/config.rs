//! How a world is made.

use quorate_core::time::Duration;

/// Size and temper of a [`World`](crate::World).
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Nodes, named `n0`, `n1`, ...
    pub nodes: usize,
    /// Zones, given to the nodes in turn; 1: all in one.
    pub zones: usize,
    /// Slots of the ring.
    pub slots: u32,
    /// N.
    pub replication: u8,
    /// R.
    pub r: u8,
    /// W.
    pub w: u8,
    /// Whether R + W <= N is accepted.
    pub allow_weak: bool,
    /// Everything that is left to chance follows from it.
    pub seed: u64,
    /// Least time that a frame travels.
    pub delay_min: Duration,
    /// Most time that a frame travels.
    pub delay_max: Duration,
    /// Time until a change is in the memory of the storage.
    pub apply: Duration,
    /// Time from there until it is synced.
    pub sync: Duration,
    /// Time for a whole call of a client.
    pub timeout: Duration,
}

impl Default for WorldConfig {
    fn default() -> WorldConfig {
        WorldConfig {
            nodes: 5,
            zones: 1,
            slots: 64,
            replication: 3,
            r: 2,
            w: 2,
            allow_weak: false,
            seed: 1,
            delay_min: Duration::from_micros(200),
            delay_max: Duration::from_micros(1_500),
            apply: Duration::from_micros(20),
            sync: Duration::from_micros(500),
            timeout: Duration::from_secs(5),
        }
    }
}
