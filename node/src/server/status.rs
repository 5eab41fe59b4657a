//! What a node tells of itself: the machine's view, and what only the shell knows.

use std::time::Duration;

use quorate_core::ids::Text;
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{StatusReply, StatusRequest};
use quorate_core::node::{Node, NodeConfig};
use quorate_core::time::Now;

use super::CONNECTIONS_MAX;
use crate::socket::{
    CLIENT_BYTES_MAX, CLIENT_MESSAGE_BYTES_MAX, CONTROL_BYTES_MAX, HANDOFF_BYTES_MAX,
    REPAIR_BYTES_MAX,
};
use crate::storage::Storage;

const SOFTWARE: &str = concat!("quorate ", env!("CARGO_PKG_VERSION"));

/// Where a status comes from.
pub(super) struct Parts<'a> {
    pub(super) node: &'a Node,
    pub(super) now: Now,
    pub(super) label: &'a Text,
    pub(super) storage: &'a Storage,
    pub(super) uptime: Duration,
    pub(super) clients: usize,
    pub(super) frames_dropped: u64,
    pub(super) storage_rebirths: u64,
}

impl Parts<'_> {
    pub(super) fn reply(&self, request: StatusRequest) -> StatusReply {
        let StatusRequest { call, slots } = request;
        let view = self.node.view();
        let config = view.config();
        let own_limits = [
            ("connections_max", CONNECTIONS_MAX as u64),
            ("message_bytes_max", CLIENT_MESSAGE_BYTES_MAX as u64),
            ("outbound_control_bytes_max", CONTROL_BYTES_MAX as u64),
            ("outbound_client_bytes_max", CLIENT_BYTES_MAX as u64),
            ("outbound_repair_bytes_max", REPAIR_BYTES_MAX as u64),
            ("outbound_handoff_bytes_max", HANDOFF_BYTES_MAX as u64),
        ];
        let own_counters = [
            ("clients", self.clients as u64),
            ("frames_dropped", self.frames_dropped),
            ("storage_rebirths", self.storage_rebirths),
        ];
        let disk_counters = self.storage.gauges().into_iter().flat_map(|disk| {
            [
                ("storage_free_bytes", disk.free_bytes),
                ("storage_full", u64::from(disk.is_full)),
                ("storage_stalls", disk.stalls),
                ("storage_stalled_seconds", disk.stalled_seconds),
            ]
        });
        StatusReply {
            call,
            cluster: config.cluster,
            node: config.id,
            label: Text::clone(self.label),
            incarnation: config.incarnation,
            layout_version: layout_version(self.node),
            uptime: self.uptime,
            software: SOFTWARE.into(),
            storage: self.storage.name().into(),
            records: self.storage.records(),
            members: view.members(self.now),
            counters: numbers(view.counters().into_iter().chain(own_counters).chain(disk_counters)),
            limits: numbers(view.limits().into_iter().chain(own_limits)),
            now: self.now.unix,
            comparisons: view.comparisons().filter(|_| slots).collect(),
        }
    }
}

/// Of the newest layout; 0 where there is none.
pub(super) fn layout_version(node: &Node) -> LayoutVersion {
    node.view().layout().map_or(LayoutVersion(0), |update| update.layout.version())
}

fn numbers(named: impl Iterator<Item = (&'static str, u64)>) -> Vec<(Text, u64)> {
    named.map(|(name, value)| (Text::from(name), value)).collect()
}

/// A status for a page, and whether the node is ready.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) status: StatusReply,
    pub(super) r: u8,
    pub(super) w: u8,
    /// Why requests should go elsewhere.
    pub(super) not_ready: Option<String>,
}

impl Look {
    pub(super) fn new(
        status: StatusReply,
        config: &NodeConfig,
        storage: &Storage,
        stopping: bool,
    ) -> Look {
        let (r, w) = (config.r, config.w);
        let up = status.members.iter().filter(|member| member.up).count();
        let needed = usize::from(r.max(w));
        let not_ready = if stopping {
            Some("the node stops".to_owned())
        } else if !storage.is_healthy() {
            Some(
                "the storage failed, and the node is about to start over: look at its log"
                    .to_owned(),
            )
        } else if status.layout_version == LayoutVersion(0) {
            Some(waits_for_layout(config, &status))
        } else if up < needed {
            Some(format!("{up} of the {needed} members that a quorum needs are up"))
        } else {
            None
        };
        Look { status, r, w, not_ready }
    }
}

fn waits_for_layout(config: &NodeConfig, status: &StatusReply) -> String {
    let met = status.members.len();
    match config.founding {
        Some(founding) => format!(
            "the cluster has no layout yet: {met} of {} members have met; start the others with \
             --seed {}",
            founding.members, config.address
        ),
        None => format!("the cluster has no layout yet: {met} members have met here"),
    }
}
