//! What a client holds of each node: how fast it answers, and why to go around it.
//!
//! Invariant: one entry for a member of the layout or a connected node at most.

use alloc::vec::Vec;

use super::histogram::{Histogram, Latencies};
use super::{ClientEffect, ClientEvent};
use crate::ids::NodeId;
use crate::latency::Latency;
use crate::machine::Effects;
use crate::prng::Prng;
use crate::time::{Duration, Instant, Now, micros};

/// Patience with a node of which nothing is known yet.
const PATIENCE_FIRST: Duration = Duration::from_millis(500);

/// Patience is never less. A coordinator needs time, too, where a sync is slow or one of its own
/// peers is silent, and every call that leaves it is one more for the others.
pub(super) const PATIENCE_MIN: Duration = Duration::from_millis(250);

/// One more primary is never asked for its copy sooner than this: so long a client may be busy with
/// what came in before the answer that it misses.
const HEDGE_MIN: Duration = Duration::from_millis(5);

/// Patience is never more.
const PATIENCE_MAX: Duration = Duration::from_secs(1);

/// For so long, and up to twice as long, others are believed that a node is down.
const REPORT: Duration = Duration::from_secs(2);

/// Why a client goes around a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DownReason {
    /// It is connected and does not answer.
    Silent,
    /// Its connection was lost, or it cannot be connected.
    Unreachable,
    /// Another node says that it is down, and the client has no word from it.
    Reported,
}

#[derive(Clone, Debug)]
pub(super) struct Standings {
    /// Ascending.
    nodes: Vec<(NodeId, Standing)>,
    prng: Prng,
}

#[derive(Clone, Debug, Default)]
struct Standing {
    /// How long it takes to answer.
    latency: Latency,
    /// The same for people, once it has answered.
    answers: Option<Histogram>,
    /// What people were told, as long as there is no better news.
    down: Option<DownReason>,
    /// Until when others are believed that it is down.
    reported: Instant,
    /// Until when it has asked to be left alone.
    busy: Instant,
}

impl Standings {
    pub(super) fn new(seed: u64) -> Standings {
        Standings { nodes: Vec::new(), prng: Prng::stream(seed, "standings") }
    }

    /// Why the client goes around `node`.
    pub(super) fn down(&self, node: NodeId) -> Option<DownReason> {
        self.get(node).and_then(|standing| standing.down)
    }

    /// Whether others have said a moment ago that `node` is down.
    pub(super) fn is_reported(&self, now: Now, node: NodeId) -> bool {
        self.get(node).is_some_and(|standing| standing.reported > now.instant)
    }

    /// Whether `node` was overloaded a moment ago.
    pub(super) fn is_busy(&self, now: Now, node: NodeId) -> bool {
        self.get(node).is_some_and(|standing| standing.busy > now.instant)
    }

    /// For how long `node` may say nothing at all while it owes an answer.
    pub(super) fn patience(&self, node: NodeId) -> Duration {
        let usual = self.get(node).and_then(|known| known.latency.within(4));
        usual.map_or(PATIENCE_FIRST, |usual| usual.clamp(PATIENCE_MIN, PATIENCE_MAX))
    }

    /// The time within which `node` answers 19 of 20 times, to ask somebody else after it.
    pub(super) fn hedge_delay(&self, node: NodeId) -> Duration {
        // p95 is 1.65 standard deviations away from the mean.
        let p95 = self.get(node).and_then(|known| known.latency.within(2));
        p95.unwrap_or(PATIENCE_MIN).clamp(HEDGE_MIN, PATIENCE_MAX)
    }

    /// `node` has answered a request.
    pub(super) fn on_answer(&mut self, node: NodeId, took: Duration) {
        let known = self.of(node);
        // Patience ends there, and a client that slept must not think ill of a node for long.
        known.latency.on_answer(took.min(PATIENCE_MAX));
        known.answers.get_or_insert_default().on_answer(took);
    }

    /// How long those took that have answered.
    pub(super) fn latencies(&self) -> impl Iterator<Item = (NodeId, Latencies)> {
        self.nodes
            .iter()
            .filter_map(|(node, known)| Some((*node, known.answers.as_ref()?.latencies())))
    }

    /// `node` wants to be left alone for a while.
    pub(super) fn on_busy(&mut self, now: Now, node: NodeId, retry_after: Duration) {
        self.of(node).busy = now.instant + retry_after;
    }

    /// The client itself found that `node` cannot be used.
    #[cold]
    pub(super) fn on_down(
        &mut self,
        node: NodeId,
        reason: DownReason,
        out: &mut Effects<ClientEffect>,
    ) {
        if self.of(node).down.replace(reason).is_none() {
            out.push(ClientEffect::Observe(ClientEvent::NodeDown { node, reason }));
        }
    }

    /// Another node says that `node` is down, of which the client itself has no word.
    #[cold]
    pub(super) fn on_report(&mut self, now: Now, node: NodeId, out: &mut Effects<ClientEffect>) {
        let bound = micros(REPORT);
        let until = now.instant + REPORT + Duration::from_micros(self.prng.below(bound));
        let known = self.of(node);
        known.reported = until;
        if known.down.is_none() {
            self.on_down(node, DownReason::Reported, out);
        }
    }

    /// `node` has said something.
    pub(super) fn on_up(&mut self, node: NodeId, out: &mut Effects<ClientEffect>) {
        if self.get(node).is_none() {
            return;
        }
        let known = self.of(node);
        known.reported = Instant::default();
        if known.down.take().is_some() {
            out.push(ClientEffect::Observe(ClientEvent::NodeUp { node }));
        }
    }

    /// Whether somebody is held for down by hearsay alone.
    pub(super) fn has_reports(&self) -> bool {
        self.nodes.iter().any(|(_, known)| known.down == Some(DownReason::Reported))
    }

    /// Another node has reached `node`. That outweighs what others said before, no more.
    pub(super) fn on_reached(&mut self, node: NodeId, out: &mut Effects<ClientEffect>) {
        if self.down(node) == Some(DownReason::Reported) {
            self.on_up(node, out);
        }
    }

    /// Forgets all but some nodes.
    pub(super) fn retain(&mut self, keep: impl Fn(NodeId) -> bool) {
        self.nodes.retain(|(node, _)| keep(*node));
    }

    fn get(&self, node: NodeId) -> Option<&Standing> {
        let index = self.nodes.binary_search_by_key(&node, |(node, _)| *node).ok()?;
        Some(&self.nodes[index].1)
    }

    fn of(&mut self, node: NodeId) -> &mut Standing {
        let found = self.nodes.binary_search_by_key(&node, |(node, _)| *node);
        let index = found.unwrap_or_else(|index| {
            self.nodes.insert(index, (node, Standing::default()));
            index
        });
        &mut self.nodes[index].1
    }
}
