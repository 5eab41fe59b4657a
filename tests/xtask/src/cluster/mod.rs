//! A cluster of `quorate serve` processes on loopback, and how to be rid of it again.
//!
//! Invariant: no node outlives its [`Cluster`], nor the process that started it.

mod node;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use quorate_host::{Interrupt, ports};
use serde_json::Value;

use crate::process;
use node::Node;

/// How long nodes may take to find each other, or to stop: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);
/// Ports that were free may be taken when a node wants them. Then others are tried.
const ATTEMPTS: usize = 3;

/// What a cluster is made of. N is 3, R and W are 2.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) nodes: u16,
    /// `memory` or `fjall`.
    pub(crate) storage: &'static str,
    /// `all` or `quorum`: whom a read asks.
    pub(crate) fanout: &'static str,
    /// The nodes listen on the ports behind this one; on free ports where there is none.
    pub(crate) base_port: Option<u16>,
    /// More arguments of every node's `serve`.
    pub(crate) arguments: &'static [&'static str],
}

/// Running nodes.
pub(crate) struct Cluster {
    pub(crate) program: PathBuf,
    nodes: Vec<Node>,
}

impl Cluster {
    /// Starts nodes that keep all of their files in `folder`, and waits until all are ready.
    pub(crate) fn start(
        program: &Path,
        folder: &Path,
        settings: Settings,
        interrupt: &Interrupt,
    ) -> Result<Cluster> {
        let data = (0..usize::from(settings.nodes)).map(|index| folder.join(label(index)));
        Cluster::start_on(program, folder, &data.collect::<Vec<_>>(), settings, interrupt)
    }

    /// The same with a data directory for each node, which is emptied; `folder` is for the logs.
    pub(crate) fn start_on(
        program: &Path,
        folder: &Path,
        data: &[PathBuf],
        settings: Settings,
        interrupt: &Interrupt,
    ) -> Result<Cluster> {
        for _ in 1..ATTEMPTS {
            if settings.base_port.is_some() {
                break;
            }
            let started = Cluster::try_start(program, folder, data, settings, interrupt);
            match started {
                Err(error) if format!("{error:#}").contains("port in use") => {}
                other => return other,
            }
        }
        Cluster::try_start(program, folder, data, settings, interrupt)
    }

    fn try_start(
        program: &Path,
        folder: &Path,
        data: &[PathBuf],
        settings: Settings,
        interrupt: &Interrupt,
    ) -> Result<Cluster> {
        let Settings { nodes, storage, fanout, base_port, arguments: more } = settings;
        let ports = match base_port {
            Some(base) => ports::behind(base, nodes)?,
            None => ports::free(nodes.into())?,
        };
        for folder in data.iter().map(PathBuf::as_path).chain([folder]) {
            if folder.exists() {
                fs::remove_dir_all(folder)?;
            }
        }
        fs::create_dir_all(folder)?;
        let mut cluster = Cluster { program: program.to_owned(), nodes: Vec::new() };
        for (index, port) in ports.iter().copied().enumerate() {
            let mut arguments = vec![format!("--storage={storage}"), format!("--fanout={fanout}")];
            match index {
                0 => arguments.extend(founding(nodes)),
                _ => arguments.push(format!("--seed=ws://127.0.0.1:{}", ports[0])),
            }
            arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
            let log = folder.join(format!("{}.log", label(index)));
            let data = data[index].clone();
            cluster.nodes.push(Node {
                label: label(index),
                port,
                log,
                data,
                arguments,
                running: None,
            });
            cluster.nodes[index].start(program)?;
        }
        cluster.settle(interrupt)?;
        Ok(cluster)
    }

    /// Starts one more node, which is no member yet, on an empty directory in `folder`; returns its
    /// index.
    pub(crate) fn add(&mut self, folder: &Path) -> Result<usize> {
        let index = self.nodes.len();
        let (first, label) = (&self.nodes[0], label(index));
        let mut arguments: Vec<String> = first.arguments.clone();
        // What the first one was told to found the cluster.
        arguments.retain(|argument| !founding(0).iter().any(|told| same_flag(told, argument)));
        let seeds = (0..index).filter(|index| self.nodes[*index].is_running());
        arguments.extend(seeds.map(|index| format!("--seed={}", self.seed(index))));
        let [port] = ports::free(1)?[..] else { bail!("there is no free port") };
        let (log, data) = (folder.join(format!("{label}.log")), folder.join(&label));
        self.nodes.push(Node { label, port, log, data, arguments, running: None });
        self.nodes[index].start(&self.program)?;
        Ok(index)
    }

    /// Asks one node to stop, and waits until it has.
    pub(crate) fn retire(&mut self, index: usize) -> Result<()> {
        let node = &mut self.nodes[index];
        node.ask_to_stop();
        ensure!(node.stopped(Instant::now() + PATIENCE), "{} did not stop when asked", node.label);
        Ok(())
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(crate) fn label(&self, index: usize) -> &str {
        &self.nodes[index].label
    }

    /// The address that clients connect to.
    pub(crate) fn seed(&self, index: usize) -> String {
        format!("ws://127.0.0.1:{}", self.nodes[index].port)
    }

    /// The address of the page for people.
    pub(crate) fn page(&self, index: usize) -> String {
        format!("http://127.0.0.1:{}/", self.nodes[index].port)
    }

    /// Ends a node with SIGKILL and returns the id that its process had.
    pub(crate) fn kill(&mut self, index: usize) -> Result<u32> {
        self.nodes[index].kill()
    }

    /// The id of a node's process.
    pub(crate) fn process(&self, index: usize) -> Result<u32> {
        self.nodes[index].process()
    }

    /// Starts nodes again on what they had stored, and waits until all nodes see each other.
    pub(crate) fn restart(&mut self, indexes: &[usize], interrupt: &Interrupt) -> Result<()> {
        for index in indexes {
            self.nodes[*index].start(&self.program)?;
        }
        self.settle(interrupt)
    }

    /// The same without waiting.
    pub(crate) fn start_again(&mut self, index: usize) -> Result<()> {
        self.nodes[index].start(&self.program)
    }

    /// Where a node keeps its data.
    pub(crate) fn data(&self, index: usize) -> &Path {
        &self.nodes[index].data
    }

    /// What a node has said in all of its lives.
    pub(crate) fn log(&self, index: usize) -> String {
        let log = fs::read(&self.nodes[index].log).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Whether a node says that it can do its work.
    pub(crate) fn is_ready(&self, index: usize) -> bool {
        ports::http_get(self.nodes[index].port, "/readyz").is_some_and(ready)
    }

    /// An error where a node ended that nobody ended here. It is told once.
    pub(crate) fn watch(&mut self) -> Result<()> {
        self.nodes.iter_mut().try_for_each(Node::watch)
    }

    pub(crate) fn running(&self) -> usize {
        self.nodes.iter().filter(|node| node.is_running()).count()
    }

    /// Runs `quorate` as a client of this cluster and returns what it printed.
    pub(crate) fn quorate(&self, arguments: &[&str]) -> Result<String> {
        let mut quorate = Command::new(&self.program);
        quorate.args(arguments).env_remove("QUORATE_SECRET");
        let seed = self.nodes.iter().position(Node::is_running).context("no node runs")?;
        process::capture(quorate.env("QUORATE_SEEDS", self.seed(seed)))
    }

    /// Waits until every running node is ready and sees every other.
    pub(crate) fn settle(&mut self, interrupt: &Interrupt) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            interrupt.check()?;
            self.watch()?;
            if self.is_settled()? {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "the nodes did not find each other in {} s; their logs are beside {}",
                PATIENCE.as_secs(),
                self.nodes[0].log.display()
            );
            thread::sleep(POLL);
        }
    }

    fn is_settled(&self) -> Result<bool> {
        let mut running = (0..self.len()).filter(|index| self.nodes[*index].is_running());
        if !running.all(|index| self.is_ready(index)) {
            return Ok(false);
        }
        let status = self.quorate(&["status", "-o", "json"])?;
        let status: Value = serde_json::from_str(&status).context("output of `quorate status`")?;
        let nodes = status["nodes"].as_array().map_or(&[][..], Vec::as_slice);
        let sees_all = |node: &&Value| {
            let members = node["members"].as_array().map_or(&[][..], Vec::as_slice);
            members.iter().filter(|member| member["up"] == true).count() == self.running()
        };
        Ok(nodes.iter().filter(sees_all).count() == self.running())
    }

    /// Asks all nodes to stop and waits until they have.
    pub(crate) fn stop(mut self) -> Result<()> {
        let forced = self.stop_all();
        if !forced.is_empty() {
            bail!("did not stop when asked, and were killed: {}", forced.join(", "));
        }
        Ok(())
    }

    /// Returns the labels of nodes that had to be killed.
    fn stop_all(&mut self) -> Vec<String> {
        self.nodes.iter_mut().for_each(Node::ask_to_stop);
        let deadline = Instant::now() + PATIENCE;
        let stopped_in_time = |node: &mut Node| node.stopped(deadline);
        let forced = self.nodes.iter_mut().filter_map(|node| {
            let label = node.label.clone();
            (!stopped_in_time(node)).then_some(label)
        });
        forced.collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop_all();
    }
}

/// What the first node is told, and all others learn from it.
fn founding(nodes: u16) -> [String; 5] {
    let fixed = ["--slots=64", "--replication=3", "--r=2", "--w=2"].map(str::to_owned);
    let [slots, replication, r, w] = fixed;
    [format!("--found={nodes}"), slots, replication, r, w]
}

fn same_flag(one: &str, other: &str) -> bool {
    one.split('=').next() == other.split('=').next()
}

fn label(index: usize) -> String {
    format!("node-{}", index + 1)
}

fn ready(response: String) -> bool {
    response.starts_with("HTTP/1.1 200")
}
