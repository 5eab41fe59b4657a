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
//!                   { u32 length  u64 written } n times  bytes: the context, then the values
//!   WRITTEN      5  u64 call  origin  u32 siblings  bytes context
//!   FAILED       6  u64 call  text code  u32 retryable  u32 unknown  u32 has a node  u64 node
//!                   u32 attempts  u32 needed  u32 acked  u64 limit  u64 actual  text detail
//!   CONNECTED    7  u64 node  text address
//!   DISCONNECTED 8  text address
//!   LAYOUT       9  u64 version
//!   REJECTED    10  text address  text code  text detail
//! origin    u32 sent straight to a primary  u32 attempts  receipt
//! receipt   u32 0, or: u32 1  u64 coordinator  u32 needed  u64 layout version
//!           u32 n  u64 primary n times  u32 n  u64 repaired n times
//! bytes     u32 length, then that many; text: the same, in UTF-8
//! ```
//!
//! The length of an ENTRY's context is the length of its bytes less that of its values, so the
//! reader takes all of them with one copy.

use quorate_core::client::{CallError, Completion, Link};
use quorate_core::ids::NodeId;
use quorate_core::message::{Answer, CallId, Entry, Outcome, Receipt, Reject, RejectCode, Written};
use quorate_core::time::{Duration, Instant};

const NEVER: u32 = u32::MAX;

/// Capacity above which the buffer is given back: a large value must not cost memory for ever.
const KEPT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Writes one batch into a buffer that is kept.
#[derive(Debug, Default)]
pub struct Results {
    bytes: Vec<u8>,
}

impl Results {
    /// Begins a batch.
    pub fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES_MAX);
        self.u32(NEVER);
    }

    /// Ends the batch: the machine sleeps until `wake`, counted from `now`.
    pub fn end(&mut self, now: Instant, wake: Option<Instant>) {
        let delay = wake.map_or(NEVER, |at| {
            // Rounded up: a timer that fires a moment early would only be set again.
            let millis = (at.since(now) + Duration::from_micros(999)).as_millis();
            u32::try_from(millis).unwrap_or(NEVER).min(NEVER - 1)
        });
        if let Some(header) = self.bytes.first_chunk_mut() {
            *header = delay.to_le_bytes();
        }
    }

    /// The batch.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Connect `link` to `address`.
    pub fn dial(&mut self, link: Link, address: &str) {
        self.u32(1);
        self.u32(link.0);
        self.bytes(address.as_bytes());
    }

    /// Send one WebSocket message.
    pub fn send(&mut self, link: Link, message: &[u8]) {
        self.u32(2);
        self.u32(link.0);
        self.bytes(message);
    }

    /// Close `link`.
    pub fn hangup(&mut self, link: Link) {
        self.u32(3);
        self.u32(link.0);
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
        self.u32(7);
        self.u64(node.0);
        self.bytes(address.as_bytes());
    }

    /// A connection is gone.
    pub fn disconnected(&mut self, address: &str) {
        self.u32(8);
        self.bytes(address.as_bytes());
    }

    /// The client holds a newer layout.
    pub fn layout(&mut self, version: u64) {
        self.u32(9);
        self.u64(version);
    }

    /// A node has refused the client.
    pub fn rejected(&mut self, address: &str, reject: &Reject) {
        self.u32(10);
        self.bytes(address.as_bytes());
        self.bytes(reject_code(reject.code).as_bytes());
        self.bytes(reject.text.as_bytes());
    }

    fn entry(&mut self, call: CallId, completion: &Completion, entry: &Entry) {
        self.u32(4);
        self.u64(call.0);
        self.origin(completion);
        self.u32(entry.tombstones);
        self.length(entry.values.len());
        for value in &entry.values {
            self.length(value.payload.len());
            self.u64(value.written.0);
        }
        let values: usize = entry.values.iter().map(|value| value.payload.len()).sum();
        self.length(entry.context.len() + values);
        self.bytes.extend_from_slice(&entry.context);
        for value in &entry.values {
            self.bytes.extend_from_slice(&value.payload);
        }
    }

    fn written(&mut self, call: CallId, completion: &Completion, written: &Written) {
        self.u32(5);
        self.u64(call.0);
        self.origin(completion);
        self.u32(written.siblings);
        self.bytes(&written.context);
    }

    fn failed(&mut self, call: CallId, error: &CallError) {
        self.u32(6);
        self.u64(call.0);
        self.bytes(error.code.as_str().as_bytes());
        self.u32(error.retryable().into());
        self.u32((error.outcome == Outcome::Unknown).into());
        self.u32(error.node.is_some().into());
        self.u64(error.node.map_or(0, |node| node.0));
        self.u32(error.attempts);
        self.u32(error.needed);
        self.u32(error.acked);
        self.u64(error.limit);
        self.u64(error.actual);
        self.bytes(error.text.as_deref().unwrap_or("").as_bytes());
    }

    fn origin(&mut self, completion: &Completion) {
        self.u32(completion.direct.into());
        self.u32(completion.attempts);
        self.u32(completion.receipt.is_some().into());
        if let Some(receipt) = &completion.receipt {
            self.receipt(receipt);
        }
    }

    fn receipt(&mut self, receipt: &Receipt) {
        self.u64(receipt.coordinator.0);
        self.u32(receipt.needed.into());
        self.u64(receipt.layout_version.0);
        for nodes in [&receipt.primaries, &receipt.repaired] {
            self.length(nodes.len());
            for node in nodes {
                self.u64(node.0);
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).expect("wasm memory ends at 4 GiB"));
    }

    fn u32(&mut self, number: u32) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    fn u64(&mut self, number: u64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
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
