//! Serving coordinators on other nodes: read a record, merge a record, keep a hint.
//!
//! Invariant: a merge is acknowledged only once it is synced, and a record that cannot be read is
//! answered with "cannot say", never with "nothing there".

use alloc::vec::Vec;

use crate::causality::{Record, RecordDigest, RecordOp};
use crate::handoff::Handoff;
use crate::hints::HintRoom;
use crate::ids::NodeId;
use crate::layout::LayoutVersion;
use crate::machine::{Event, HeldAs, Peer, StoreError, StoreOp, StoreOutcome, hint_bytes};
use crate::message::{
    CallId, MergeReason, Message, ReplicaMerge, ReplicaMerged, ReplicaRead, ReplicaRecord,
    ReplicaState,
};
use crate::ring::Slot;
use crate::tickets::Purpose;
use crate::turn::Turn;

/// Starts a read for a coordinator.
pub(crate) fn on_read(turn: &mut Turn<'_>, from: NodeId, read: ReplicaRead) {
    turn.counters.replica_reads += 1;
    let ReplicaRead { call, key, digest, stand_in } = read;
    let from = Peer::Node(from);
    if turn.tickets.is_full() {
        turn.note_overload("store_ops_max");
        return answer(turn, from, call, cannot_say());
    }
    let slot = turn.slot_of(&key);
    if slot.is_none() && !stand_in {
        // Without a layout there is no slot that it could vouch for.
        return answer(turn, from, call, cannot_say());
    }
    let as_primary = slot.filter(|_| !stand_in);
    sane_or!(let stand_in, StandInForgetsHints => false);
    let hints = if stand_in { turn.hint_targets() } else { Some(Vec::new()) };
    let Some(hints) = hints else { return answer(turn, from, call, cannot_say()) };
    let purpose = Purpose::Read { from, call, digest, as_primary };
    turn.tickets.store(purpose, slot, StoreOp::Read { key, hints }, turn.out);
}

/// Starts a merge for a coordinator, into the own copy or into a hint.
pub(crate) fn on_merge(turn: &mut Turn<'_>, from: NodeId, merge: ReplicaMerge) {
    turn.counters.replica_merges += 1;
    let ReplicaMerge { call, key, record, hint_for, reason, epoch, layout_version } = merge;
    sane_or!(
        let record,
        ExpiryByLocalClock => crate::causality::wrong::expiring_by(&record, turn.now.unix)
    );
    if turn.refill.holds_back() || !turn.admits(from, epoch) {
        return acknowledge(turn, Peer::Node(from), call, false);
    }
    let (node, from) = (from, Peer::Node(from));
    if turn.tickets.is_full_for(reason) {
        turn.note_overload("store_ops_max");
        return acknowledge(turn, from, call, false);
    }
    let slot = turn.slot_of(&key);
    // A hint for this very node has come home.
    let target = hint_for.filter(|target| *target != turn.config.id);
    let is_known = reason != MergeReason::Write || turn.layouts.admits(node, layout_version);
    let is_here = target.is_some() || is_to_be_held(turn, (node, reason), slot, layout_version);
    if !is_known || !is_here {
        turn.counters.misdirected += 1;
        return acknowledge(turn, from, call, false);
    }
    sane_or!(let target, HintKeptAsOwn => None);
    let (purpose, copy) = match target {
        None => (Purpose::Merge { from, call }, HeldAs::Own),
        Some(target) => {
            // A merge adds no more than what is merged.
            let room = match turn.hint_room(target, hint_bytes(&key, &record)) {
                Ok(room) => room,
                Err(full) => {
                    turn.note_overload(full.limit);
                    return acknowledge(turn, from, call, sane_or!(false, FullHintsAcked => true));
                }
            };
            (Purpose::Hint { from, call, room }, HeldAs::Hint { target })
        }
    };
    let apply = StoreOp::Apply { key, copy, op: RecordOp::Merge(record) };
    turn.tickets.store(purpose, slot, apply, turn.out);
}

/// Whether an own copy is to be kept of what `from` sends: this node is a primary, or the sender
/// knows of a newer layout in which it may be one. What a node has that was removed is given up.
fn is_to_be_held(
    turn: &Turn<'_>,
    (from, reason): (NodeId, MergeReason),
    slot: Option<Slot>,
    layout_version: LayoutVersion,
) -> bool {
    sane_or!(FormerOwnerTakes => return true);
    let Some(slot) = slot else { return true };
    if layout_version > turn.layouts.head_version() {
        return true;
    }
    let is_removed = reason == MergeReason::AntiEntropy && !turn.layouts.knows(from);
    !is_removed && turn.layouts.is_primary(slot, turn.config.id)
}

/// The storage answers a read.
pub(crate) fn on_read_done(
    turn: &mut Turn<'_>,
    (to, call, digest, as_primary): (Peer, CallId, Option<RecordDigest>, Option<Slot>),
    outcome: StoreOutcome,
) {
    let vouches = as_primary.is_none_or(|slot| turn.vouches(slot));
    let state = match outcome {
        StoreOutcome::Read { .. } if !vouches => cannot_say(),
        StoreOutcome::Read { record } => state(record.unwrap_or_default(), digest),
        StoreOutcome::Failed(_) => cannot_say(),
        StoreOutcome::Applied { .. }
        | StoreOutcome::Durable
        | StoreOutcome::Refused(_)
        | StoreOutcome::HintsFound { .. }
        | StoreOutcome::HintRemoved { .. }
        | StoreOutcome::HintsCounted(_)
        | StoreOutcome::StatesScanned { .. }
        | StoreOutcome::RecordsScanned { .. }
        | StoreOutcome::Confirmed(_)
        | StoreOutcome::Removed { .. } => return,
    };
    answer(turn, to, call, state);
}

/// The storage answers a merge.
pub(crate) fn on_merge_done(turn: &mut Turn<'_>, to: Peer, call: CallId, outcome: StoreOutcome) {
    match outcome {
        StoreOutcome::Applied { .. } => {
            sane_or!(ReplicaAcksApplied => acknowledge(turn, to, call, true));
        }
        StoreOutcome::Durable => acknowledge(turn, to, call, true),
        StoreOutcome::Refused(_) => {
            // The sender let a value pass that does not match its checksum.
            turn.counters.damaged += 1;
            turn.out.observe(Event::Misbehaved(to));
            acknowledge(turn, to, call, false);
        }
        StoreOutcome::Failed(_) => {
            acknowledge(turn, to, call, sane_or!(false, ReplicaAcksFailed => true));
        }
        StoreOutcome::Read { .. }
        | StoreOutcome::HintsFound { .. }
        | StoreOutcome::HintRemoved { .. }
        | StoreOutcome::HintsCounted(_)
        | StoreOutcome::StatesScanned { .. }
        | StoreOutcome::RecordsScanned { .. }
        | StoreOutcome::Confirmed(_)
        | StoreOutcome::Removed { .. } => {}
    }
}

/// The storage answers for a hint.
pub(crate) fn on_hint_done(
    turn: &mut Turn<'_>,
    handoff: &mut Handoff,
    (to, call, room): (Peer, CallId, HintRoom),
    outcome: StoreOutcome,
) {
    on_hint_stored(turn, handoff, Some(room), &outcome);
    sane_or!(
        HintAcksApplied => if let StoreOutcome::Applied { .. } = &outcome {
            acknowledge(turn, to, call, true)
        }
    );
    on_merge_done(turn, to, call, outcome);
}

/// The storage answers for a hint, be it kept on somebody's word or on this node's own. What was
/// not taken may be there nevertheless: then it is to be found.
pub(crate) fn on_hint_stored(
    turn: &mut Turn<'_>,
    handoff: &mut Handoff,
    room: Option<HintRoom>,
    outcome: &StoreOutcome,
) {
    let Some(room) = room else { return };
    match outcome {
        StoreOutcome::Applied { hint: Some(change), .. } => {
            turn.hints.on_stored(room.target, *change);
            handoff.on_hinted(turn, room.target);
        }
        StoreOutcome::Failed(StoreError::Io | StoreError::Closed) => handoff.on_doubt(turn, room),
        // What cannot be read, or for which there is no room, is not changed.
        StoreOutcome::Failed(StoreError::Damaged | StoreError::Full)
        | StoreOutcome::Applied { hint: None, .. }
        | StoreOutcome::Durable
        | StoreOutcome::Refused(_)
        | StoreOutcome::Read { .. }
        | StoreOutcome::HintsFound { .. }
        | StoreOutcome::HintRemoved { .. }
        | StoreOutcome::HintsCounted(_)
        | StoreOutcome::StatesScanned { .. }
        | StoreOutcome::RecordsScanned { .. }
        | StoreOutcome::Confirmed(_)
        | StoreOutcome::Removed { .. } => {}
    }
}

/// What is told of a record: nothing but that it is the same, where it is. A damaged value is shown,
/// so that the coordinator finds it.
fn state(record: Record, digest: Option<RecordDigest>) -> ReplicaState {
    let same = digest.is_some_and(|digest| record.digest() == digest) && record.is_intact();
    if sane_or!(same, DigestAlwaysSame => digest.is_some()) {
        ReplicaState::Same
    } else {
        ReplicaState::Record(record)
    }
}

fn cannot_say() -> ReplicaState {
    sane_or!(
        ReplicaState::Unreadable,
        ReplicaFailureReadsEmpty => ReplicaState::Record(Default::default())
    )
}

fn answer(turn: &mut Turn<'_>, to: Peer, call: CallId, state: ReplicaState) {
    turn.out.send(to, Message::ReplicaRecord(ReplicaRecord { call, state }));
}

fn acknowledge(turn: &mut Turn<'_>, to: Peer, call: CallId, durable: bool) {
    turn.out.send(to, Message::ReplicaMerged(ReplicaMerged { call, durable }));
}
