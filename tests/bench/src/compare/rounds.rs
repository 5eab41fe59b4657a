//! All systems in turns.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use quorate_host::Interrupt;
use tempfile::TempDir;

use super::client::{self, Done, Programs};
use super::load::Load;
use super::sample::Sample;
use super::servers::{Bed, Servers};
use super::system::System;
use super::task::{Span, Task};
use super::{Compare, draws};

/// What is measured how often.
pub(crate) struct Rounds<'a> {
    pub(crate) compare: &'a Compare,
    pub(crate) systems: Vec<System>,
    pub(crate) loads: Vec<Load>,
    pub(crate) runs: u32,
    pub(crate) keys: u32,
    pub(crate) span: Span,
    pub(crate) interrupt: &'a Interrupt,
}

impl Rounds<'_> {
    /// Every round goes through all loads, every load through all systems, so that what is compared
    /// is measured within seconds of each other.
    pub(crate) fn run(&self) -> Result<Vec<Sample>> {
        let folder = TempDir::new()?;
        let tasks = self.loads.iter().map(|load| self.task(load, folder.path()));
        let tasks: Vec<Task> = tasks.collect::<Result<_>>()?;
        let mut samples = Vec::new();
        for run in 1..=self.runs {
            for (load, task) in self.loads.iter().zip(&tasks) {
                for system in self.systems.iter().copied() {
                    let sample = self.measure(system, *load, run, task);
                    let sample = sample.with_context(|| {
                        format!("{} under the load {load}, run {run}", system.name())
                    })?;
                    println!(
                        "run {run}, load {load}: {:<18} {:>8.0} ops/s{}",
                        system.name(),
                        sample.ops_per_second,
                        if sample.errors > 0 { ", with errors" } else { "" }
                    );
                    samples.push(sample);
                }
            }
        }
        Ok(samples)
    }

    fn task(&self, load: &Load, folder: &Path) -> Result<Task> {
        let keys = load.keys(self.keys);
        let path: PathBuf = folder.join(load.to_string().replace(['/', ':'], "-"));
        draws::write(&path, &draws::draw(load, keys, self.compare.seed))?;
        let coordinate = self.compare.coordinate;
        Ok(Task { coordinate, ..Task::new(load, keys, self.span, path) })
    }

    fn measure(&self, system: System, load: Load, run: u32, task: &Task) -> Result<Sample> {
        let Compare { built, serve, nodes, data, node_arg, processes, .. } = self.compare;
        let bed = Bed {
            quorate: &built.quorate,
            serve,
            nodes: usize::from(*nodes),
            data,
            interrupt: self.interrupt,
        };
        let programs = Programs {
            quorate: &built.clients,
            peers: built.peer_clients.as_deref(),
            node: node_arg,
        };
        let mut servers = Servers::start(system.kind(), &bed)?;
        if *processes {
            let ids: Vec<String> = servers.ids().iter().map(u32::to_string).collect();
            println!("{}: the servers are {}", system.name(), ids.join(","));
        }
        let done = put_load(system, &mut servers, task, &programs, self.interrupt)?;
        Ok(Sample::new(system, load, run, &done))
    }
}

/// Puts the load of a task on running servers.
pub(crate) fn put_load(
    system: System,
    servers: &mut Servers,
    task: &Task,
    programs: &Programs<'_>,
    interrupt: &Interrupt,
) -> Result<Done> {
    let (urls, routing) = (servers.urls.clone(), system.routing());
    let task = Task { servers: urls, routing, ..task.clone() };
    let command = programs.command(system.client(), system.kind(), &task)?;
    let done = client::run(command, &task, &servers.ids(), interrupt);
    // A server that has ended says more than the client that missed it.
    servers.watch()?;
    done
}
