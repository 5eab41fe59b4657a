//! `cluster new`.

use clap::Subcommand;
use quorate_core::layout::PlanSettings;
use serde_json::json;

use super::failure::Failure;
use super::output::{Format, print, print_json};
use crate::cluster::{ClusterFile, ClusterSettings, MemberArgument};

#[derive(Debug, Subcommand)]
pub(super) enum Cluster {
    New(New),
}

/// Make a cluster file.
///
/// It goes to stdout. The ids in it are random: make it once and give the same file to all nodes.
///
/// Example:
///   quorate cluster new --member a=ws://10.0.0.1:7101@east --member b=ws://10.0.0.2:7101@west \
///       --member c=ws://10.0.0.3:7101@north > cluster.toml
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(super) struct New {
    /// LABEL=ws://HOST:PORT or LABEL=ws://HOST:PORT@ZONE; repeat it for each node.
    #[arg(long = "member", value_name = "MEMBER", required = true)]
    members: Vec<MemberArgument>,
    /// Q: equal arcs of the ring, a power of two. Fixed for ever.
    #[arg(long, default_value_t = PlanSettings::default().slots.get())]
    slots: u32,
    /// N: how many nodes hold each key.
    #[arg(long, default_value_t = PlanSettings::default().replication)]
    replication: u8,
    /// Answers that end a read [default: a majority of N].
    #[arg(long)]
    r: Option<u8>,
    /// Acknowledgements that end a write [default: a majority of N].
    #[arg(long)]
    w: Option<u8>,
    /// Accept R + W <= N: reads may then miss the latest write.
    #[arg(long)]
    allow_weak: bool,
}

impl Cluster {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Cluster::New(New { members, slots, replication, r, w, allow_weak }) = self;
        let settings = ClusterSettings { slots, replication, r, w, allow_weak };
        let file = ClusterFile::new(settings, members).map_err(Failure::failed)?;
        match output {
            Format::Table => print(file.to_toml().as_bytes()),
            Format::Json => print_json(&json!(file)),
        }
    }
}
