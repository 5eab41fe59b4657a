//! How a world is made.

use quorate_core::limits::Limits;
use quorate_core::time::Duration;

use crate::disk::DiskTemper;
use crate::network::Weather;

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
    /// Time for a whole call of a client.
    pub timeout: Duration,
    /// Bounds of nodes and clients.
    pub limits: Limits,
    /// Every link, to begin with.
    pub weather: Weather,
    /// Every disk, to begin with.
    pub disk: DiskTemper,
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
            timeout: Duration::from_secs(5),
            limits: Limits::default(),
            weather: Weather::default(),
            disk: DiskTemper::default(),
        }
    }
}
