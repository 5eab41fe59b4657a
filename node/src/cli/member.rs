//! Arguments about one node that `serve` takes.

use std::time::Duration;

use clap::{Args, ValueEnum};
use quorate_core::limits::Limits;
use quorate_core::merkle::LeafCount;
use quorate_core::node::{
    AntiEntropySettings, ChangeSettings, CollectionSettings, Fanout, GossipSettings,
};

use super::args::{seconds, span, time};
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
    /// Become a member of the cluster without `quorate layout join`, as soon as nothing else is
    /// staged for a while.
    #[arg(long)]
    auto_join: bool,
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
    /// What was deleted, or has expired, goes for good after this time, such as 12h or 7d; the same
    /// on all nodes, at least 1s [default: 24h].
    ///
    /// The context of a read is of use for as long: do not keep one longer. While a node of the
    /// layout is away, nothing is collected.
    #[arg(long, value_name = "TIME", value_parser = grace)]
    grace: Option<Duration>,
}

/// With less, a context might be of no use to the write that follows its read.
const GRACE_MIN: Duration = Duration::from_secs(1);

fn grace(text: &str) -> Result<Duration, String> {
    let long = |grace: &Duration| *grace >= GRACE_MIN;
    let short = || "1s is the least: what was deleted is always collected at some time".into();
    time(text).and_then(|grace| Some(grace).filter(long).ok_or_else(short))
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
        let default = CollectionSettings::default();
        let collection = CollectionSettings { grace: self.grace.unwrap_or(default.grace) };
        let changes =
            ChangeSettings { join: self.auto_join, leave: true, ..ChangeSettings::default() };
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
            collection,
            changes,
            limits,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, grace};

    #[test]
    fn a_grace_time_is_at_least_a_second() {
        for (text, expected) in [
            ("1s", Some(Duration::from_secs(1))),
            ("2", Some(Duration::from_secs(2))),
            ("12h", Some(Duration::from_secs(12 * 3_600))),
            ("7d", Some(Duration::from_secs(7 * 86_400))),
            ("0", None),
            ("0s", None),
            ("999ms", None),
            ("-1s", None),
            ("36501d", None),
            ("never", None),
        ] {
            assert_eq!(grace(text).ok(), expected, "{text:?}");
        }
        assert!(grace("0").unwrap_err().contains("1s is the least"));
    }
}
