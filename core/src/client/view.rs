//! What users, metrics and tests may look at.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::{Client, Link};
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

    /// Calls that have not ended.
    pub fn calls_under_way(&self) -> usize {
        self.client.calls.len()
    }

    /// Counts since the start.
    pub fn stats(&self) -> ClientStats {
        self.client.stats
    }
}
