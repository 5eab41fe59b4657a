//! What TypeScript is to do, in bytes. `npm/src/results.ts` reads what is written here.
//!
//! A batch is a header and a sequence of results without padding; all numbers are little-endian.
//!
//! ```text
//! header    u32 milliseconds until the machine wants a WAKE (0xffffffff: never)
//! result    u32 what it is, then
//!   DIAL         1  u32 link  text address
//!   SEND         2  u32 link  bytes              one WebSocket message
//!   HANGUP       3  u32 link
//!   ENTRY        4  u64 call  origin  u32 tombstones  u32 values n
//!                   { u32 length  u64 written  u64 expires } n times
//!                   bytes: the context, then the values
//!   WRITTEN      5  u64 call  origin  u32 siblings  bytes context
//!   FAILED       6  u64 call  text code  u32 retryable  u32 unknown  u32 has a node  u64 node
//!                   u32 attempts  u32 needed  u32 acked  u64 limit  u64 actual
//!                   u32 retry after, in milliseconds  text message
//!   CONNECTED    7  u64 node  text address
//!   DISCONNECTED 8  u32 has a node  u64 node  text address
//!   LAYOUT       9  u64 version
//!   REJECTED    10  text address  text code  text detail
//!   NODE_DOWN   11  u64 node  u32 reason          1: silent  2: unreachable  3: reported
//!   NODE_UP     12  u64 node
//!   PONG        13  u64 call  u32 microseconds
//! expires   milliseconds since 1970; 0: never
//! origin    u32 sent straight to a primary  u32 attempts  u64 node that answered  receipt
//! receipt   u32 0, or: u32 1  u64 coordinator  u32 needed  u64 layout version
//!           u32 n  u64 primary n times  u32 n  u64 repaired n times
//!           u32 n  { u64 fallback  u64 primary } n times  text zone (empty: all are counted)
//! bytes     u32 length, then that many; text: the same, in UTF-8
//! ```
//!
//! The length of an ENTRY's context is the length of its bytes less that of its values, so the
//! reader passes over all of them at once, and unpacks them from a copy of many answers.

use quorate_core::client::{CallError, Completion, DownReason, Link};
use quorate_core::ids::NodeId;
use quorate_core::message::{
    Answer, CallId, Entry, Outcome, Receipt, Reject, RejectCode, StandIn, Written,
};
use quorate_core::time::{Duration, Instant};

use super::bytes::Writer;
use super::view;

const NEVER: u32 = u32::MAX;

/// Capacity above which the buffer is given back: a large value must not cost memory for ever.
const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Writes one batch into a buffer that is kept.
#[derive(Debug, Default)]
pub struct Results {
    out: Writer,
}

impl Results {
    /// Begins a batch.
    pub fn begin(&mut self) {
        self.out.written.clear();
        self.out.written.shrink_to(KEPT_BYTES_MAX);
        self.out.u32(NEVER);
    }

    /// Ends the batch: the machine sleeps until `wake`, counted from `now`.
    pub fn end(&mut self, now: Instant, wake: Option<Instant>) {
        let delay = wake.map_or(NEVER, |at| {
            // Rounded up: a timer that fires a moment early would only be set again.
            let millis = (at.since(now) + Duration::from_micros(999)).as_millis();
            u32::try_from(millis).unwrap_or(NEVER).min(NEVER - 1)
        });
        if let Some(header) = self.out.written.first_chunk_mut() {
            *header = delay.to_le_bytes();
        }
    }

    /// The batch.
    pub fn as_bytes(&self) -> &[u8] {
        &self.out.written
    }

    /// Connect `link` to `address`.
    pub fn dial(&mut self, link: Link, address: &str) {
        self.out.u32(1);
        self.out.u32(link.0);
        self.out.text(address);
    }

    /// Send one WebSocket message.
    pub fn send(&mut self, link: Link, message: &[u8]) {
        self.out.u32(2);
        self.out.u32(link.0);
        self.out.bytes(message);
    }

    /// Close `link`.
    pub fn hangup(&mut self, link: Link) {
        self.out.u32(3);
        self.out.u32(link.0);
    }

    /// A request has ended.
    pub fn complete(&mut self, call: CallId, result: &Result<Completion, CallError>) {
        match result {
            Ok(completion) => match &completion.answer {
                Answer::Entry(entry) => self.entry(call, completion, entry),
                Answer::Written(written) => self.written(call, completion, written),
            },
            Err(error) => self.failed(call, error),
        }
    }

    /// A node has welcomed the client.
    pub fn connected(&mut self, node: NodeId, address: &str) {
        self.out.u32(7);
        self.out.u64(node.0);
        self.out.text(address);
    }

    /// A connection is gone.
    pub fn disconnected(&mut self, node: Option<NodeId>, address: &str) {
        self.out.u32(8);
        self.known(node);
        self.out.text(address);
    }

    /// The client goes around a node.
    pub fn node_down(&mut self, node: NodeId, reason: DownReason) {
        self.out.u32(11);
        self.out.u64(node.0);
        self.out.u32(view::down_reason(reason));
    }

    /// A node that was down is up.
    pub fn node_up(&mut self, node: NodeId) {
        self.out.u32(12);
        self.out.u64(node.0);
    }

    /// A node has answered a ping.
    pub fn pong(&mut self, call: CallId, took: Duration) {
        self.out.u32(13);
        self.out.u64(call.0);
        self.out.u32(view::micros(took));
    }

    /// The client holds a newer layout.
    pub fn layout(&mut self, version: u64) {
        self.out.u32(9);
        self.out.u64(version);
    }

    /// A node has refused the client.
    pub fn rejected(&mut self, address: &str, reject: &Reject) {
        self.out.u32(10);
        self.out.text(address);
        self.out.text(reject_code(reject.code));
        self.out.text(&reject.text);
    }

    fn entry(&mut self, call: CallId, completion: &Completion, entry: &Entry) {
        self.out.u32(4);
        self.out.u64(call.0);
        self.origin(completion);
        self.out.u32(entry.tombstones);
        self.out.length(entry.values.len());
        for value in &entry.values {
            self.out.length(value.payload.len());
            self.out.u64(value.written.0);
            self.out.u64(value.expires.map_or(0, |at| at.0));
        }
        let values: usize = entry.values.iter().map(|value| value.payload.len()).sum();
        self.out.length(entry.context.len() + values);
        self.out.written.extend_from_slice(&entry.context);
        for value in &entry.values {
            self.out.written.extend_from_slice(&value.payload);
        }
    }

    fn written(&mut self, call: CallId, completion: &Completion, written: &Written) {
        self.out.u32(5);
        self.out.u64(call.0);
        self.origin(completion);
        self.out.u32(written.siblings);
        self.out.bytes(&written.context);
    }

    #[cold]
    fn failed(&mut self, call: CallId, error: &CallError) {
        self.out.u32(6);
        self.out.u64(call.0);
        self.out.text(error.code.as_str());
        self.out.u32(error.retryable().into());
        self.out.u32((error.outcome == Outcome::Unknown).into());
        self.known(error.node);
        self.out.u32(error.attempts);
        self.out.u32(error.needed);
        self.out.u32(error.acked);
        self.out.u64(error.limit);
        self.out.u64(error.actual);
        self.out.u32(u32::try_from(error.retry_after.as_millis()).unwrap_or(u32::MAX));
        self.out.text(&error.to_string());
    }

    fn known(&mut self, node: Option<NodeId>) {
        self.out.u32(node.is_some().into());
        self.out.u64(node.map_or(0, |node| node.0));
    }

    fn origin(&mut self, completion: &Completion) {
        self.out.u32(completion.direct.into());
        self.out.u32(completion.attempts);
        self.out.u64(completion.node.0);
        self.out.u32(completion.receipt.is_some().into());
        if let Some(receipt) = &completion.receipt {
            self.receipt(receipt);
        }
    }

    #[cold]
    fn receipt(&mut self, receipt: &Receipt) {
        self.out.u64(receipt.coordinator.0);
        self.out.u32(receipt.needed.into());
        self.out.u64(receipt.layout_version.0);
        for nodes in [&receipt.primaries, &receipt.repaired] {
            self.out.length(nodes.len());
            for node in nodes {
                self.out.u64(node.0);
            }
        }
        self.out.length(receipt.fallbacks.len());
        for StandIn { node, primary } in &receipt.fallbacks {
            self.out.u64(node.0);
            self.out.u64(primary.0);
        }
        self.out.text(receipt.zone.as_deref().unwrap_or_default());
    }
}

fn reject_code(code: RejectCode) -> &'static str {
    match code {
        RejectCode::Version => "VERSION",
        RejectCode::Cluster => "CLUSTER",
        RejectCode::Credentials => "CREDENTIALS",
        RejectCode::Identity => "IDENTITY",
        RejectCode::Full => "FULL",
        RejectCode::Malformed => "MALFORMED",
    }
}
