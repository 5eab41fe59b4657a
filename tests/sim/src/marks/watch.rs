//! Looks for rare states in what happens.
//!
//! Keeps what it must remember by itself and bounded, so that marks cost little and are the same
//! whatever the invariants do.
use quorate_core::causality::RecordOp;
use quorate_core::client::{CallError, Completion, ErrorCode};
use quorate_core::ids::{Key, NodeId, RequestId};
use quorate_core::machine::{Event, HeldAs, StoreError, StoreOutcome};
use quorate_core::message::{
    Answer, CallId, Failure, FailureCode, Message, Outcome, Receipt, ReplicaState, Reply,
};
use quorate_core::time::{Duration, Instant};

use super::different::Different;
use super::losses::Losses;
use super::requests::{Asker, Requests};
use super::writes::{Keys, writes_in};
use super::{Mark, Marks};
use crate::detail::Detail;
use crate::network::{End, Place};
use crate::observation::{
    Applied, Asked, CallEnded, CallStarted, Caller, CallerGone, CallerThawed, Crashed, Delivered,
    Destroyed, Ending, Handed, Observation, Resumed, Sent, Stopped, Told, request_of,
};
use crate::recent::Recent;

/// Calls, reads and hand-overs that are remembered.
const REMEMBERED: usize = 1_024;

/// Counts the rare states of one world.
#[derive(Debug)]
pub(crate) struct Watch {
    marks: Marks,
    nodes: Vec<NodeState>,
    calls: Recent<(Caller, CallId), Open>,
    /// Writes of clients that are under way, by client.
    writing: Vec<u32>,
    requests: Requests,
    keys: Keys,
    losses: Losses,
    /// Which node a write by hand was put to.
    handed: Recent<u64, usize>,
    /// To whom a node handed a request.
    handed_on: Recent<(usize, CallId), Option<usize>>,
    /// Reads by their coordinators.
    reads: Recent<(usize, CallId), Different>,
    /// The last client that came back: which, when, and since when it had stood still.
    thawed: Option<(usize, Instant, Instant)>,
    /// The time that the last call was given.
    timeout: Duration,
}

#[derive(Clone, Debug, Default)]
struct NodeState {
    life: u32,
    /// Writes that it applied and did not answer.
    writes: u32,
    /// The numbers that this life gave its calls, first to last, and those of its earlier lives.
    calls: Option<(u64, u64)>,
    earlier: Vec<(u64, u64)>,
    /// What its storage answered to the last read.
    read: u64,
}

/// A call under way.
#[derive(Clone, Debug, Default)]
struct Open {
    began: Instant,
    writes: bool,
    /// `None` for what does not write.
    key: Option<Key>,
}

impl Watch {
    pub(crate) fn new() -> Watch {
        Watch {
            marks: Marks::default(),
            nodes: Vec::new(),
            calls: Recent::new(REMEMBERED),
            writing: Vec::new(),
            requests: Requests::new(),
            keys: Keys::default(),
            losses: Losses::default(),
            handed: Recent::new(REMEMBERED),
            handed_on: Recent::new(REMEMBERED),
            reads: Recent::new(REMEMBERED),
            thawed: None,
            timeout: Duration::ZERO,
        }
    }

    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Counts a state where it `is` met.
    pub(crate) fn add(&mut self, mark: Mark, is: bool) {
        self.marks.add(mark, is);
    }

    /// Nothing gets from one place to another.
    pub(crate) fn on_cut(&mut self, from: Place, to: Place, now: Instant) {
        if let (Place::Node(from), Place::Node(to)) = (from, to) {
            self.keys.on_cut(from, to, now);
        }
    }

    /// All cuts have ended.
    pub(crate) fn on_healed(&mut self) {
        self.keys.on_healed();
    }

    /// A node has handled an input, and all that it wanted done is done.
    pub(crate) fn on_stepped(&mut self, node: usize) {
        self.requests.on_stepped(node, &mut self.marks);
    }

    /// Takes in what happened.
    pub(crate) fn observe(&mut self, now: Instant, seen: &Observation<'_>) {
        match *seen {
            Observation::CallStarted(started) => self.on_call_started(now, started),
            Observation::CallEnded(ended) => self.on_call_ended(now, ended),
            Observation::CallerGone(CallerGone { client }) => {
                let writing = std::mem::take(slot(&mut self.writing, client));
                self.marks.add(Mark::WriterDies, writing > 0);
                self.keys.on_gone(Caller::Client(client));
            }
            Observation::CallerThawed(CallerThawed { client, since }) => {
                self.thawed = Some((client, now, since));
            }
            Observation::Sent(sent) => self.on_sent(sent),
            Observation::Delivered(delivered) => self.on_delivered(delivered),
            Observation::Handed(Handed { caller, node, message }) => {
                if let (Caller::Hand(hand), Message::Put(put)) = (caller, message) {
                    self.handed.insert(hand, node);
                    self.on_put(node, Asker::Hand(hand), put.head.call, put.request);
                }
            }
            Observation::Applied(applied) => self.on_applied(applied),
            Observation::Crashed(Crashed { node, .. }) => self.on_crashed(node),
            Observation::Resumed(Resumed { since, .. }) => {
                let long = self.timeout > Duration::ZERO && now.since(since) > self.timeout;
                self.marks.add(Mark::PausedPastTimeout, long);
            }
            Observation::Destroyed(Destroyed { node, copy, key, after, .. }) => {
                if copy == HeldAs::Own {
                    self.keys.on_destroyed(node, key, after);
                }
            }
            Observation::Told(told) => self.on_told(told),
            Observation::Stopped(Stopped { is_clean, .. }) => {
                self.marks.add(Mark::CleanStop, is_clean);
            }
            Observation::Started(started) => self.losses.on_started(started),
            Observation::Cancelled(_)
            | Observation::Closed(_)
            | Observation::Synced(_)
            | Observation::Removed(_)
            | Observation::Replaced(_)
            | Observation::Stepped(_) => {}
        }
    }

    /// Takes in what happened beside.
    pub(crate) fn detail(&mut self, seen: &Detail<'_>) {
        match *seen {
            Detail::Answered { node, outcome, .. } => {
                self.requests.on_store(node);
                match outcome {
                    StoreOutcome::Read { record } => {
                        let hash = record.as_ref().map_or(0, writes_in);
                        self.node(node).read = hash;
                    }
                    StoreOutcome::Failed(StoreError::Damaged) => {
                        self.marks.add(Mark::RottenRecordMet, true);
                    }
                    StoreOutcome::Refused(quorate_core::causality::ApplyRefusal::Siblings {
                        ..
                    }) => self.marks.add(Mark::TooManySiblings, true),
                    StoreOutcome::Refused(_)
                    | StoreOutcome::Failed(
                        StoreError::Io | StoreError::Closed | StoreError::Full,
                    )
                    | StoreOutcome::Applied { .. }
                    | StoreOutcome::HintsFound { .. }
                    | StoreOutcome::HintRemoved { .. }
                    | StoreOutcome::HintsCounted(_)
                    | StoreOutcome::StatesScanned { .. }
                    | StoreOutcome::RecordsScanned { .. }
                    | StoreOutcome::Confirmed(_)
                    | StoreOutcome::Removed { .. }
                    | StoreOutcome::Durable => {}
                }
            }
            Detail::SyncFailed { waiting, .. } => {
                self.marks.add(Mark::SyncFailsWithWrites, waiting > 0);
            }
            Detail::Learned { .. }
            | Detail::Stopped { .. }
            | Detail::Paused { .. }
            | Detail::Frozen { .. } => {}
        }
    }

    fn on_call_started(&mut self, began: Instant, started: CallStarted<'_>) {
        let CallStarted { caller, call, key, asked, timeout, .. } = started;
        self.timeout = timeout;
        let writes = match asked {
            Asked::Get | Asked::Session { .. } => false,
            Asked::Put { .. } | Asked::Delete { .. } => true,
        };
        let key_written = writes.then(|| key.clone());
        self.calls.insert((caller, call), Open { began, writes, key: key_written });
        if let (Caller::Client(client), true) = (caller, writes) {
            *slot(&mut self.writing, client) += 1;
        }
        if let Asked::Delete { context } = asked
            && context.is_empty()
        {
            self.keys.on_blind_delete(caller, call, key);
        }
    }

    fn on_call_ended(&mut self, now: Instant, ended: CallEnded<'_>) {
        let CallEnded { caller, call, ending } = ended;
        let open = self.calls.remove(&(caller, call)).unwrap_or_default();
        if let (Caller::Client(client), true) = (caller, open.writes) {
            let writing = slot(&mut self.writing, client);
            *writing = writing.saturating_sub(1);
        }
        if let (Some((client, thawed, since)), Caller::Client(who)) = (self.thawed, caller) {
            let held_up = client == who && thawed == now && open.began <= since;
            self.marks.add(Mark::EndedAtThaw, held_up);
        }
        let well = match ending {
            Ending::Client(Ok(done)) => {
                let Completion { answer, receipt, .. } = done;
                self.on_answer(&open, answer, receipt.as_ref());
                true
            }
            Ending::Client(Err(error)) => {
                self.on_error(error);
                false
            }
            Ending::Hand(Reply { result: Ok(answer), receipt, .. }) => {
                self.on_answer(&open, answer, receipt.as_ref());
                true
            }
            Ending::Hand(Reply { result: Err(failure), .. }) => {
                self.on_failure(failure);
                false
            }
        };
        if let (Caller::Hand(hand), Ending::Hand(reply)) = (caller, ending)
            && let Some(node) = self.handed.remove(&hand)
        {
            self.on_reply(node, Asker::Hand(hand), reply);
        }
        self.keys.on_end(caller, call, well, &mut self.marks);
    }

    fn on_answer(&mut self, open: &Open, answer: &Answer, receipt: Option<&Receipt>) {
        match answer {
            Answer::Entry(entry) => {
                let tombstones = entry.tombstones as usize;
                self.marks.add(Mark::ThreeSiblings, entry.values.len() + tombstones >= 3);
                let beside = tombstones > 0 && !entry.values.is_empty();
                self.marks.add(Mark::DeleteBesideValue, beside);
                let fleeting = entry.values.iter().any(|value| value.expires.is_some());
                self.marks.add(Mark::FleetingValueRead, fleeting);
            }
            Answer::Written(written) => {
                self.marks.add(Mark::PutLeavesSiblings, written.siblings > 1);
                if let (Some(key), Some(receipt)) = (&open.key, receipt) {
                    let nodes: Vec<usize> =
                        receipt.primaries.iter().copied().filter_map(index).collect();
                    self.keys.on_acknowledged(key, open.began, &nodes, &mut self.marks);
                }
            }
        }
    }

    fn on_error(&mut self, error: &CallError) {
        let unknown = error.outcome == Outcome::Unknown;
        let code = error.code;
        let marks = &mut self.marks;
        marks.add(Mark::UnknownAtDeadline, unknown && code == ErrorCode::Timeout);
        marks.add(Mark::UnknownByLostQuorum, unknown && code == ErrorCode::QuorumUnavailable);
        marks.add(Mark::UnknownByStorage, unknown && code == ErrorCode::Storage);
        marks.add(Mark::TakenBack, code == ErrorCode::Aborted);
        marks.add(Mark::ClientFull, code == ErrorCode::Overloaded && error.node.is_none());
    }

    fn on_failure(&mut self, failure: &Failure) {
        let unknown = failure.outcome == Outcome::Unknown;
        let code = failure.code;
        let marks = &mut self.marks;
        marks.add(Mark::UnknownAtDeadline, unknown && code == FailureCode::Timeout);
        marks.add(Mark::UnknownByLostQuorum, unknown && code == FailureCode::QuorumUnavailable);
        marks.add(Mark::UnknownByStorage, unknown && code == FailureCode::Storage);
    }

    fn on_sent(&mut self, Sent { from, to, message }: Sent<'_>) {
        let End::Node(from) = from else { return };
        if let Some((head, _)) = request_of(message) {
            self.on_handed_on(from, to, head.call);
        } else if let Message::Reply(reply) = message {
            self.on_reply(from, Asker::End(to), reply);
        } else if let Message::ReplicaMerge(merge) = message {
            self.on_numbered(from, merge.call);
        } else if let Message::ReplicaRead(read) = message {
            self.on_numbered(from, read.call);
            if !self.reads.contains(&(from, read.call)) {
                let own = self.node(from).read;
                self.reads.insert((from, read.call), Different::one(own));
            }
        }
    }

    fn on_delivered(&mut self, Delivered { from, to, message, again }: Delivered<'_>) {
        let End::Node(to) = to else {
            if let Message::Reply(reply) = message {
                self.marks.add(Mark::LayoutCorrected, reply.layout.is_some());
            }
            return;
        };
        if let Message::Put(put) = message {
            self.on_put(to, Asker::End(from), put.head.call, put.request);
        } else if let Message::ReplicaRecord(answer) = message {
            self.on_replica_answer(to, answer.call);
            if let (ReplicaState::Record(record), Some(read)) =
                (&answer.state, self.reads.get_mut(&(to, answer.call)))
            {
                let third = read.add(writes_in(record));
                self.marks.add(Mark::ReadMeetsThreeRecords, third);
            }
        } else if let Message::ReplicaMerged(merged) = message {
            self.on_replica_answer(to, merged.call);
            self.marks.add(Mark::DuplicateAcknowledgement, again && merged.durable);
        }
        super::comparisons::on_delivered(message, &mut self.marks);
    }

    fn on_applied(&mut self, seen: Applied<'_>) {
        let Applied { node, copy, key, op, applied, record } = seen;
        self.requests.on_store(node);
        let Some(applied) = applied else { return };
        if let (RecordOp::Write(write), Some(dot)) = (op, applied.dot) {
            let here = (node, self.node(node).life);
            let request = write.request;
            self.marks.add(Mark::RetryFindsFirstDot, !applied.changed);
            let is_former = dot.actor.incarnation != write.newborn.incarnation;
            self.marks.add(Mark::LifeContinued, applied.changed && is_former);
            if self.requests.on_applied(here, request, dot, &mut self.marks) {
                self.node(node).writes += 1;
            }
        }
        if copy == HeldAs::Own {
            self.keys.on_applied(node, key, op, *applied, record, &mut self.marks);
        }
    }

    fn on_crashed(&mut self, node: usize) {
        self.requests.on_crash(node);
        self.losses.on_crashed(node);
        let state = self.node(node);
        state.life += 1;
        state.earlier.extend(state.calls.take());
        let writes = std::mem::take(&mut state.writes);
        self.marks.add(Mark::CoordinatorDies, writes > 0);
    }

    fn on_told(&mut self, Told { node, event }: Told<'_>) {
        match event {
            Event::Repaired { key, node: stale } => {
                if let Some(stale) = index(*stale) {
                    self.marks.add(Mark::OwnRecordStale, stale == node);
                    self.keys.on_repaired(stale, key, &mut self.marks);
                }
            }
            Event::PassedOn { .. } => {
                self.requests.on_passed_on(node);
                self.marks.add(Mark::PassedOn, true);
            }
            Event::Overloaded { limit } => {
                self.marks.add(Mark::CallsFull, *limit == "calls_max");
                self.marks.add(Mark::CallsPerPeerFull, *limit == "calls_per_peer_max");
                self.marks.add(Mark::StoreOpsFull, *limit == "store_ops_max");
            }
            Event::RecordTaken { key, .. } => self.keys.on_taken(node, key, &mut self.marks),
            Event::RecordGiven { key, to } => {
                index(*to).into_iter().for_each(|to| self.keys.on_taken(to, key, &mut self.marks));
            }
            Event::Collected { key } => self.keys.on_collected(key, &mut self.marks),
            Event::StaleRefused(_) => self.marks.add(Mark::StaleRefused, true),
            Event::DataLost { is_old } => self.losses.on_lost(node, *is_old, &mut self.marks),
            Event::Refilled => self.losses.on_refilled(node, &mut self.marks),
            Event::RecordRotten { .. } => self.losses.on_rotten(node, &mut self.marks),
            Event::NodeUp(_)
            | Event::NodeDown(_)
            | Event::ManyActors { .. }
            | Event::Truncated { .. }
            | Event::Damaged { .. }
            | Event::StorageFailed(_)
            | Event::Misbehaved(_)
            | Event::MemberMet(_)
            | Event::MemberSuspected(_)
            | Event::MemberDown { .. }
            | Event::MemberUp(_)
            | Event::MemberStaysDown { .. }
            | Event::MemberForgotten(_)
            | Event::IdentityConflict { .. }
            | Event::GossipRefused(_)
            | Event::PeerAvoided(_)
            | Event::PeerTrusted(_)
            | Event::ChangeRefused(_)
            | Event::LayoutChanged(_)
            | Event::LayoutReplaced(_)
            | Event::LayoutSynced(_)
            | Event::HandedOver { .. }
            | Event::HintDropped { .. }
            | Event::HintsDamaged { .. }
            | Event::TreesKept
            | Event::TreesUnfit(_) => {}
            // For those that core may add.
            _ => {}
        }
    }

    fn on_put(&mut self, node: usize, asker: Asker, call: CallId, request: RequestId) {
        if request != RequestId::default() {
            let here = (node, self.node(node).life);
            self.requests.on_asked(here, asker, call, request);
        }
    }

    fn on_reply(&mut self, node: usize, asker: Asker, reply: &Reply) {
        let here = (node, self.node(node).life);
        if self.requests.on_reply(here, asker, reply.call, reply.result.is_ok()) {
            let writes = &mut self.node(node).writes;
            *writes = writes.saturating_sub(1);
        }
    }

    /// A node hands a request to another one, perhaps not for the first time.
    fn on_handed_on(&mut self, from: usize, to: End, call: CallId) {
        let End::Node(to) = to else { return };
        let before = self.handed_on.or_default((from, call)).replace(to);
        self.marks.add(Mark::PassedOnTwice, before.is_some_and(|before| before != to));
    }

    /// A coordinator asks a replica under a number of its own.
    fn on_numbered(&mut self, node: usize, CallId(call): CallId) {
        if call != 0 {
            let (_, last) = self.node(node).calls.get_or_insert((call, call));
            *last = call.max(*last);
        }
    }

    fn on_replica_answer(&mut self, node: usize, CallId(call): CallId) {
        let of = |(first, last): &(u64, u64)| (*first..=*last).contains(&call);
        let state = self.node(node);
        let of_another_life = !state.calls.as_ref().is_some_and(of) && state.earlier.iter().any(of);
        self.marks.add(Mark::AnswerForEarlierLife, of_another_life);
    }

    fn node(&mut self, node: usize) -> &mut NodeState {
        slot(&mut self.nodes, node)
    }
}

fn slot<T: Clone + Default>(slots: &mut Vec<T>, index: usize) -> &mut T {
    if slots.len() <= index {
        slots.resize(index + 1, T::default());
    }
    &mut slots[index]
}

/// Node ids are given in their order, from 1.
fn index(id: NodeId) -> Option<usize> {
    usize::try_from(id.0).ok()?.checked_sub(1)
}
