//! The read stage of a call: ask all primaries, answer with R, repair the stale.

use super::{
    Answer, Asker, Call, CallId, Coordinator, Failure, FailureCode, Instant, Key, LATE_ANSWERS,
    Place, Quorum, RequestId, Stage, Turn, entry, is_intact, reachable, saturate, short, vec,
};
use crate::causality::{Record, RecordOp};
use crate::machine::{Event, Peer, StoreOp};
use crate::message::{Message, ReplicaMerge, ReplicaRead, Written};
use crate::quorum::Replicas;
use crate::request::{self, GetEnd};
use crate::tickets::Purpose;

/// The call number of a repair: nobody waits for its acknowledgement.
const REPAIR: CallId = CallId(0);

impl Coordinator {
    #[allow(clippy::too_many_arguments, reason = "the parts of a call that is being made")]
    pub(super) fn start_read(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        key: Key,
        quorum: Quorum,
        place: Place,
        deadline: Instant,
        then: Option<RequestId>,
    ) {
        let reachable = reachable(turn, &place.replicas);
        let get = match request::Get::start(place.replicas.len(), quorum.r().into(), reachable) {
            Ok(get) => get,
            Err(error) => return turn.answer(asker, None, None, Err(short(error))),
        };
        let Some(id) = self.admit(turn, asker) else { return };
        let read = StoreOp::Read { key: key.clone() };
        turn.tickets.store(Purpose::Call(id), place.slot, read, turn.out);
        for index in reachable.iter().filter(|index| *index != place.own) {
            let read = ReplicaRead { call: id, key: key.clone() };
            turn.out.send(Peer::Node(place.replicas[index]), Message::ReplicaRead(read));
        }
        let Place { slot, replicas, own } = place;
        let stage = Stage::Read { get, then };
        let askers = vec![asker];
        self.insert(id, Call { askers, key, slot, replicas, own, quorum, deadline, stage });
    }

    /// A replica says what it holds; `None`: it cannot say.
    pub(super) fn on_record(
        &mut self,
        turn: &mut Turn<'_>,
        id: CallId,
        index: usize,
        record: Option<Record>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Stage::Read { get, .. } = &mut call.stage else { return };
        if !get.waits_for(index) {
            return;
        }
        let end = match record {
            Some(record) if is_intact(&record) => get.on_answer(index, record),
            Some(_) => {
                turn.counters.damaged += 1;
                let node = (index != call.own).then(|| call.replicas[index]);
                turn.out.observe(Event::Damaged { key: call.key.clone(), node });
                get.on_fail(index)
            }
            None => get.on_fail(index),
        };
        self.after_read(turn, id, end);
    }

    /// Answers a read that ended; finishes one from which nothing more is to be expected.
    pub(super) fn after_read(&mut self, turn: &mut Turn<'_>, id: CallId, end: Option<GetEnd>) {
        if let Some(end) = end {
            match end {
                GetEnd::Found { record, answered, stale } => {
                    self.on_found(turn, id, &record, answered, stale);
                }
                GetEnd::Unavailable { left } => {
                    sane_or!(
                        self.on_read_failed(turn, id, FailureCode::QuorumUnavailable, left),
                        ImpossibleReadForgotten => drop(self.remove(id))
                    );
                }
                GetEnd::Late { answered } => {
                    self.on_read_failed(turn, id, FailureCode::Timeout, answered);
                }
            }
        }
        let Some(call) = self.calls.get(&id) else { return };
        let Stage::Read { get, .. } = &call.stage else { return };
        if call.askers.is_empty() && get.is_complete() {
            self.finish_read(turn, id);
        }
    }

    fn on_found(
        &mut self,
        turn: &mut Turn<'_>,
        id: CallId,
        record: &Record,
        answered: Replicas,
        stale: Replicas,
    ) {
        let Some(call) = self.calls.get(&id) else { return };
        let receipt = call.receipt(turn, call.quorum.r(), answered, stale);
        let entry = entry(&call.key, record);
        let Stage::Read { then, .. } = call.stage else { return };
        match then {
            None => self.answer_read(turn, id, receipt, Ok(Answer::Entry(entry))),
            Some(_) if sane_or!(record.is_empty(), DeleteTrustsMemory => entry.values.is_empty()) =>
            {
                // There never was anything. Where only tombstones stand it is another matter: what
                // replicas answer with may not be synced, and what is told here must be.
                let written = Written { context: entry.context, siblings: entry.tombstones.min(1) };
                self.answer_read(turn, id, receipt, Ok(Answer::Written(written)));
            }
            Some(request) => self.delete_found(turn, id, request, record.context()),
        }
    }

    fn on_read_failed(
        &mut self,
        turn: &mut Turn<'_>,
        id: CallId,
        code: FailureCode,
        answered: Replicas,
    ) {
        let Some(call) = self.calls.get(&id) else { return };
        let needed = call.quorum.r();
        let receipt = call.receipt(turn, needed, answered, Replicas::new());
        let failure = Failure::refused(code).quorum(needed.into(), saturate(answered.len()));
        self.answer_read(turn, id, receipt, Err(failure));
    }

    fn answer_read(
        &mut self,
        turn: &mut Turn<'_>,
        id: CallId,
        receipt: crate::message::Receipt,
        result: Result<Answer, Failure>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        for asker in core::mem::take(&mut call.askers) {
            turn.answer(asker, Some(receipt.clone()), None, result.clone());
        }
        self.late += 1;
        if self.late > turn.config.limits.calls_max / 4 {
            // Too many listen for late replicas: this one repairs what it knows of.
            return self.finish_read(turn, id);
        }
        let until = call.deadline.min(turn.now.instant + LATE_ANSWERS);
        self.deadlines.remove(&(call.deadline, id));
        call.deadline = until;
        self.deadlines.insert((until, id));
    }

    /// Repairs the stale replicas of an answered read and forgets it.
    fn finish_read(&mut self, turn: &mut Turn<'_>, id: CallId) {
        let Some(call) = self.remove(id) else { return };
        self.late -= 1;
        let Stage::Read { get, .. } = &call.stage else { return };
        let (record, stale) = get.repairs();
        sane_or!(
            let record,
            RepairSendsLiveOnly => &crate::causality::wrong::live_only(record)
        );
        sane_or!(
            let stale,
            NoRepair => Replicas::new(),
            OwnNotRepaired => stale.minus([call.own].into_iter().collect()),
        );
        for index in stale.iter() {
            let node = call.replicas[index];
            turn.counters.repairs += 1;
            turn.out.observe(Event::Repaired { key: call.key.clone(), node });
            if index == call.own {
                if turn.tickets.is_full() {
                    turn.note_overload("store_ops_max");
                    continue;
                }
                let op = RecordOp::Merge(record.clone());
                let apply = StoreOp::Apply { key: call.key.clone(), op };
                turn.tickets.store(Purpose::Repair, call.slot, apply, turn.out);
            } else {
                let key = call.key.clone();
                let merge = ReplicaMerge { call: REPAIR, key, record: record.clone() };
                turn.out.send(Peer::Node(node), Message::ReplicaMerge(merge));
            }
        }
    }
}
