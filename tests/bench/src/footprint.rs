//! What nodes take that have nothing to do.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use quorate_host::Interrupt;
use quorate_node::client::{Client, ClientOptions};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::compare::cpu;
use crate::compare::report;
use crate::compare::servers::{Bed, Servers};
use crate::compare::system::System;

/// Clients that connect at one time.
const AT_ONCE: u32 = 64;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// A cluster that has just begun has some things to do.
const SETTLE: Duration = Duration::from_secs(5);

/// Measures nodes in memory that nobody asks anything: processors and memory of each, and the
/// memory of one of them with idle clients, each with a connection of its own that has said HELLO.
///
/// Goals: 0.5 % of a processor and 30 MiB for each of 5 nodes; 400 MiB with 10,000 idle clients.
///
/// Examples:
///   cargo xtask bench footprint
///   cargo xtask bench footprint --nodes 9 --clients 1000 --seconds 60
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Footprint {
    /// Nodes.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(3..=50))]
    nodes: u16,
    /// Idle clients of the first node. A node takes 10000 connections, those of nodes included.
    #[arg(long, default_value_t = 9_900)]
    clients: u32,
    /// How long processors are watched.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// The binary of the node.
    #[arg(long, value_name = "FILE", hide = true)]
    quorate: PathBuf,
}

impl Footprint {
    pub(crate) fn run(&self) -> Result<()> {
        // The nodes inherit it.
        let most = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
        let interrupt = Interrupt::watch()?;
        let bed = Bed {
            quorate: &self.quorate,
            serve: &[],
            nodes: usize::from(self.nodes),
            data: &std::env::temp_dir(),
            interrupt: &interrupt,
        };
        let mut servers = Servers::start(System::Memory.kind(), &bed)?;
        wait(SETTLE, &interrupt)?;
        let mut table = report::table(&["", "% of a processor", "MiB"]);
        let idle = self.watch(&servers.ids(), &interrupt)?;
        for (index, share) in idle.into_iter().enumerate() {
            let memory = mebibytes(servers.ids()[index])?;
            let name = format!("node-{}, idle", index + 1);
            table.add_row([name, format!("{share:.2}"), format!("{memory:.1}")]);
        }
        let clients = IdleClients::connect(&servers.urls[0], self.clients)?;
        wait(SETTLE, &interrupt)?;
        let first = &servers.ids()[..1];
        let share = self.watch(first, &interrupt)?[0];
        let name = format!("node-1, {} idle clients", self.clients);
        table.add_row([name, format!("{share:.2}"), format!("{:.1}", mebibytes(first[0])?)]);
        servers.watch()?;
        println!("{table}");
        clients.close();
        Ok(())
    }

    /// Shares of a processor, in percent.
    fn watch(&self, ids: &[u32], interrupt: &Interrupt) -> Result<Vec<f64>> {
        let seconds = || ids.iter().map(|id| cpu::seconds(&[*id])).collect::<Result<Vec<f64>>>();
        let before = seconds()?;
        wait(Duration::from_secs(self.seconds), interrupt)?;
        let taken = seconds()?.into_iter().zip(before).map(|(after, before)| after - before);
        Ok(taken.map(|taken| taken * 100.0 / self.seconds as f64).collect())
    }
}

/// Clients that answer pings, on a thread of their own, and do nothing else.
struct IdleClients {
    thread: JoinHandle<()>,
    close: oneshot::Sender<()>,
}

impl IdleClients {
    fn connect(url: &str, count: u32) -> Result<IdleClients> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (close, closing) = oneshot::channel();
        let (told, connected) = mpsc::channel();
        let url = url.to_owned();
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                match connect(&url, count).await {
                    Ok(clients) => {
                        // Whoever waits is there until it is told.
                        let _ = told.send(Ok(()));
                        let _ = closing.await;
                        drop(clients);
                    }
                    Err(error) => drop(told.send(Err(error))),
                }
            });
        });
        connected.recv().context("the clients are gone")??;
        Ok(IdleClients { thread, close })
    }

    fn close(self) {
        // Where the thread has ended, there is nothing to close.
        let _ = self.close.send(());
        let _ = self.thread.join();
    }
}

async fn connect(url: &str, count: u32) -> Result<Vec<Client>> {
    let mut clients = Vec::new();
    for begin in (0..count).step_by(AT_ONCE as usize) {
        let some = (begin..count.min(begin + AT_ONCE)).map(|_| {
            let options = ClientOptions { timeout: CONNECT_TIMEOUT, ..ClientOptions::to([url]) };
            tokio::spawn(Client::connect(options))
        });
        for client in some.collect::<Vec<_>>() {
            let client = client.await?;
            clients.push(client.with_context(|| format!("client {}", clients.len() + 1))?);
        }
    }
    Ok(clients)
}

fn wait(duration: Duration, interrupt: &Interrupt) -> Result<()> {
    let step = Duration::from_millis(100);
    for _ in 0..duration.as_millis() / step.as_millis() {
        interrupt.check()?;
        thread::sleep(step);
    }
    Ok(())
}

/// The resident memory of a process.
fn mebibytes(id: u32) -> Result<f64> {
    let path = format!("/proc/{id}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    let kibibytes = resident(&status).with_context(|| format!("{path} tells no memory"))?;
    Ok(kibibytes as f64 / 1_024.0)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_found_among_the_others() {
        let status = "Name:\tx\nVmPeak:\t  99 kB\nVmRSS:\t    2048 kB\nVmData:\t 1 kB\n";
        assert_eq!(resident(status), Some(2_048));
        assert_eq!(resident("VmPeak:\t 99 kB\n"), None);
    }
}
