//! A cluster of processes in a directory of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitStatus;

use anyhow::{Context, Result, ensure};
use quorate_node::client::{Client, ClientOptions};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::stderr;
use crate::{PATIENCE, Process, eventually, quorate};

/// What a test may choose.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How many members.
    pub nodes: usize,
    /// N.
    pub replication: u8,
    /// R.
    pub r: u8,
    /// W.
    pub w: u8,
    /// `memory` or `fjall`.
    pub storage: &'static str,
    /// Q.
    pub slots: u32,
    /// What else `serve` is told on all of them.
    pub more: &'static [&'static str],
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { nodes: 5, replication: 3, r: 2, w: 2, storage: "memory", slots: 64, more: &[] }
    }
}

/// Members by label, some of them running. The first one founds the cluster, the others know its
/// address.
#[derive(Debug)]
pub struct Cluster {
    /// Holds the data directories.
    pub directory: TempDir,
    settings: Settings,
    /// How many zones the members are in, by turns.
    zones: usize,
    /// Of all members that were ever started.
    addresses: BTreeMap<String, String>,
    running: BTreeMap<String, Process>,
}

/// The member that founds a cluster.
const FOUNDER: &str = "n1";

impl Cluster {
    /// Nothing runs yet. The members are `n1`, `n2` and so on.
    pub fn new(settings: Settings) -> Result<Cluster> {
        let (addresses, running) = (BTreeMap::new(), BTreeMap::new());
        Ok(Cluster { directory: TempDir::new()?, settings, zones: 1, addresses, running })
    }

    /// Makes a cluster and starts all of it.
    pub async fn started(settings: Settings) -> Result<Cluster> {
        Cluster::started_in_zones(settings, 1).await
    }

    /// The same with members in so many zones.
    pub async fn started_in_zones(settings: Settings, zones: usize) -> Result<Cluster> {
        let mut cluster = Cluster { zones, ..Cluster::new(settings)? };
        for label in cluster.labels() {
            cluster.start(&label)?;
        }
        cluster.settle().await?;
        Ok(cluster)
    }

    /// The labels of all members.
    pub fn labels(&self) -> Vec<String> {
        (1..=self.settings.nodes).map(|number| format!("n{number}")).collect()
    }

    /// The labels of the members of one zone; the first is 0.
    pub fn zone(&self, zone: usize) -> Vec<String> {
        self.labels().into_iter().skip(zone).step_by(self.zones).collect()
    }

    /// The address of a member that was started before.
    pub fn address(&self, label: &str) -> Result<String> {
        self.addresses.get(label).cloned().with_context(|| format!("{label} was never started"))
    }

    /// What a running member printed when it was ready.
    pub fn announced(&self, label: &str) -> Result<&Value> {
        Ok(&self.running.get(label).context("it does not run")?.announced)
    }

    /// The id of a running member's process.
    pub fn process(&self, label: &str) -> Result<u32> {
        Ok(self.running.get(label).context("it does not run")?.id())
    }

    /// The data directory of a member.
    pub fn data(&self, label: &str) -> PathBuf {
        self.directory.path().join(label)
    }

    /// The arguments that run a member: on a free port at first, later on the same one.
    pub fn serve(&self, label: &str) -> Result<Vec<String>> {
        let Settings { nodes, replication, r, w, storage, slots, more } = self.settings;
        let listen = self
            .addresses
            .get(label)
            .map_or("127.0.0.1:0", |address| address.strip_prefix("ws://").unwrap_or(address));
        let mut arguments = vec![
            "serve".to_owned(),
            format!("--label={label}"),
            format!("--listen={listen}"),
            format!("--storage={storage}"),
            format!("--data={}", self.data(label).display()),
            "--gossip-interval=100".to_owned(),
        ];
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        let is_in = |zone: &usize| self.zone(*zone).iter().any(|it| it == label);
        if self.zones > 1 {
            arguments.extend((0..self.zones).find(is_in).map(|zone| format!("--zone=zone-{zone}")));
        }
        if label == FOUNDER {
            arguments.extend([
                format!("--found={nodes}"),
                format!("--slots={slots}"),
                format!("--replication={replication}"),
                format!("--r={r}"),
                format!("--w={w}"),
            ]);
        } else {
            arguments.push(format!("--seed={}", self.address(FOUNDER)?));
        }
        Ok(arguments)
    }

    /// Starts a member.
    pub fn start(&mut self, label: &str) -> Result<()> {
        let process = Process::start(quorate(self.serve(label)?)?)?;
        let address = process.announced["address"].as_str().context("an address")?.to_owned();
        self.addresses.insert(label.to_owned(), address);
        self.running.insert(label.to_owned(), process);
        Ok(())
    }

    /// Starts a member on a port that it did not have before.
    pub fn start_elsewhere(&mut self, label: &str) -> Result<()> {
        self.addresses.remove(label).with_context(|| format!("{label} was never started"))?;
        self.start(label)
    }

    /// Ends a member without warning.
    pub fn kill(&mut self, label: &str) -> Result<()> {
        self.running.remove(label).context("it does not run")?.kill()
    }

    /// Ends members without warning, all before any of them is waited for.
    pub fn kill_together(&mut self, labels: &[String]) -> Result<()> {
        let mut processes = Vec::new();
        for label in labels {
            processes.push(self.running.remove(label).context("it does not run")?);
        }
        for process in &mut processes {
            process.send_kill()?;
        }
        processes.into_iter().try_for_each(Process::kill)
    }

    /// Asks a member to stop, and waits until it has.
    pub fn terminate(&mut self, label: &str) -> Result<ExitStatus> {
        self.running.remove(label).context("it does not run")?.terminate()
    }

    /// Waits until the cluster has a layout and all running members see each other.
    pub async fn settle(&self) -> Result<()> {
        let running = self.running.len();
        eventually("all running nodes see each other", || async {
            let status = self.status().ok()?;
            let nodes = status["nodes"].as_array()?;
            let sees_all = |node: &&Value| {
                let members = node["members"].as_array().map_or(&[][..], Vec::as_slice);
                members.iter().filter(|member| member["state"] == "up").count() == running
                    && node["layout_version"] != 0
            };
            (nodes.iter().filter(sees_all).count() == running).then_some(())
        })
        .await
    }

    /// What `quorate status -o json` prints.
    pub fn status(&self) -> Result<Value> {
        let seeds: Vec<String> = self.seeds()?;
        let output = quorate(["status", "-o", "json", "--seed", &seeds.join(",")])?.output()?;
        ensure!(output.status.success(), "{}", stderr(&output));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The addresses of the running members.
    pub fn seeds(&self) -> Result<Vec<String>> {
        self.running.keys().map(|label| self.address(label)).collect()
    }

    /// Options of a patient client that knows the running members.
    pub fn options(&self) -> Result<ClientOptions> {
        Ok(ClientOptions { timeout: PATIENCE, ..ClientOptions::to(self.seeds()?) })
    }

    /// A client of the running members.
    pub async fn client(&self) -> Result<Client> {
        Ok(Client::connect(self.options()?).await?)
    }
}
