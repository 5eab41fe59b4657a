//! Plain sockets: one process of this program.

use std::net::TcpStream;
use std::process::Command;

use anyhow::{Context, Result};
use quorate_host::ports;

use super::{Bed, Servers};

pub(super) fn start(servers: &mut Servers, bed: &Bed<'_>) -> Result<()> {
    let ports = ports::free(1)?;
    let port = ports.first().context("a port")?;
    let mut server = Command::new(std::env::current_exe()?);
    server.args(["sockets", &port.to_string()]);
    servers.add("sockets", server)?;
    servers.urls = vec![format!("127.0.0.1:{port}")];
    servers.settle(bed, || TcpStream::connect(("127.0.0.1", *port)).is_ok())
}
