//! The write stage of a call: apply at home, send the record, answer with W acknowledgements.

use super::{
    Answer, Asker, BTreeMap, Call, CallId, Change, Coordinator, Failure, FailureCode, Instant, Key,
    Place, Quorum, RequestId, Stage, Turn, reachable, saturate, short, vec,
};
use crate::causality::{
    Actor, Applied, ApplyRefusal, Birth, Checksum, Context, Payload, Record, RecordOp, Write,
};
use crate::machine::{Event, Peer, StoreError, StoreOp};
use crate::message::{Message, Outcome, ReplicaMerge, Written};
use crate::quorum::Replicas;
use crate::request::{self, PutEnd};
use crate::tickets::Purpose;

impl Coordinator {
    pub(super) fn start_write(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        (key, token, request, change): (Key, bytes::Bytes, RequestId, Change),
        quorum: Quorum,
        place: Place,
        deadline: Instant,
    ) {
        let context = match context(turn, &key, &token) {
            Ok(context) => context,
            Err(failure) => return turn.answer(asker, None, None, Err(failure)),
        };
        let reachable = reachable(turn, &place.replicas);
        let started =
            request::Put::start(place.replicas.len(), quorum.w().into(), place.own, reachable);
        let put = match started {
            Ok(put) => put,
            Err(error) => return turn.answer(asker, None, None, Err(short(error))),
        };
        let Some(id) = self.admit(turn, asker) else { return };
        let (payload, checksum) = match change {
            Change::Value { payload, checksum } => (Payload::Value(payload), checksum),
            Change::Delete => (Payload::Tombstone, Checksum::of(&Payload::Tombstone)),
        };
        let write = self.write(turn, context.clone(), request, payload, checksum);
        let apply = StoreOp::Apply { key: key.clone(), op: RecordOp::Write(write) };
        turn.tickets.store(Purpose::Call(id), place.slot, apply, turn.out);
        let Place { slot, replicas, own } = place;
        let stage = Stage::Write { put, context, request, dot: None, siblings: 0 };
        let askers = vec![asker];
        self.insert(id, Call { askers, key, slot, replicas, own, quorum, deadline, stage });
        self.note_write(request, id);
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
                turn.overloaded(asker, "store_ops_max", most);
            }
            return;
        }
        let within = reachable(turn, &call.replicas);
        let w = call.quorum.w().into();
        match request::Put::start(call.replicas.len(), w, call.own, within) {
            Ok(put) => {
                call.stage = Stage::Write { put, context, request, dot: None, siblings: 0 };
                let apply = StoreOp::Apply { key: call.key.clone(), op: RecordOp::Write(write) };
                turn.tickets.store(Purpose::Call(id), call.slot, apply, turn.out);
                self.insert(id, call);
                self.note_write(request, id);
            }
            Err(error) => {
                for asker in call.askers {
                    turn.answer(asker, None, None, Err(short(error)));
                }
            }
        }
    }

    /// The node's storage has applied a write: the other replicas are sent the record.
    pub(super) fn on_applied(
        &mut self,
        turn: &mut Turn<'_>,
        id: CallId,
        applied: Applied,
        record: Option<Record>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Stage::Write { put, dot, siblings, .. } = &mut call.stage else { return };
        let record = record.unwrap_or_default();
        *dot = applied.dot;
        *siblings = saturate(record.sibling_count());
        let actors = record.actors();
        if applied.truncated > 0 {
            let key = call.key.clone();
            turn.out.observe(Event::Truncated { key, actors: applied.truncated });
        }
        if actors > turn.config.limits.actors_alarm {
            turn.out.observe(Event::ManyActors { key: call.key.clone(), actors });
        }
        sane_or!(
            let record,
            WriteSendsLiveOnly => crate::causality::wrong::live_only(&record)
        );
        let others = put.on_applied();
        let mut end = sane_or!(None, AppliedCounts => put.on_ack(call.own));
        for index in others.iter() {
            let node = call.replicas[index];
            if turn.peers.is_up(node) {
                let key = call.key.clone();
                let merge = ReplicaMerge { call: id, key, record: record.clone() };
                turn.out.send(Peer::Node(node), Message::ReplicaMerge(merge));
            } else {
                end = end.or(put.on_fail(index));
            }
        }
        self.after_write(turn, id, end);
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
        let end = if durable { put.on_ack(index) } else { put.on_fail(index) };
        self.after_write(turn, id, end);
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
        let own = call.own;
        match &call.stage {
            Stage::Read { .. } => {
                let record = sane_or!(None, OwnFailureReadsEmpty => Some(Record::new()));
                self.on_record(turn, id, own, record);
            }
            Stage::Write { dot: Some(_), .. } => self.on_acknowledgement(turn, id, own, false),
            Stage::Write { dot: None, .. } => {
                let failure = Failure::refused(FailureCode::Storage);
                // A device that failed in the middle may still have kept the write.
                let failure = match error {
                    StoreError::Damaged => failure,
                    StoreError::Io | StoreError::Closed => {
                        sane_or!(failure.unknown(), FailedApplyRefused => failure)
                    }
                };
                self.refuse_write(turn, id, failure);
            }
        }
    }

    /// Answers a write that ended, and forgets it.
    pub(super) fn after_write(&mut self, turn: &mut Turn<'_>, id: CallId, end: Option<PutEnd>) {
        let Some(end) = end else { return };
        let Some(call) = self.remove(id) else { return };
        let Stage::Write { context, request, dot, siblings, .. } = &call.stage else { return };
        forget_write(&mut self.writes, *request, id);
        let (acked, result) = match end {
            PutEnd::Done { acked } => {
                let mut shown = context.clone();
                let dot = dot.expect("acknowledged, so applied");
                sane_or!(shown.insert(dot), AnswerLacksDot => false);
                let context = shown.to_token(&call.key);
                let written = Written { context, siblings: *siblings };
                (acked, Ok(Answer::Written(written)))
            }
            PutEnd::Unknown { acked, late } => {
                let code = if late { FailureCode::Timeout } else { FailureCode::QuorumUnavailable };
                let failure =
                    Failure::refused(code).quorum(call.quorum.w().into(), saturate(acked.len()));
                (acked, Err(sane_or!(failure.unknown(), UnknownCalledRefused => failure)))
            }
            PutEnd::Refused => (Replicas::new(), Err(Failure::refused(FailureCode::Storage))),
        };
        let receipt = call.receipt(turn, call.quorum.w(), acked, Replicas::new());
        if let Ok(Answer::Written(written)) = &result {
            self.answers.keep(*request, call.key.clone(), written.clone(), receipt.clone());
        }
        for asker in call.askers {
            turn.answer(asker, Some(receipt.clone()), None, result.clone());
        }
    }

    fn refuse_write(&mut self, turn: &mut Turn<'_>, id: CallId, failure: Failure) {
        let Some(mut call) = self.remove(id) else { return };
        let Stage::Write { put, request, .. } = &mut call.stage else { return };
        forget_write(&mut self.writes, *request, id);
        let end = put.on_refused();
        assert!(
            end == Some(PutEnd::Refused) || failure.outcome == Outcome::Unknown,
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

/// What the writer had been shown.
fn context(turn: &Turn<'_>, key: &Key, token: &[u8]) -> Result<Context, Failure> {
    let refused = Failure::refused(FailureCode::BadContext);
    let context = Context::from_token(key, token).map_err(|_| refused)?;
    let max = turn.config.limits.context_actors_max;
    if context.len() > max {
        return Err(refused.limit(max as u64, context.len() as u64));
    }
    Ok(context)
}
