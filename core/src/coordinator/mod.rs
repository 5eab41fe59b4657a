//! Running requests: the node side of level 1 (DESIGN.md §7).
//!
//! ```text
//!  Get ----> read ----------------------------> Entry     late answers -> repair
//!  Put ----------------------> write ---------> Written
//!  Delete -> read (no context) -> write ------> Written
//! ```
//!
//! Each step of [`request`](crate::request) names indexes; here they become nodes and frames.
//! Invariant: every call is answered exactly once, no later than its deadline.

mod answers;
mod call;
mod reading;
mod writing;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;

use answers::Answers;
use call::{Call, Stage, entry, is_intact, reachable};

use crate::config::NodeConfig;
use crate::ids::{Key, NodeId, RequestId};
use crate::machine::StoreOutcome;
use crate::message::{
    Answer, CallId, Change, Failure, FailureCode, Get, Put, ReplicaMerged, ReplicaRecord,
};
use crate::prng::Prng;
use crate::quorum::Quorum;
use crate::request::Short;
use crate::ring::Slot;
use crate::time::{Duration, Instant};
use crate::turn::{Asker, Turn};

/// How long an answered read goes on listening for late replicas.
const LATE_ANSWERS: Duration = Duration::from_millis(500);

/// The requests that this node runs.
#[derive(Clone, Debug)]
pub(crate) struct Coordinator {
    /// All calls. Invariant: as many as `deadlines`.
    calls: BTreeMap<CallId, Call>,
    /// When each call ends at the latest.
    deadlines: BTreeSet<(Instant, CallId)>,
    /// Writes under way. Invariant: each names a call in its write stage with askers.
    writes: BTreeMap<RequestId, CallId>,
    /// Answers to finished writes.
    answers: Answers,
    /// Reads that are answered and wait for late replicas.
    late: usize,
    /// The last call number that was given.
    last_call: CallId,
    /// The last birth of an actor in this incarnation.
    births: u64,
}

/// Where a key lives, and this node's place there.
pub(crate) struct Place {
    pub(crate) slot: Slot,
    pub(crate) replicas: Vec<NodeId>,
    pub(crate) own: usize,
}

impl Coordinator {
    pub(crate) fn new(config: &NodeConfig, seed: u64) -> Coordinator {
        Coordinator {
            calls: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            writes: BTreeMap::new(),
            answers: Answers::new(config.limits.answers_kept),
            late: 0,
            last_call: CallId::first(&mut Prng::stream(seed, "calls")),
            births: 0,
        }
    }

    /// Requests that are not answered yet.
    pub(crate) fn under_way(&self) -> usize {
        self.calls.len() - self.late
    }

    /// Answers that are kept for retries.
    pub(crate) fn answers_kept(&self) -> usize {
        self.answers.len()
    }

    /// When the next call runs out of time.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Starts a read of a key of which this node is a primary.
    pub(crate) fn on_get(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        get: Get,
        quorum: Quorum,
        place: Place,
    ) {
        turn.counters.gets += 1;
        let deadline = turn.deadline(get.head.budget);
        self.start_read(turn, asker, get.head.key, quorum, place, deadline, None);
    }

    /// Starts a write to a key of which this node is a primary.
    pub(crate) fn on_put(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        put: Put,
        quorum: Quorum,
        place: Place,
    ) {
        let key = put.head.key;
        let request = sane_or!(put.request, RetryIgnored => RequestId::default());
        if let Some((written, receipt)) = self.answers.find(request, &key, quorum.w().into()) {
            turn.counters.retries += 1;
            turn.answer(asker, Some(receipt), None, Ok(Answer::Written(written)));
            return;
        }
        let under_way = self.writes.get(&request).and_then(|id| self.calls.get_mut(id));
        let serves = |call: &&mut Call| call.key == key && call.quorum.w() >= quorum.w();
        if let Some(call) = under_way.filter(serves) {
            turn.counters.retries += 1;
            call.askers.push(asker);
            return;
        }
        let deadline = turn.deadline(put.head.budget);
        match put.change {
            Change::Delete => {
                turn.counters.deletes += 1;
                if put.context.is_empty() {
                    let then = Some(put.request);
                    self.start_read(turn, asker, key, quorum, place, deadline, then);
                    return;
                }
            }
            Change::Value { .. } => turn.counters.puts += 1,
        }
        self.start_write(
            turn,
            asker,
            (key, put.context, put.request, put.change),
            quorum,
            place,
            deadline,
        );
    }

    /// The node's own storage answers for a call.
    pub(crate) fn on_stored(&mut self, turn: &mut Turn<'_>, id: CallId, outcome: StoreOutcome) {
        let Some(call) = self.calls.get(&id) else { return };
        let own = call.own;
        match outcome {
            StoreOutcome::Read { record } => {
                self.on_record(turn, id, own, Some(record.unwrap_or_default()));
            }
            StoreOutcome::Applied { applied, record } => {
                self.on_applied(turn, id, applied, record);
            }
            StoreOutcome::Durable => self.on_acknowledgement(turn, id, own, true),
            StoreOutcome::Refused(refusal) => self.on_refused(turn, id, refusal),
            StoreOutcome::Failed(error) => self.on_own_failure(turn, id, error),
        }
    }

    /// Another replica says what it holds.
    pub(crate) fn on_replica_record(
        &mut self,
        turn: &mut Turn<'_>,
        from: NodeId,
        answer: ReplicaRecord,
    ) {
        let index = self.calls.get(&answer.call).and_then(|call| call.index_of(from));
        if let Some(index) = index {
            self.on_record(turn, answer.call, index, answer.record);
        }
    }

    /// Another replica says whether it holds a write durably.
    pub(crate) fn on_replica_merged(
        &mut self,
        turn: &mut Turn<'_>,
        from: NodeId,
        answer: ReplicaMerged,
    ) {
        let index = self.calls.get(&answer.call).and_then(|call| call.index_of(from));
        if let Some(index) = index {
            self.on_acknowledgement(turn, answer.call, index, answer.durable);
        }
    }

    /// A node is gone: it will not answer what it was asked.
    pub(crate) fn on_node_down(&mut self, turn: &mut Turn<'_>, node: NodeId) {
        let concerned =
            self.calls.iter().filter_map(|(id, call)| Some((*id, call.index_of(node)?)));
        for (id, index) in concerned.collect::<Vec<_>>() {
            let record = sane_or!(None, DownReadsEmpty => Some(Default::default()));
            self.on_record(turn, id, index, record);
            let durable = sane_or!(false, DownCountsAsAck => true);
            self.on_acknowledgement(turn, id, index, durable);
        }
    }

    /// Ends the calls whose time is up.
    pub(crate) fn on_wake(&mut self, turn: &mut Turn<'_>) {
        while let Some((at, id)) = self.deadlines.first().copied() {
            if at > turn.now.instant {
                return;
            }
            let Some(call) = self.calls.get_mut(&id) else { break };
            match &mut call.stage {
                Stage::Read { get, .. } => {
                    let end = get.on_deadline();
                    self.after_read(turn, id, end);
                }
                Stage::Write { put, .. } => {
                    let end = put.on_deadline();
                    self.after_write(turn, id, end);
                }
            }
            assert!(!self.calls.contains_key(&id), "a call outlived its deadline");
        }
    }

    /// Asserts what must hold between inputs.
    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.calls.len(), self.deadlines.len(), "each call has one deadline");
        for (at, id) in &self.deadlines {
            assert_eq!(self.calls.get(id).map(|call| call.deadline), Some(*at));
        }
        for id in self.writes.values() {
            let call = self.calls.get(id).expect("a write under way is a call");
            assert!(matches!(call.stage, Stage::Write { .. }) && !call.askers.is_empty());
        }
        let late = self.calls.values().filter(|call| call.askers.is_empty()).count();
        assert_eq!(late, self.late, "answered calls that still listen are counted");
    }

    /// Makes room for a call and numbers it; `None` (and an answer) where there is none.
    fn admit(&mut self, turn: &mut Turn<'_>, asker: Asker) -> Option<CallId> {
        let most = turn.config.limits.calls_max;
        if sane_or!(self.under_way() >= most, CallsUnlimited => false) {
            turn.overloaded(asker, "calls_max", most);
            return None;
        }
        if turn.tickets.is_full() {
            turn.overloaded(asker, "store_ops_max", turn.config.limits.store_ops_max);
            return None;
        }
        Some(self.next_call())
    }

    fn next_call(&mut self) -> CallId {
        self.last_call = self.last_call.next();
        self.last_call
    }

    fn insert(&mut self, id: CallId, call: Call) {
        self.deadlines.insert((call.deadline, id));
        self.calls.insert(id, call);
    }

    fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.deadlines.remove(&(call.deadline, id));
        Some(call)
    }
}

/// Too few replicas within reach: nothing happened.
fn short(short: Short) -> Failure {
    Failure::refused(FailureCode::QuorumUnavailable)
        .quorum(saturate(short.needed), saturate(short.reachable))
}

fn saturate(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
