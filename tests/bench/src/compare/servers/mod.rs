//! Servers under test: processes on loopback, with their files in a temporary folder.
//!
//! Invariant: no server outlives its [`Servers`], nor this program.

mod etcd;
mod process;
mod quorate;
mod redis;
mod sockets;

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use quorate_host::Interrupt;
use tempfile::TempDir;

use super::system::Kind;
use process::Process;

const POLL: Duration = Duration::from_millis(50);
/// How long servers may take to find each other: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// Ports that were free may be taken when a server wants them. Then others are tried.
const ATTEMPTS: usize = 3;

/// What is needed to start servers.
pub(crate) struct Bed<'a> {
    /// The binary `quorate`.
    pub(crate) quorate: &'a Path,
    /// More arguments of `quorate serve`.
    pub(crate) serve: &'a [String],
    /// Nodes of a Quorate cluster.
    pub(crate) nodes: usize,
    /// Where the servers keep their files.
    pub(crate) data: &'a Path,
    pub(crate) interrupt: &'a Interrupt,
}

/// A running cluster.
pub(crate) struct Servers {
    /// URLs for clients.
    pub(crate) urls: Vec<String>,
    // In this order: the processes end before their folder goes.
    processes: Vec<Process>,
    folder: TempDir,
}

impl Servers {
    /// Starts a cluster and waits until it is ready.
    pub(crate) fn start(kind: Kind, bed: &Bed<'_>) -> Result<Servers> {
        for _ in 1..ATTEMPTS {
            match Servers::try_start(kind, bed) {
                Err(error) if is_port_taken(&format!("{error:#}")) => {}
                other => return other,
            }
        }
        Servers::try_start(kind, bed)
    }

    fn try_start(kind: Kind, bed: &Bed<'_>) -> Result<Servers> {
        let folder = TempDir::with_prefix_in("quorate-bench-", bed.data)?;
        let mut servers = Servers { urls: Vec::new(), processes: Vec::new(), folder };
        match kind {
            Kind::Quorate { storage, durability } => {
                quorate::start(&mut servers, bed, storage, durability)?;
            }
            Kind::Redis => redis::start(&mut servers, bed)?,
            Kind::Etcd => etcd::start(&mut servers, bed)?,
            Kind::Sockets => sockets::start(&mut servers, bed)?,
        }
        Ok(servers)
    }

    /// The ids of all processes.
    pub(crate) fn ids(&self) -> Vec<u32> {
        self.processes.iter().map(Process::id).collect()
    }

    /// An error where a server ended by itself.
    pub(crate) fn watch(&mut self) -> Result<()> {
        self.processes.iter_mut().try_for_each(Process::watch)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn add(&mut self, label: &str, command: Command) -> Result<()> {
        let process = Process::start(command, label, self.folder.path())?;
        self.processes.push(process);
        Ok(())
    }

    /// Waits until `is_ready` says so.
    fn settle(&mut self, bed: &Bed<'_>, is_ready: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !is_ready() {
            bed.interrupt.check()?;
            self.watch()?;
            ensure!(
                Instant::now() < deadline,
                "the servers were not ready within {} s",
                PATIENCE.as_secs()
            );
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // All at one time, so that none waits for another.
        self.processes.iter_mut().for_each(Process::ask_to_stop);
    }
}

/// What is missing for servers of a kind, and how to get it.
pub(crate) fn missing(kind: Kind) -> Option<&'static str> {
    let (programs, command): (&[&str], _) = match kind {
        Kind::Quorate { .. } | Kind::Sockets => return None,
        Kind::Redis => (
            &["redis-server", "redis-cli"],
            "redis-server is not installed: apt-get install redis-server",
        ),
        Kind::Etcd => (&["etcd"], "etcd is not installed: apt-get install etcd-server"),
    };
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found =
        |program: &str| std::env::split_paths(&paths).any(|folder| folder.join(program).is_file());
    (!programs.iter().all(|program| found(program))).then_some(command)
}

fn is_port_taken(error: &str) -> bool {
    let error = error.to_ascii_lowercase();
    error.contains("port in use") || error.contains("address already in use")
}

/// Runs a command and returns what it printed; `None` where it does not succeed.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// The same, where a failure ends all.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| command.get_program().display().to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let program = command.get_program().display();
    ensure!(
        output.status.success(),
        "{program} failed: {text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(text)
}
