//! `serve`.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::PathBuf;

use clap::Args;
use quorate_core::ids::{ClusterId, NodeId, Text};
use quorate_core::layout::PlanSettings;
use quorate_core::node::Founding;
use serde_json::json;

use super::args::block_on;
use super::disk::DiskArgs;
use super::failure::{Failure, Kind};
use super::member::MemberArgs;
use super::output::{Format, print_json, print_line};
use super::run::{DurabilityArg, StorageArg, bind, local_address, run_until_signal, storage};
use super::ui::ui;
use crate::cluster::{
    FoundingOptions, Origin, Place, Profile, former_self, join, nobody_there, same_cluster,
};
use crate::server::{NodeOptions, Ui, start};
use crate::storage::{Directory, Settings};

/// Run one node of a cluster.
///
/// The first node of a new cluster is started with --found and the number of nodes that the
/// cluster begins with; the others with --seed and the address of any node. As soon as all of them
/// have met, the cluster is ready. A node remembers in its directory which one it is and which
/// cluster it belongs to, so the same command line starts it again. Where the directory is lost, a
/// node with an empty one and a --seed takes the place of the member that has its --label and its
/// address, as soon as the cluster holds that for down, and is filled by the others.
///
/// The port answers the protocol, a status page for browsers (with --ui the ring page), /metrics,
/// /livez and /readyz. SIGTERM and Ctrl-C stop the node: calls under way are finished (5 s at most),
/// everything is synced.
///
/// Examples:
///   quorate serve --data ./a --listen 127.0.0.1:7101 --found 3
///   quorate serve --data ./b --listen 127.0.0.1:7102 --seed ws://127.0.0.1:7101
///   quorate serve --data ./c --listen 127.0.0.1:7103 --seed ws://127.0.0.1:7101
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Serve {
    /// Found a new cluster of this many nodes, this one included.
    #[arg(long, value_name = "NODES", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    found: Option<u16>,
    /// Address of a node of the cluster, such as ws://10.0.0.1:7101; repeat it for more. One that
    /// answers is enough, and once this node has joined it needs none.
    #[arg(long = "seed", value_name = "URL", value_delimiter = ',')]
    seeds: Vec<String>,
    /// HOST:PORT to listen on; port 0: a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7101")]
    listen: String,
    /// ws://HOST:PORT where the other nodes and the clients reach this one [default: --listen].
    #[arg(long, value_name = "URL")]
    advertise: Option<String>,
    /// Where records go. With `memory`, --data keeps only which node this is.
    #[arg(long, value_enum, default_value_t = StorageArg::Fjall)]
    storage: StorageArg,
    /// Directory of the node; made where it does not exist.
    #[arg(long, value_name = "DIR", required_if_eq("storage", "fjall"))]
    data: Option<PathBuf>,
    /// When a write counts as stored.
    #[arg(long, value_enum, default_value_t = DurabilityArg::Group)]
    durability: DurabilityArg,
    /// Let in browsers from this origin only, such as https://example.org; repeat it for more
    /// [default: all].
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,
    /// Show the ring page at /: who is there, who holds what, what moves. The status page is at /status.
    #[arg(long)]
    ui: bool,
    /// Let the ring page offer to write and delete. It keeps nobody from it who can reach the port.
    #[arg(long, requires = "ui")]
    ui_writes: bool,
    #[command(flatten)]
    member: MemberArgs,
    #[command(flatten)]
    disk: DiskArgs,
    #[command(flatten)]
    rules: FoundingArgs,
}

/// What is fixed when the cluster is born.
#[derive(Debug, Args)]
#[command(next_help_heading = "With --found, for the whole cluster")]
struct FoundingArgs {
    /// N: how many nodes hold each key [default: 3, or the number of nodes if that is less].
    #[arg(long, requires = "found")]
    replication: Option<u8>,
    /// Q: equal arcs of the ring, a power of two. Fixed for ever.
    #[arg(long, requires = "found", default_value_t = PlanSettings::default().slots.get())]
    slots: u32,
    /// Answers that end a read [default: a majority of N].
    #[arg(long, requires = "found")]
    r: Option<u8>,
    /// Acknowledgements that end a write [default: a majority of N].
    #[arg(long, requires = "found")]
    w: Option<u8>,
    /// Only a key's own replicas count, so some failures refuse requests.
    #[arg(long, requires = "found")]
    strict: bool,
    /// Accept R + W <= N: reads may then miss the latest write.
    #[arg(long, requires = "found")]
    allow_weak: bool,
}

impl Serve {
    pub(super) fn run(mut self, output: Format) -> Result<(), Failure> {
        let listener = bind(self.listen.as_str(), "--listen")?;
        let address = self.advertised(&listener)?;
        let seeds = std::mem::take(&mut self.seeds);
        let profile = std::mem::take(&mut self.member).profile(address, seeds);
        profile.check().map_err(|error| Failure::new(Kind::Usage, error))?;
        let ui = self.ui(&profile)?;
        let directory = self.data.as_ref().map(Directory::open).transpose();
        let directory = directory.map_err(Failure::failed)?;
        let (origin, took_over) = block_on(self.origin(&profile, directory.as_ref()))?;
        let (identity, label) = (origin.identity(), profile.label());
        let settings = origin.settings;
        let config = profile.config(origin).map_err(Failure::failed)?;
        let adopted = directory.map(|directory| {
            let directory =
                if took_over { directory.taken_over(identity.node)? } else { directory };
            directory.adopt(identity.cluster, settings)
        });
        let adopted = adopted.transpose().map_err(Failure::failed)?;
        // The directory of a node without stored records is still held, so that nobody else runs
        // as this node.
        let (storage, _held) =
            storage(self.storage, self.disk.options(self.durability.into()), adopted)?;
        let allow_origins: BTreeSet<String> = self.allow_origin.into_iter().collect();
        let node = start(NodeOptions {
            config,
            label: Text::clone(&label),
            storage,
            listener,
            allow_origins: (!allow_origins.is_empty()).then_some(allow_origins),
            ui,
        })
        .map_err(Failure::failed)?;
        match output {
            Format::Json => print_json(&json!({
                "label": &*label,
                "id": identity.node.to_string(),
                "cluster": identity.cluster.to_string(),
                "address": profile.address,
                "listen": node.address().to_string(),
                "founder": settings.replication.is_some(),
                "took_over": took_over,
            }))?,
            Format::Table => {
                let (address, cluster) = (&profile.address, identity.cluster);
                print_line(&format!(
                    "node {label} of cluster {cluster} listens on {}, seed {address}",
                    node.address()
                ))?;
                if took_over {
                    print_line(&format!(
                        "it takes the place of {}, whose data is gone: the others fill it again",
                        identity.node
                    ))?;
                }
            }
        }
        run_until_signal(vec![node])
    }

    /// The ring page, where it is asked for.
    fn ui(&self, profile: &Profile) -> Result<Option<Ui>, Failure> {
        if !self.ui {
            return Ok(None);
        }
        let missing = || {
            Failure::failed(
                "this program was built without the ring page: leave out --ui, or run `cargo xtask \
                 page` and build it again",
            )
        };
        ui(&profile.address, profile.credentials(), self.ui_writes).map(Some).ok_or_else(missing)
    }

    /// Where the others reach this node.
    fn advertised(&self, listener: &TcpListener) -> Result<String, Failure> {
        if let Some(advertised) = &self.advertise {
            return Ok(advertised.clone());
        }
        let local = local_address(listener)?;
        if local.ip().is_unspecified() {
            return Err(Failure::new(
                Kind::Usage,
                format_args!(
                    "other nodes cannot reach {}: say with --advertise ws://HOST:PORT where they \
                     reach this one",
                    local.ip()
                ),
            ));
        }
        let host = self.listen.rsplit_once(':').map_or(&*self.listen, |(host, _)| host);
        Ok(format!("ws://{host}:{}", local.port()))
    }

    /// What this node is: what its directory says, or what it founds or joins; and whether it takes
    /// the place of a member that was there before.
    async fn origin(
        &self,
        profile: &Profile,
        directory: Option<&Directory>,
    ) -> Result<(Origin, bool), Failure> {
        let founding = self.founding()?;
        let node = match directory {
            Some(directory) => directory.node(),
            None => NodeId(getrandom::u64().map_err(Failure::failed)?),
        };
        let layouts = directory.and_then(Directory::layouts).cloned();
        let known = directory.and_then(|it| Some((it.identity()?.cluster, it.settings()?)));
        if let Some((cluster, settings)) = known {
            if !profile.other_seeds().is_empty() {
                let checked =
                    same_cluster(&profile.other_seeds(), &profile.credentials(), cluster).await;
                checked.map_err(Failure::failed)?;
            }
            let is_founded = directory.is_some_and(Directory::has_had_layout);
            check_same_founding(founding, settings, is_founded)?;
            // One founder makes one first layout, even where it has lost that.
            let founding = founding.map(|(_, founding)| founding).filter(|_| !is_founded);
            return Ok((Origin { node, cluster, settings, layouts, founding }, false));
        }
        let mut former = None;
        let (cluster, settings) = match &founding {
            Some((settings, _)) => {
                let found = nobody_there(&profile.other_seeds(), &profile.credentials()).await;
                found.map_err(Failure::failed)?;
                (ClusterId(getrandom::u64().map_err(Failure::failed)?), *settings)
            }
            None if profile.other_seeds().is_empty() => {
                return Err(Failure::new(
                    Kind::Usage,
                    "this node belongs to no cluster yet: found a new one with --found NODES, or \
                     join one with --seed ws://HOST:PORT",
                ));
            }
            None => {
                let (seeds, credentials) = (profile.other_seeds(), profile.credentials());
                let joined = join(&seeds, &credentials).await.map_err(Failure::failed)?;
                let place = Place { label: &profile.label(), address: &profile.address };
                let found = former_self(&seeds, &credentials, joined.0, place).await;
                former = found.map_err(Failure::failed)?;
                joined
            }
        };
        let (node, took_over) = (former.unwrap_or(node), former.is_some());
        let founding = founding.map(|(_, founding)| founding);
        Ok((Origin { node, cluster, settings, layouts, founding }, took_over))
    }

    fn founding(&self) -> Result<Option<(Settings, Founding)>, Failure> {
        let Some(members) = self.found else { return Ok(None) };
        let FoundingArgs { replication, slots, r, w, strict, allow_weak } = self.rules;
        let options = FoundingOptions { members, replication, slots, r, w, strict, allow_weak };
        options.check().map(Some).map_err(|error| Failure::new(Kind::Usage, error))
    }
}

/// A founder that starts again says what it said first, or nothing once there is a layout.
fn check_same_founding(
    asked: Option<(Settings, Founding)>,
    found: Settings,
    has_layout: bool,
) -> Result<(), Failure> {
    let founded = found.replication.zip(found.slots);
    let wrong = |text: String| Err(Failure::new(Kind::Usage, text));
    match (asked, founded) {
        (None, Some(_)) if !has_layout => wrong(
            "this node founds a cluster whose nodes have not all met: start it with the same \
             --found as before"
                .into(),
        ),
        (None, _) => Ok(()),
        (Some(_), None) => wrong(
            "this node has joined a cluster already: leave out --found, or give a new --data \
             directory to found another one"
                .into(),
        ),
        (Some((asked, _)), Some((replication, slots))) if asked != found => wrong(format!(
            "the cluster was founded with --replication {replication} --slots {slots} --r {} --w \
             {}{}{}: give the same, or leave out --found",
            found.r,
            found.w,
            if found.strict { " --strict" } else { "" },
            if found.allow_weak { " --allow-weak" } else { "" },
        )),
        (Some(_), Some(_)) => Ok(()),
    }
}
