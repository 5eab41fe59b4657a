//! `dev`.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::output::{Format, print_json, print_line};
use super::run::{DurabilityArg, StorageArg, bind, local_address, run_until_signal, storage};
use crate::cluster::{ClusterFile, ClusterSettings, MemberArgument};
use crate::server::{NodeOptions, RunningNode, start};

/// Run a whole cluster in this process, to try things out.
///
/// The nodes are real ones, each with its own thread, port and storage; they only share a process.
///
/// Examples:
///   quorate dev
///   quorate dev --nodes 6 --zones 3 --storage fjall --data ./dev-data
///   quorate dev --base-port 0 -o json    free ports, printed for a script
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Dev {
    /// How many nodes.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=200))]
    nodes: u16,
    /// Where records go.
    #[arg(long, value_enum, default_value_t = StorageArg::Memory)]
    storage: StorageArg,
    /// Directory of the cluster file and of all nodes' records.
    #[arg(long, value_name = "DIR", required_if_eq("storage", "fjall"))]
    data: Option<PathBuf>,
    /// When a write counts as stored.
    #[arg(long, value_enum, default_value_t = DurabilityArg::Group)]
    durability: DurabilityArg,
    /// The nodes listen on the ports behind this one; 0: on free ports.
    #[arg(long, default_value_t = 7100)]
    base_port: u16,
    /// N: how many nodes hold each key [default: 3, or the number of nodes if that is less].
    #[arg(long)]
    replication: Option<u8>,
    /// Answers that end a read [default: a majority of N].
    #[arg(long)]
    r: Option<u8>,
    /// Acknowledgements that end a write [default: a majority of N].
    #[arg(long)]
    w: Option<u8>,
    /// Accept R + W <= N: reads may then miss the latest write.
    #[arg(long)]
    allow_weak: bool,
    /// Q: equal arcs of the ring, a power of two.
    #[arg(long, default_value_t = 64)]
    slots: u32,
    /// Spread the nodes over this many zones.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    zones: u16,
}

impl Dev {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let listeners = self.listen()?;
        let file = self.cluster_file(&listeners)?;
        let mut nodes = Vec::new();
        for (listener, member) in listeners.into_iter().zip(&file.members) {
            let started = self.start_node(&file, &member.label, listener);
            match started {
                Ok(node) => nodes.push(node),
                Err(failure) => {
                    nodes.iter().for_each(RunningNode::stop);
                    let _ = nodes.into_iter().map(RunningNode::join).count();
                    return Err(failure);
                }
            }
        }
        announce(&file, output)?;
        run_until_signal(nodes)
    }

    fn listen(&self) -> Result<Vec<TcpListener>, Failure> {
        let port = |number: u16| match self.base_port {
            0 => Some(0),
            base => base.checked_add(number),
        };
        let beyond = || Failure::failed("the ports end at 65535: choose a smaller --base-port");
        let listen = |number| bind(("127.0.0.1", port(number).ok_or_else(beyond)?), "--base-port");
        (1..=self.nodes).map(listen).collect()
    }

    /// The file of an earlier run in the same directory, with the present addresses; or a new one.
    fn cluster_file(&self, listeners: &[TcpListener]) -> Result<ClusterFile, Failure> {
        let mut members = Vec::new();
        for (number, listener) in listeners.iter().enumerate() {
            let zone = match self.zones {
                1 => String::new(),
                zones => format!("zone-{}", number % usize::from(zones) + 1),
            };
            let address = format!("ws://{}", local_address(listener)?);
            members.push(MemberArgument { label: format!("node-{}", number + 1), zone, address });
        }
        let Some(directory) = self.data.as_deref().filter(|_| self.storage == StorageArg::Fjall)
        else {
            return self.new_cluster(members);
        };
        let path = directory.join("cluster.toml");
        let file = if path.exists() {
            let mut file = ClusterFile::read(&path).map_err(Failure::failed)?;
            self.check_same(&path, &file)?;
            for (member, now) in file.members.iter_mut().zip(members) {
                member.address = now.address;
            }
            file
        } else {
            self.new_cluster(members)?
        };
        let written = fs::create_dir_all(directory).and_then(|()| fs::write(&path, file.to_toml()));
        written.map_err(|error| Failure::failed(format_args!("{}: {error}", path.display())))?;
        Ok(file)
    }

    fn new_cluster(&self, members: Vec<MemberArgument>) -> Result<ClusterFile, Failure> {
        let settings = ClusterSettings {
            slots: self.slots,
            replication: self.replication(),
            r: self.r,
            w: self.w,
            allow_weak: self.allow_weak,
        };
        ClusterFile::new(settings, members).map_err(Failure::failed)
    }

    fn replication(&self) -> u8 {
        self.replication.unwrap_or_else(|| self.nodes.min(3) as u8)
    }

    fn check_same(&self, path: &Path, file: &ClusterFile) -> Result<(), Failure> {
        let asked = (usize::from(self.nodes), self.slots, self.replication());
        let found = (file.members.len(), file.slots, file.replication);
        if asked == found {
            return Ok(());
        }
        let (nodes, slots, replication) = found;
        Err(Failure::failed(format_args!(
            "{} was made for --nodes {nodes} --slots {slots} --replication {replication}: use \
             these, or another --data",
            path.display()
        )))
    }

    fn start_node(
        &self,
        file: &ClusterFile,
        label: &str,
        listener: TcpListener,
    ) -> Result<RunningNode, Failure> {
        let config = file.node_config(label).map_err(Failure::failed)?;
        let directory = self.data.as_ref().map(|data| data.join(label));
        let storage = storage(self.storage, self.durability, directory, &config)?;
        let label = label.into();
        start(NodeOptions { config, label, storage, listener, allow_origins: None })
            .map_err(Failure::failed)
    }
}

fn announce(file: &ClusterFile, output: Format) -> Result<(), Failure> {
    if output == Format::Json {
        let nodes: Vec<_> = file
            .members
            .iter()
            .map(|member| {
                json!({
                    "label": member.label,
                    "id": member.id,
                    "zone": member.zone,
                    "address": member.address,
                })
            })
            .collect();
        return print_json(&json!({ "cluster": file.cluster, "nodes": nodes }));
    }
    let mut text = format!(
        "cluster of {} nodes, {} slots, each key on {}:\n",
        file.members.len(),
        file.slots,
        file.replication
    );
    for member in &file.members {
        let page = member.address.replacen("ws:", "http:", 1);
        text += &format!(
            "  {:<10} {}   page {page}/   {}\n",
            member.label, member.address, member.zone
        );
    }
    let seed = file.members.first().map_or("", |member| &member.address);
    let seed = match seed {
        "ws://127.0.0.1:7101" => String::new(),
        other => format!(" --seed {other}"),
    };
    text += &format!(
        "\ntry, in another terminal:\n  quorate put greeting hello{seed}\n  quorate get \
         greeting{seed}\n  quorate status{seed}\n\nCtrl-C stops the cluster."
    );
    print_line(&text)
}
