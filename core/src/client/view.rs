//! What users, metrics and tests may look at.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Client, DownReason, Latencies, Link};
use crate::ids::NodeId;
use crate::message::{Defaults, LayoutUpdate};

/// Counts since the client started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientStats {
    /// Calls made.
    pub calls: u64,
    /// Calls that ended well.
    pub done: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Answers from a primary that was asked straight away.
    pub direct: u64,
    /// Answers that came through another node.
    pub passed_on: u64,
    /// Attempts after the first one of a call.
    pub retries: u64,
    /// Reads that the client coordinates and for which it has asked one primary more than R, since
    /// one took longer than it usually does.
    pub hedges: u64,
}

/// What a client sees of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NodeState {
    /// There is no connection, since none was needed.
    Idle,
    /// A connection is being made.
    Connecting,
    /// It is connected and answers.
    Connected,
    /// Requests go around it.
    Down(DownReason),
}

/// A read-only look at a [`Client`].
#[derive(Clone, Copy, Debug)]
pub struct ClientView<'a> {
    pub(super) client: &'a Client,
}

impl<'a> ClientView<'a> {
    /// The newest layout, once a node has welcomed the client.
    pub fn layout(&self) -> Option<&'a Arc<LayoutUpdate>> {
        self.client.layout.as_ref()
    }

    /// What holds for calls that do not say otherwise.
    pub fn defaults(&self) -> Option<Defaults> {
        self.client.defaults
    }

    /// The nodes that are connected, and by which link.
    pub fn links(&self) -> Vec<(NodeId, Link)> {
        self.client.links.up().collect()
    }

    /// How long each node takes that has answered, ascending.
    pub fn latencies(&self) -> impl Iterator<Item = (NodeId, Latencies)> {
        self.client.standings.latencies()
    }

    /// All members of the layout, and connected nodes beside them, ascending.
    #[cold]
    pub fn nodes(&self) -> Vec<(NodeId, NodeState)> {
        let Client { links, layout, .. } = self.client;
        let members = layout.iter().flat_map(|update| update.layout.members());
        let mut nodes: Vec<NodeId> = members.map(|member| member.id).collect();
        for (stranger, _) in links.up() {
            if let Err(place) = nodes.binary_search(&stranger) {
                nodes.insert(place, stranger);
            }
        }
        nodes.into_iter().map(|node| (node, self.state(node))).collect()
    }

    fn state(&self, node: NodeId) -> NodeState {
        let Client { links, layout, standings, .. } = self.client;
        if let Some(reason) = standings.down(node) {
            return NodeState::Down(reason);
        }
        let address = layout.as_ref().and_then(|update| update.address(node));
        if links.up().any(|(up, _)| up == node) {
            NodeState::Connected
        } else if address.is_some_and(|address| links.is_opening(address)) {
            NodeState::Connecting
        } else {
            NodeState::Idle
        }
    }

    /// Calls that have not ended.
    pub fn calls_under_way(&self) -> usize {
        self.client.calls.len()
    }

    /// Counts since the start.
    pub fn stats(&self) -> ClientStats {
        self.client.stats
    }
}
