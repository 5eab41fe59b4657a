//! How a simulated cluster is asked for.

use quorate_core::quorum::Quorum;
use quorate_core::ring::SlotCount;
use quorate_core::time::Duration;
use serde::{Deserialize, Serialize};

use crate::config::WorldConfig;
use crate::world::first_plan;

/// Nodes that a tab can carry with ease.
const NODES_MAX: usize = 64;

/// Clients, unless somebody wants another number of them.
const CLIENTS: usize = 2;

/// Clients that a person can look at.
const CLIENTS_MAX: usize = 16;

/// Everything may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<usize>,
    /// Failure domains, given to the nodes in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zones: Option<usize>,
    /// Slots of the ring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
    /// N.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<u8>,
    /// R; a majority unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub r: Option<u8>,
    /// W; a majority unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub w: Option<u8>,
    /// Everything that is left to chance follows from it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// Time for a whole call, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
}

/// What a run is asked for that a page plays with; everything may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunOptions {
    /// What every cluster has.
    #[serde(flatten)]
    pub cluster: Options,
    /// Nodes that are up and in no layout, beside the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newcomers: Option<usize>,
    /// The weights of the nodes by number; 1 unless given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<u32>,
    /// Clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clients: Option<usize>,
}

impl RunOptions {
    /// The configuration and the number of clients.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    pub fn check(&self) -> Result<(WorldConfig, usize), String> {
        let members = self.cluster.check()?;
        let newcomers = self.newcomers.unwrap_or(0);
        let nodes = members.nodes.saturating_add(newcomers);
        if nodes > NODES_MAX {
            return Err(format!("newcomers: {nodes} nodes in all are more than {NODES_MAX}"));
        }
        let clients = self.clients.unwrap_or(CLIENTS);
        if !(1..=CLIENTS_MAX).contains(&clients) {
            return Err(format!("clients: {clients} is not between 1 and {CLIENTS_MAX}"));
        }
        let weights = self.weights.clone();
        if weights.len() > nodes {
            return Err(format!("weights: there are {} for {nodes} nodes", weights.len()));
        }
        let config = WorldConfig { nodes, newcomers, weights, ..members };
        first_plan(&config).map_err(|error| format!("weights: {error}"))?;
        Ok((config, clients))
    }
}

impl Options {
    /// The configuration.
    ///
    /// # Errors
    /// What is wrong, in a sentence.
    pub fn check(&self) -> Result<WorldConfig, String> {
        let default = WorldConfig::default();
        let nodes = self.nodes.unwrap_or(default.nodes);
        if !(1..=NODES_MAX).contains(&nodes) {
            return Err(format!("nodes: {nodes} is not between 1 and {NODES_MAX}"));
        }
        let slots = self.slots.unwrap_or(default.slots);
        if SlotCount::new(slots).is_none() || (slots as usize) < nodes {
            return Err(format!("slots: {slots} is no power of two that suffices for {nodes}"));
        }
        let replication = self.replication.unwrap_or_else(|| default.replication.min(nodes as u8));
        if usize::from(replication) > nodes {
            return Err(format!("replication: {replication} copies need as many nodes"));
        }
        let majority = replication / 2 + 1;
        let (r, w) = (self.r.unwrap_or(majority), self.w.unwrap_or(majority));
        Quorum::new(replication, r, w, false).map_err(|error| error.to_string())?;
        let timeout = self.timeout.map(|ms| Duration::from_millis(ms.into()));
        Ok(WorldConfig {
            nodes,
            zones: self.zones.unwrap_or(default.zones),
            slots,
            replication,
            r,
            w,
            seed: self.seed.map_or(default.seed, u64::from),
            timeout: timeout.unwrap_or(default.timeout).min(Duration::from_secs(30)),
            ..default
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn nothing_asked_for_is_five_nodes_with_three_copies() {
        let config = Options::default().check().unwrap();
        assert_eq!((config.nodes, config.replication, config.r, config.w), (5, 3, 2, 2));
    }

    #[test]
    fn what_cannot_work_is_named() {
        let wrong = [
            (Options { nodes: Some(0), ..Options::default() }, "nodes"),
            (Options { slots: Some(100), ..Options::default() }, "slots"),
            (Options { replication: Some(9), ..Options::default() }, "replication"),
            (Options { r: Some(1), w: Some(1), ..Options::default() }, "R + W > N"),
        ];
        for (options, named) in wrong {
            let error = options.check().unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
