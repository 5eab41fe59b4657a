//! Redis Cluster: three masters with a replica each, in memory.

use std::process::Command;

use anyhow::Result;
use quorate_host::ports;

use super::{Bed, Servers, output, run};

const MASTERS: usize = 3;

pub(super) fn start(servers: &mut Servers, bed: &Bed<'_>) -> Result<()> {
    let ports = ports::free(4 * MASTERS)?;
    let (ports, bus) = ports.split_at(2 * MASTERS);
    for (index, (port, bus)) in ports.iter().zip(bus).enumerate() {
        let label = format!("redis-{}", index + 1);
        let folder = servers.path().join(&label);
        std::fs::create_dir_all(&folder)?;
        let mut redis = Command::new("redis-server");
        redis.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
        redis.args(["--cluster-enabled", "yes", "--cluster-port", &bus.to_string()]);
        redis.args(["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]);
        redis.arg("--dir").arg(folder);
        servers.add(&label, redis)?;
    }
    servers.settle(bed, || {
        ports.iter().all(|port| ask(*port, &["ping"]).is_some_and(|it| it.trim() == "PONG"))
    })?;
    let addresses: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let mut create = Command::new("redis-cli");
    create.args(["--cluster", "create"]).args(&addresses);
    run(create.args(["--cluster-replicas", "1", "--cluster-yes"]))?;
    servers.urls = addresses.iter().map(|address| format!("redis://{address}")).collect();
    servers.settle(bed, || ports.iter().all(|port| is_ready(*port).unwrap_or(false)))
}

/// Whether a server sees the whole cluster, and is a master with a replica or a replica that
/// follows its master.
fn is_ready(port: u16) -> Option<bool> {
    let cluster = ask(port, &["cluster", "info"])?;
    let known = format!("cluster_known_nodes:{}", 2 * MASTERS);
    let whole = cluster.contains("cluster_state:ok") && cluster.contains(&known);
    let replication = ask(port, &["info", "replication"])?;
    let linked = replication.contains("master_link_status:up")
        || replication.contains("connected_slaves:1") && replication.contains("state=online");
    Some(whole && linked)
}

fn ask(port: u16, arguments: &[&str]) -> Option<String> {
    let mut ask = Command::new("redis-cli");
    output(ask.args(["-h", "127.0.0.1", "-p", &port.to_string()]).args(arguments))
}
