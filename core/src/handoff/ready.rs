//! Whether a target can be served.

use super::recipients::Presence;
use super::target::Target;
use crate::ids::NodeId;
use crate::message::MergeReason;
use crate::time::{Duration, Instant};
use crate::turn::Turn;
use crate::verdicts::Standing;

/// The wait for a target that is avoided, or for a storage that has too much to do.
pub(super) const BUSY_PAUSE: Duration = Duration::from_millis(250);

/// Whether a target can be served.
pub(super) enum Ready {
    Now,
    At(Instant),
    /// There is nothing to hand over.
    Never,
}

/// Whether a target can be served.
pub(super) fn ready(turn: &Turn<'_>, presence: &Presence, id: NodeId, target: &Target) -> Ready {
    let now = turn.now.instant;
    if !turn.hints.may_be_found(id) {
        return Ready::Never;
    }
    if let Some(at) = target.pause(now) {
        return Ready::At(at);
    }
    let is_held = !turn.refill.is_asked();
    if is_held || turn.tickets.is_full_for(MergeReason::Handoff) {
        return Ready::At(now + BUSY_PAUSE);
    }
    if !turn.peers.is_up(id) {
        return presence.waits_until(turn, id).map_or(Ready::Now, Ready::At);
    }
    match turn.verdicts.standing(now, id) {
        Standing::Trusted => Ready::Now,
        Standing::Avoided => Ready::At(now + BUSY_PAUSE),
    }
}
