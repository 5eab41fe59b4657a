//! Serving coordinators on other nodes: read a record, merge a record.
//!
//! Invariant: a merge is acknowledged only once it is synced, and a record that cannot be read is
//! answered with "cannot say", never with "nothing there".

use crate::causality::RecordOp;
use crate::ids::NodeId;
use crate::machine::{Event, Peer, StoreOp, StoreOutcome};
use crate::message::{CallId, Message, ReplicaMerge, ReplicaMerged, ReplicaRead, ReplicaRecord};
use crate::tickets::Purpose;
use crate::turn::Turn;

/// Starts a read for a coordinator.
pub(crate) fn on_read(turn: &mut Turn<'_>, from: NodeId, read: ReplicaRead) {
    turn.counters.replica_reads += 1;
    if turn.tickets.is_full() {
        turn.note_overload("store_ops_max");
        return cannot_say(turn, Peer::Node(from), read.call);
    }
    let slot = turn.config.layout.layout.slot_of(read.key.as_bytes());
    let purpose = Purpose::Replica(Peer::Node(from), read.call);
    turn.tickets.store(purpose, slot, StoreOp::Read { key: read.key }, turn.out);
}

/// Starts a merge for a coordinator.
pub(crate) fn on_merge(turn: &mut Turn<'_>, from: NodeId, merge: ReplicaMerge) {
    turn.counters.replica_merges += 1;
    if turn.tickets.is_full() {
        turn.note_overload("store_ops_max");
        return acknowledge(turn, Peer::Node(from), merge.call, false);
    }
    let slot = turn.config.layout.layout.slot_of(merge.key.as_bytes());
    let purpose = Purpose::Replica(Peer::Node(from), merge.call);
    let op = RecordOp::Merge(merge.record);
    turn.tickets.store(purpose, slot, StoreOp::Apply { key: merge.key, op }, turn.out);
}

/// The storage answers a read or a merge.
pub(crate) fn on_stored(turn: &mut Turn<'_>, to: Peer, call: CallId, outcome: StoreOutcome) {
    match outcome {
        StoreOutcome::Read { record } => {
            let record = Some(record.unwrap_or_default());
            turn.out.send(to, Message::ReplicaRecord(ReplicaRecord { call, record }));
        }
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
        // A coordinator takes the first answer that fits what it waits for, so a failure is said
        // in both ways: which of the two it was is not kept.
        StoreOutcome::Failed(_) => {
            cannot_say(turn, to, call);
            acknowledge(turn, to, call, sane_or!(false, ReplicaAcksFailed => true));
        }
    }
}

fn cannot_say(turn: &mut Turn<'_>, to: Peer, call: CallId) {
    let record = sane_or!(None, ReplicaFailureReadsEmpty => Some(Default::default()));
    turn.out.send(to, Message::ReplicaRecord(ReplicaRecord { call, record }));
}

fn acknowledge(turn: &mut Turn<'_>, to: Peer, call: CallId, durable: bool) {
    turn.out.send(to, Message::ReplicaMerged(ReplicaMerged { call, durable }));
}
