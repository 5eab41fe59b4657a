//! How a simulated cluster is asked for.

use quorate_core::quorum::Quorum;
use quorate_core::ring::SlotCount;
use quorate_core::time::Duration;
use quorate_sim::WorldConfig;
use serde::Deserialize;

/// Nodes that a tab can carry with ease.
const NODES_MAX: usize = 64;

/// Everything may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Options {
    nodes: Option<usize>,
    zones: Option<usize>,
    slots: Option<u32>,
    replication: Option<u8>,
    r: Option<u8>,
    w: Option<u8>,
    seed: Option<u32>,
    timeout: Option<u32>,
}

impl Options {
    /// The configuration, or what is wrong with it.
    pub(super) fn check(self) -> Result<WorldConfig, String> {
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
