//! The nodes of `dev` while they run: more can be started, and single ones stopped.

use std::net::TcpListener;

use quorate_core::ids::ClusterId;
use quorate_core::message::LayoutHistory;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::super::args::block_on;
use super::super::failure::Failure;
use super::super::run::{end_at_second_signal, judge};
use super::control::{self, Ask};
use super::{DevCluster, Planned, label};
use crate::server::RunningNode;
use crate::storage::Settings;

/// The nodes, and what is needed to start one more.
pub(super) struct Running {
    cluster: DevCluster,
    id: ClusterId,
    settings: Settings,
    nodes: Vec<Started>,
    /// How many were ever started: labels are used once.
    numbered: usize,
}

struct Started {
    label: String,
    address: String,
    node: RunningNode,
}

/// Why the loop over a running cluster ends.
enum End {
    /// Somebody asked for it.
    Signal,
    /// A node ended by itself.
    Node,
}

impl Running {
    pub(super) fn new(cluster: DevCluster, id: ClusterId, settings: Settings) -> Running {
        Running { cluster, id, settings, nodes: Vec::new(), numbered: 0 }
    }

    /// Starts a node with the layouts that it knows.
    pub(super) fn start(
        &mut self,
        planned: Planned,
        layouts: Option<LayoutHistory>,
    ) -> Result<(), Failure> {
        let label = planned.profile.label().to_string();
        let address = planned.profile.address.clone();
        let node = self.cluster.start_node(planned, self.id, self.settings, layouts)?;
        self.nodes.push(Started { label, address, node });
        self.numbered += 1;
        Ok(())
    }

    /// Runs until a signal, and carries out what is asked meanwhile.
    pub(super) fn serve(mut self, control: TcpListener) -> Result<(), Failure> {
        let end = block_on(async {
            control.set_nonblocking(true).map_err(Failure::failed)?;
            let control = tokio::net::TcpListener::from_std(control).map_err(Failure::failed)?;
            let mut terminate = signal(SignalKind::terminate()).map_err(Failure::failed)?;
            let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::failed)?;
            loop {
                let ended = self.nodes.iter_mut().map(|started| Box::pin(started.node.ended()));
                let (ask, stream) = tokio::select! {
                    _ = terminate.recv() => return Ok(End::Signal),
                    _ = interrupt.recv() => return Ok(End::Signal),
                    _ = futures_util::future::select_all(ended) => return Ok(End::Node),
                    asked = control::next(&control) => asked,
                };
                control::answer(stream, self.carry_out(ask)).await;
            }
        })?;
        std::thread::spawn(end_at_second_signal);
        judge(matches!(end, End::Signal), self.stop())
    }

    /// Stops all nodes; false where one could not sync.
    pub(super) fn stop(self) -> bool {
        self.nodes.iter().for_each(|started| started.node.stop());
        let synced: Vec<bool> = self.nodes.into_iter().map(|it| it.node.join()).collect();
        !synced.contains(&false)
    }

    fn carry_out(&mut self, ask: Ask) -> Result<Value, Failure> {
        match ask {
            Ask::Nodes => {
                Ok(json!({ "nodes": self.nodes.iter().map(node_json).collect::<Value>() }))
            }
            Ask::Start { zone, weight } => {
                let index = self.numbered;
                let listener = self.cluster.listen_as(index)?;
                let mut planned = self.cluster.planned(index, listener)?;
                let seeds = self.nodes.iter().map(|started| started.address.clone());
                planned.profile.seeds = seeds.collect();
                planned.profile.weight = weight;
                planned.profile.zone = zone.unwrap_or(planned.profile.zone);
                planned.profile.changes.join = true;
                self.start(planned, None)?;
                self.nodes.last().map(node_json).ok_or_else(|| Failure::failed(label(index)))
            }
            Ask::Stop { label } => {
                if self.nodes.len() == 1 {
                    return Err(Failure::failed("the last node stays: Ctrl-C stops the cluster"));
                }
                let place = self.nodes.iter().position(|started| started.label == label);
                let place = place
                    .ok_or_else(|| Failure::failed(format_args!("{label} does not run here")))?;
                let Started { node, .. } = self.nodes.remove(place);
                node.stop();
                Ok(json!({ "stopped": label, "synced": node.join() }))
            }
        }
    }
}

fn node_json(started: &Started) -> Value {
    json!({ "label": started.label, "address": started.address })
}
