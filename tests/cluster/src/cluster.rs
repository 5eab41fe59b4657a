//! A cluster of processes in a directory of its own.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{ExitStatus, id};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, ensure};
use quorate_node::client::{Client, ClientOptions};
use quorate_node::cluster::ClusterFile;
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
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { nodes: 5, replication: 3, r: 2, w: 2, storage: "memory" }
    }
}

/// Members by label, some of them running.
#[derive(Debug)]
pub struct Cluster {
    /// Holds the cluster file and the data directories.
    pub directory: TempDir,
    /// What the cluster file says.
    pub file: ClusterFile,
    settings: Settings,
    running: BTreeMap<String, Process>,
}

impl Cluster {
    /// Makes a cluster file; nothing runs yet. The members are `n1`, `n2` and so on.
    pub fn new(settings: Settings) -> Result<Cluster> {
        let directory = TempDir::new()?;
        let mut arguments = vec!["cluster".to_owned(), "new".to_owned()];
        for (number, port) in free_ports(settings.nodes)?.into_iter().enumerate() {
            arguments.push(format!("--member=n{}=ws://127.0.0.1:{port}", number + 1));
        }
        let Settings { replication, r, w, .. } = settings;
        arguments.push("--slots=64".into());
        arguments.extend([
            format!("--replication={replication}"),
            format!("--r={r}"),
            format!("--w={w}"),
        ]);
        let output = quorate(arguments)?.output()?;
        ensure!(output.status.success(), "{}", stderr(&output));
        fs::write(directory.path().join("cluster.toml"), &output.stdout)?;
        let file = ClusterFile::parse(&String::from_utf8(output.stdout)?)?;
        Ok(Cluster { directory, file, settings, running: BTreeMap::new() })
    }

    /// Makes a cluster and starts all of it.
    pub async fn started(settings: Settings) -> Result<Cluster> {
        let mut cluster = Cluster::new(settings)?;
        for label in cluster.labels() {
            cluster.start(&label)?;
        }
        cluster.settle().await?;
        Ok(cluster)
    }

    /// The labels of all members.
    pub fn labels(&self) -> Vec<String> {
        self.file.members.iter().map(|member| member.label.clone()).collect()
    }

    /// The address of a member.
    pub fn address(&self, label: &str) -> Result<String> {
        Ok(self.file.member(label)?.address.clone())
    }

    /// The path of the cluster file.
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("cluster.toml")
    }

    /// The data directory of a member.
    pub fn data(&self, label: &str) -> PathBuf {
        self.directory.path().join(label)
    }

    /// The arguments that run a member.
    pub fn serve(&self, label: &str) -> Vec<String> {
        let (path, data) =
            (self.path().display().to_string(), self.data(label).display().to_string());
        let storage = self.settings.storage.to_owned();
        let arguments =
            ["serve", "--cluster", &path, "--node", label, "--storage", &storage, "--data", &data];
        arguments.map(str::to_owned).to_vec()
    }

    /// Starts a member.
    pub fn start(&mut self, label: &str) -> Result<()> {
        let process = Process::start(quorate(self.serve(label))?)?;
        self.running.insert(label.to_owned(), process);
        Ok(())
    }

    /// Ends a member without warning.
    pub fn kill(&mut self, label: &str) -> Result<()> {
        self.running.remove(label).context("it does not run")?.kill()
    }

    /// Asks a member to stop, and waits until it has.
    pub fn terminate(&mut self, label: &str) -> Result<ExitStatus> {
        self.running.remove(label).context("it does not run")?.terminate()
    }

    /// Waits until all running members see each other.
    pub async fn settle(&self) -> Result<()> {
        let client = self.client().await?;
        eventually("all running nodes see each other", || async {
            let status = client.status().await.ok()?;
            let answers: Vec<_> =
                status.iter().filter_map(|(_, reply)| reply.as_ref().ok()).collect();
            let complete = answers.len() == self.running.len()
                && answers.iter().all(|reply| {
                    reply.members.iter().filter(|member| member.up).count() == answers.len()
                });
            complete.then_some(())
        })
        .await
    }

    /// Options of a patient client that knows the running members.
    pub fn options(&self) -> Result<ClientOptions> {
        let seeds: Result<Vec<String>> =
            self.running.keys().map(|label| self.address(label)).collect();
        Ok(ClientOptions { timeout: PATIENCE, ..ClientOptions::to(seeds?) })
    }

    /// A client of the running members.
    pub async fn client(&self) -> Result<Client> {
        Ok(Client::connect(self.options()?).await?)
    }
}

/// Ports that were free a moment ago, below those that the system gives to outgoing connections.
pub fn free_ports(count: usize) -> Result<Vec<u16>> {
    const FIRST: u16 = 11_000;
    const COUNT: u16 = 21_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test binaries that run at the same time begin at different places.
    let start = (id() as u16).wrapping_mul(131) % COUNT;
    let candidates = (0..COUNT).map(|_| {
        let next = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        FIRST + ((u32::from(start) + u32::from(next)) % u32::from(COUNT)) as u16
    });
    let free = candidates.filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    let ports: Vec<u16> = free.take(count).collect();
    ensure!(ports.len() == count, "there are no {count} free ports");
    Ok(ports)
}
