//! The write stage of a call: apply at home, send the record, answer with W acknowledgements.
//!
//! A primary that cannot be reached, or takes too long, is replaced by the next fallback, which
//! keeps the record as a hint; that goes on after the answer.

use super::{
    Answer, Asker, BTreeMap, Call, CallId, Change, Context, Coordinator, Duration, Failure,
    FailureCode, Plan, RequestId, Stage, Turn, context, saturate, short, to_write,
};
use crate::causality::{
    Actor, Applied, ApplyRefusal, Birth, Checksum, Payload, Record, RecordOp, Write,
};
use crate::hints::HintsFull;
use crate::machine::{Event, HeldAs, Peer, StoreError, StoreOp};
use crate::message::{MergeReason, Message, Outcome, ReplicaMerge, Written};
use crate::quorum::Replicas;
use crate::request::{self, PutEnd, Short};
use crate::tickets::Purpose;

impl Coordinator {
    pub(super) fn start_write(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        plan: Plan,
        (token, request, change): (bytes::Bytes, RequestId, Change),
    ) {
        let context = match context(turn, &plan.key, &token) {
            Ok(context) => context,
            Err(failure) => return turn.answer(asker, None, None, Err(failure)),
        };
        let put = match start_put(turn, &plan) {
            Ok(put) => put,
            Err(error) => return turn.answer(asker, None, None, Err(short(error))),
        };
        let Some(id) = self.admit(turn, asker) else { return };
        let (payload, checksum, ttl) = match change {
            Change::Value { payload, checksum, ttl } => (Payload::Value(payload), checksum, ttl),
            Change::Delete => (Payload::Tombstone, Checksum::of(&Payload::Tombstone), None),
        };
        // Only here does a time to live become a moment: replicas are sent the moment.
        let expires = ttl.map(|ttl| turn.now.unix + ttl);
        let write = self.write(turn, context.clone(), request, payload, checksum);
        let write = Write { expires, ..write };
        let record = Record::new();
        let stage = Stage::Write { put, context, request, dot: None, siblings: 0, record };
        let timer = plan.deadline;
        let call = plan.begin(turn, asker, timer, stage);
        self.apply(turn, id, call, (request, write));
    }

    /// Goes on from a read to the tombstone that covers what it returned.
    pub(super) fn delete_found(
        &mut self,
        turn: &mut Turn<'_>,
        id: CallId,
        request: RequestId,
        context: Context,
    ) {
        let payload = Payload::Tombstone;
        let checksum = Checksum::of(&payload);
        // Without a name: a second try covers more than the first one, whose tombstone must not be
        // taken for it. Tombstones are equal, so those of two tries are shown as one anyway.
        let unnamed = sane_or!(RequestId::default(), DeleteIsNamed => request);
        let write = self.write(turn, context.clone(), unnamed, payload, checksum);
        // The write goes under a number of its own: late words on the read are none on the write.
        let Some(mut call) = self.remove(id) else { return };
        let id = sane_or!(self.next_call(), DeleteKeepsCall => id);
        if turn.tickets.is_full() {
            let most = turn.config.limits.store_ops_max;
            for asker in call.askers {
                turn.overloaded(asker, "store_ops_max", most, self.pace.retry_after());
            }
            return;
        }
        let zone = call.zone.clone();
        let Some(roster) = to_write(turn, Some(call.roster.slot), zone.as_ref()) else { return };
        (call.roster, call.layouts) = (roster, turn.layouts.begun());
        call.timer = call.deadline;
        let plan = Plan {
            key: call.key.clone(),
            roster: call.roster.clone(),
            quorum: call.quorum,
            sloppy: call.sloppy,
            zone,
            deadline: call.deadline,
        };
        match start_put(turn, &plan) {
            Ok(put) => {
                let record = Record::new();
                call.stage = Stage::Write { put, context, request, dot: None, siblings: 0, record };
                self.apply(turn, id, call, (request, write));
            }
            Err(error) => {
                for asker in call.askers {
                    turn.answer(asker, None, None, Err(short(error)));
                }
            }
        }
    }

    /// Applies a write at home. A fallback keeps it as a hint, if there is room for one.
    fn apply(
        &mut self,
        turn: &mut Turn<'_>,
        id: CallId,
        call: Call,
        (request, write): (RequestId, Write),
    ) {
        let hint_for = call.hint_for(call.roster.own());
        let copy = hint_for.map_or(HeldAs::Own, |target| HeldAs::Hint { target });
        sane_or!(let copy, FallbackKeepsAsOwn => HeldAs::Own);
        let bytes = call.key.as_bytes().len() as u64 + write.weight_max();
        let room = hint_for.map(|target| turn.hint_room(target, bytes)).transpose();
        let hint_for = match room {
            Ok(room) => room,
            Err(HintsFull { limit, most }) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                for asker in call.askers {
                    turn.overloaded(asker, limit, most, self.pace.retry_after());
                }
                return;
            }
        };
        let op = RecordOp::Write(write);
        let apply = StoreOp::Apply { key: call.key.clone(), copy, op };
        let purpose = Purpose::Call { call: id, hint_for };
        turn.tickets.store(purpose, call.roster.slot, apply, turn.out);
        self.insert(id, call);
        self.note_write(request, id);
    }

    /// The node's storage has applied a write: the other replicas are sent the record.
    pub(super) fn on_applied(
        &mut self,
        turn: &mut Turn<'_>,
        id: CallId,
        applied: Applied,
        written: Option<Record>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Stage::Write { put, dot, siblings, record, .. } = &mut call.stage else { return };
        let written = written.unwrap_or_default();
        *dot = applied.dot;
        *siblings = saturate(written.sibling_count());
        let actors = written.actors();
        if applied.truncated > 0 {
            let key = call.key.clone();
            turn.out.observe(Event::Truncated { key, actors: applied.truncated });
        }
        if actors > turn.config.limits.actors_alarm {
            turn.out.observe(Event::ManyActors { key: call.key.clone(), actors });
        }
        sane_or!(
            let written,
            WriteSendsLiveOnly => crate::causality::wrong::live_only(&written)
        );
        *record = written;
        let others = put.on_applied();
        sane_or!(AppliedCounts => put.on_ack(put.own()));
        let fresh = turn.epochs.is_fresh(call.epoch);
        for index in others.iter() {
            if fresh && turn.is_reachable(call.roster.node(index)) {
                send(turn, call, id, index);
            } else if let Stage::Write { put, .. } = &mut call.stage {
                put.on_fail(index);
            }
        }
        self.settle_write(turn, id);
        self.wait_for_the_silent(turn, id);
    }

    /// A replica holds the write durably, or cannot.
    pub(super) fn on_acknowledgement(
        &mut self,
        turn: &mut Turn<'_>,
        id: CallId,
        index: usize,
        durable: bool,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Stage::Write { put, .. } = &mut call.stage else { return };
        if durable {
            put.on_ack(index);
        } else {
            put.on_fail(index);
        }
        self.settle_write(turn, id);
    }

    /// Somebody takes too long: others stand in.
    pub(super) fn on_write_patience_over(&mut self, turn: &mut Turn<'_>, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Stage::Write { put, .. } = &mut call.stage else { return };
        let late = |index: &usize| call.roster.patience_ends(turn, *index) <= turn.now.instant;
        put.on_patience_over(put.awaited().iter().filter(late).collect());
        self.settle_write(turn, id);
        self.wait_for_the_silent(turn, id);
    }

    /// Calls in fallbacks as long as there is somebody to stand in for; then sees whether it is
    /// decided.
    fn settle_write(&mut self, turn: &mut Turn<'_>, id: CallId) {
        let mut asked = false;
        loop {
            let Some(call) = self.calls.get_mut(&id) else { return };
            let Stage::Write { put, .. } = &mut call.stage else { return };
            let Some(primary) = put.wants_stand_in() else { break };
            if !turn.epochs.is_fresh(call.epoch) {
                put.give_up(primary);
                continue;
            }
            // A primary that was spared is asked itself before a fallback that is no better.
            let (spared, near) = (put.spared().contains(primary), put.wants_near(primary));
            let fallback = if spared {
                call.roster.call_in_trusted(turn, near)
            } else {
                call.roster.call_in(turn, near)
            };
            match fallback.and_then(|_| put.stand_in(primary)) {
                Some(index) => {
                    if !call.roster.is_near(turn, call.roster.node(index)) {
                        put.note_outsider(index);
                    }
                    turn.counters.stand_ins += 1;
                    send(turn, call, id, index);
                    asked = true;
                }
                None if spared => {
                    put.call_up(primary);
                    if turn.is_reachable(call.roster.node(primary)) {
                        send(turn, call, id, primary);
                        asked = true;
                    } else {
                        put.on_fail(primary);
                    }
                }
                None => put.give_up(primary),
            }
        }
        if asked {
            self.wait_for_the_silent(turn, id);
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Stage::Write { put, .. } = &mut call.stage else { return };
        let end = put.end();
        // Now the other zones have their turn.
        let goes_on = end.is_some() && put.is_local();
        self.after_write(turn, id, end);
        if goes_on {
            return self.settle_write(turn, id);
        }
        let Some(call) = self.calls.get(&id) else { return };
        let Stage::Write { put, .. } = &call.stage else { return };
        if call.askers.is_empty() && put.is_covered() {
            self.finish_write(id);
        }
    }

    /// Sets when those who were sent the record are found to take too long.
    fn wait_for_the_silent(&mut self, turn: &Turn<'_>, id: CallId) {
        let Some(call) = self.calls.get(&id) else { return };
        let Stage::Write { put, .. } = &call.stage else { return };
        let others = put.awaited().minus([call.roster.own()].into_iter().collect());
        let ends = others.iter().map(|index| call.roster.patience_ends(turn, index)).min();
        let wait = ends.map_or(Duration::MAX, |at| at.since(turn.now.instant));
        self.set_timer(turn.now.instant, id, wait);
    }

    /// The record refuses the write.
    pub(super) fn on_refused(&mut self, turn: &mut Turn<'_>, id: CallId, refusal: ApplyRefusal) {
        let failure = match refusal {
            ApplyRefusal::Siblings { count, max } => {
                Failure::refused(FailureCode::TooManySiblings).limit(max as u64, count as u64)
            }
            ApplyRefusal::Bytes { bytes, max } => {
                Failure::refused(FailureCode::RecordTooLarge).limit(max as u64, bytes as u64)
            }
            ApplyRefusal::Checksum => {
                turn.counters.damaged += 1;
                Failure::refused(FailureCode::Damaged)
            }
            ApplyRefusal::ActorTaken { .. } => Failure::refused(FailureCode::BadContext),
        };
        self.refuse_write(turn, id, failure);
    }

    /// The node's own storage failed in the course of a call.
    pub(super) fn on_own_failure(&mut self, turn: &mut Turn<'_>, id: CallId, error: StoreError) {
        let Some(call) = self.calls.get(&id) else { return };
        let own = call.roster.own();
        match &call.stage {
            Stage::Read { .. } => {
                let record = sane_or!(None, OwnFailureReadsEmpty => Some(Default::default()));
                self.ask_others(turn, id);
                self.on_record(turn, id, own, record);
            }
            Stage::Write { dot: Some(_), .. } => self.on_acknowledgement(turn, id, own, false),
            Stage::Write { dot: None, .. } => {
                let failure = Failure::refused(FailureCode::Storage);
                // A device that failed in the middle may still have kept the write.
                let failure = match error {
                    StoreError::Damaged => failure,
                    StoreError::Full => Failure::refused(FailureCode::StorageFull),
                    StoreError::Io | StoreError::Closed => {
                        sane_or!(failure.unknown(), FailedApplyRefused => failure)
                    }
                };
                self.refuse_write(turn, id, failure);
            }
        }
    }

    /// Answers a write that ended. It goes on until each primary holds it, or somebody in its
    /// place.
    pub(super) fn after_write(&mut self, turn: &mut Turn<'_>, id: CallId, end: Option<PutEnd>) {
        let Some(end) = end else { return };
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Stage::Write { put, context, request, dot, siblings, .. } = &mut call.stage else {
            return;
        };
        let request = *request;
        forget_write(&mut self.writes, request, id);
        let (acked, result) = match end {
            PutEnd::Done { acked } => {
                let mut shown = core::mem::take(context);
                let dot = dot.expect("acknowledged, so applied");
                sane_or!(shown.insert(dot), AnswerLacksDot => false);
                let context = shown.to_token(&call.key);
                let written = Written { context, siblings: *siblings };
                (acked, Ok(Answer::Written(written)))
            }
            PutEnd::Unknown { acked, late } => {
                let code = if late { FailureCode::Timeout } else { FailureCode::QuorumUnavailable };
                let (needed, counted) = put.count();
                let failure = Failure::refused(code).quorum(saturate(needed), saturate(counted));
                (acked, Err(sane_or!(failure.unknown(), UnknownCalledRefused => failure)))
            }
        };
        self.pace.on_end(turn.now.instant.since(call.begun));
        let needed = call.roster.needed(call.quorum.w().into());
        let receipt = call.receipt(turn, needed, acked, Replicas::new());
        for asker in core::mem::take(&mut call.askers) {
            let receipt = asker.receipt.then(|| receipt.clone());
            turn.answer(asker, receipt, None, result.clone());
        }
        if let Ok(Answer::Written(written)) = result {
            self.answers.keep(request, call.key.clone(), written, receipt);
        }
        self.late += 1;
        if self.late > turn.config.limits.calls_max / 4 {
            // Too many wait for late replicas: this one leaves them to anti-entropy.
            self.finish_write(id);
        }
    }

    /// Forgets an answered write.
    pub(super) fn finish_write(&mut self, id: CallId) {
        let answered = self.calls.get(&id).is_some_and(|call| call.askers.is_empty());
        if answered && self.remove(id).is_some() {
            self.late -= 1;
        }
    }

    fn refuse_write(&mut self, turn: &mut Turn<'_>, id: CallId, failure: Failure) {
        let Some(mut call) = self.remove(id) else { return };
        let Stage::Write { put, request, .. } = &mut call.stage else { return };
        forget_write(&mut self.writes, *request, id);
        assert!(
            put.on_refused() || failure.outcome == Outcome::Unknown,
            "a write that was sent to replicas is never called refused",
        );
        for asker in call.askers {
            turn.answer(asker, None, None, Err(failure));
        }
    }

    fn note_write(&mut self, request: RequestId, id: CallId) {
        if request != RequestId::default() {
            self.writes.insert(request, id);
        }
    }

    fn write(
        &mut self,
        turn: &Turn<'_>,
        context: Context,
        request: RequestId,
        payload: Payload,
        checksum: Checksum,
    ) -> Write {
        self.births += 1;
        let limits = &turn.config.limits;
        Write {
            context,
            payload,
            checksum,
            written: turn.now.unix,
            expires: None,
            request,
            newborn: Actor {
                node: turn.config.id,
                incarnation: turn.config.incarnation,
                birth: Birth(sane_or!(self.births, NoBirths => 1)),
            },
            continued: turn.refill.continued(),
            siblings_max: limits.siblings_max,
            record_bytes_max: limits.record_bytes_max,
            actors_kept: limits.actors_kept,
            actor_age_min: limits.actor_age_min,
        }
    }
}

/// The call no longer runs the write; a later try of it may, under another call.
fn forget_write(writes: &mut BTreeMap<RequestId, CallId>, request: RequestId, id: CallId) {
    if writes.get(&request) == Some(&id) {
        writes.remove(&request);
    }
}

/// Starts a write over a roster.
fn start_put(turn: &mut Turn<'_>, plan: &Plan) -> Result<request::Put, Short> {
    let w = usize::from(plan.quorum.w());
    let reach = plan.roster.reach(turn, w, plan.sloppy);
    let (primaries, own) = (plan.roster.primaries(), plan.roster.own_primary());
    match plan.roster.quotas(w) {
        quotas if quotas.is_empty() => request::Put::start(primaries, w, own, reach),
        quotas => request::Put::start_in_all(primaries, quotas, own, reach),
    }
}

/// Sends the record to the node of `index`: to a fallback as a hint.
fn send(turn: &mut Turn<'_>, call: &mut Call, id: CallId, index: usize) {
    let hint_for = call.hint_for(index);
    sane_or!(let hint_for, HintForWrongTarget => hint_for.map(|_| turn.config.id));
    let Stage::Write { record, .. } = &call.stage else { return };
    let merge = ReplicaMerge {
        call: id,
        key: call.key.clone(),
        record: record.clone(),
        hint_for,
        reason: MergeReason::Write,
        epoch: call.epoch,
        layout_version: call.layouts.head.version,
    };
    call.roster.on_asked(turn, index);
    turn.out.send(Peer::Node(call.roster.node(index)), Message::ReplicaMerge(merge));
}
