//! Who runs a request: this node, as a primary or as a fallback; a primary that it is passed on to;
//! or nobody.

use crate::admission;
use crate::anti_entropy::AntiEntropy;
use crate::collection::Collection;
use crate::coordinator::Coordinator;
use crate::copies;
use crate::handoff::Handoff;
use crate::incoming::{Asker, Request};
use crate::machine::Peer;
use crate::message::{Failure, FailureCode, Get, ReadKind};
use crate::pass_on::{Orphan, PassOn};
use crate::time::Duration;
use crate::turn::Turn;

/// When to try a cluster again that has no layout yet.
const RETRY_UNREADY: Duration = Duration::from_millis(500);

/// When to try a node again whose limits on requests are reached.
const RETRY_CROWDED: Duration = Duration::from_millis(50);

/// The parts of a node that run requests.
pub(super) struct Parts<'a> {
    pub(super) coordinator: &'a mut Coordinator,
    pub(super) pass_on: &'a mut PassOn,
    pub(super) handoff: &'a mut Handoff,
    pub(super) anti_entropy: &'a mut AntiEntropy,
    pub(super) collection: &'a mut Collection,
}

impl Parts<'_> {
    /// This node coordinates a request: as a primary of the key, or else as a fallback.
    fn run(&mut self, turn: &mut Turn<'_>, Orphan { asker, request, quorum, deadline }: Orphan) {
        let coordinator = &mut self.coordinator;
        match request {
            Request::Get(get) => coordinator.on_get(turn, asker, get, quorum, deadline),
            Request::Put(put) => coordinator.on_put(turn, asker, put, quorum, deadline),
        }
    }

    /// Runs, as a fallback, what no primary answers.
    pub(super) fn adopt(&mut self, turn: &mut Turn<'_>, orphans: impl IntoIterator<Item = Orphan>) {
        for orphan in orphans {
            turn.counters.coordinated_as_fallback += 1;
            self.run(turn, orphan);
        }
    }
}

/// Who runs a request: this node, a primary that it is passed on to, or nobody.
pub(super) fn on_request(turn: &mut Turn<'_>, parts: &mut Parts<'_>, from: Peer, request: Request) {
    let layout = turn.layout.map(|update| &update.layout);
    let slot = layout.map(|layout| layout.slot_of(request.head().key.as_bytes()));
    let asker = Asker::new(from, &request, slot);
    let under_way = turn.gate.enter(asker);
    let layout = layout.filter(|_| !turn.refill.holds_back());
    let (Some(layout), Some(slot)) = (layout, slot) else {
        let failure = Failure::refused(FailureCode::NotReady).retry_after(RETRY_UNREADY);
        return turn.answer(asker, None, None, Err(failure));
    };
    if let Err((limit, most)) = admission::has_room(turn, asker, under_way) {
        return turn.overloaded(asker, limit, most, RETRY_CROWDED);
    }
    let quorum = match admission::check(turn.config, turn.layouts, slot, &request) {
        Ok(quorum) => quorum,
        Err(failure) => return turn.answer(asker, None, None, Err(failure)),
    };
    let is_primary = layout.is_primary(slot, turn.config.id);
    if let Request::Get(Get { head, read: read @ (ReadKind::Data | ReadKind::Digest), .. }) =
        request
    {
        if is_primary {
            return copies::on_read(turn, asker, head.key, read, slot);
        }
        let failure = Failure::refused(FailureCode::NotAPrimary);
        return turn.answer(asker, None, None, Err(failure));
    }
    // A new primary that clients do not know yet can coordinate as well as any.
    if is_primary || turn.layouts.is_primary(slot, turn.config.id) {
        let deadline = turn.deadline(request.head().budget);
        return parts.run(turn, Orphan { asker, request, quorum, deadline });
    }
    if request.head().passed_on {
        let failure = Failure::refused(FailureCode::NotAPrimary);
        return turn.answer(asker, None, None, Err(failure));
    }
    let orphan = parts.pass_on.on_request(turn, asker, request, quorum);
    parts.adopt(turn, orphan);
}
