//! The ring, the place of a key on it, statistics, and how nodes stand, in bytes. `npm/src/ring.ts`
//! and `npm/src/status.ts` read what is written here.
//!
//! ```text
//! ring      u64 version  u32 replication  u32 n  member n times  u32 n  u16 owner n times
//! member    u64 id  u32 weight  text label  text zone  text address
//! place     16 bytes position, big-endian  u32 slot  u32 n  u16 member n times
//! stats     u64 calls  done  failed  direct  passed on  retries  hedges  u32 n  u64 node n times
//!           u32 n  { u64 node  u64 answers  u32 p50  u32 p99, in microseconds } n times
//! status    u32 n  { u64 node  u32 state  u32 reason, or 0 } n times
//! state     0: idle  1: connecting  2: connected  3: down
//! ```
//!
//! Owners and the nodes of a place are indexes into the members.

use quorate_core::client::{ClientView, DownReason, Latencies, NodeState};
use quorate_core::layout::Layout;
use quorate_core::message::LayoutUpdate;
use quorate_core::ring::Position;
use quorate_core::time::Duration;

use super::bytes::Writer;

/// The ring as the client knows it.
#[cold]
pub fn ring(update: &LayoutUpdate) -> Vec<u8> {
    let layout = &update.layout;
    let mut out = Writer::default();
    out.u64(layout.version().0);
    out.u32(layout.replication().into());
    out.length(layout.members().len());
    for (member, address) in layout.members().iter().zip(&update.addresses) {
        out.u64(member.id.0);
        out.u32(member.weight);
        out.text(&member.label);
        out.text(&member.zone);
        out.text(address);
    }
    out.length(layout.owners().len());
    for owner in layout.owners() {
        out.u16(*owner);
    }
    out.written
}

/// Where `key` lives, and its preference list.
#[cold]
pub fn locate(layout: &Layout, key: &[u8]) -> Vec<u8> {
    let slot = layout.slot_of(key);
    let mut out = Writer { written: Position::of(key).to_be_bytes().to_vec() };
    out.u32(slot.0);
    let nodes = layout.preference_list(slot);
    out.length(nodes.len());
    for id in nodes {
        let index = layout.members().binary_search_by_key(&id, |member| member.id);
        let index = index.expect("a preference list names members");
        out.u16(u16::try_from(index).expect("owners are u16, too"));
    }
    out.written
}

/// What the client did so far, and which nodes it is connected to.
#[cold]
pub fn stats(view: &ClientView<'_>) -> Vec<u8> {
    let stats = view.stats();
    let mut out = Writer::default();
    for number in [
        stats.calls,
        stats.done,
        stats.failed,
        stats.direct,
        stats.passed_on,
        stats.retries,
        stats.hedges,
    ] {
        out.u64(number);
    }
    let links = view.links();
    out.length(links.len());
    for (node, _) in links {
        out.u64(node.0);
    }
    let latencies: Vec<_> = view.latencies().collect();
    out.length(latencies.len());
    for (node, Latencies { answers, p50, p99 }) in latencies {
        out.u64(node.0);
        out.u64(answers);
        out.u32(micros(p50));
        out.u32(micros(p99));
    }
    out.written
}

/// How all nodes stand that the client knows.
#[cold]
pub fn status(view: &ClientView<'_>) -> Vec<u8> {
    let mut out = Writer::default();
    let nodes = view.nodes();
    out.length(nodes.len());
    for (node, state) in nodes {
        let (state, reason) = match state {
            NodeState::Idle => (0, 0),
            NodeState::Connecting => (1, 0),
            NodeState::Connected => (2, 0),
            NodeState::Down(reason) => (3, down_reason(reason)),
        };
        out.u64(node.0);
        out.u32(state);
        out.u32(reason);
    }
    out.written
}

/// The number of a reason.
pub(super) fn down_reason(reason: DownReason) -> u32 {
    match reason {
        DownReason::Silent => 1,
        DownReason::Unreachable => 2,
        DownReason::Reported => 3,
    }
}

pub(super) fn micros(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(u32::MAX)
}
