//! The read stage of a call: read at home, ask the others, answer with R, repair the stale.
//!
//! The others are told the digest of what this node holds, so whoever holds the same says no more
//! than that.

use super::{
    Answer, Arc, Asker, Call, CallId, Context, Coordinator, Duration, Failure, FailureCode,
    LATE_ANSWERS, OwnCopy, Plan, RequestId, Roster, Stage, Turn, Vec, entry, saturate, short,
};
use crate::causality::{Record, RecordOp};
use crate::config::Fanout;
use crate::machine::{Event, HeldAs, Peer, StoreOp};
use crate::message::{MergeReason, Message, Receipt, ReplicaMerge, ReplicaRead, Written};
use crate::quorum::Replicas;
use crate::request::{self, GetEnd, Reach};
use crate::tickets::Purpose;

/// The call number of a repair: nobody waits for its acknowledgement.
const REPAIR: CallId = CallId(0);

/// The others are asked without a digest where the own storage takes longer than this.
const OWN_READ: Duration = Duration::from_millis(20);

impl Coordinator {
    pub(super) fn start_read(
        &mut self,
        turn: &mut Turn<'_>,
        asker: Asker,
        plan: Plan,
        session: Option<Context>,
        then: Option<RequestId>,
    ) {
        let roster = &plan.roster;
        let r = usize::from(plan.quorum.r());
        let mut reach = roster.reach(turn, r, plan.sloppy);
        if plan.sloppy {
            let down = roster.found_down(turn);
            reach.reachable = reach.reachable.minus(down);
            reach.spared = reach.spared.minus(down);
        }
        if turn.config.fanout == Fanout::Quorum {
            spare_the_slower(turn, roster, roster.needed(r), &mut reach);
        }
        let primaries = roster.primaries();
        let started = match roster.zone().and_then(|_| roster.quotas(r).pop()) {
            Some(quota) => request::Get::start_local(primaries, quota, reach),
            None => request::Get::start(primaries, r, reach, session),
        };
        let mut get = match started {
            Ok(get) => get,
            Err(error) => return turn.answer(asker, None, None, Err(short(error))),
        };
        let Some(id) = self.admit(turn, asker) else { return };
        self.hedges.on_read();
        let is_guest = roster.is_guest();
        if roster.own_primary().is_none() && !is_guest {
            get.seat_own(reach.own_is_outside);
        }
        // A fallback has what it keeps for others.
        let hints = match roster.own_primary() {
            Some(_) => Vec::new(),
            None => turn.hint_targets().unwrap_or_default(),
        };
        sane_or!(let hints, StandInForgetsHints => Vec::new());
        if !is_guest {
            let read = StoreOp::Read { key: plan.key.clone(), hints };
            let purpose = Purpose::Call { call: id, hint_for: None };
            turn.tickets.store(purpose, roster.slot, read, turn.out);
        }
        let stage = Stage::Read { get, own: None, asked: false, then };
        let timer = plan.deadline.min(turn.now.instant + OWN_READ);
        let call = plan.begin(turn, asker, timer, stage);
        self.insert(id, call);
        if is_guest {
            self.ask_others(turn, id);
            self.settle_read(turn, id);
        }
    }

    /// The node's own storage says what it holds.
    pub(super) fn on_own_record(&mut self, turn: &mut Turn<'_>, id: CallId, record: Record) {
        let record = Arc::new(record);
        let Some(call) = self.calls.get_mut(&id) else { return };
        let index = call.roster.own();
        let Stage::Read { own, .. } = &mut call.stage else { return };
        if record.is_intact() {
            *own = Some(OwnCopy::new(record.clone()));
        }
        let vouches = call.roster.own_primary().is_none() || turn.vouches(call.roster.slot);
        self.ask_others(turn, id);
        self.on_record(turn, id, index, Some(record).filter(|_| vouches));
    }

    /// Asks the replicas that are to be asked at first.
    pub(super) fn ask_others(&mut self, turn: &mut Turn<'_>, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let own = call.roster.own();
        let Stage::Read { get, asked, .. } = &mut call.stage else { return };
        if core::mem::replace(asked, true) {
            return;
        }
        let others = get.awaited().minus([own].into_iter().collect());
        for index in others.iter() {
            if turn.is_reachable(call.roster.node(index)) {
                ask(turn, call, id, index);
            } else if let Stage::Read { get, .. } = &mut call.stage {
                get.on_fail(index);
            }
        }
        let wait = self.patience(turn, id);
        self.set_timer(turn.now.instant, id, wait);
    }

    /// A replica says what it holds; `None`: it cannot say.
    pub(super) fn on_record(
        &mut self,
        turn: &mut Turn<'_>,
        id: CallId,
        index: usize,
        record: Option<Arc<Record>>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Stage::Read { get, .. } = &mut call.stage else { return };
        match record {
            Some(record) if record.is_intact() => get.on_answer(index, record),
            Some(_) if get.waits_for(index) => {
                turn.counters.damaged += 1;
                let node = (index != call.roster.own()).then(|| call.roster.node(index));
                turn.out.observe(Event::Damaged { key: call.key.clone(), node });
                get.on_fail(index);
            }
            Some(_) => {}
            None => get.on_fail(index),
        }
        self.settle_read(turn, id);
    }

    /// Somebody takes too long: other primaries are asked as well, and fallbacks after half of the
    /// time.
    pub(super) fn on_read_patience_over(&mut self, turn: &mut Turn<'_>, id: CallId) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        let half_over = turn.now.instant >= call.half_time();
        let Stage::Read { get, asked, .. } = &mut call.stage else { return };
        if !*asked {
            return self.ask_others(turn, id);
        }
        if half_over {
            get.on_patience_over(call.roster.own());
        } else if !get.spared().is_empty() && self.hedges.take() {
            turn.counters.hedges += 1;
            self.ask_one_more(turn, id);
        }
        self.settle_read(turn, id);
        if self.calls.get(&id).is_some_and(|call| !call.askers.is_empty()) {
            let wait = self.patience(turn, id);
            self.set_timer(turn.now.instant, id, wait);
        }
    }

    /// Asks others as long as those who were asked are too few; then sees whether it is decided.
    fn settle_read(&mut self, turn: &mut Turn<'_>, id: CallId) {
        loop {
            let Some(call) = self.calls.get(&id) else { return };
            let Stage::Read { get, asked, .. } = &call.stage else { return };
            if !asked || !get.wants_more() || !self.ask_one_more(turn, id) {
                break;
            }
        }
        let Some(call) = self.calls.get_mut(&id) else { return };
        let Stage::Read { get, .. } = &mut call.stage else { return };
        let end = get.end();
        self.after_read(turn, id, end);
    }

    /// Asks one more: a primary that was spared, the fastest first; else a fallback. False where
    /// there is nobody.
    fn ask_one_more(&mut self, turn: &mut Turn<'_>, id: CallId) -> bool {
        let Some(call) = self.calls.get_mut(&id) else { return false };
        let Stage::Read { get, .. } = &mut call.stage else { return false };
        for index in get.spared().iter() {
            if !turn.is_reachable(call.roster.node(index)) {
                get.on_fail(index);
            }
        }
        let spared = get.spared().iter();
        let index = if let Some(index) = by_speed(turn, &call.roster, spared).first().copied() {
            get.call_up(index);
            index
        } else {
            let Some(primary) = get.wants_stand_in().filter(|_| call.sloppy) else { return false };
            let near = get.is_local();
            let stand_in = call.roster.call_in(turn, near).and_then(|_| get.stand_in(primary));
            let Some(index) = stand_in else {
                get.give_up(primary);
                return true;
            };
            index
        };
        ask(turn, call, id, index);
        true
    }

    /// How long those who were asked may take before somebody else is asked.
    fn patience(&self, turn: &Turn<'_>, id: CallId) -> Duration {
        let Some(call) = self.calls.get(&id) else { return Duration::ZERO };
        let Stage::Read { get, .. } = &call.stage else { return Duration::ZERO };
        let hedged = turn.config.fanout == Fanout::Quorum && !get.spared().is_empty();
        let others = get.awaited().minus([call.roster.own()].into_iter().collect());
        let waits = others.iter().map(|index| {
            let node = call.roster.node(index);
            if hedged { turn.verdicts.hedge_delay(node) } else { turn.verdicts.patience(node) }
        });
        let wait = waits.max().unwrap_or(LATE_ANSWERS);
        let half = call.half_time().since(turn.now.instant);
        if half.is_zero() { wait } else { wait.min(half) }
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
                GetEnd::Stale { answered } => {
                    self.on_read_failed(turn, id, FailureCode::Stale, answered);
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
        let Stage::Read { then, .. } = call.stage else { return };
        let needed = call.roster.needed(call.quorum.r().into());
        let receipt = call.wants_receipt().then(|| call.receipt(turn, needed, answered, stale));
        let entry = entry(&call.key, record, turn.now.unix);
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
        let Stage::Read { get, .. } = &call.stage else { return };
        let (needed, counted) = (saturate(get.needed()), saturate(get.count(answered)));
        let (r, repaired) = (call.roster.needed(call.quorum.r().into()), Replicas::new());
        let receipt = call.wants_receipt().then(|| call.receipt(turn, r, answered, repaired));
        let failure = Failure::refused(code).quorum(needed, counted);
        self.answer_read(turn, id, receipt, Err(failure));
    }

    fn answer_read(
        &mut self,
        turn: &mut Turn<'_>,
        id: CallId,
        receipt: Option<Receipt>,
        result: Result<Answer, Failure>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        self.pace.on_end(turn.now.instant.since(call.begun));
        for asker in core::mem::take(&mut call.askers) {
            let receipt = receipt.as_ref().filter(|_| asker.receipt);
            turn.answer(asker, receipt.cloned(), None, result.clone());
        }
        self.late += 1;
        if self.late > turn.config.limits.calls_max / 4 {
            // Too many listen for late replicas: this one repairs what it knows of.
            return self.finish_read(turn, id);
        }
        self.timers.remove(&(call.timer, id));
        call.deadline = call.deadline.min(turn.now.instant + LATE_ANSWERS);
        call.timer = call.deadline;
        self.timers.insert((call.timer, id));
    }

    /// Repairs the stale primaries of an answered read and forgets it.
    fn finish_read(&mut self, turn: &mut Turn<'_>, id: CallId) {
        let Some(call) = self.remove(id) else { return };
        self.late -= 1;
        let Stage::Read { get, .. } = &call.stage else { return };
        let (record, stale) = get.repairs();
        sane_or!(
            let record,
            RepairSendsLiveOnly => &crate::causality::wrong::live_only(record)
        );
        let (own, epoch) = (call.roster.own(), call.epoch);
        if !turn.epochs.is_fresh(epoch) {
            return;
        }
        sane_or!(
            let stale,
            NoRepair => Replicas::new(),
            OwnNotRepaired => stale.minus([own].into_iter().collect()),
        );
        for index in stale.iter() {
            if !self.repairs.take(turn.now.instant) {
                return turn.note_overload("repairs_per_second");
            }
            let node = call.roster.node(index);
            turn.counters.repairs += 1;
            turn.out.observe(Event::Repaired { key: call.key.clone(), node });
            let (key, record) = (call.key.clone(), Record::clone(record));
            if index != own {
                let merge = ReplicaMerge {
                    call: REPAIR,
                    key,
                    record,
                    hint_for: None,
                    reason: MergeReason::Repair,
                    epoch,
                    layout_version: turn.layouts.head_version(),
                };
                turn.out.send(Peer::Node(node), Message::ReplicaMerge(merge));
            } else if turn.tickets.is_full() {
                turn.note_overload("store_ops_max");
            } else {
                let op = RecordOp::Merge(record);
                let apply = StoreOp::Apply { key, copy: HeldAs::Own, op };
                turn.tickets.store(Purpose::Repair, call.roster.slot, apply, turn.out);
            }
        }
    }
}

fn ask(turn: &mut Turn<'_>, call: &mut Call, id: CallId, index: usize) {
    let Stage::Read { own, .. } = &mut call.stage else { return };
    let digest = own.as_mut().map(OwnCopy::digest);
    let stand_in = index >= call.roster.primaries();
    let read = ReplicaRead { call: id, key: call.key.clone(), digest, stand_in };
    call.roster.on_asked(turn, index);
    turn.out.send(Peer::Node(call.roster.node(index)), Message::ReplicaRead(read));
}

/// Leaves to be asked as many as are needed, this node and the fastest first.
fn spare_the_slower(turn: &mut Turn<'_>, roster: &Roster, needed: usize, reach: &mut Reach) {
    let others = reach.reachable.minus(reach.spared).iter();
    let others = others.filter(|index| Some(*index) != roster.own_primary());
    let order = by_speed(turn, roster, others);
    let own = roster.own_primary().filter(|own| !reach.outsiders.contains(*own));
    let kept = needed - usize::from(own.is_some()).min(needed);
    for index in order.into_iter().skip(kept) {
        reach.spared.insert(index);
    }
}

/// In a local request those of its zone first, since they count; then the trusted, and the faster.
fn by_speed(
    turn: &mut Turn<'_>,
    roster: &Roster,
    indexes: impl Iterator<Item = usize>,
) -> Vec<usize> {
    let rank = |index| {
        let node = roster.node(index);
        let far = !roster.is_near(turn, node);
        (far, turn.is_avoided(node), turn.verdicts.latency(node), index)
    };
    let mut ranked: Vec<(bool, bool, Duration, usize)> = indexes.map(rank).collect();
    ranked.sort_unstable();
    ranked.into_iter().map(|(.., index)| index).collect()
}
