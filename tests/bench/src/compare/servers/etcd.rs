//! etcd: three members, everything else as it comes.

use std::process::Command;

use anyhow::Result;
use quorate_host::ports;

use super::{Bed, Servers};

const MEMBERS: usize = 3;

pub(super) fn start(servers: &mut Servers, bed: &Bed<'_>) -> Result<()> {
    let ports = ports::free(2 * MEMBERS)?;
    let (clients, peers) = ports.split_at(MEMBERS);
    let url = |port: &u16| format!("http://127.0.0.1:{port}");
    let members =
        peers.iter().enumerate().map(|(at, port)| format!("etcd-{}={}", at + 1, url(port)));
    let members = members.collect::<Vec<_>>().join(",");
    for (index, (client, peer)) in clients.iter().zip(peers).enumerate() {
        let label = format!("etcd-{}", index + 1);
        let (client, peer) = (url(client), url(peer));
        let mut etcd = Command::new("etcd");
        etcd.args(["--name", &label]).arg("--data-dir").arg(servers.path().join(&label));
        etcd.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        etcd.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        etcd.args(["--initial-cluster", &members, "--initial-cluster-state", "new"]);
        etcd.args(["--log-level", "error"]);
        servers.add(&label, etcd)?;
    }
    servers.urls = clients.iter().map(url).collect();
    servers.settle(bed, || {
        clients.iter().all(|port| {
            ports::http_get(*port, "/health").is_some_and(|it| it.contains("\"health\":\"true\""))
        })
    })
}
