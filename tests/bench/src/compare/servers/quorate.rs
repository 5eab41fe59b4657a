//! Quorate: N=3, R=W=2, everything else as `quorate serve` has it.

use std::process::Command;

use anyhow::Result;
use quorate_host::ports;
use serde_json::Value;

use super::{Bed, Servers, output};

pub(super) fn start(
    servers: &mut Servers,
    bed: &Bed<'_>,
    storage: &str,
    durability: &str,
) -> Result<()> {
    let ports = ports::free(bed.nodes)?;
    servers.urls = ports.iter().map(|port| format!("ws://127.0.0.1:{port}")).collect();
    for (index, port) in ports.iter().enumerate() {
        let label = format!("node-{}", index + 1);
        let mut serve = Command::new(bed.quorate);
        serve.args(["serve", "--label", &label]);
        serve.arg(format!("--listen=127.0.0.1:{port}"));
        serve.arg("--data").arg(servers.path().join(&label));
        serve.args(["--storage", storage, "--durability", durability]);
        match index {
            0 => {
                let found = bed.nodes.to_string();
                serve.args(["--found", &found, "--replication=3", "--r=2", "--w=2"])
            }
            _ => serve.args(["--seed", &servers.urls[0]]),
        };
        servers.add(&label, {
            serve.args(bed.serve);
            serve
        })?;
    }
    let seed = servers.urls[0].clone();
    servers.settle(bed, || {
        let is_ready = |port: &u16| {
            ports::http_get(*port, "/readyz").is_some_and(|it| it.starts_with("HTTP/1.1 200"))
        };
        ports.iter().all(is_ready) && all_see_all(bed, &seed).unwrap_or(false)
    })
}

/// Whether every node holds every other one for up.
fn all_see_all(bed: &Bed<'_>, seed: &str) -> Option<bool> {
    let mut status = Command::new(bed.quorate);
    let status = output(status.args(["status", "-o", "json"]).env("QUORATE_SEEDS", seed))?;
    let status: Value = serde_json::from_str(&status).ok()?;
    let sees_all = |node: &&Value| {
        let members = node["members"].as_array().map_or(&[][..], Vec::as_slice);
        members.iter().filter(|member| member["up"] == true).count() == bed.nodes
    };
    Some(status["nodes"].as_array()?.iter().filter(sees_all).count() == bed.nodes)
}
