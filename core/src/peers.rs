//! Connections to the other nodes: who is up, who is dialled, when to dial again.
//!
//! There is one connection per pair of nodes, dialled by the one with the lower id, so that all
//! frames between two nodes share one stream. A peer is up when its connection is.

use alloc::collections::BTreeMap;

use crate::backoff;
use crate::config::NodeConfig;
use crate::ids::NodeId;
use crate::machine::{Effect, Effects, Event, Peer};
use crate::prng::Prng;
use crate::time::{Instant, Now};

/// The state of the connection to each other member.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    /// All members but the node itself.
    links: BTreeMap<NodeId, Link>,
    /// Jitter of redials.
    prng: Prng,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// The other one dials.
    Awaited,
    /// A dial is under way, the given number since the last success.
    Dialling(u32),
    /// To be dialled again.
    Waiting { until: Instant, attempt: u32 },
    /// Connected.
    Up,
}

impl Peers {
    pub(crate) fn new(config: &NodeConfig, seed: u64) -> Peers {
        let others = config.layout.layout.members().iter().filter(|member| member.id != config.id);
        Peers {
            links: others.map(|member| (member.id, Link::Awaited)).collect(),
            prng: Prng::stream(seed, "redial"),
        }
    }

    /// Dials everyone whom this node is to dial.
    pub(crate) fn start(&mut self, config: &NodeConfig, out: &mut Effects<Effect>) {
        for (node, link) in &mut self.links {
            if config.id < *node {
                *link = Link::Dialling(1);
                dial(config, *node, out);
            }
        }
    }

    /// Whether `node` can be sent to.
    pub(crate) fn is_up(&self, node: NodeId) -> bool {
        self.links.get(&node) == Some(&Link::Up)
    }

    pub(crate) fn on_up(&mut self, node: NodeId, out: &mut Effects<Effect>) {
        let Some(link) = self.links.get_mut(&node) else {
            out.push(Effect::Hangup(Peer::Node(node)));
            return;
        };
        *link = Link::Up;
        out.observe(Event::NodeUp(node));
    }

    pub(crate) fn on_down(
        &mut self,
        config: &NodeConfig,
        now: Now,
        node: NodeId,
        out: &mut Effects<Effect>,
    ) {
        let Some(link) = self.links.get_mut(&node) else { return };
        let attempt = match *link {
            Link::Up => {
                out.observe(Event::NodeDown(node));
                1
            }
            Link::Dialling(attempt) => attempt.saturating_add(1),
            Link::Awaited | Link::Waiting { .. } => return,
        };
        *link = if config.id < node {
            let until = now.instant + backoff::wait(&mut self.prng, attempt);
            Link::Waiting { until, attempt }
        } else {
            Link::Awaited
        };
    }

    /// Dials those whose wait is over.
    pub(crate) fn on_wake(&mut self, config: &NodeConfig, now: Now, out: &mut Effects<Effect>) {
        for (node, link) in &mut self.links {
            match *link {
                Link::Waiting { until, attempt } if until <= now.instant => {
                    *link = Link::Dialling(attempt);
                    dial(config, *node, out);
                }
                Link::Awaited | Link::Dialling(_) | Link::Waiting { .. } | Link::Up => {}
            }
        }
    }

    /// When the next dial is due.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let due = |link: &Link| match link {
            Link::Waiting { until, .. } => Some(*until),
            Link::Awaited | Link::Dialling(_) | Link::Up => None,
        };
        self.links.values().filter_map(due).min()
    }
}

fn dial(config: &NodeConfig, node: NodeId, out: &mut Effects<Effect>) {
    if let Some(address) = config.layout.address(node) {
        out.push(Effect::Dial { node, address: address.clone() });
    }
}
