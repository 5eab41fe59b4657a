//! Hints come home: DESIGN.md §10.
//!
//! ```text
//!  queue --> FindHints --> waiting --> ReplicaMerge --> ReplicaMerged --> RemoveHint --> gone
//!    ^         a batch                 `window` at a      durable          unless it
//!    |                                 time                                has changed
//!    +---- pause <---- not durable, no answer in time, hints still being made (not for ever)
//! ```
//!
//! A target is served batch by batch, a few targets at a time; its pass goes through all hints for
//! it and begins again until none is left. A target that stays away, or is no primary of a key any
//! more, is not waited for: the primaries that there are take its place, all of them.
//!
//! Invariant: a hint is removed only after everyone who must hold it has acknowledged, durably,
//! the very record that is removed.

mod ready;
mod recipients;
mod recount;
mod target;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::causality::{Record, RecordDigest, RecordOp};
use crate::hints::HintRoom;
use crate::ids::{Epoch, Key, NodeId};
use crate::layout::LayoutVersion;
use crate::machine::{Event, HeldAs, HintCount, Peer, StoreOp, StoreOutcome};
use crate::message::{CallId, MergeReason, Message, ReplicaMerge, ReplicaMerged};
use crate::prng::Prng;
use crate::ring::Slot;
use crate::tickets::Purpose;
use crate::time::{Duration, Instant};
use crate::turn::Turn;
use ready::{BUSY_PAUSE, Ready, ready};
use recipients::{Presence, Recipients, recipients};
use recount::Recount;
use target::{FAILURE_PAUSE, Found, Target};

/// Targets that are served at one time.
const SERVED_MAX: usize = 4;

/// A batch ends with the hint that reaches so many bytes.
const BATCH_BYTES_MAX: usize = 512 * 1024;

/// An acknowledgement that takes longer is not waited for.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The hints that are being handed over.
#[derive(Clone, Debug)]
pub(crate) struct Handoff {
    presence: Presence,
    /// Those for whom hints are held, and those of whom something is still under way.
    targets: BTreeMap<NodeId, Target>,
    /// Those who are to be served next.
    queue: VecDeque<NodeId>,
    /// Invariant: the number of targets that are served, never above [`SERVED_MAX`].
    served: usize,
    /// When to look at each target. Invariant: one entry for each `due`.
    due: BTreeSet<(Instant, NodeId)>,
    calls: BTreeMap<CallId, Call>,
    /// Invariant: one entry for each call that is not acknowledged.
    deadlines: BTreeSet<(Instant, CallId)>,
    last_call: CallId,
    recount: Recount,
    /// The layout that all `due` were found with.
    layout_version: LayoutVersion,
}

/// A hint under way.
#[derive(Clone, Debug)]
struct Call {
    target: NodeId,
    key: Key,
    slot: Slot,
    /// What was sent.
    digest: RecordDigest,
    /// Whether it was sent to the target itself.
    home: bool,
    /// Those who have not acknowledged it. Invariant: none where the hint is being removed.
    missing: Vec<NodeId>,
    deadline: Instant,
}

impl Handoff {
    pub(crate) fn new(seed: u64) -> Handoff {
        Handoff {
            presence: Presence::default(),
            targets: BTreeMap::new(),
            queue: VecDeque::new(),
            served: 0,
            due: BTreeSet::new(),
            calls: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            last_call: CallId::first(&mut Prng::stream(seed, "handoff")),
            recount: Recount::new(),
            layout_version: LayoutVersion(0),
        }
    }

    /// The node starts: whoever is not connected is away from here on.
    pub(crate) fn start(&mut self, now: Instant) {
        self.presence.start(now);
    }

    /// When something is to be done.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        let due = self.due.first().map(|(at, _)| *at);
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        [due, deadline, self.recount.due()].into_iter().flatten().min()
    }

    /// Something is due.
    pub(crate) fn on_wake(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now.instant;
        if self.recount.take(now) {
            if turn.tickets.is_full() || turn.tickets.is_counting() {
                self.recount.put_off(now + BUSY_PAUSE);
            } else {
                turn.tickets.store(Purpose::HintCount, None, StoreOp::CountHints, turn.out);
            }
        }
        while let Some((at, id)) = self.deadlines.first().copied()
            && at <= now
        {
            self.on_failed(turn, id);
        }
        if self.layout_version != turn.layouts.head_version() {
            self.layout_version = turn.layouts.head_version();
            self.schedule_all(turn);
        }
        while let Some((at, target)) = self.due.first().copied()
            && at <= now
        {
            self.schedule(turn, target);
        }
        self.serve(turn);
    }

    /// The storage has counted the hints, or failed to.
    pub(crate) fn on_counted(&mut self, turn: &mut Turn<'_>, outcome: StoreOutcome) {
        let disturbed = turn.tickets.end_count();
        let StoreOutcome::HintsCounted(counts) = outcome else {
            return self.recount.ask(turn.now.instant);
        };
        for HintCount { target, damaged, .. } in turn.hints.on_counted(counts, &disturbed) {
            turn.out.observe(Event::HintsDamaged { target, hints: damaged });
        }
        self.recount.on_counted(turn.now.instant, turn.hints.doubts() > 0);
        self.schedule_all(turn);
        self.serve(turn);
    }

    /// A hint was stored.
    pub(crate) fn on_hinted(&mut self, turn: &mut Turn<'_>, target: NodeId) {
        turn.counters.hints_stored += 1;
        let state = self.targets.entry(target).or_insert_with(Target::new);
        if turn.peers.is_up(target) {
            state.on_hinted(turn.now.instant);
        }
        sane_or!(HandoffWaitsForUp => return);
        self.go_on(turn, target);
    }

    /// A hint could not be stored or removed, and may be there nevertheless: it is looked for, and
    /// all are counted.
    pub(crate) fn on_doubt(&mut self, turn: &mut Turn<'_>, room: HintRoom) {
        self.note_doubt(turn, room);
        self.targets.entry(room.target).or_insert_with(Target::new);
        self.go_on(turn, room.target);
    }

    fn note_doubt(&mut self, turn: &mut Turn<'_>, room: HintRoom) {
        turn.hints.on_doubt(room);
        self.recount.ask(turn.now.instant);
    }

    /// A node is there: its hints go home.
    pub(crate) fn on_node_up(&mut self, turn: &mut Turn<'_>, node: NodeId) {
        if turn.peers.is_up(node) {
            self.presence.on_up(node);
            self.start_over(turn, node);
        }
    }

    /// A node is gone: what was sent to it is forgotten.
    pub(crate) fn on_node_down(&mut self, turn: &mut Turn<'_>, node: NodeId) {
        if !self.presence.on_down(turn.now.instant, node) {
            return;
        }
        let concerned = self.calls.iter().filter(|(_, call)| call.missing.contains(&node));
        for id in concerned.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.on_failed(turn, id);
        }
        self.start_over(turn, node);
    }

    /// A node answers. False where it is no answer to a hint.
    pub(crate) fn on_replica_merged(
        &mut self,
        turn: &mut Turn<'_>,
        from: NodeId,
        answer: ReplicaMerged,
    ) -> bool {
        let known = self.calls.contains_key(&answer.call);
        if known {
            self.on_acknowledgement(turn, from, answer.call, answer.durable);
        }
        known
    }

    /// The storage answers an operation of handoff for `target`.
    pub(crate) fn on_stored(
        &mut self,
        turn: &mut Turn<'_>,
        target: NodeId,
        call: CallId,
        outcome: StoreOutcome,
    ) {
        match outcome {
            StoreOutcome::HintsFound { hints, more } => {
                let state = self.targets.get_mut(&target);
                let Some(state) = state.filter(|state| state.reading == Some(call)) else { return };
                let found = state.on_found(hints.into(), more);
                if found == Found::Nothing && turn.hints.of(target).hints > 0 {
                    // Some were counted that are not there, or cannot be read any more.
                    self.note_doubt(turn, HintRoom { target, bytes: 0 });
                }
                self.go_on(turn, target);
            }
            StoreOutcome::HintRemoved { bytes } => self.on_removed(turn, call, bytes),
            StoreOutcome::Durable => {
                self.on_acknowledgement(turn, turn.config.id, call, true);
            }
            StoreOutcome::Failed(_) | StoreOutcome::Refused(_) => {
                let state = self.targets.get_mut(&target);
                if let Some(state) = state.filter(|state| state.reading == Some(call)) {
                    state.slow_down(turn.now.instant, FAILURE_PAUSE);
                    self.go_on(turn, target);
                }
                if self.calls.get(&call).is_some_and(|call| call.missing.is_empty()) {
                    // It may be gone or not.
                    self.note_doubt(turn, HintRoom { target, bytes: 0 });
                }
                self.on_failed(turn, call);
            }
            // Only what is synced counts.
            StoreOutcome::Applied { .. } => {}
            StoreOutcome::Read { .. }
            | StoreOutcome::HintsCounted(_)
            | StoreOutcome::StatesScanned { .. }
            | StoreOutcome::RecordsScanned { .. }
            | StoreOutcome::Confirmed(_)
            | StoreOutcome::Removed { .. } => {}
        }
    }

    /// Asserts what must hold between inputs.
    pub(crate) fn check_invariants(&self) {
        assert!(self.served <= SERVED_MAX);
        assert_eq!(self.served, self.targets.values().filter(|target| target.served).count());
        let queued = self.targets.values().filter(|target| target.queued).count();
        assert_eq!(queued, self.queue.len(), "a target stands in the queue once");
        assert!(queued == 0 || self.served == SERVED_MAX, "nobody waits for nothing");
        let due = self.targets.iter().filter_map(|(id, target)| Some((target.due?, *id)));
        assert_eq!(due.collect::<BTreeSet<_>>(), self.due);
        let missing = self.calls.iter().filter(|(_, call)| !call.missing.is_empty());
        let deadlines = missing.map(|(id, call)| (call.deadline, *id));
        assert_eq!(deadlines.collect::<BTreeSet<_>>(), self.deadlines);
        for (id, target) in &self.targets {
            target.check_invariants();
            let calls = self.calls.values().filter(|call| call.target == *id);
            let missing = calls.clone().filter(|call| !call.missing.is_empty()).count();
            assert_eq!((calls.count(), missing), (target.open, target.unacknowledged));
        }
        let open: usize = self.targets.values().map(|target| target.open).sum();
        assert_eq!(open, self.calls.len(), "a call has its target");
    }

    fn start_over(&mut self, turn: &mut Turn<'_>, target: NodeId) {
        if let Some(state) = self.targets.get_mut(&target) {
            state.start_over();
            self.go_on(turn, target);
        }
    }

    /// Finds out when each target is to be served.
    fn schedule_all(&mut self, turn: &mut Turn<'_>) {
        for target in turn.hints.targets().collect::<Vec<_>>() {
            self.targets.entry(target).or_insert_with(Target::new);
            self.schedule(turn, target);
        }
    }

    /// Finds out when a target is to be served, unless it is.
    fn schedule(&mut self, turn: &Turn<'_>, id: NodeId) {
        let Some(target) = self.targets.get_mut(&id) else { return };
        if let Some(at) = target.due.take() {
            self.due.remove(&(at, id));
        }
        if target.served || target.queued {
            return;
        }
        match ready(turn, &self.presence, id, target) {
            Ready::Now => {
                target.queued = true;
                self.queue.push_back(id);
            }
            Ready::At(at) => {
                target.due = Some(at);
                self.due.insert((at, id));
            }
            Ready::Never => {
                self.targets.remove(&id);
            }
        }
    }

    /// Begins batches for those who wait, as far as there is room.
    fn serve(&mut self, turn: &mut Turn<'_>) {
        while self.served < SERVED_MAX
            && let Some(id) = self.queue.pop_front()
        {
            let Some(target) = self.targets.get_mut(&id) else { continue };
            target.queued = false;
            let Ready::Now = ready(turn, &self.presence, id, target) else {
                self.schedule(turn, id);
                continue;
            };
            self.served += 1;
            self.last_call = self.last_call.next();
            let call = self.last_call;
            let after = target.on_read(call, turn.epochs.current());
            let op = StoreOp::FindHints { target: id, after, bytes_max: BATCH_BYTES_MAX };
            turn.tickets.store(Purpose::Handoff { target: id, call }, None, op, turn.out);
        }
    }

    /// Sends what may be sent to a target, and ends its batch where nothing is left of it.
    fn go_on(&mut self, turn: &mut Turn<'_>, id: NodeId) {
        while let Some(target) = self.targets.get_mut(&id)
            && target.has_room()
            && !target.waiting.is_empty()
        {
            match ready(turn, &self.presence, id, target) {
                Ready::Now => {}
                Ready::At(at) => {
                    target.hold(at);
                    break;
                }
                Ready::Never => {
                    // Fewer were counted than there are. They are found once more.
                    target.hold(turn.now.instant);
                    self.note_doubt(turn, HintRoom { target: id, bytes: 0 });
                    break;
                }
            }
            if !turn.epochs.is_fresh(target.epoch) {
                target.hold(turn.now.instant);
                break;
            }
            let epoch = target.epoch;
            let Some((key, record)) = target.next() else { break };
            if let Some(recipients) = recipients(turn, id, &key) {
                target.on_sent();
                self.send(turn, id, (key, record, epoch), recipients);
            }
        }
        let ended = self.targets.get_mut(&id).is_some_and(|target| target.ends(turn.now.instant));
        self.served -= usize::from(ended);
        self.schedule(turn, id);
        self.serve(turn);
    }

    fn send(
        &mut self,
        turn: &mut Turn<'_>,
        target: NodeId,
        (key, record, epoch): (Key, Record, Epoch),
        Recipients { nodes, home, slot }: Recipients,
    ) {
        self.last_call = self.last_call.next();
        let call = self.last_call;
        let digest = record.digest();
        for node in &nodes {
            let (key, record) = (key.clone(), record.clone());
            if *node == turn.config.id {
                let op = RecordOp::Merge(record);
                let apply = StoreOp::Apply { key, copy: HeldAs::Own, op };
                turn.tickets.store(Purpose::Handoff { target, call }, slot, apply, turn.out);
            } else {
                let reason = MergeReason::Handoff;
                let layout_version = turn.layouts.head_version();
                let merge = ReplicaMerge {
                    call,
                    key,
                    record,
                    hint_for: None,
                    reason,
                    epoch,
                    layout_version,
                };
                turn.out.send(Peer::Node(*node), Message::ReplicaMerge(merge));
            }
        }
        let deadline = turn.now.instant + ANSWER_MAX;
        self.deadlines.insert((deadline, call));
        self.calls.insert(call, Call { target, key, slot, digest, home, missing: nodes, deadline });
        sane_or!(HintRemovedWhenSent => self.take_for_acknowledged(turn, call));
    }

    fn on_acknowledgement(&mut self, turn: &mut Turn<'_>, from: NodeId, id: CallId, durable: bool) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if !call.missing.contains(&from) {
            return;
        }
        if !sane_or!(durable, HintRemovedUndurable => true) {
            return self.on_failed(turn, id);
        }
        call.missing.retain(|node| *node != from);
        sane_or!(HintDroppedAtFirstAck => call.missing.clear());
        if !call.missing.is_empty() {
            return;
        }
        if turn.tickets.is_full() {
            // It stays, and goes home once more.
            return self.on_failed(turn, id);
        }
        self.deadlines.remove(&(call.deadline, id));
        let (target, digest) = (call.target, call.digest);
        let op = StoreOp::RemoveHint { target, key: call.key.clone(), digest };
        turn.tickets.store(Purpose::Handoff { target, call: id }, call.slot, op, turn.out);
        if let Some(state) = self.targets.get_mut(&target) {
            state.unacknowledged -= 1;
        }
        self.go_on(turn, target);
    }

    #[cfg(feature = "mutants")]
    fn take_for_acknowledged(&mut self, turn: &mut Turn<'_>, id: CallId) {
        let missing = self.calls.get(&id).map(|call| call.missing.clone());
        for node in missing.unwrap_or_default() {
            self.on_acknowledgement(turn, node, id, true);
        }
    }

    /// A hint is gone, or stays since it has changed.
    fn on_removed(&mut self, turn: &mut Turn<'_>, id: CallId, bytes: Option<u64>) {
        let Some(Call { target, key, home, .. }) = self.remove(id) else { return };
        if let Some(bytes) = bytes {
            turn.hints.on_removed(target, bytes);
            if home {
                turn.counters.handed_over += 1;
                turn.out.observe(Event::HandedOver { key, target });
            } else {
                turn.counters.hints_dropped += 1;
                turn.out.observe(Event::HintDropped { key, target });
            }
            if let Some(state) = self.targets.get_mut(&target) {
                state.on_removed();
            }
        }
        self.go_on(turn, target);
    }

    /// A hint was not taken, not answered, or not removed: it stays and is sent again.
    fn on_failed(&mut self, turn: &mut Turn<'_>, id: CallId) {
        let Some(Call { target, .. }) = self.remove(id) else { return };
        if let Some(state) = self.targets.get_mut(&target) {
            state.slow_down(turn.now.instant, FAILURE_PAUSE);
        }
        self.go_on(turn, target);
    }

    fn remove(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        let sent = self.deadlines.remove(&(call.deadline, id));
        if let Some(state) = self.targets.get_mut(&call.target) {
            state.open -= 1;
            state.unacknowledged -= usize::from(sent);
        }
        Some(call)
    }
}
