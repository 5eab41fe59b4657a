//! What this node's own requests tell it of its peers: who answers, how fast, who is silent.
//!
//! Gossip takes seconds to find out that a node hangs; a request that it does not answer tells at
//! once. A peer that was asked and says nothing for longer than its own history makes likely is
//! *avoided*: requests go around it, but for a probe now and then. One word from it is enough to
//! be trusted again.

use alloc::collections::BTreeMap;

use crate::ids::NodeId;
use crate::latency::Latency;
use crate::time::{Duration, Instant};

/// Patience with a peer of which nothing is known yet.
const PATIENCE_FIRST: Duration = Duration::from_millis(250);

/// Patience is never less: a sync of a busy disk takes as long.
const PATIENCE_MIN: Duration = Duration::from_millis(50);

/// Patience is never more.
const PATIENCE_MAX: Duration = Duration::from_secs(1);

/// A second replica is never asked sooner than this (DESIGN.md §7).
const HEDGE_MIN: Duration = Duration::from_millis(5);

/// An avoided peer is tried again at such intervals.
const PROBE_EVERY: Duration = Duration::from_millis(250);

/// What is known of each peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdicts {
    peers: BTreeMap<NodeId, Verdict>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Verdict {
    /// When it was asked something for the first time since its last word.
    asked: Option<Instant>,
    /// When it was last asked.
    last_asked: Instant,
    /// When it last said something.
    last_word: Instant,
    /// How long it takes to answer.
    latency: Latency,
    /// Whether people were told that it is avoided.
    told: bool,
}

/// What became of a peer's standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It answers in time, as far as is known.
    Trusted,
    /// It is silent.
    Avoided,
}

impl Verdicts {
    /// A request goes to `node`.
    pub(crate) fn on_asked(&mut self, now: Instant, node: NodeId) {
        let verdict = self.peers.entry(node).or_default();
        verdict.asked.get_or_insert(now);
        verdict.last_asked = now;
    }

    /// `node` says something. True where people were told that it is avoided.
    pub(crate) fn on_word(&mut self, now: Instant, node: NodeId) -> bool {
        let Some(verdict) = self.peers.get_mut(&node) else { return false };
        verdict.asked = None;
        verdict.last_word = now;
        core::mem::take(&mut verdict.told)
    }

    /// `node` was asked for something that takes it long, at `asked`, and has said nothing at all
    /// since.
    pub(crate) fn on_silence(&mut self, now: Instant, node: NodeId, asked: Instant) {
        let verdict = self.peers.entry(node).or_default();
        if verdict.last_word < asked {
            verdict.asked.get_or_insert(asked);
            verdict.last_asked = now;
        }
    }

    /// `node` answers what it was asked at `asked`.
    pub(crate) fn on_answer(&mut self, now: Instant, node: NodeId, asked: Instant) {
        self.peers.entry(node).or_default().latency.on_answer(now.since(asked));
    }

    /// The connection to `node` is new or gone: what was asked on it does not count. People who
    /// were told that it is avoided are told of its first word.
    pub(crate) fn on_link_changed(&mut self, node: NodeId) {
        if let Some(verdict) = self.peers.get_mut(&node) {
            verdict.asked = None;
        }
    }

    /// Whether requests should go around `node`. Answers `Trusted` for one probe now and then.
    pub(crate) fn standing(&self, now: Instant, node: NodeId) -> Standing {
        let Some(verdict) = self.peers.get(&node) else { return Standing::Trusted };
        let is_recent = now.since(verdict.last_asked) < PROBE_EVERY;
        if verdict.is_silent(now) && sane_or!(is_recent, AvoidedForEver => true) {
            Standing::Avoided
        } else {
            Standing::Trusted
        }
    }

    /// Notes that a peer is avoided; true the first time, when people are to be told.
    pub(crate) fn note_avoided(&mut self, node: NodeId) -> bool {
        let verdict = self.peers.entry(node).or_default();
        !core::mem::replace(&mut verdict.told, true)
    }

    /// After how long without an answer somebody else should be asked as well.
    pub(crate) fn patience(&self, node: NodeId) -> Duration {
        self.peers.get(&node).map_or(PATIENCE_FIRST, Verdict::patience)
    }

    /// The time within which `node` answers 19 of 20 times.
    pub(crate) fn hedge_delay(&self, node: NodeId) -> Duration {
        // p95 is 1.65 standard deviations away from the mean.
        let p95 = self.peers.get(&node).and_then(|verdict| verdict.latency.within(2));
        p95.unwrap_or(PATIENCE_MIN).clamp(HEDGE_MIN, PATIENCE_MAX)
    }

    /// How fast a peer answers, to compare it with others.
    pub(crate) fn latency(&self, node: NodeId) -> Duration {
        self.peers.get(&node).map_or(Duration::ZERO, |verdict| verdict.latency.mean())
    }
}

impl Verdict {
    fn is_silent(&self, now: Instant) -> bool {
        self.asked.is_some_and(|asked| now.since(asked) > self.patience())
    }

    fn patience(&self) -> Duration {
        let usual = self.latency.within(4);
        usual.map_or(PATIENCE_FIRST, |usual| usual.clamp(PATIENCE_MIN, PATIENCE_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::Standing::{Avoided, Trusted};
    use super::{HEDGE_MIN, PATIENCE_FIRST, PATIENCE_MAX, PATIENCE_MIN, PROBE_EVERY, Verdicts};
    use crate::ids::NodeId;
    use crate::time::{Duration, Instant};

    const PEER: NodeId = NodeId(7);

    fn at(millis: u64) -> Instant {
        Instant(millis * 1_000)
    }

    #[test]
    fn a_peer_that_is_silent_is_avoided_but_for_a_probe_and_trusted_at_its_first_word() {
        let mut verdicts = Verdicts::default();
        verdicts.on_asked(at(0), PEER);
        assert_eq!(verdicts.standing(at(250), PEER), Trusted);
        verdicts.on_asked(at(250), PEER);
        assert_eq!(verdicts.standing(at(251), PEER), Avoided);
        assert!(verdicts.note_avoided(PEER), "people are told");
        assert!(!verdicts.note_avoided(PEER), "once");
        let probe = at(250) + PROBE_EVERY;
        assert_eq!(verdicts.standing(probe, PEER), Trusted, "a probe");
        verdicts.on_asked(probe, PEER);
        assert_eq!(verdicts.standing(probe, PEER), Avoided, "one probe");
        assert!(verdicts.on_word(at(600), PEER));
        assert_eq!(verdicts.standing(at(600), PEER), Trusted);
    }

    #[test]
    fn patience_follows_what_the_peer_usually_takes() {
        let mut verdicts = Verdicts::default();
        assert_eq!(verdicts.patience(PEER), PATIENCE_FIRST);
        for round in 0..100 {
            verdicts.on_answer(at(round * 100 + 2), PEER, at(round * 100));
        }
        assert_eq!(verdicts.patience(PEER), PATIENCE_MIN);
        assert_eq!(verdicts.hedge_delay(PEER), HEDGE_MIN);
        for round in 200..300 {
            verdicts.on_answer(at(round * 100 + 80 + round % 40), PEER, at(round * 100));
        }
        let patience = verdicts.patience(PEER);
        assert!(patience > Duration::from_millis(100) && patience < Duration::from_millis(250));
        assert!(verdicts.hedge_delay(PEER) > Duration::from_millis(90));
        for round in 0..100 {
            verdicts.on_answer(at(1_000_000 + round * 10_000), PEER, at(900_000));
        }
        assert_eq!(verdicts.patience(PEER), PATIENCE_MAX);
    }

    #[test]
    fn only_silence_since_it_was_asked_is_held_against_a_peer() {
        let mut verdicts = Verdicts::default();
        verdicts.on_asked(at(0), PEER);
        verdicts.on_word(at(500), PEER);
        verdicts.on_silence(at(900), PEER, at(400));
        assert_eq!(verdicts.standing(at(900), PEER), Trusted, "it spoke meanwhile");
        verdicts.on_silence(at(1_000), PEER, at(600));
        assert_eq!(verdicts.standing(at(1_000), PEER), Avoided);
        assert!(verdicts.note_avoided(PEER));
        verdicts.on_link_changed(PEER);
        assert_eq!(verdicts.standing(at(1_000), PEER), Trusted, "a new connection");
        assert!(verdicts.on_word(at(1_000), PEER), "people are told that it answers again");
        assert!(!verdicts.on_word(at(1_000), PEER), "once");
    }
}
