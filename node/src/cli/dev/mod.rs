//! `dev`: a whole cluster in this process.
//!
//! ```text
//!  quorate dev                          quorate dev add, remove
//!    nodes, each with its own thread      joins or leaves by the ordinary frames,
//!    control ◀──── starts, stops ─────── and asks for the thread
//! ```

mod control;
mod grow;
mod running;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use quorate_core::ids::{ClusterId, NodeId, Text};
use quorate_core::layout::{Member, PlanSettings, plan_first};
use quorate_core::limits::Limits;
use quorate_core::merkle::LeafCount;
use quorate_core::message::{LayoutHistory, LayoutId, LayoutUpdate, Marks};
use quorate_core::node::{
    AntiEntropySettings, ChangeSettings, CollectionSettings, Fanout, GossipSettings,
};
use serde_json::json;

use self::running::Running;
use super::failure::Failure;
use super::output::{Format, print_line};
use super::run::{DurabilityArg, StorageArg, bind, local_address, storage};
use super::ui::ui;
use crate::cluster::{FoundingOptions, Origin, Profile};
use crate::server::{NodeOptions, RunningNode, start};
use crate::storage::{Directory, FjallOptions, Settings};

/// Run a whole cluster in this process, to try things out.
///
/// The nodes are real ones, each with its own thread, port and storage; they only share a process.
///
/// Examples:
///   quorate dev
///   quorate dev --nodes 6 --zones 3 --storage fjall --data ./dev-data
///   quorate dev --base-port 0 -o json    free ports, printed for a script
///   quorate dev add                      in another terminal: one more node
///   quorate dev remove node-2            its data moves away, then it stops
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub(super) struct Dev {
    #[command(subcommand)]
    change: Option<Change>,
    #[command(flatten)]
    cluster: DevCluster,
}

// Each command's own documentation is its help.
#[derive(Debug, Subcommand)]
enum Change {
    Add(grow::Add),
    Remove(grow::Remove),
}

/// What the cluster is like.
#[derive(Clone, Debug, Args)]
struct DevCluster {
    /// How many nodes.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=200))]
    nodes: u16,
    /// Where records go.
    #[arg(long, value_enum, default_value_t = StorageArg::Memory)]
    storage: StorageArg,
    /// Directory of all nodes' directories.
    #[arg(long, value_name = "DIR", required_if_eq("storage", "fjall"))]
    data: Option<PathBuf>,
    /// When a write counts as stored.
    #[arg(long, value_enum, default_value_t = DurabilityArg::Group)]
    durability: DurabilityArg,
    /// `dev add` and `remove` are heard on this port, and the nodes listen on those behind it; 0: on
    /// free ports.
    #[arg(long, default_value_t = BASE_PORT)]
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

/// The nodes of an ordinary cluster listen behind it.
const BASE_PORT: u16 = 7100;

/// How often the nodes of `dev` raise their heartbeats: they share a machine, and whoever kills one
/// wants to see it.
const GOSSIP_INTERVAL: Duration = Duration::from_millis(200);

/// Leaves of the tree of each slot: what is tried out is small.
const LEAVES: u32 = 16;

/// How long nothing is staged before a node that joins by itself does.
const QUIET: Duration = Duration::from_secs(1);

/// One of the nodes before it runs.
struct Planned {
    listener: TcpListener,
    profile: Profile,
    directory: Option<Directory>,
    id: NodeId,
}

impl Dev {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        match self.change {
            None => self.cluster.run(output),
            Some(Change::Add(add)) => add.run(output),
            Some(Change::Remove(remove)) => remove.run(output),
        }
    }
}

impl DevCluster {
    fn run(self, output: Format) -> Result<(), Failure> {
        let (settings, founding) = self.options().check().map_err(Failure::failed)?;
        let control = bind(("127.0.0.1", self.base_port), "--base-port")?;
        let listeners = self.listen()?;
        self.check_same_nodes()?;
        let planned = listeners.into_iter().enumerate();
        let planned: Result<Vec<Planned>, Failure> =
            planned.map(|(index, listener)| self.planned(index, listener)).collect();
        let planned = planned?;
        let cluster = self.cluster(&planned, settings)?;
        let layouts = layouts(&planned, founding.plan)?;
        let newest = layouts.iter().map(LayoutHistory::head);
        let newest = newest.max_by_key(|update| LayoutId::of(update));
        let newest = newest.ok_or_else(|| Failure::failed("a cluster has at least one node"))?;
        let announced =
            announcement(cluster, newest, &local_address(&control)?.to_string(), output);
        let mut running = Running::new(self.clone(), cluster, settings);
        for (node, layouts) in planned.into_iter().zip(layouts) {
            if let Err(failure) = running.start(node, Some(layouts)) {
                running.stop();
                return Err(failure);
            }
        }
        print_line(&announced)?;
        running.serve(control)
    }

    fn options(&self) -> FoundingOptions {
        FoundingOptions {
            members: self.nodes,
            replication: self.replication,
            slots: self.slots,
            r: self.r,
            w: self.w,
            strict: false,
            allow_weak: self.allow_weak,
        }
    }

    fn listen(&self) -> Result<Vec<TcpListener>, Failure> {
        (0..usize::from(self.nodes)).map(|index| self.listen_as(index)).collect()
    }

    /// The port of one node.
    fn listen_as(&self, index: usize) -> Result<TcpListener, Failure> {
        let beyond = || Failure::failed("the ports end at 65535: choose a smaller --base-port");
        let port = match self.base_port {
            0 => Some(0),
            base => u16::try_from(index + 1).ok().and_then(|number| base.checked_add(number)),
        };
        bind(("127.0.0.1", port.ok_or_else(beyond)?), "--base-port")
    }

    /// Where the nodes keep their data, if they keep it.
    fn directory(&self) -> Option<&Path> {
        self.data.as_deref().filter(|_| self.storage == StorageArg::Fjall)
    }

    /// Refuses the directory of an earlier run with another number of nodes.
    fn check_same_nodes(&self) -> Result<(), Failure> {
        let Some(directory) = self.directory() else { return Ok(()) };
        let exists = |number: usize| directory.join(label(number)).exists();
        let nodes = usize::from(self.nodes);
        let found = (0..=nodes).take_while(|number| exists(*number)).count();
        if found == 0 || found == nodes {
            return Ok(());
        }
        let found = if found < nodes { found.to_string() } else { "more".into() };
        Err(Failure::failed(format_args!(
            "{} holds the data of {found} nodes, not of {nodes}: start as many, or give another \
             --data",
            directory.display()
        )))
    }

    fn planned(&self, index: usize, listener: TcpListener) -> Result<Planned, Failure> {
        let zone = match self.zones {
            1 => String::new(),
            zones => format!("zone-{}", index % usize::from(zones) + 1),
        };
        let directory = self.directory().map(|data| Directory::open(data.join(label(index))));
        let directory = directory.transpose().map_err(Failure::failed)?;
        let id = match &directory {
            Some(directory) => directory.node(),
            None => NodeId(getrandom::u64().map_err(Failure::failed)?),
        };
        let leaves = LeafCount::new(LEAVES).unwrap_or_default();
        let profile = Profile {
            label: Some(label(index)),
            zone,
            weight: 1,
            address: format!("ws://{}", local_address(&listener)?),
            seeds: Vec::new(),
            secret: None,
            fanout: Fanout::All,
            gossip: GossipSettings { interval: GOSSIP_INTERVAL, ..GossipSettings::default() },
            anti_entropy: AntiEntropySettings { leaves, ..AntiEntropySettings::default() },
            collection: CollectionSettings::default(),
            changes: ChangeSettings { join: false, leave: true, quiet: QUIET },
            limits: Limits::default(),
        };
        Ok(Planned { listener, profile, directory, id })
    }

    /// The cluster of an earlier run in the same directory, or a new one.
    fn cluster(&self, planned: &[Planned], settings: Settings) -> Result<ClusterId, Failure> {
        let directories = planned.iter().filter_map(|node| node.directory.as_ref());
        let known = directories.filter_map(|it| Some((it.identity()?.cluster, it.settings()?)));
        let mut clusters = Vec::new();
        for (cluster, found) in known {
            if found != settings {
                return Err(Failure::failed(format_args!(
                    "the data is of a cluster with --slots {} --replication {} --r {} --w {}{}: \
                     use these, or another --data",
                    found.slots.unwrap_or(0),
                    found.replication.unwrap_or(0),
                    found.r,
                    found.w,
                    if found.allow_weak { " --allow-weak" } else { "" },
                )));
            }
            clusters.push(cluster);
        }
        match clusters.first() {
            Some(cluster) => Ok(*cluster),
            None => Ok(ClusterId(getrandom::u64().map_err(Failure::failed)?)),
        }
    }

    fn start_node(
        &self,
        node: Planned,
        cluster: ClusterId,
        settings: Settings,
        layouts: Option<LayoutHistory>,
    ) -> Result<RunningNode, Failure> {
        let Planned { listener, profile, directory, id } = node;
        let origin = Origin { node: id, cluster, settings, layouts, founding: None };
        let config = profile.config(origin).map_err(Failure::failed)?;
        let adopted = directory.map(|directory| directory.adopt(cluster, settings));
        let adopted = adopted.transpose().map_err(Failure::failed)?;
        let options =
            FjallOptions { durability: self.durability.into(), ..FjallOptions::default() };
        let (storage, _) = storage(self.storage, options, adopted)?;
        let label = profile.label();
        let ui = ui(&profile.address, profile.credentials(), true);
        start(NodeOptions { config, label, storage, listener, allow_origins: None, ui })
            .map_err(Failure::failed)
    }
}

fn label(index: usize) -> String {
    format!("node-{}", index + 1)
}

/// The layouts that each node begins with, with the present addresses: those that it has saved, or
/// else those of the node that knows the newest one, or else the first one, which is the same
/// whenever it is made of the same members.
fn layouts(planned: &[Planned], plan: PlanSettings) -> Result<Vec<LayoutHistory>, Failure> {
    let readdress = |history: &LayoutHistory, marks: Marks| {
        let readdressed = history.live().iter().map(|update| {
            let address = |member: &Member| {
                let node = planned.iter().find(|node| node.id == member.id);
                Text::from(node.map_or("", |node| &node.profile.address))
            };
            let layout = update.layout.clone();
            let addresses = layout.members().iter().map(address).collect();
            Arc::new(LayoutUpdate { layout, addresses })
        });
        LayoutHistory::new(readdressed.collect(), marks).map_err(Failure::failed)
    };
    let saved = |node: &Planned| node.directory.as_ref()?.layouts().cloned();
    let newest = planned.iter().filter_map(saved).max_by_key(|saved| LayoutId::of(saved.head()));
    let newest = newest.map_or_else(|| first(planned, plan), Ok)?;
    let begun = planned.iter().map(|node| match saved(node) {
        Some(own) => readdress(&own, own.marks()),
        None => readdress(&newest, Marks::all(newest.live()[0].layout.version())),
    });
    begun.collect()
}

fn first(planned: &[Planned], plan: PlanSettings) -> Result<LayoutHistory, Failure> {
    let members = planned.iter().map(|node| Member {
        id: node.id,
        label: node.profile.label(),
        zone: node.profile.zone.as_str().into(),
        weight: node.profile.weight,
    });
    let layout = plan_first(plan, members.collect()).map_err(Failure::failed)?;
    let addresses = layout.members().iter().map(|_| Text::default()).collect();
    Ok(LayoutHistory::settled(Arc::new(LayoutUpdate { layout, addresses })))
}

/// What a user reads once all nodes run.
fn announcement(
    cluster: ClusterId,
    update: &LayoutUpdate,
    control: &str,
    output: Format,
) -> String {
    let layout = &update.layout;
    let mut members: Vec<_> = layout.members().iter().zip(&update.addresses).collect();
    // In the order of their numbers.
    members.sort_by_key(|(member, _)| (member.label.len(), Text::clone(&member.label)));
    if output == Format::Json {
        let nodes = members.iter().map(|(member, address)| {
            json!({
                "label": &*member.label,
                "id": member.id.to_string(),
                "zone": &*member.zone,
                "address": &***address,
            })
        });
        let nodes: Vec<_> = nodes.collect();
        return json!({ "cluster": cluster.to_string(), "control": control, "nodes": nodes })
            .to_string();
    }
    let mut text = format!(
        "cluster of {} nodes, {} slots, each key on {}:\n",
        members.len(),
        layout.slot_count(),
        layout.replication()
    );
    for (member, address) in &members {
        let page = address.replacen("ws:", "http:", 1);
        text += &format!("  {:<10} {address}   page {page}/   {}\n", member.label, member.zone);
    }
    let seed = match members.first().map_or("", |(_, address)| address) {
        "ws://127.0.0.1:7101" => String::new(),
        other => format!(" --seed {other}"),
    };
    text += &format!(
        "\ntry, in another terminal:\n  quorate put greeting hello{seed}\n  quorate get \
         greeting{seed}\n  quorate status{seed}\n\nCtrl-C stops the cluster."
    );
    text
}
