//! Bytes to messages and back: DESIGN.md §14.
//!
//! ```text
//!  WebSocket message   [len][frame][len][frame]...        frames()
//!  frame               Protocol Buffers, `wire` types     guard::check(), prost; requests: `direct`
//!  message             checked values                     decode(), encode()
//! ```
//!
//! Invariant: any bytes either become a well-formed [`Message`] or an error; nothing panics, and
//! nothing allocates more than a small multiple of what came in (see `guard`). Payloads are slices
//! of the frame, never copies.

mod change;
mod client_side;
mod collection;
mod direct;
mod exchange;
mod gossip;
mod guard;
mod handshake;
mod held;
mod layout;
mod record;
mod repair;
mod replica;
mod request;
mod sealed;
mod status;
#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated")]
#[rustfmt::skip]
mod wire;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytes::{Buf, Bytes};
use prost::Message as _;
use prost::encoding::{decode_varint, encode_varint};

pub use client_side::{decode_answer, encode_request};
pub use held::{decode_held, encode_held};
pub use layout::{decode_layouts, encode_layouts};
pub use sealed::{seal, unseal};

use crate::ids::NodeId;
use crate::message::{Message, Unsupported};
use wire::frame::Body;

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The length prefixes do not fit the bytes: the rest of the WebSocket message is lost.
    Framing {
        /// What does not fit.
        reason: &'static str,
    },
    /// A frame is longer than its receiver accepts: the rest of the WebSocket message is lost.
    TooLong {
        /// Bytes that its prefix names.
        bytes: u64,
        /// The most that is accepted.
        max: usize,
    },
    /// One frame does not decode; those behind it may.
    Malformed {
        /// The part that is wrong.
        reason: &'static str,
    },
    /// A frame with a body that this version does not know; those behind it may be known.
    Unknown,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Framing { reason } => write!(f, "the frames do not add up: {reason}"),
            DecodeError::TooLong { bytes, max } => {
                write!(f, "a frame of {bytes} bytes is longer than the {max} that are accepted")
            }
            DecodeError::Malformed { reason } => write!(f, "a frame does not decode: {reason}"),
            DecodeError::Unknown => {
                f.write_str("a frame of a kind that this version of the protocol does not know")
            }
        }
    }
}

impl core::error::Error for DecodeError {}

impl DecodeError {
    /// Whether what follows in the same WebSocket message can still be read.
    pub fn is_recoverable(&self) -> bool {
        matches!(self, DecodeError::Malformed { .. } | DecodeError::Unknown)
    }
}

pub(crate) fn malformed(reason: &'static str) -> DecodeError {
    DecodeError::Malformed { reason }
}

/// Appends one frame, its length first.
pub fn encode(message: &Message, out: &mut Vec<u8>) {
    let body = match message {
        Message::Get(get) => return direct::append(direct::GET, get, out),
        Message::Put(put) => return direct::append(direct::PUT, put, out),
        Message::Reply(reply) => return direct::append(direct::REPLY, reply, out),
        Message::ReplicaRead(read) => return direct::append(direct::REPLICA_READ, read, out),
        Message::ReplicaRecord(answer) => {
            return direct::append(direct::REPLICA_RECORD, answer, out);
        }
        Message::ReplicaMerge(merge) => return direct::append(direct::REPLICA_MERGE, merge, out),
        Message::ReplicaMerged(merged) => {
            return direct::append(direct::REPLICA_MERGED, merged, out);
        }
        Message::Hello(hello) => Body::Hello(handshake::hello_out(hello)),
        Message::Welcome(welcome) => Body::Welcome(handshake::welcome_out(welcome)),
        Message::Reject(reject) => Body::Reject(handshake::reject_out(reject)),
        Message::Unsupported(unsupported) => {
            Body::Unsupported(wire::Unsupported { text: unsupported.text.clone() })
        }
        Message::Compare(compare) => Body::Compare(exchange::compare_out(compare)),
        Message::Compared(compared) => Body::Compared(exchange::compared_out(compared)),
        Message::StatusRequest(request) => Body::StatusRequest(status::request_out(*request)),
        Message::StatusReply(status) => Body::StatusReply(status::status_out(status)),
        Message::Gossip(gossip) => Body::Gossip(gossip::gossip_out(gossip)),
        Message::RepairRequest(request) => Body::RepairRequest(repair::request_out(*request)),
        Message::RepairReply(reply) => Body::RepairReply(repair::reply_out(*reply)),
        Message::LayoutRequest(request) => Body::LayoutRequest(change::request_out(request)),
        Message::LayoutReply(reply) => Body::LayoutReply(change::reply_out(reply)),
        Message::Collect(collect) => Body::Collect(collection::collect_out(collect)),
        Message::Collected(collected) => Body::Collected(collection::collected_out(collected)),
    };
    let frame = wire::Frame { body: Some(body) };
    let length = frame.encoded_len();
    out.reserve(length + 5);
    encode_varint(length as u64, out);
    frame.encode_raw(out);
}

/// The frames of one WebSocket message.
pub fn frames(bytes: Bytes, frame_bytes_max: usize) -> Frames {
    Frames { rest: bytes, frame_bytes_max }
}

/// An iterator over the bodies of the frames of one WebSocket message. After an error it ends.
#[derive(Clone, Debug)]
pub struct Frames {
    rest: Bytes,
    frame_bytes_max: usize,
}

impl Iterator for Frames {
    type Item = Result<Bytes, DecodeError>;

    fn next(&mut self) -> Option<Result<Bytes, DecodeError>> {
        if self.rest.is_empty() {
            return None;
        }
        let frame = self.split();
        if frame.is_err() {
            self.rest.clear();
        }
        Some(frame)
    }
}

impl Frames {
    fn split(&mut self) -> Result<Bytes, DecodeError> {
        let broken = |reason| DecodeError::Framing { reason };
        let length = decode_varint(&mut self.rest).map_err(|_| broken("a length is no varint"))?;
        if length > self.frame_bytes_max as u64 {
            return Err(DecodeError::TooLong { bytes: length, max: self.frame_bytes_max });
        }
        let length = length as usize;
        if length > self.rest.remaining() {
            return Err(broken("a frame ends after the message"));
        }
        Ok(self.rest.split_to(length))
    }
}

/// The message in the body of one frame.
///
/// # Errors
/// `Malformed` or `Unknown`; the connection can go on after either.
pub fn decode(frame: Bytes) -> Result<Message, DecodeError> {
    if let Some(message) = direct::decode(&frame) {
        return Ok(message);
    }
    guard::check(&frame)?;
    let frame = wire::Frame::decode(frame).map_err(|_| malformed("no Protocol Buffers frame"))?;
    message(frame.body.ok_or(DecodeError::Unknown)?)
}

fn message(body: Body) -> Result<Message, DecodeError> {
    Ok(match body {
        Body::Hello(hello) => Message::Hello(handshake::hello_in(hello)?),
        Body::Welcome(welcome) => Message::Welcome(handshake::welcome_in(welcome)?),
        Body::Reject(reject) => Message::Reject(handshake::reject_in(reject)?),
        Body::Unsupported(unsupported) => {
            Message::Unsupported(Unsupported { text: unsupported.text })
        }
        Body::Get(get) => Message::Get(request::get_in(get)?),
        Body::Put(put) => Message::Put(request::put_in(put)?),
        Body::Reply(reply) => Message::Reply(request::reply_in(reply)?),
        Body::ReplicaRead(read) => Message::ReplicaRead(replica::read_in(read)?),
        Body::ReplicaRecord(answer) => Message::ReplicaRecord(replica::record_in(answer)?),
        Body::ReplicaMerge(merge) => Message::ReplicaMerge(replica::merge_in(merge)?),
        Body::ReplicaMerged(merged) => Message::ReplicaMerged(replica::merged_in(merged)),
        Body::Compare(compare) => Message::Compare(exchange::compare_in(compare)?),
        Body::Compared(compared) => Message::Compared(exchange::compared_in(compared)?),
        Body::StatusRequest(request) => Message::StatusRequest(status::request_in(request)),
        Body::StatusReply(status) => Message::StatusReply(status::status_in(status)?),
        Body::Gossip(gossip) => Message::Gossip(gossip::gossip_in(gossip)?),
        Body::RepairRequest(request) => Message::RepairRequest(repair::request_in(request)),
        Body::RepairReply(reply) => Message::RepairReply(repair::reply_in(reply)?),
        Body::LayoutRequest(request) => Message::LayoutRequest(change::request_in(request)?),
        Body::LayoutReply(reply) => Message::LayoutReply(change::reply_in(reply)?),
        Body::Collect(collect) => Message::Collect(collection::collect_in(collect)?),
        Body::Collected(collected) => Message::Collected(collection::collected_in(collected)?),
    })
}

/// A number of at most 8 bits, from a field that can hold more.
fn byte(number: u32, reason: &'static str) -> Result<u8, DecodeError> {
    u8::try_from(number).map_err(|_| malformed(reason))
}

fn text(text: String) -> crate::ids::Text {
    text.into()
}

fn nodes_out(nodes: &[NodeId]) -> Vec<u64> {
    nodes.iter().map(|node| node.0).collect()
}

fn nodes_in(ids: Vec<u64>) -> Vec<NodeId> {
    ids.into_iter().map(NodeId).collect()
}
