//! How a world is made.

use quorate_core::client::Coordinate;
use quorate_core::limits::Limits;
use quorate_core::node::{AntiEntropySettings, CollectionSettings, Fanout, GossipSettings};
use quorate_core::time::Duration;

use crate::disk::DiskTemper;
use crate::network::Weather;

/// The node that makes the first layout, where the nodes do not begin with one.
pub const FOUNDER: usize = 0;

/// How the nodes of a [`World`](crate::World) come to know each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Birth {
    /// All begin with one layout.
    #[default]
    Layout,
    /// They know the address of the [`FOUNDER`], which makes the first layout once all have met.
    OneSeed,
}

/// Size and temper of a [`World`](crate::World).
#[derive(Clone, Debug)]
pub struct WorldConfig {
    /// Nodes, named `n0`, `n1`, ...
    pub nodes: usize,
    /// So many of them, the last ones, are members of nothing to begin with.
    pub newcomers: usize,
    /// Zones, given to the nodes in turn; 1: all in one.
    pub zones: usize,
    /// The weights of the nodes, to begin with; 1 where it names none. A node of weight 0 holds nothing
    /// until a layout gives it something.
    pub weights: Vec<u32>,
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
    /// Whether only a key's own replicas count, where a request does not say otherwise.
    pub strict: bool,
    /// Whom a read asks at first.
    pub fanout: Fanout,
    /// Who runs the quorum of a read.
    pub coordinate: Coordinate,
    /// How members tell each other that they are alive.
    pub gossip: GossipSettings,
    /// How replicas are compared in the background.
    pub anti_entropy: AntiEntropySettings,
    /// When what was deleted goes for good.
    pub collection: CollectionSettings,
    /// How the nodes come to know each other.
    pub birth: Birth,
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
            newcomers: 0,
            zones: 1,
            weights: Vec::new(),
            slots: 64,
            replication: 3,
            r: 2,
            w: 2,
            allow_weak: false,
            strict: false,
            fanout: Fanout::All,
            coordinate: Coordinate::Node,
            gossip: GossipSettings::default(),
            anti_entropy: AntiEntropySettings::default(),
            collection: CollectionSettings::default(),
            birth: Birth::Layout,
            seed: 1,
            timeout: Duration::from_secs(5),
            limits: Limits::default(),
            weather: Weather::default(),
            disk: DiskTemper::default(),
        }
    }
}
