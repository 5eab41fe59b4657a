//! Reads of own copies, for clients that ask the primaries of a key themselves.
//!
//! ```text
//!  client ── Get, READ_DATA ────▶ a primary           Entry, digest d
//!         ── Get, READ_DIGEST ──▶ R - 1 others        digest d
//! ```
//!
//! One digest from R primaries is what a coordinator would have answered, without its hop. Where
//! they differ, or one cannot say, the client asks a coordinator, which also repairs. A data read
//! beside digest reads is how Cassandra's coordinators read; here the client is the coordinator.
//!
//! Invariant: who does not vouch for a slot, or holds a damaged value, says that it cannot say.

use crate::coordinator::entry;
use crate::ids::Key;
use crate::incoming::Asker;
use crate::machine::{Event, StoreOp, StoreOutcome};
use crate::message::{Entry, Failure, FailureCode, ReadKind};
use crate::ring::Slot;
use crate::tickets::Purpose;
use crate::time::Duration;
use crate::turn::Turn;

/// When to try a node again whose storage has too much to do.
const RETRY_STORAGE: Duration = Duration::from_millis(50);

/// Starts a read of the own copy of a key, of which this node is a primary.
pub(crate) fn on_read(turn: &mut Turn<'_>, asker: Asker, key: Key, read: ReadKind, slot: Slot) {
    match read {
        ReadKind::Quorum | ReadKind::Data => turn.counters.gets += 1,
        ReadKind::Digest => turn.counters.replica_reads += 1,
    }
    if turn.tickets.is_full() {
        return turn.overloaded(
            asker,
            "store_ops_max",
            turn.config.limits.store_ops_max,
            RETRY_STORAGE,
        );
    }
    let purpose = Purpose::Copy { asker, read, slot };
    let op = StoreOp::Read { key, hints: Default::default() };
    turn.tickets.store(purpose, slot, op, turn.out);
}

/// The storage answers it.
pub(crate) fn on_read_done(
    turn: &mut Turn<'_>,
    (asker, read, slot, key): (Asker, ReadKind, Slot, Key),
    outcome: StoreOutcome,
) {
    let record = match outcome {
        StoreOutcome::Read { record } => record.unwrap_or_default(),
        StoreOutcome::Failed(_) => return cannot_say(turn, asker),
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
    // Only what a primary says counts, of the layout that the answer names.
    let is_primary = turn.layout.is_some_and(|it| it.layout.is_primary(slot, turn.config.id));
    if !sane_or!(is_primary && turn.vouches(slot), CopyUnvouched => true) {
        return cannot_say(turn, asker);
    }
    if !record.is_intact() {
        turn.counters.damaged += 1;
        turn.out.observe(Event::Damaged { key, node: None });
        return cannot_say(turn, asker);
    }
    let digest = record.digest();
    let entry = match read {
        ReadKind::Quorum | ReadKind::Data => entry(&key, &record, turn.now.unix),
        ReadKind::Digest => Entry::default(),
    };
    turn.answer_with_copy(asker, entry, digest);
}

/// Of one replica, which is this one, none answers.
fn cannot_say(turn: &mut Turn<'_>, asker: Asker) {
    let failure = Failure::refused(FailureCode::QuorumUnavailable).quorum(1, 0);
    turn.answer(asker, None, None, Err(failure));
}
