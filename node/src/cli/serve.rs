//! `serve`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::output::{Format, print_json, print_line};
use super::run::{DurabilityArg, StorageArg, bind, run_until_signal, storage};
use crate::cluster::ClusterFile;
use crate::server::{NodeOptions, start};

/// Run one node of a cluster.
///
/// Every node is started with the same cluster file and its own label. The port of the node's
/// address answers the protocol, a status page for browsers, and /livez and /readyz. SIGTERM and
/// Ctrl-C stop the node: calls under way are finished (5 s at most), everything is synced.
///
/// Examples:
///   quorate cluster new --member a=ws://127.0.0.1:7101 > cluster.toml
///   quorate serve --cluster cluster.toml --node a --data ./data-a
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Serve {
    /// The cluster file; see `quorate cluster new`.
    #[arg(long, value_name = "FILE")]
    cluster: PathBuf,
    /// Label of the member that this node is.
    #[arg(long, value_name = "LABEL")]
    node: String,
    /// Where records go.
    #[arg(long, value_enum, default_value_t = StorageArg::Fjall)]
    storage: StorageArg,
    /// Directory of the node's records; made where it does not exist.
    #[arg(long, value_name = "DIR", required_if_eq("storage", "fjall"))]
    data: Option<PathBuf>,
    /// When a write counts as stored.
    #[arg(long, value_enum, default_value_t = DurabilityArg::Group)]
    durability: DurabilityArg,
    /// HOST:PORT to listen on, where it is not that of the member's address.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Let in browsers from this origin only, such as https://example.org; repeat it for more
    /// [default: all].
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
}

impl Serve {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let file = ClusterFile::read(&self.cluster).map_err(Failure::failed)?;
        let member = file.member(&self.node).map_err(Failure::failed)?;
        let config = file.node_config(&self.node).map_err(Failure::failed)?;
        let listener = match &self.listen {
            Some(listen) => bind(listen.as_str(), "--listen")?,
            None => {
                let address = member.parsed_address().map_err(Failure::failed)?;
                bind((address.host.as_str(), address.port), "--listen")?
            }
        };
        let storage = storage(self.storage, self.durability, self.data, &config)?;
        let allow_origins: BTreeSet<String> = self.allow_origin.into_iter().collect();
        let id = config.id;
        let node = start(NodeOptions {
            config,
            label: self.node.as_str().into(),
            storage,
            listener,
            allow_origins: (!allow_origins.is_empty()).then_some(allow_origins),
        })
        .map_err(Failure::failed)?;
        match output {
            Format::Json => print_json(&json!({
                "label": self.node,
                "id": id.to_string(),
                "address": member.address,
                "listen": node.address().to_string(),
            }))?,
            Format::Table => {
                let text = format!("node {} listens on {}", self.node, node.address());
                print_line(&text)?;
            }
        }
        run_until_signal(vec![node])
    }
}
