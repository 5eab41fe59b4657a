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
mod budget;
mod call;
mod reading;
mod roster;
mod writing;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

use answers::Answers;
use budget::{HedgeBudget, Pace, RateBudget};
pub(crate) use call::entry;
use call::{Call, OwnCopy, Stage};
use roster::Roster;

use crate::causality::Context;
use crate::config::NodeConfig;
use crate::ids::{Key, NodeId, RequestId, Text};
use crate::incoming::Asker;
use crate::layouts::{Begun, InUse};
use crate::machine::StoreOutcome;
use crate::message::{
    Answer, CallId, Change, Failure, FailureCode, Get, Put, ReplicaMerged, ReplicaRecord,
    ReplicaState, saturate,
};
use crate::prng::Prng;
use crate::quorum::Quorum;
use crate::request::Short;
use crate::ring::Slot;
use crate::time::{Duration, Instant};
use crate::turn::Turn;

/// How long an answered read goes on listening for late replicas.
const LATE_ANSWERS: Duration = Duration::from_millis(500);

/// The requests that this node runs.
#[derive(Clone, Debug)]
pub(crate) struct Coordinator {
    /// All calls, in boxes: a map moves its values to and fro. Invariant: as many as `timers`.
    calls: BTreeMap<CallId, Box<Call>>,
    /// When something is to be done about each call.
    timers: BTreeSet<(Instant, CallId)>,
    /// Writes under way. Invariant: each names a call in its write stage with askers.
    writes: BTreeMap<RequestId, CallId>,
    /// Answers to finished writes.
    answers: Answers,
    /// Calls that are answered and wait for late replicas.
    late: usize,
    /// The last call number that was given.
    last_call: CallId,
    /// The last birth of an actor in this incarnation.
    births: u64,
    /// Extra questions of reads.
    hedges: HedgeBudget,
    /// Repairs after reads.
    repairs: RateBudget,
    /// How long calls take.
    pace: Pace,
}

/// What a call is made of.
struct Plan {
    key: Key,
    roster: Roster,
    quorum: Quorum,
    /// Whether fallbacks count.
    sloppy: bool,
    /// The zone of a local request.
    zone: Option<Text>,
    deadline: Instant,
}

impl Plan {
    /// The call of `asker`, which begins now. Something is to be done about it at `timer`.
    fn begin(self, turn: &Turn<'_>, asker: Asker, timer: Instant, stage: Stage) -> Call {
        let Plan { key, roster, quorum, sloppy, zone, deadline } = self;
        Call {
            askers: vec![asker],
            key,
            roster,
            quorum,
            sloppy,
            zone,
            begun: turn.now.instant,
            epoch: turn.epochs.current(),
            layouts: turn.layouts.begun(),
            deadline,
            timer,
            stage,
        }
    }
}

impl Coordinator {
    pub(crate) fn new(config: &NodeConfig, seed: u64) -> Coordinator {
        Coordinator {
            calls: BTreeMap::new(),
            timers: BTreeSet::new(),
            writes: BTreeMap::new(),
            answers: Answers::new(config.limits.answers_kept),
            late: 0,
            last_call: CallId::first(&mut Prng::stream(seed, "calls")),
            births: 0,
            hedges: HedgeBudget::default(),
            repairs: RateBudget::new(config.limits.repairs_per_second),
            pace: Pace::default(),
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

    /// Whether any request that is not answered goes by other layouts than these.
    pub(crate) fn in_use(&self, now: Begun) -> InUse {
        let open = self.calls.values().filter(|call| !call.askers.is_empty());
        open.fold(InUse::default(), |in_use, call| match &call.stage {
            // A delete writes by the layouts that are in force then.
            Stage::Read { .. } => {
                InUse { reads: in_use.reads || call.layouts.read != now.read, ..in_use }
            }
            Stage::Write { .. } => {
                InUse { writes: in_use.writes || call.layouts.head != now.head, ..in_use }
            }
        })
    }

    /// When something is to be done about a call.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Starts a read, to be over by `deadline`.
    pub(crate) fn on_get(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        get: Get,
        quorum: Quorum,
        deadline: Instant,
    ) {
        turn.counters.gets += 1;
        let sloppy = !turn.config.is_strict(get.head.strictness);
        let session = match context(turn, &get.head.key, &get.context) {
            Ok(session) => Some(session).filter(|_| !get.context.is_empty()),
            Err(failure) => return turn.answer(asker, None, None, Err(failure)),
        };
        // A session wants one that holds what its context covers, wherever it is.
        let zone = get.head.zone.filter(|_| session.is_none());
        let Some(roster) = to_read(turn, asker, zone.as_ref()) else { return };
        let plan = Plan { key: get.head.key, roster, quorum, sloppy, zone, deadline };
        self.start_read(turn, asker, plan, session, None);
    }

    /// Starts a write, to be over by `deadline`.
    pub(crate) fn on_put(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        put: Put,
        quorum: Quorum,
        deadline: Instant,
    ) {
        let (key, zone) = (put.head.key, put.head.zone);
        let sloppy = !turn.config.is_strict(put.head.strictness);
        let request = sane_or!(put.request, RetryIgnored => RequestId::default());
        let w = usize::from(quorum.w());
        let answer = match zone.as_ref().and_then(|zone| to_write(turn, asker.slot, Some(zone))) {
            None => self.answers.find(request, &key, (w, sloppy), |_| true),
            Some(roster) => {
                let needed = (roster.needed(w), sloppy);
                self.answers.find(request, &key, needed, |node| roster.is_near(turn, node))
            }
        };
        if let Some((written, receipt)) = answer {
            turn.counters.retries += 1;
            turn.answer(asker, Some(receipt), None, Ok(Answer::Written(written)));
            return;
        }
        let under_way = self.writes.get(&request).and_then(|id| self.calls.get_mut(id));
        let serves = |call: &&mut Box<Call>| {
            call.key == key
                && call.quorum.w() >= quorum.w()
                && (sloppy || !call.sloppy)
                && call.zone == zone
        };
        if let Some(call) = under_way.filter(serves) {
            turn.counters.retries += 1;
            call.askers.push(asker);
            return;
        }
        let plan = |roster, zone| Plan { key, roster, quorum, sloppy, zone, deadline };
        match put.change {
            Change::Delete => {
                turn.counters.deletes += 1;
                if put.context.is_empty() {
                    let Some(roster) = to_read(turn, asker, zone.as_ref()) else { return };
                    self.start_read(turn, asker, plan(roster, zone), None, Some(put.request));
                    return;
                }
            }
            Change::Value { .. } => turn.counters.puts += 1,
        }
        let Some(roster) = to_write(turn, asker.slot, zone.as_ref()) else { return };
        self.start_write(turn, asker, plan(roster, zone), (put.context, put.request, put.change));
    }

    /// The node's own storage answers for a call.
    pub(crate) fn on_stored(&mut self, turn: &mut Turn<'_>, id: CallId, outcome: StoreOutcome) {
        let Some(call) = self.calls.get(&id) else { return };
        let own = call.roster.own();
        match outcome {
            StoreOutcome::Read { record } => {
                self.on_own_record(turn, id, record.unwrap_or_default());
            }
            StoreOutcome::Applied { applied, record, hint: _, state: _ } => {
                self.on_applied(turn, id, applied, record);
            }
            StoreOutcome::Durable => self.on_acknowledgement(turn, id, own, true),
            StoreOutcome::Refused(refusal) => self.on_refused(turn, id, refusal),
            StoreOutcome::Failed(error) => self.on_own_failure(turn, id, error),
            StoreOutcome::HintsFound { .. }
            | StoreOutcome::HintRemoved { .. }
            | StoreOutcome::HintsCounted(_)
            | StoreOutcome::StatesScanned { .. }
            | StoreOutcome::RecordsScanned { .. }
            | StoreOutcome::Confirmed(_)
            | StoreOutcome::Removed { .. } => {}
        }
    }

    /// Another replica says what it holds.
    pub(crate) fn on_replica_record(
        &mut self,
        turn: &mut Turn<'_>,
        from: NodeId,
        answer: ReplicaRecord,
    ) {
        let Some(call) = self.calls.get_mut(&answer.call) else { return };
        let Stage::Read { own, .. } = &call.stage else { return };
        let Some(index) = call.roster.asked(from) else { return };
        call.roster.on_answer(turn, index);
        let record = match answer.state {
            ReplicaState::Record(record) => Some(Arc::new(record)),
            ReplicaState::Same => own.as_ref().map(|own| own.record.clone()),
            ReplicaState::Unreadable => None,
        };
        self.on_record(turn, answer.call, index, record);
    }

    /// Another replica says whether it holds a write durably.
    pub(crate) fn on_replica_merged(
        &mut self,
        turn: &mut Turn<'_>,
        from: NodeId,
        answer: ReplicaMerged,
    ) {
        let Some(call) = self.calls.get_mut(&answer.call) else { return };
        let Stage::Write { .. } = &call.stage else { return };
        let Some(index) = call.roster.asked(from) else { return };
        call.roster.on_answer(turn, index);
        sane_or!(FallbackCountsTwice => for index in call.roster.indexes_of(from).iter().skip(1) {
            self.on_acknowledgement(turn, answer.call, index, answer.durable);
        });
        self.on_acknowledgement(turn, answer.call, index, answer.durable);
    }

    /// A node is gone: it will not answer what it was asked.
    pub(crate) fn on_node_down(&mut self, turn: &mut Turn<'_>, node: NodeId) {
        let concerned =
            self.calls.iter().filter_map(|(id, call)| Some((*id, call.roster.awaited(node)?)));
        for (id, index) in concerned.collect::<Vec<_>>() {
            let record = sane_or!(None, DownReadsEmpty => Some(Default::default()));
            self.on_record(turn, id, index, record);
            let durable = sane_or!(false, DownCountsAsAck => true);
            self.on_acknowledgement(turn, id, index, durable);
        }
    }

    /// Ends the calls whose time is up; asks somebody else where patience is.
    pub(crate) fn on_wake(&mut self, turn: &mut Turn<'_>) {
        while let Some((at, id)) = self.timers.first().copied() {
            if at > turn.now.instant {
                return;
            }
            let Some(call) = self.calls.get_mut(&id) else { break };
            let over = call.deadline <= turn.now.instant;
            match &mut call.stage {
                Stage::Read { get, .. } if over => {
                    let end = get.on_deadline();
                    self.after_read(turn, id, end);
                }
                Stage::Write { put, .. } if over => {
                    let end = put.on_deadline();
                    self.after_write(turn, id, end);
                    self.finish_write(id);
                }
                Stage::Read { .. } => self.on_read_patience_over(turn, id),
                Stage::Write { .. } => self.on_write_patience_over(turn, id),
            }
            let next = self.calls.get(&id).map(|call| call.timer);
            assert!(next.is_none_or(|next| next > turn.now.instant), "a call outlived its timer");
        }
    }

    /// Asserts what must hold between inputs.
    pub(crate) fn check_invariants(&self) {
        assert_eq!(self.calls.len(), self.timers.len(), "each call has one timer");
        for (at, id) in &self.timers {
            let call = self.calls.get(id).expect("a timer is that of a call");
            assert!(call.timer == *at && call.timer <= call.deadline);
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
            turn.overloaded(asker, "calls_max", most, self.pace.retry_after());
            return None;
        }
        if turn.tickets.is_full() {
            let most = turn.config.limits.store_ops_max;
            turn.overloaded(asker, "store_ops_max", most, self.pace.retry_after());
            return None;
        }
        Some(self.next_call())
    }

    fn next_call(&mut self) -> CallId {
        self.last_call = self.last_call.next();
        self.last_call
    }

    fn insert(&mut self, id: CallId, call: Call) {
        self.timers.insert((call.timer, id));
        self.calls.insert(id, Box::new(call));
    }

    fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.timers.remove(&(call.timer, id));
        Some(*call)
    }

    /// Looks at a call again after `wait`, or at its deadline.
    fn set_timer(&mut self, now: Instant, id: CallId, wait: Duration) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        self.timers.remove(&(call.timer, id));
        call.timer = call.deadline.min(now + wait);
        self.timers.insert((call.timer, id));
    }
}

/// Those who can answer a read, where there is a layout.
fn to_read(turn: &Turn<'_>, asker: Asker, zone: Option<&Text>) -> Option<Roster> {
    Roster::for_read(asker.slot?, turn.layouts, turn.config.id, zone)
}

/// Those who are to hold a write, where there is a layout.
fn to_write(turn: &Turn<'_>, slot: Option<Slot>, zone: Option<&Text>) -> Option<Roster> {
    Roster::for_write(slot?, turn.layouts, turn.config.id, zone)
}

/// Too few replicas within reach: nothing happened.
fn short(short: Short) -> Failure {
    Failure::refused(FailureCode::QuorumUnavailable)
        .quorum(saturate(short.needed), saturate(short.reachable))
}

/// What the asker had been shown.
fn context(turn: &Turn<'_>, key: &Key, token: &[u8]) -> Result<Context, Failure> {
    let refused = Failure::refused(FailureCode::BadContext);
    let context = Context::from_token(key, token).map_err(|_| refused)?;
    let max = turn.config.limits.context_actors_max;
    if context.len() > max {
        return Err(refused.limit(max as u64, context.len() as u64));
    }
    Ok(context)
}
