//! What a request must fulfil before anybody works on it.

use crate::config::NodeConfig;
use crate::incoming::{Asker, Request};
use crate::layout::Layout;
use crate::layouts::Layouts;
use crate::machine::Peer;
use crate::message::{Change, Failure, FailureCode};
use crate::quorum::Quorum;
use crate::ring::Slot;
use crate::turn::Turn;

/// Whether the limits on requests under way leave room for one more; else which is reached.
pub(crate) fn has_room(
    turn: &Turn<'_>,
    asker: Asker,
    under_way: usize,
) -> Result<(), (&'static str, usize)> {
    let limits = &turn.config.limits;
    let of_client = matches!(asker.peer, Peer::Client(_));
    if of_client && under_way > limits.calls_per_peer_max {
        return Err(("calls_per_peer_max", limits.calls_per_peer_max));
    }
    if turn.gate.bytes() > limits.request_bytes_max {
        return Err(("request_bytes_max", limits.request_bytes_max));
    }
    Ok(())
}

/// Checks time, sizes and the quorum; answers the quorum with its defaults filled in.
pub(crate) fn check(
    config: &NodeConfig,
    layouts: &Layouts,
    slot: Slot,
    request: &Request,
) -> Result<Quorum, Failure> {
    let limits = &config.limits;
    if request.head().budget.is_zero() {
        return Err(Failure::refused(FailureCode::Timeout));
    }
    let key_bytes = request.head().key.as_bytes().len();
    if key_bytes == 0 || key_bytes > limits.key_bytes_max {
        return Err(too_long(FailureCode::KeySize, limits.key_bytes_max, key_bytes));
    }
    let context = match request {
        Request::Get(get) => &get.context,
        Request::Put(put) => &put.context,
    };
    if context.len() > limits.context_bytes_max {
        let bytes = context.len();
        return Err(too_long(FailureCode::BadContext, limits.context_bytes_max, bytes));
    }
    if let Request::Put(put) = request
        && let Change::Value { payload, .. } = &put.change
    {
        if payload.len() > limits.value_bytes_max {
            return Err(too_long(
                FailureCode::ValueTooLarge,
                limits.value_bytes_max,
                payload.len(),
            ));
        }
        put.change.check_ttl()?;
    }
    let n = layouts.read().map_or(0, |update| update.layout.replication());
    let head = request.head();
    let counted = head.zone.as_ref().and_then(|zone| most_counted(layouts, slot, zone));
    config.quorum(n, counted.unwrap_or(n), head.quorum)
}

/// How many primaries of a slot count in a local request, of the layout in force that has most.
fn most_counted(layouts: &Layouts, slot: Slot, zone: &str) -> Option<u8> {
    let counted = |layout: &Layout| match layout.primaries_in(slot, zone).count() {
        0 => layout.replication(),
        near => u8::try_from(near).unwrap_or(u8::MAX),
    };
    layouts.live().map(counted).max()
}

fn too_long(code: FailureCode, max: usize, bytes: usize) -> Failure {
    Failure::refused(code).limit(max as u64, bytes as u64)
}
