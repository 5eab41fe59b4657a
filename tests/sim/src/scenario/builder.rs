//! How a cluster is asked for.

use quorate_core::client::Coordinate;
use quorate_core::limits::Limits;
use quorate_core::node::Fanout;
use quorate_core::time::Duration;

use super::Scenario;
use crate::config::{Birth, WorldConfig};
use crate::disk::DiskTemper;
use crate::network::Weather;
use crate::trace::LogFilter;
use crate::world::World;

/// A cluster that is to be; [`Scenario::cluster`] begins one, [`build`](Builder::build) makes it.
#[derive(Clone, Debug)]
#[must_use = "nothing is there before `build`"]
pub struct Builder {
    config: WorldConfig,
    log: Option<LogFilter>,
}

impl Builder {
    pub(super) fn new(nodes: usize) -> Builder {
        Builder { config: WorldConfig { nodes, ..WorldConfig::default() }, log: None }
    }

    /// Zones, given to the nodes in turn; 1 unless said.
    pub fn zones(mut self, zones: usize) -> Builder {
        self.config.zones = zones;
        self
    }

    /// What the nodes weigh, in their order; 1 unless said. With 0 a node holds nothing.
    pub fn weights(mut self, weights: &[u32]) -> Builder {
        self.config.weights = weights.to_vec();
        self
    }

    /// So many of the nodes, the last ones, are members of nothing to begin with.
    pub fn newcomers(mut self, newcomers: usize) -> Builder {
        self.config.newcomers = newcomers;
        self
    }

    /// The time from round to round of gossip; 1 s unless said.
    pub fn gossip_every(mut self, interval: Duration) -> Builder {
        self.config.gossip.interval = interval;
        self
    }

    /// Clients run the quorums of their reads; nodes do unless said.
    pub fn clients_coordinate(mut self) -> Builder {
        self.config.coordinate = Coordinate::Client;
        self
    }

    /// N, the replicas of each key; 3 unless said.
    pub fn n(mut self, n: u8) -> Builder {
        self.config.replication = n;
        self
    }

    /// R, the answers that end a read; 2 unless said.
    pub fn r(mut self, r: u8) -> Builder {
        self.config.r = r;
        self
    }

    /// W, the durable acknowledgements that end a write; 2 unless said.
    pub fn w(mut self, w: u8) -> Builder {
        self.config.w = w;
        self
    }

    /// R + W <= N is accepted.
    pub fn allow_weak(mut self) -> Builder {
        self.config.allow_weak = true;
        self
    }

    /// Only a key's own replicas count, where a request does not say otherwise.
    pub fn strict(mut self) -> Builder {
        self.config.strict = true;
        self
    }

    /// Fallbacks stand in for replicas that cannot be reached; so it is unless said.
    pub fn sloppy(mut self) -> Builder {
        self.config.strict = false;
        self
    }

    /// Whom a read asks at first; all primaries unless said.
    pub fn fanout(mut self, fanout: Fanout) -> Builder {
        self.config.fanout = fanout;
        self
    }

    /// How long what is dead is left alone; 24 h unless said.
    pub fn grace(mut self, grace: Duration) -> Builder {
        self.config.collection.grace = grace;
        self
    }

    /// The nodes begin without a layout: they know the address of `n0`, which makes the first
    /// layout once all have met.
    pub fn found_from_one_seed(mut self) -> Builder {
        self.config.birth = Birth::OneSeed;
        self
    }

    /// What everything that is left to chance follows from; 1 unless said.
    pub fn seed(mut self, seed: u64) -> Builder {
        self.config.seed = seed;
        self
    }

    /// Time for a whole request that does not say otherwise; 5 s unless said.
    pub fn timeout(mut self, timeout: Duration) -> Builder {
        self.config.timeout = timeout;
        self
    }

    /// Changes the bounds of all nodes and clients.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Builder {
        change(&mut self.config.limits);
        self
    }

    /// Changes the temper of all disks.
    pub fn disks(mut self, change: impl FnOnce(&mut DiskTemper)) -> Builder {
        change(&mut self.config.disk);
        self
    }

    /// Changes the weather of all links.
    pub fn weather(mut self, change: impl FnOnce(&mut Weather)) -> Builder {
        change(&mut self.config.weather);
        self
    }

    /// Prints what happened when the scenario ends: for whoever looks for the reason of a failure.
    pub fn log(mut self, filter: LogFilter) -> Builder {
        self.log = Some(filter);
        self
    }

    /// The cluster, its nodes up and connected.
    ///
    /// # Panics
    /// Where the settings cannot work.
    pub fn build(self) -> Scenario {
        let timeout = self.config.timeout;
        let mut world = World::new(self.config);
        if let Some(filter) = self.log {
            world.keep_log(filter);
        }
        Scenario { world, last: 0, timeout, rules: Vec::new() }
    }
}
