//! Handing a request to a primary of its key, by a node that is none.
//!
//! Invariant: a request is handed on at most once along its way, so two nodes with different
//! layouts cannot play it back and forth.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::ids::NodeId;
use crate::machine::{Event, Peer};
use crate::message::{CallId, Failure, FailureCode, Get, Message, Put, Reply, RequestHead};
use crate::prng::Prng;
use crate::quorum::{Quorum, Replicas};
use crate::time::Instant;
use crate::turn::{Asker, Turn};

/// A get or a put, before it is known who runs it.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Get(Get),
    Put(Put),
}

impl Request {
    pub(crate) fn head(&self) -> &RequestHead {
        match self {
            Request::Get(get) => &get.head,
            Request::Put(put) => &put.head,
        }
    }

    fn head_mut(&mut self) -> &mut RequestHead {
        match self {
            Request::Get(get) => &mut get.head,
            Request::Put(put) => &mut put.head,
        }
    }

    fn message(&self) -> Message {
        match self {
            Request::Get(get) => Message::Get(get.clone()),
            Request::Put(put) => Message::Put(put.clone()),
        }
    }
}

/// The requests that were handed on.
#[derive(Clone, Debug)]
pub(crate) struct PassOn {
    calls: BTreeMap<CallId, Passed>,
    /// Invariant: one entry for each call.
    deadlines: BTreeSet<(Instant, CallId)>,
    last_call: CallId,
}

#[derive(Clone, Debug)]
struct Passed {
    asker: Asker,
    request: Request,
    /// R or W, for the error.
    needed: u8,
    /// Primaries that were tried, by their index in the preference list.
    tried: Replicas,
    to: NodeId,
    deadline: Instant,
}

impl PassOn {
    pub(crate) fn new(seed: u64) -> PassOn {
        let last_call = CallId::first(&mut Prng::stream(seed, "pass on"));
        PassOn { calls: BTreeMap::new(), deadlines: BTreeSet::new(), last_call }
    }

    pub(crate) fn len(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Hands `request` to the first primary within reach.
    pub(crate) fn on_request(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        request: Request,
        quorum: Quorum,
    ) {
        let most = turn.config.limits.calls_max;
        if self.calls.len() >= most {
            return turn.overloaded(asker, "calls_max", most);
        }
        let needed = match &request {
            Request::Get(_) => quorum.r(),
            Request::Put(_) => quorum.w(),
        };
        let deadline = turn.deadline(request.head().budget);
        self.last_call = self.last_call.next();
        let id = self.last_call;
        let tried = Replicas::new();
        let to = turn.config.id;
        let passed = Passed { asker, request, needed, tried, to, deadline };
        turn.counters.passed_on += 1;
        self.send(turn, id, passed);
    }

    /// A primary answers; the answer goes on to whoever asked.
    pub(crate) fn on_reply(&mut self, turn: &mut Turn<'_>, from: NodeId, reply: Reply) {
        if self.calls.get(&reply.call).is_none_or(|passed| passed.to != from) {
            return;
        }
        let Some(passed) = self.remove(reply.call) else { return };
        // A write that an earlier primary had before it was lost may have happened there.
        let maybe = matches!(passed.request, Request::Put(_)) && passed.tried.len() > 1;
        sane_or!(let maybe, PassOnForgetsFirst => false);
        let result =
            reply.result.map_err(|failure| if maybe { failure.unknown() } else { failure });
        turn.answer(passed.asker, reply.receipt, Some(turn.config.id), result);
    }

    /// A node is gone: what it was asked goes to the next primary.
    pub(crate) fn on_node_down(&mut self, turn: &mut Turn<'_>, node: NodeId) {
        let concerned = self.calls.iter().filter(|(_, passed)| passed.to == node);
        let concerned: alloc::vec::Vec<CallId> = concerned.map(|(id, _)| *id).collect();
        for id in concerned {
            if let Some(passed) = self.remove(id) {
                self.send(turn, id, passed);
            }
        }
    }

    /// Ends the requests whose time is up.
    pub(crate) fn on_wake(&mut self, turn: &mut Turn<'_>) {
        while let Some((at, id)) = self.deadlines.first().copied() {
            if at > turn.now.instant {
                return;
            }
            let Some(passed) = self.remove(id) else { return };
            end(turn, passed, FailureCode::Timeout);
        }
    }

    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.calls.len(), self.deadlines.len(), "each call has one deadline");
    }

    fn send(&mut self, turn: &mut Turn<'_>, id: CallId, mut passed: Passed) {
        let layout = &turn.config.layout.layout;
        let slot = layout.slot_of(passed.request.head().key.as_bytes());
        let next = layout
            .primaries(slot)
            .iter()
            .enumerate()
            .find(|(index, node)| !passed.tried.contains(*index) && turn.peers.is_up(**node));
        let Some((index, node)) = next else {
            return end(turn, passed, FailureCode::QuorumUnavailable);
        };
        passed.tried.insert(index);
        passed.to = *node;
        let head = passed.request.head_mut();
        head.call = id;
        head.passed_on = true;
        head.layout_version = layout.version();
        head.budget = passed.deadline.since(turn.now.instant);
        turn.out.observe(Event::PassedOn { to: passed.to });
        turn.out.send(Peer::Node(passed.to), passed.request.message());
        self.deadlines.insert((passed.deadline, id));
        self.calls.insert(id, passed);
    }

    fn remove(&mut self, id: CallId) -> Option<Passed> {
        let passed = self.calls.remove(&id)?;
        self.deadlines.remove(&(passed.deadline, id));
        Some(passed)
    }
}

/// A request that no primary answered. A write that was sent to one may have happened.
fn end(turn: &mut Turn<'_>, passed: Passed, code: FailureCode) {
    let failure = Failure::refused(code).quorum(passed.needed.into(), 0);
    let sent_write = matches!(passed.request, Request::Put(_)) && !passed.tried.is_empty();
    sane_or!(let sent_write, PassOnSilenceRefused => false);
    let failure = if sent_write { failure.unknown() } else { failure };
    turn.answer(passed.asker, None, Some(turn.config.id), Err(failure));
}
