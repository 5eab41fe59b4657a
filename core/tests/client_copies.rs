//! Reads that the client coordinates itself: whom it asks, when it believes them, and when it leaves
//! the read to a node.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod hands;
mod machines;

use bytes::Bytes;
use hands::Hands;
use machines::{key_of, layout, value, write};
use quorate_core::causality::{Checksum, Context, Held, RecordDigest};
use quorate_core::client::{CallOptions, ClientInput, Coordinate, Link, call_of};
use quorate_core::ids::{Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{
    Answer, CallId, Entry, EntryValue, Failure, FailureCode, Get, Message, QuorumChoice, ReadKind,
    Reply,
};
use quorate_core::time::UnixMs;

const ONE: RecordDigest = RecordDigest(1);

const OTHER: RecordDigest = RecordDigest(2);

/// A client that coordinates reads and is connected to all nodes, and a key with its primaries.
struct Bench {
    hands: Hands,
    key: Key,
    primaries: Vec<Link>,
}

/// What a client has asked for on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    link: Link,
    frame: CallId,
    read: ReadKind,
}

impl Bench {
    fn new() -> Bench {
        let mut hands = Hands::with(&["ws://1"], layout(3, 3), |config| {
            config.coordinate = Coordinate::Client;
        });
        hands.welcome(hands.at("ws://1"), 1);
        let (key, primaries) = key_of(&hands.layout, NodeId(1));
        // The others are dialled for the reads to come; this one waits for nobody.
        let first = hands.get(&key, 5_000);
        assert_eq!(hands.sent, [(hands.at("ws://1"), first)]);
        hands.answer_all();
        for node in primaries.iter().skip(1).filter(|node| node.0 != 1) {
            let address = format!("ws://{}", node.0);
            if hands.open.values().any(|open| **open == *address) {
                hands.welcome(hands.at(&address), node.0);
            } else {
                let (own, _) = key_of(&hands.layout, *node);
                hands.get(&own, 5_000);
                hands.welcome(hands.at(&address), node.0);
            }
        }
        hands.answer_all();
        hands.sent.clear();
        hands.frames.clear();
        hands.ended.clear();
        let primaries =
            primaries.iter().map(|node| hands.at(&format!("ws://{}", node.0))).collect();
        Bench { hands, key, primaries }
    }

    fn read(&mut self, options: CallOptions) -> CallId {
        let (key, context) = (self.key.clone(), Bytes::new());
        self.hands.act(|client, now, out| client.get(now, key, context, options, out))
    }

    /// What was asked since the last look.
    fn asked(&mut self) -> Vec<Asked> {
        let links = std::mem::take(&mut self.hands.sent);
        let frames = std::mem::take(&mut self.hands.frames);
        let asked = links.into_iter().zip(frames).map(|((link, frame), message)| match message {
            Message::Get(Get { read, .. }) => Asked { link, frame, read },
            other => panic!("{other:?}"),
        });
        asked.collect()
    }

    fn say(&mut self, asked: Asked, result: Result<Entry, Failure>, copy: Option<RecordDigest>) {
        self.say_under(1, asked, result, copy);
    }

    fn say_under(
        &mut self,
        version: u64,
        Asked { link, frame, .. }: Asked,
        result: Result<Entry, Failure>,
        copy: Option<RecordDigest>,
    ) {
        let reply = Reply {
            call: frame,
            layout_version: LayoutVersion(version),
            layout: None,
            receipt: None,
            passed_on_by: None,
            down: Vec::new(),
            result: result.map(Answer::Entry),
            copy,
        };
        self.hands.input(ClientInput::Frame { link, message: Message::Reply(reply) });
    }

    /// The read is with a node now: its answer, and nothing else, ends it.
    fn assert_left_to_a_node(&mut self, call: CallId) {
        assert!(self.hands.ended.is_empty(), "{:?}", self.hands.ended);
        let asked = self.asked();
        let [Asked { frame, read: ReadKind::Quorum, .. }] = asked[..] else { panic!("{asked:?}") };
        assert_eq!(frame, call);
        self.say(asked[0], Ok(the_entry()), None);
        let [(ended, Ok(done))] = &self.hands.ended[..] else { panic!("{:?}", self.hands.ended) };
        assert_eq!((*ended, &done.answer), (call, &Answer::Entry(the_entry())));
        assert_eq!(done.attempts, 2);
    }
}

fn the_entry() -> Entry {
    let payload = Bytes::from_static(b"v");
    let checksum = Checksum::of_value(&payload);
    let value = EntryValue { payload, checksum, written: UnixMs(1), expires: None };
    Entry { values: vec![value], ..Entry::default() }
}

#[test]
fn r_primaries_that_hold_the_same_are_a_quorum() {
    for order in [[0, 1], [1, 0]] {
        let mut bench = Bench::new();
        let call = bench.read(CallOptions { receipt: true, ..CallOptions::default() });
        let asked = bench.asked();
        let [data, digest] = asked[..] else { panic!("{asked:?}") };
        assert_eq!((data.link, digest.link), (bench.primaries[0], bench.primaries[1]));
        assert_eq!((data.read, digest.read), (ReadKind::Data, ReadKind::Digest));
        assert_eq!((call_of(data.frame), call_of(digest.frame)), (call, call));
        for place in order {
            assert!(bench.hands.ended.is_empty(), "one copy is no quorum");
            let entry = if place == 0 { the_entry() } else { Entry::default() };
            bench.say(asked[place], Ok(entry), Some(ONE));
        }
        let [(ended, Ok(done))] = &bench.hands.ended[..] else { panic!("{:?}", bench.hands.ended) };
        assert_eq!((*ended, &done.answer, done.direct), (call, &Answer::Entry(the_entry()), true));
        let receipt = done.receipt.as_ref().unwrap();
        assert_eq!((receipt.needed, receipt.primaries.len()), (2, 2));
        assert_eq!(receipt.coordinator, done.node);
    }
}

#[test]
fn copies_that_differ_or_are_of_two_layouts_are_left_to_a_node() {
    for (version, copy) in [(1, OTHER), (2, ONE)] {
        let mut bench = Bench::new();
        let call = bench.read(CallOptions::default());
        let asked = bench.asked();
        bench.say(asked[0], Ok(the_entry()), Some(ONE));
        bench.say_under(version, asked[1], Ok(Entry::default()), Some(copy));
        bench.assert_left_to_a_node(call);
    }
}

#[test]
fn who_cannot_say_leaves_the_read_to_a_node_and_a_late_copy_ends_nothing() {
    let mut bench = Bench::new();
    let call = bench.read(CallOptions::default());
    let asked = bench.asked();
    let failure = Failure::refused(FailureCode::QuorumUnavailable).quorum(1, 0);
    bench.say(asked[1], Err(failure), None);
    // The other one answers after all, and twice.
    bench.say(asked[0], Ok(the_entry()), Some(ONE));
    bench.say(asked[0], Ok(the_entry()), Some(ONE));
    bench.assert_left_to_a_node(call);
}

#[test]
fn a_damaged_copy_is_left_to_a_node() {
    let mut bench = Bench::new();
    let call = bench.read(CallOptions::default());
    let asked = bench.asked();
    let mut damaged = the_entry();
    damaged.values[0].payload = Bytes::from_static(b"other bytes");
    bench.say(asked[0], Ok(damaged), Some(ONE));
    bench.assert_left_to_a_node(call);
}

#[test]
fn who_stays_silent_or_is_gone_leaves_the_read_to_a_node() {
    for is_gone in [false, true] {
        let mut bench = Bench::new();
        let call = bench.read(CallOptions::default());
        let asked = bench.asked();
        bench.say(asked[0], Ok(the_entry()), Some(ONE));
        if is_gone {
            bench.hands.open.remove(&asked[1].link);
            bench.hands.input(ClientInput::Closed(asked[1].link));
        } else {
            bench.hands.pass(520);
        }
        bench.assert_left_to_a_node(call);
    }
}

#[test]
fn a_node_that_knows_of_no_copies_has_read_with_a_quorum() {
    let mut bench = Bench::new();
    bench.read(CallOptions::default());
    let asked = bench.asked();
    bench.say(asked[1], Ok(the_entry()), None);
    assert_eq!(bench.hands.ended.len(), 1);
    bench.say(asked[0], Ok(the_entry()), None);
    assert_eq!(bench.hands.ended.len(), 1);
}

#[test]
fn r_of_the_call_decides_how_many_are_asked() {
    for (r, expected) in [(1, 1), (3, 3)] {
        let mut bench = Bench::new();
        bench.read(CallOptions { quorum: QuorumChoice { r, w: 3 }, ..CallOptions::default() });
        let asked = bench.asked();
        assert_eq!(asked.len(), expected);
        assert!(asked.iter().skip(1).all(|asked| asked.read == ReadKind::Digest));
    }
    // More than there are replicas: a node says what is wrong with that.
    let mut bench = Bench::new();
    bench.read(CallOptions { quorum: QuorumChoice { r: 4, w: 0 }, ..CallOptions::default() });
    let asked = bench.asked();
    assert!(matches!(asked[..], [Asked { read: ReadKind::Quorum, .. }]), "{asked:?}");
}

#[test]
fn session_reads_and_writes_go_to_a_node() {
    let mut bench = Bench::new();
    let key = bench.key.clone();
    let mut held = Held::default();
    let record = write(&mut held, 1, value("v"), &Context::new());
    let context = record.context().to_token(&key);
    let options = CallOptions::default();
    bench.hands.act(|client, now, out| client.get(now, key, context, options, out));
    let asked = bench.asked();
    assert!(matches!(asked[..], [Asked { read: ReadKind::Quorum, .. }]), "{asked:?}");
    bench.hands.put(&bench.key.clone());
    assert!(matches!(bench.hands.frames[..], [Message::Put(_)]));
}

#[test]
fn a_call_that_is_taken_back_waits_for_no_copy() {
    let mut bench = Bench::new();
    let call = bench.read(CallOptions::default());
    bench.hands.act(|client, now, out| client.cancel(now, call, out));
    assert_eq!(bench.hands.ended.len(), 1);
    for asked in bench.asked() {
        bench.say(asked, Ok(the_entry()), Some(ONE));
    }
    assert_eq!(bench.hands.ended.len(), 1);
}
