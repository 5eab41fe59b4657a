//! How the nodes stand for a client, for whoever wants to see it change.

use quorate_core::client::{ClientView, NodeState};
use quorate_core::ids::{NodeId, Text};
use quorate_core::layout::LayoutVersion;

/// The cluster as a client sees it at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientStatus {
    /// Counts the changes of the layout; 0 as long as the cluster has none.
    pub layout_version: LayoutVersion,
    /// All members of the layout, and connected nodes beside them, ascending by id.
    pub nodes: Vec<NodeStatus>,
}

/// A node as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeStatus {
    /// Which.
    pub id: NodeId,
    /// Its name for people; empty where the layout does not know it.
    pub label: Text,
    /// Its WebSocket URL; empty where the layout does not know it.
    pub address: Text,
    /// How it stands.
    pub state: NodeState,
}

impl ClientStatus {
    pub(super) fn of(view: &ClientView<'_>) -> ClientStatus {
        let layout = view.layout();
        let nodes = view.nodes().into_iter().map(|(id, state)| {
            let member = layout.and_then(|update| update.layout.member(id));
            let address = layout.and_then(|update| update.address(id));
            NodeStatus {
                id,
                label: member.map(|member| member.label.clone()).unwrap_or_default(),
                address: address.cloned().unwrap_or_default(),
                state,
            }
        });
        ClientStatus {
            layout_version: layout.map_or(LayoutVersion(0), |update| update.layout.version()),
            nodes: nodes.collect(),
        }
    }
}
