//! Runs nodes until a signal, then stops them in order.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use clap::ValueEnum;
use tokio::signal::unix::{SignalKind, signal};

use super::args::block_on;
use super::failure::Failure;
use crate::server::{RunningNode, StorageChoice};
use crate::storage::{AdoptedDirectory, Durability, FjallOptions};

/// Where records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum StorageArg {
    /// In memory: they end with the process.
    Memory,
    /// On a disk, in the directory of --data.
    Fjall,
}

/// When a write counts as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DurabilityArg {
    /// Once it is synced; writes that arrive together share a sync.
    Group,
    /// At once; a sync follows within 100 ms, so a power loss may take acknowledged writes.
    Periodic,
}

impl From<DurabilityArg> for Durability {
    fn from(durability: DurabilityArg) -> Durability {
        match durability {
            DurabilityArg::Group => Durability::Group,
            DurabilityArg::Periodic => Durability::Periodic,
        }
    }
}

/// Where records go, and the directory where they do not go there.
pub(super) fn storage(
    storage: StorageArg,
    options: FjallOptions,
    directory: Option<AdoptedDirectory>,
) -> Result<(StorageChoice, Option<AdoptedDirectory>), Failure> {
    match (storage, directory) {
        (StorageArg::Memory, directory) => Ok((StorageChoice::Memory, directory)),
        (StorageArg::Fjall, Some(directory)) => {
            Ok((StorageChoice::Fjall(directory, options), None))
        }
        (StorageArg::Fjall, None) => Err(Failure::failed("--storage fjall needs --data DIR")),
    }
}

/// Binds a port, or says which one is taken and what to do.
pub(super) fn bind(
    address: impl ToSocketAddrs + std::fmt::Debug,
    flag: &str,
) -> Result<TcpListener, Failure> {
    TcpListener::bind(&address).map_err(|error| {
        if error.kind() != io::ErrorKind::AddrInUse {
            let text = format!("cannot listen on {address:?}: {error}; see {flag}");
            return Failure::failed(text);
        }
        let addresses = address.to_socket_addrs().into_iter().flatten();
        let addresses: Vec<String> = addresses.map(|address| address.to_string()).collect();
        Failure::failed(format_args!(
            "port in use: another process listens on {}; stop it, or choose another port with \
             {flag}",
            addresses.join(", ")
        ))
    })
}

/// The address of a listener.
pub(super) fn local_address(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener.local_addr().map_err(Failure::failed)
}

/// Waits for SIGTERM or Ctrl-C (or for a node that ends by itself), stops all nodes, and waits
/// until they have synced. A second signal ends the process at once.
pub(super) fn run_until_signal(mut nodes: Vec<RunningNode>) -> Result<(), Failure> {
    let asked = block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
        let ended = nodes.iter_mut().map(|node| Box::pin(node.ended()));
        tokio::select! {
            _ = terminate.recv() => Ok(true),
            _ = interrupt.recv() => Ok(true),
            _ = futures_util::future::select_all(ended) => Ok(false),
        }
    })?;
    std::thread::spawn(end_at_second_signal);
    nodes.iter().for_each(RunningNode::stop);
    let synced: Vec<bool> = nodes.into_iter().map(RunningNode::join).collect();
    judge(asked, !synced.contains(&false))
}

/// How it went: whether somebody asked for the end, and whether all nodes have synced.
pub(super) fn judge(asked: bool, synced: bool) -> Result<(), Failure> {
    match (asked, synced) {
        (true, true) => Ok(()),
        (true, false) => Err(Failure::failed("a node could not sync its storage: see the log")),
        (false, _) => Err(Failure::failed("a node ended by itself: see the log")),
    }
}

pub(super) fn end_at_second_signal() {
    let second = block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            _ = interrupt.recv() => Ok(()),
        }
    });
    if second.is_ok() {
        std::process::exit(1);
    }
}
