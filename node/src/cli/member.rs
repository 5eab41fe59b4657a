//! Arguments about one node that `serve` takes.

use std::time::Duration;

use clap::{Args, ValueEnum};
use quorate_core::limits::Limits;
use quorate_core::merkle::LeafCount;
use quorate_core::node::{AntiEntropySettings, Fanout, GossipSettings};

use super::args::{seconds, span};
use crate::cluster::Profile;

/// What an operator says about a node.
#[derive(Debug, Default, Args)]
pub(super) struct MemberArgs {
    /// Name for people [default: the HOST:PORT where others reach it].
    #[arg(long)]
    label: Option<String>,
    /// Failure domain, such as a rack; the replicas of a key are spread over zones.
    #[arg(long, default_value = "", hide_default_value = true)]
    zone: String,
    /// Capacity in relation to the other nodes: its share of the slots.
    #[arg(long, default_value_t = 1)]
    weight: u32,
    /// The cluster's secret, where it has one.
    #[arg(long, env = "QUORATE_SECRET", hide_env_values = true)]
    secret: Option<String>,
    /// Whom a read asks.
    #[arg(long, value_enum, default_value_t = FanoutArg::All)]
    fanout: FanoutArg,
    /// Time between two heartbeats; the same on all nodes.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    gossip_interval: u64,
    /// How long hints wait for a node that is away [default: 3 hours].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    hint_window: Option<Duration>,
    /// Bytes of the hints that wait for one node, at most.
    #[arg(long, value_name = "BYTES")]
    hint_bytes_per_node: Option<u64>,
    /// Bytes of all hints, at most.
    #[arg(long, value_name = "BYTES")]
    hint_bytes: Option<u64>,
    /// How often each slot is compared with each other replica of it, such as 30s or 1h
    /// [default: 30s].
    #[arg(long, value_name = "TIME", value_parser = span)]
    anti_entropy_interval: Option<Duration>,
    /// Bytes of records that comparisons take and give in a second, at most; 0 compares nothing
    /// [default: 33554432].
    #[arg(long, value_name = "BYTES")]
    anti_entropy_rate: Option<u64>,
    /// Leaves of the tree of each slot: 1, 16, 256, 4096 or 65536. Nodes compare only with those
    /// that have as many [default: 256].
    #[arg(long, value_name = "COUNT", value_parser = leaves)]
    anti_entropy_leaves: Option<LeafCount>,
}

fn leaves(text: &str) -> Result<LeafCount, String> {
    let leaves = text.parse().ok().and_then(LeafCount::new);
    leaves.ok_or_else(|| "write 1, 16, 256, 4096 or 65536".into())
}

/// Whom a read asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum FanoutArg {
    /// All nodes of the key: a slow one is not waited for.
    #[default]
    All,
    /// R of them, and one more where they are slow.
    Quorum,
}

impl MemberArgs {
    pub(super) fn profile(self, address: String, seeds: Vec<String>) -> Profile {
        let MemberArgs { label, zone, weight, secret, .. } = self;
        let default = Limits::default();
        let limits = Limits {
            hint_window: self.hint_window.unwrap_or(default.hint_window),
            target_hint_bytes_max: self
                .hint_bytes_per_node
                .unwrap_or(default.target_hint_bytes_max),
            hint_bytes_max: self.hint_bytes.unwrap_or(default.hint_bytes_max),
            ..default
        };
        let fanout = match self.fanout {
            FanoutArg::All => Fanout::All,
            FanoutArg::Quorum => Fanout::Quorum,
        };
        let interval = Duration::from_millis(self.gossip_interval);
        let gossip = GossipSettings { interval, ..GossipSettings::default() };
        let default = AntiEntropySettings::default();
        let anti_entropy = AntiEntropySettings {
            leaves: self.anti_entropy_leaves.unwrap_or(default.leaves),
            interval: self.anti_entropy_interval.unwrap_or(default.interval),
            bytes_per_second: self.anti_entropy_rate.unwrap_or(default.bytes_per_second),
            ..default
        };
        Profile {
            label,
            zone,
            weight,
            address,
            seeds,
            secret,
            fanout,
            gossip,
            anti_entropy,
            limits,
        }
    }
}
