//! Handing a request to a primary of its key, by a node that is none.
//!
//! ```text
//!   request --> first primary within reach --silent or gone--> the next one --> ... --> orphan
//! ```
//!
//! Whoever was asked may still answer, and the first answer counts. A request that no primary
//! answers is an [`Orphan`]: this node runs it as a fallback, if it may.
//!
//! Invariant: a request is handed on at most once along its way, so two nodes with different
//! layouts cannot play it back and forth.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::ids::NodeId;
use crate::incoming::Request;
use crate::machine::{Event, Peer};
use crate::message::{CallId, Failure, FailureCode, Reply};
use crate::prng::Prng;
use crate::quorum::{Quorum, Replicas};
use crate::time::{Duration, Instant};
use crate::turn::{Asker, Turn};

/// A primary runs the whole request, which takes longer than what its verdict is made of.
const PATIENCE_FACTOR: u32 = 2;

/// The least patience with a primary that runs a request.
const PATIENCE_MIN: Duration = Duration::from_millis(200);

/// The requests that were handed on.
#[derive(Clone, Debug)]
pub(crate) struct PassOn {
    calls: BTreeMap<CallId, Passed>,
    /// When something is to be done about each. Invariant: one entry for each call.
    timers: BTreeSet<(Instant, CallId)>,
    last_call: CallId,
}

/// A request that no primary answers.
#[derive(Debug)]
pub(crate) struct Orphan {
    pub(crate) asker: Asker,
    pub(crate) request: Request,
    pub(crate) quorum: Quorum,
    pub(crate) deadline: Instant,
}

#[derive(Clone, Debug)]
struct Passed {
    asker: Asker,
    request: Request,
    quorum: Quorum,
    /// Primaries that were tried, by their index in the preference list.
    tried: Replicas,
    /// Those among them that may still answer, and when they were asked.
    asked: Vec<(NodeId, Instant)>,
    deadline: Instant,
    /// When the next primary is tried; at most `deadline`.
    timer: Instant,
}

impl PassOn {
    pub(crate) fn new(seed: u64) -> PassOn {
        let last_call = CallId::first(&mut Prng::stream(seed, "pass on"));
        PassOn { calls: BTreeMap::new(), timers: BTreeSet::new(), last_call }
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Hands `request` to the first primary within reach.
    pub(crate) fn on_request(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        request: Request,
        quorum: Quorum,
    ) -> Option<Orphan> {
        let most = turn.config.limits.calls_max;
        if self.calls.len() >= most {
            turn.overloaded(asker, "calls_max", most, PATIENCE_MIN);
            return None;
        }
        let deadline = turn.deadline(request.head().budget);
        self.last_call = self.last_call.next();
        let id = self.last_call;
        let (tried, asked) = (Replicas::new(), Vec::new());
        let timer = deadline;
        let passed = Passed { asker, request, quorum, tried, asked, deadline, timer };
        turn.counters.passed_on += 1;
        self.send(turn, id, passed)
    }

    /// A primary answers; the answer goes on to whoever asked.
    pub(crate) fn on_reply(
        &mut self,
        turn: &mut Turn<'_>,
        from: NodeId,
        reply: Reply,
    ) -> Option<Orphan> {
        let asked = &self.calls.get(&reply.call)?.asked;
        if !asked.iter().any(|(node, _)| *node == from) {
            return None;
        }
        let mut passed = self.remove(reply.call)?;
        passed.asked.retain(|(node, _)| *node != from);
        if reply.result.is_err() && !passed.asked.is_empty() {
            // Somebody else may still do better.
            self.insert(reply.call, passed);
            return None;
        }
        // A write that another primary was handed may have happened there.
        let maybe = passed.request.is_write() && passed.tried.len() > 1;
        sane_or!(let maybe, PassOnForgetsFirst => false);
        let result =
            reply.result.map_err(|failure| if maybe { failure.unknown() } else { failure });
        turn.answer(passed.asker, reply.receipt, Some(turn.config.id), result);
        None
    }

    /// A node is gone: what it was asked goes to the next primary.
    pub(crate) fn on_node_down(&mut self, turn: &mut Turn<'_>, node: NodeId) -> Vec<Orphan> {
        let waits = |passed: &Passed| passed.asked.iter().any(|(asked, _)| *asked == node);
        let concerned = self.calls.iter().filter(|(_, passed)| waits(passed));
        let concerned: Vec<CallId> = concerned.map(|(id, _)| *id).collect();
        let mut orphans = Vec::new();
        for id in concerned {
            let Some(mut passed) = self.remove(id) else { continue };
            passed.asked.retain(|(asked, _)| *asked != node);
            if passed.asked.is_empty() {
                orphans.extend(self.send(turn, id, passed));
            } else {
                self.insert(id, passed);
            }
        }
        orphans
    }

    /// Ends the requests whose time is up; tries the next primary where patience is.
    pub(crate) fn on_wake(&mut self, turn: &mut Turn<'_>) -> Vec<Orphan> {
        let mut orphans = Vec::new();
        while let Some((at, id)) = self.timers.first().copied() {
            if at > turn.now.instant {
                break;
            }
            let Some(passed) = self.remove(id) else { break };
            if passed.deadline <= turn.now.instant {
                end(turn, passed, FailureCode::Timeout);
            } else {
                for (node, asked) in &passed.asked {
                    turn.verdicts.on_silence(turn.now.instant, *node, *asked);
                }
                orphans.extend(self.send(turn, id, passed));
            }
        }
        orphans
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.calls.len(), self.timers.len(), "each call has one timer");
    }

    /// Hands a request to the next primary; where there is none left it is an orphan, unless
    /// somebody who was asked may still answer a strict one.
    fn send(&mut self, turn: &mut Turn<'_>, id: CallId, mut passed: Passed) -> Option<Orphan> {
        let Some(update) = turn.layout else {
            end(turn, passed, FailureCode::NotReady);
            return None;
        };
        let slot = update.layout.slot_of(passed.request.head().key.as_bytes());
        let untried = update.layout.primaries(slot).iter().copied().enumerate();
        let untried = untried
            .filter(|(index, node)| !passed.tried.contains(*index) && turn.peers.is_up(*node));
        let untried: Vec<(usize, NodeId)> = untried.collect();
        // The first that is trusted; else the first.
        let trusted = untried.iter().find(|(_, node)| !turn.is_avoided(*node));
        let Some((index, node)) = trusted.or(untried.first()).copied() else {
            let strict = turn.config.is_strict(passed.request.strictness());
            if !strict {
                return Some(passed.orphan());
            }
            if passed.asked.is_empty() {
                end(turn, passed, FailureCode::QuorumUnavailable);
            } else {
                passed.timer = passed.deadline;
                self.insert(id, passed);
            }
            return None;
        };
        passed.tried.insert(index);
        passed.asked.push((node, turn.now.instant));
        let head = passed.request.head_mut();
        head.call = id;
        head.passed_on = true;
        head.layout_version = update.layout.version();
        head.budget = passed.deadline.since(turn.now.instant);
        let patience = (turn.verdicts.patience(node) * PATIENCE_FACTOR).max(PATIENCE_MIN);
        passed.timer = passed.deadline.min(turn.now.instant + patience);
        turn.out.observe(Event::PassedOn { to: node });
        turn.out.send(Peer::Node(node), passed.request.message());
        self.insert(id, passed);
        None
    }

    fn insert(&mut self, id: CallId, passed: Passed) {
        self.timers.insert((passed.timer, id));
        self.calls.insert(id, passed);
    }

    fn remove(&mut self, id: CallId) -> Option<Passed> {
        let passed = self.calls.remove(&id)?;
        self.timers.remove(&(passed.timer, id));
        Some(passed)
    }
}

impl Passed {
    fn orphan(self) -> Orphan {
        let Passed { asker, request, quorum, tried, deadline, .. } = self;
        let maybe = asker.maybe || (request.is_write() && !tried.is_empty());
        sane_or!(let maybe, OrphanForgetsPrimaries => false);
        Orphan { asker: Asker { maybe, ..asker }, request, quorum, deadline }
    }
}

/// A request that no primary answered. A write that was sent to one may have happened.
fn end(turn: &mut Turn<'_>, passed: Passed, code: FailureCode) {
    let needed = if passed.request.is_write() { passed.quorum.w() } else { passed.quorum.r() };
    let failure = Failure::refused(code).quorum(needed.into(), 0);
    let sent_write = passed.request.is_write() && !passed.tried.is_empty();
    sane_or!(let sent_write, PassOnSilenceRefused => false);
    let failure = if sent_write { failure.unknown() } else { failure };
    turn.answer(passed.asker, None, Some(turn.config.id), Err(failure));
}
