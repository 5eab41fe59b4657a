//! The codec (DESIGN.md §14): what goes out comes in again, and no bytes do harm.

#[path = "codec/change_strategies.rs"]
mod change_strategies;
#[path = "codec/collection_strategies.rs"]
mod collection_strategies;
#[path = "codec/damage.rs"]
mod damage;
#[path = "codec/exchange_strategies.rs"]
mod exchange_strategies;
#[path = "codec/greatest.rs"]
mod greatest;
#[path = "codec/malformed.rs"]
mod malformed;
#[path = "codec/reply_strategies.rs"]
mod reply_strategies;
#[path = "codec/status_strategies.rs"]
mod status_strategies;
#[path = "codec/strategies.rs"]
mod strategies;

use bytes::Bytes;
use change_strategies::history;
use damage::{damage, damaged};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use quorate_core::causality::{
    Actor, Birth, Checksum, Counter, Held, History, Own, Payload, Record, Seen, Sibling,
};
use quorate_core::codec::{
    DecodeError, decode, decode_answer, decode_held, decode_layouts, encode, encode_held,
    encode_layouts, frames,
};
use quorate_core::ids::{Epoch, Incarnation, Key, NodeId, RequestId};
use quorate_core::layout::LayoutVersion;
use quorate_core::limits::LINK_FRAME_BYTES_MAX;
use quorate_core::message::{
    CallId, Compared, Comparison, Get, LayoutAnswer, LayoutOrder, LayoutReply, LayoutRequest,
    LayoutUpdate, MergeReason, Message, QuorumChoice, ReadKind, ReplicaMerge, ReplicaState,
    RequestHead, StagedChange, Staging, StatusRequest, Strictness, Target,
};
use quorate_core::time::{Duration, UnixMs};
use strategies::{held, message};

/// Fields with a number that no message uses, of each wire type that is skipped.
const UNKNOWN_FIELDS: [&[u8]; 5] = [
    &[0xa0, 0x06, 0x96, 0x01],
    &[0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
    &[0xa5, 0x06, 1, 2, 3, 4],
    &[0xa2, 0x06, 3, 0xff, 0xff, 0xff],
    &[0xa2, 0x06, 0],
];

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..Default::default() }
}

fn encoded(message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    encode(message, &mut out);
    out
}

/// The body of the one frame that a message is encoded to.
fn body(message: &Message) -> Bytes {
    let mut frames = frames(encoded(message).into(), LINK_FRAME_BYTES_MAX);
    let body = frames.next().expect("one frame").expect("whole");
    assert_eq!(frames.next(), None);
    body
}

fn prefixed(length: usize) -> Vec<u8> {
    let (mut out, mut length) = (Vec::new(), length);
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&prefixed(body.len())[..], body].concat()
}

/// Everything that a WebSocket message holds; the codec must come to an end of it.
fn decode_all(bytes: &[u8], frame_bytes_max: usize) -> Vec<Result<Message, DecodeError>> {
    let bytes = Bytes::copy_from_slice(bytes);
    let frames: Vec<_> = frames(bytes.clone(), frame_bytes_max).take(bytes.len() + 1).collect();
    assert!(frames.len() <= bytes.len(), "a frame takes at least the byte of its length");
    frames.into_iter().map(|frame| frame.and_then(decode_twice)).collect()
}

/// As a node decodes; a client does it, too, and must come to no harm either. With a field that is
/// skipped a frame of a request goes another way through the codec, and means the same.
fn decode_twice(frame: Bytes) -> Result<Message, DecodeError> {
    let _ = decode_answer(frame.clone());
    let longer = [&frame[..], UNKNOWN_FIELDS[4]].concat();
    let message = decode(frame);
    if message.is_ok() {
        assert_eq!(decode(longer.into()), message);
    }
    message
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_message_comes_out_as_it_went_in(message in message()) {
        prop_assert_eq!(decode(body(&message)), Ok(message));
    }

    #[test]
    fn many_frames_of_one_web_socket_message_stay_apart(messages in vec(message(), 0..12)) {
        let mut bytes = Vec::new();
        let mut lengths = Vec::new();
        for message in &messages {
            encode(message, &mut bytes);
            lengths.push(body(message).len());
        }
        let split: Result<Vec<Bytes>, DecodeError> =
            frames(bytes.into(), LINK_FRAME_BYTES_MAX).collect();
        let split = split.unwrap();
        prop_assert_eq!(split.iter().map(Bytes::len).collect::<Vec<_>>(), lengths);
        let decoded: Result<Vec<Message>, DecodeError> = split.into_iter().map(decode).collect();
        prop_assert_eq!(decoded, Ok(messages));
    }

    #[test]
    fn encoding_appends_and_is_the_same_each_time(message in message(), before in vec(any::<u8>(), 0..20)) {
        let mut out = before.clone();
        encode(&message, &mut out);
        prop_assert_eq!(out, [before, encoded(&message)].concat());
    }

    #[test]
    fn unknown_fields_are_skipped(message in message(), choices in vec(any::<Index>(), 1..4), front in any::<bool>()) {
        let unknown: Vec<u8> =
            choices.iter().flat_map(|choice| UNKNOWN_FIELDS[choice.index(5)].to_vec()).collect();
        let known = body(&message);
        // In the frame.
        let parts = if front { [&unknown[..], &known] } else { [&known[..], &unknown] };
        prop_assert_eq!(decode(parts.concat().into()), Ok(message.clone()));
        // In its body: a key, a length, then the fields.
        let key_bytes = known.iter().take_while(|byte| **byte >= 0x80).count() + 1;
        let (key, rest) = known.split_at(key_bytes);
        let fields = frames(Bytes::copy_from_slice(rest), LINK_FRAME_BYTES_MAX).next().unwrap().unwrap();
        let parts = if front { [&unknown[..], &fields] } else { [&fields[..], &unknown] };
        let extended = [key, &framed(&parts.concat())].concat();
        prop_assert_eq!(decode(extended.into()), Ok(message));
    }

    #[test]
    fn a_frame_in_two_parts_is_one(call in any::<u64>(), key in vec(any::<u8>(), 1..20)) {
        // Protocol Buffers: a message that comes twice is merged.
        let head = RequestHead { call: CallId(call), key: Key::from(key), ..bare_head() };
        let whole = get(head.clone());
        let with_call = get(RequestHead { key: Key::from(vec![]), ..head.clone() });
        let with_key = get(RequestHead { call: CallId(0), ..head });
        prop_assert_eq!(decode([body(&with_call), body(&with_key)].concat().into()), Ok(whole));
    }

    #[test]
    fn what_is_held_comes_out_as_it_went_in(held in held()) {
        prop_assert_eq!(decode_held(encode_held(&held).into()), Ok(held));
    }

    #[test]
    fn stored_layouts_come_out_as_they_went_in(history in history()) {
        prop_assert_eq!(decode_layouts(encode_layouts(&history).into()), Ok(history));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..config() })]

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in vec(any::<u8>(), 0..200), max in 0..300_usize) {
        decode_all(&bytes, max);
        let _ = decode_twice(bytes.clone().into());
        prop_assert!(decode_held(bytes.into()).is_err());
    }

    #[test]
    fn arbitrary_fields_do_no_harm(tags in vec((1..15_u8, 0..6_u8, vec(any::<u8>(), 0..30)), 0..8)) {
        let mut frame = Vec::new();
        for (tag, wire_type, bytes) in tags {
            frame.push(tag << 3 | wire_type);
            frame.extend(if wire_type == 2 { framed(&bytes) } else { bytes });
        }
        let _ = decode_twice(frame.into());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..config() })]

    #[test]
    fn damaged_frames_do_no_harm(
        sent in vec(message(), 1..3),
        other in message(),
        damages in vec(damage(), 1..4),
        whole in any::<bool>(),
    ) {
        let other = encoded(&other);
        let sent: Vec<u8> = sent.iter().flat_map(encoded).collect();
        // With whole lengths the damage gets past the splitting and into the fields.
        let damaged = |bytes| damages.iter().fold(bytes, |bytes, change| damaged(bytes, &other, change));
        let results = if whole {
            frames(sent.into(), LINK_FRAME_BYTES_MAX)
                .map(|frame| decode_twice(damaged(frame.unwrap().to_vec()).into()))
                .collect()
        } else {
            decode_all(&damaged(sent), LINK_FRAME_BYTES_MAX)
        };
        // What decodes is well formed: it goes out and comes in again.
        for message in results.into_iter().flatten() {
            check(&message);
            prop_assert_eq!(decode(body(&message)), Ok(message));
        }
    }

    #[test]
    fn damage_to_what_is_held_is_found(held in held(), other in held(), damages in vec(damage(), 1..3)) {
        let (bytes, other) = (encode_held(&held), encode_held(&other));
        let damaged = damages.iter().fold(bytes.clone(), |bytes, change| damaged(bytes, &other, change));
        let unharmed = damaged == bytes || damaged == other;
        prop_assert_eq!(decode_held(damaged.into()).is_ok(), unharmed);
    }
}

/// Panics where a message that was decoded breaks an invariant of its parts.
fn check(message: &Message) {
    match message {
        Message::ReplicaRecord(answer) => match &answer.state {
            ReplicaState::Record(record) => record.check_invariants(),
            ReplicaState::Unreadable | ReplicaState::Same => {}
        },
        Message::ReplicaMerge(merge) => merge.record.check_invariants(),
        Message::Welcome(welcome) => check_layout(welcome.layout.as_deref()),
        Message::Reply(reply) => check_layout(reply.layout.as_deref()),
        Message::Gossip(gossip) => {
            gossip.layouts.iter().for_each(|update| check_layout(Some(update)));
            assert!(gossip.pulses.is_sorted_by(|one, next| one.id < next.id));
            gossip.staging.iter().for_each(check_staging);
        }
        Message::LayoutReply(LayoutReply { result: Ok(LayoutAnswer::Report(report)), .. }) => {
            report.live.iter().for_each(|update| check_layout(Some(update)));
            check_staging(&report.staging);
        }
        Message::LayoutReply(LayoutReply { result: Ok(LayoutAnswer::Staged(staging)), .. })
        | Message::LayoutRequest(LayoutRequest { order: LayoutOrder::Commit(staging), .. }) => {
            check_staging(staging);
        }
        Message::Compared(Compared { answer: Comparison::Records { records, .. }, .. }) => {
            records.iter().for_each(|(_, record)| record.check_invariants());
        }
        Message::Hello(_)
        | Message::Reject(_)
        | Message::Unsupported(_)
        | Message::Get(_)
        | Message::Put(_)
        | Message::ReplicaRead(_)
        | Message::ReplicaMerged(_)
        | Message::Compare(_)
        | Message::Compared(_)
        | Message::Collect(_)
        | Message::Collected(_)
        | Message::StatusRequest(_)
        | Message::StatusReply(_)
        | Message::RepairRequest(_)
        | Message::RepairReply(_)
        | Message::LayoutRequest(_)
        | Message::LayoutReply(_) => {}
    }
}

/// Each node once, and a member as the node that it is.
fn check_staging(staging: &Staging) {
    assert!(staging.changes.is_sorted_by(|one, next| one.node < next.node));
    let is_itself = |change: &StagedChange| match &change.target {
        Target::Member(member) => member.id == change.node,
        Target::AsItIs | Target::Gone => true,
    };
    assert!(staging.changes.iter().all(is_itself));
}

fn check_layout(update: Option<&LayoutUpdate>) {
    let Some(LayoutUpdate { layout, addresses }) = update else { return };
    assert_eq!(layout.members().len(), addresses.len());
    assert!(layout.owners().iter().all(|owner| usize::from(*owner) < addresses.len()));
}

fn bare_head() -> RequestHead {
    RequestHead {
        call: CallId(0),
        key: Key::from(vec![]),
        quorum: QuorumChoice::default(),
        budget: Duration::ZERO,
        layout_version: LayoutVersion(0),
        passed_on: false,
        receipt: false,
        strictness: Strictness::Configured,
        zone: None,
    }
}

fn status_request(call: u64) -> Message {
    Message::StatusRequest(StatusRequest { call: CallId(call), slots: false })
}

fn get(head: RequestHead) -> Message {
    Message::Get(Get { head, context: Bytes::new(), read: ReadKind::Quorum })
}

#[test]
fn a_frame_of_unknown_kind_does_not_hide_those_behind_it() {
    let known = status_request(7);
    let empty: &[u8] = &[];
    let future = [0x9a, 0x06, 3, 0x08, 0x96, 0x01];
    for unknown in [empty, &future, UNKNOWN_FIELDS[0], UNKNOWN_FIELDS[3]] {
        assert_eq!(decode(Bytes::copy_from_slice(unknown)), Err(DecodeError::Unknown));
        let bytes = [encoded(&known), framed(unknown), encoded(&known)].concat();
        let expected = [Ok(known.clone()), Err(DecodeError::Unknown), Ok(known.clone())];
        assert_eq!(decode_all(&bytes, LINK_FRAME_BYTES_MAX), expected);
    }
    assert!(DecodeError::Unknown.is_recoverable());
}

#[test]
fn a_malformed_frame_does_not_hide_those_behind_it() {
    let known = status_request(7);
    let bytes = [framed(&[0x0a, 9]), encoded(&known)].concat();
    let results = decode_all(&bytes, LINK_FRAME_BYTES_MAX);
    assert!(matches!(results[..], [Err(DecodeError::Malformed { .. }), Ok(_)]), "{results:?}");
    assert!(results[0].as_ref().is_err_and(DecodeError::is_recoverable));
}

#[test]
fn a_frame_that_is_too_long_ends_the_web_socket_message() {
    let known = encoded(&status_request(7));
    let max = 10;
    for length in [11, 300, u32::MAX as usize, usize::MAX] {
        let bytes = [&known[..], &prefixed(length), &known].concat();
        let results = decode_all(&bytes, max);
        let error = DecodeError::TooLong { bytes: length as u64, max };
        assert_eq!(results[1..], [Err(error.clone())]);
        assert!(!error.is_recoverable());
    }
    // The limit itself is accepted, and it does not count the prefix.
    let unknown = framed(&[0xa2, 0x06, 7, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(decode_all(&unknown, max), [Err(DecodeError::Unknown)]);
    assert!(matches!(decode_all(&unknown, max - 1)[..], [Err(DecodeError::TooLong { .. })]));
}

#[test]
fn lengths_that_do_not_add_up_end_the_web_socket_message() {
    let known = encoded(&status_request(7));
    let broken: [&[u8]; 6] = [
        &[0x80],
        &[0xff, 0xff, 0xff],
        &[0xff; 11],
        &[0x80; 40],
        &[5, 0x62, 2, 8],
        &[0x80, 0x01, 0x62, 2, 8, 7],
    ];
    for broken in broken {
        let results = decode_all(&[&known[..], broken].concat(), LINK_FRAME_BYTES_MAX);
        let [Ok(_), Err(error)] = &results[..] else { panic!("{broken:?}: {results:?}") };
        assert!(matches!(error, DecodeError::Framing { .. }), "{broken:?}: {error:?}");
        assert!(!error.is_recoverable());
    }
    assert_eq!(decode_all(&[], LINK_FRAME_BYTES_MAX), []);
}

#[test]
fn a_budget_is_rounded_up_and_bounded() {
    let cases = [
        (Duration::ZERO, 0),
        (Duration::from_micros(1), 1),
        (Duration::from_micros(1_000), 1),
        (Duration::from_micros(1_001), 2),
        (Duration::from_millis(u64::from(u32::MAX)), u64::from(u32::MAX)),
        (Duration::from_millis(u64::from(u32::MAX) + 1), u64::from(u32::MAX)),
        (Duration::MAX, u64::from(u32::MAX)),
    ];
    for (budget, received_ms) in cases {
        let sent = get(RequestHead { budget, ..bare_head() });
        let Ok(Message::Get(Get { head, .. })) = decode(body(&sent)) else { panic!("{sent:?}") };
        assert_eq!(head.budget, Duration::from_millis(received_ms), "{budget:?}");
    }
}

#[test]
fn a_payload_is_a_slice_of_its_frame() {
    let frame = body(&Message::ReplicaMerge(ReplicaMerge {
        call: CallId(1),
        key: Key::from("key"),
        record: record_of(1, 1, Payload::Value(Bytes::from_static(&[7; 1_000]))),
        hint_for: None,
        reason: MergeReason::Write,
        epoch: Epoch(1),
        layout_version: LayoutVersion(0),
    }));
    let within = frame.as_ptr_range();
    let Ok(Message::ReplicaMerge(merge)) = decode(frame) else { panic!("a merge") };
    assert!(within.contains(&merge.key.as_bytes().as_ptr()));
    for (_, sibling) in merge.record.siblings() {
        let Payload::Value(value) = &sibling.payload else { panic!("a value") };
        assert!(within.contains(&value.as_ptr()));
    }
}

/// As many actors, each with as many live siblings, all numbers small: the shortest on the wire.
fn record_of(actors: u64, live: u64, payload: Payload) -> Record {
    let sibling = Sibling {
        checksum: Checksum::of(&payload),
        payload,
        written: UnixMs(1),
        expires: None,
        request: RequestId::default(),
    };
    let history = |birth| {
        let actor = Actor { node: NodeId(1), incarnation: Incarnation(1), birth: Birth(birth) };
        // All counters that fit into one byte, each alone.
        let superseded = Seen::from_parts(0, (2..128).step_by(2).collect()).expect("canonical");
        let live = (0..live).map(|index| (Counter(2 * index + 1), sibling.clone())).collect();
        (actor, History::from_parts(superseded, UnixMs(1), live).expect("sound"))
    };
    Record::from_histories((1..=actors).map(history)).expect("ascending")
}

#[test]
fn any_flipped_bit_of_what_is_held_is_found() {
    let record = record_of(2, 2, Payload::Value(Bytes::from_static(b"payload")));
    let own = record.histories().next().map(|(actor, _)| Own { actor });
    let held = Held::from_parts(record, own);
    let bytes = encode_held(&held);
    assert_eq!(decode_held(bytes.clone().into()), Ok(held));
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(decode_held(flipped.into()).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(decode_held(Bytes::copy_from_slice(&bytes[..length])).is_err(), "{length} bytes");
    }
}
