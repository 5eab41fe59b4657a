//! What a client sends and receives, and nothing else.
//!
//! A client never meets a record or a status, so a client that uses these two functions alone
//! carries no code for them: a sixth less WebAssembly, gzipped. The bytes are those of
//! [`encode`](super::encode) and [`decode`](super::decode).

use alloc::vec::Vec;

use bytes::{Buf, Bytes};
use prost::Message as _;
use prost::encoding::{
    DecodeContext, WireType, decode_key, decode_varint, encode_varint, message, skip_field,
};

use super::direct::{self, REPLY};
use super::{DecodeError, guard, handshake, malformed, request, wire};
use crate::message::{Message, Unsupported};

// The numbers of the bodies in `message Frame`.
const HELLO: u32 = 1;
const WELCOME: u32 = 2;
const REJECT: u32 = 3;
const UNSUPPORTED: u32 = 4;

/// Appends one frame of a client, its length first.
///
/// # Panics
/// Where a client never sends such a message: it is a HELLO, GET or PUT.
pub fn encode_request(message: &Message, out: &mut Vec<u8>) {
    match message {
        Message::Hello(hello) => append(HELLO, &handshake::hello_out(hello), out),
        Message::Get(get) => direct::append(direct::GET, get, out),
        Message::Put(put) => direct::append(direct::PUT, put, out),
        Message::Welcome(_)
        | Message::Reject(_)
        | Message::Unsupported(_)
        | Message::Reply(_)
        | Message::ReplicaRead(_)
        | Message::ReplicaRecord(_)
        | Message::ReplicaMerge(_)
        | Message::ReplicaMerged(_)
        | Message::Compare(_)
        | Message::Compared(_)
        | Message::StatusRequest(_)
        | Message::StatusReply(_)
        | Message::Gossip(_)
        | Message::RepairRequest(_)
        | Message::RepairReply(_)
        | Message::Collect(_)
        | Message::Collected(_)
        | Message::LayoutRequest(_)
        | Message::LayoutReply(_) => panic!("no client sends this"),
    }
}

/// The message in the body of one frame to a client.
///
/// # Errors
/// `Malformed`, or `Unknown` for a frame that is not meant for clients; the connection can go on
/// after either.
pub fn decode_answer(mut frame: Bytes) -> Result<Message, DecodeError> {
    if let Some(reply) = direct::decode_reply(&frame) {
        return Ok(reply);
    }
    guard::check(&frame)?;
    let broken = |_| malformed("no Protocol Buffers frame");
    let mut answer = None;
    while frame.has_remaining() {
        let (tag, wire_type) = decode_key(&mut frame).map_err(broken)?;
        if wire_type != WireType::LengthDelimited || !(WELCOME..=REPLY).contains(&tag) {
            let context = DecodeContext::default();
            skip_field(wire_type, tag, &mut frame, context).map_err(broken)?;
            continue;
        }
        let length = decode_varint(&mut frame).map_err(broken)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > frame.remaining() {
            return Err(malformed("a body ends after its frame"));
        }
        let body = frame.split_to(length);
        answer = match tag {
            WELCOME => {
                let welcome = wire::Welcome::decode(body).map_err(broken)?;
                Some(Message::Welcome(handshake::welcome_in(welcome)?))
            }
            REJECT => {
                let reject = wire::Reject::decode(body).map_err(broken)?;
                Some(Message::Reject(handshake::reject_in(reject)?))
            }
            UNSUPPORTED => {
                let unsupported = wire::Unsupported::decode(body).map_err(broken)?;
                Some(Message::Unsupported(Unsupported { text: unsupported.text }))
            }
            REPLY => {
                let reply = wire::Reply::decode(body).map_err(broken)?;
                Some(Message::Reply(request::reply_in(reply)?))
            }
            _ => answer,
        };
    }
    answer.ok_or(DecodeError::Unknown)
}

fn append<M: prost::Message>(tag: u32, body: &M, out: &mut Vec<u8>) {
    encode_varint(message::encoded_len(tag, body) as u64, out);
    message::encode(tag, body, out);
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use bytes::Bytes;

    use super::{decode_answer, encode_request};
    use crate::codec::{DecodeError, decode, encode, frames};
    use crate::ids::RequestId;
    use crate::layout::LayoutVersion;
    use crate::message::{
        Answer, CallId, Change, Defaults, Get, Hello, Message, Put, QuorumChoice, ReadKind, Reject,
        RejectCode, Reply, RequestHead, Role, StatusRequest, Strictness, Unsupported, Welcome,
        Written,
    };
    use crate::time::Duration;

    fn encoded(message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(message, &mut bytes);
        bytes
    }

    fn body(message: &Message) -> Bytes {
        frames(Bytes::from(encoded(message)), usize::MAX).next().unwrap().unwrap()
    }

    fn head() -> RequestHead {
        RequestHead {
            call: CallId(7),
            key: "key".into(),
            quorum: QuorumChoice { r: 1, w: 3 },
            strictness: Strictness::Sloppy,
            budget: Duration::from_millis(250),
            layout_version: LayoutVersion(4),
            passed_on: false,
            receipt: true,
            zone: None,
        }
    }

    fn get() -> Get {
        Get { head: head(), context: Bytes::from_static(b"context"), read: ReadKind::Data }
    }

    #[test]
    fn requests_are_encoded_as_by_the_whole_codec() {
        let hello = Hello {
            version_min: 1,
            version_max: 2,
            cluster: None,
            role: Role::Client,
            layout_version: LayoutVersion(0),
            credentials: Bytes::from_static(b"secret"),
        };
        let put = Put {
            head: head(),
            context: Bytes::from_static(b"context"),
            request: RequestId { client: 1, sequence: 2 },
            change: Change::Delete,
        };
        for message in [Message::Hello(hello), Message::Get(get()), Message::Put(put)] {
            let mut bytes = Vec::new();
            encode_request(&message, &mut bytes);
            assert_eq!(bytes, encoded(&message), "{message:?}");
        }
    }

    #[test]
    fn answers_are_decoded_as_by_the_whole_codec() {
        let welcome = Welcome {
            version: 1,
            cluster: crate::ids::ClusterId(1),
            node: crate::ids::NodeId(2),
            label: "n".into(),
            incarnation: crate::ids::Incarnation(3),
            defaults: Defaults {
                r: 2,
                w: 2,
                allow_weak: false,
                key_bytes_max: 1,
                value_bytes_max: 2,
                calls_max: 3,
                strict: true,
            },
            layout: None,
            down: [crate::ids::NodeId(4)].into(),
        };
        let reply = Reply {
            call: CallId(1),
            layout_version: LayoutVersion(1),
            layout: None,
            receipt: None,
            passed_on_by: None,
            copy: None,
            down: Vec::new(),
            result: Ok(Answer::Written(Written { context: Bytes::new(), siblings: 2 })),
        };
        let reject = Reject { code: RejectCode::Full, text: "full".into() };
        let messages = [
            Message::Welcome(welcome),
            Message::Reject(reject),
            Message::Unsupported(Unsupported { text: "what?".into() }),
            Message::Reply(reply),
        ];
        for message in messages {
            let body = body(&message);
            assert_eq!(decode_answer(body.clone()), Ok(message));
            assert_eq!(decode_answer(body.clone()), decode(body.clone()));
            for length in 0..body.len() {
                assert!(decode_answer(body.slice(..length)).is_err());
            }
        }
    }

    #[test]
    fn what_is_not_meant_for_clients_is_unknown_to_them() {
        assert_eq!(
            decode_answer(body(&Message::StatusRequest(StatusRequest {
                call: CallId(1),
                slots: false
            }))),
            Err(DecodeError::Unknown)
        );
        assert_eq!(decode_answer(body(&Message::Get(get()))), Err(DecodeError::Unknown));
    }
}
