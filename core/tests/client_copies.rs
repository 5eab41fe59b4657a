//! Reads that the client coordinates itself: whom it asks, when it believes them, and when it leaves
//! the read to a node.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod hands;
mod machines;

use bytes::Bytes;
use hands::Hands;
use machines::{key_of, layout, value, write};
use quorate_core::causality::{Checksum, Context, Held, RecordDigest};
use quorate_core::client::{CallOptions, ClientInput, Coordinate, Hedge, Link, call_of};
use quorate_core::ids::{Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{
    Answer, CallId, Entry, EntryValue, Failure, FailureCode, Get, Message, QuorumChoice, ReadKind,
    Reply,
};
use quorate_core::time::{Duration, UnixMs};

const ONE: RecordDigest = RecordDigest(1);

const OTHER: RecordDigest = RecordDigest(2);

/// Nodes that answer at once are late after so long.
const HEDGE_MS: u64 = 5;

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
        Bench::with(Hedge::Usual)
    }

    fn with(hedge: Hedge) -> Bench {
        let mut hands = Hands::with(&["ws://1"], layout(3, 3), |config| {
            config.coordinate = Coordinate::Client;
            config.hedge = hedge;
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

    fn node(&self, place: usize) -> NodeId {
        key_of(&self.hands.layout, NodeId(1)).1[place]
    }

    fn read(&mut self, options: CallOptions) -> CallId {
        let (key, context) = (self.key.clone(), Bytes::new());
        self.hands.act(|client, now, out| client.get(now, key, context, options, out))
    }

    /// Reads enough, of nodes that answer at once, to have earned one question beyond R.
    fn earn_a_hedge(&mut self) {
        for _ in 0..5 {
            self.read(CallOptions::default());
            for asked in self.asked() {
                self.say(asked, Ok(the_entry()), Some(ONE));
            }
        }
        assert_eq!(self.hands.ended.len(), 5);
        self.hands.ended.clear();
    }

    /// The one question that is asked when the next to answer is late.
    fn hedge(&mut self) -> Asked {
        self.hands.pass(HEDGE_MS - 1);
        assert_eq!(self.asked(), [], "not late yet");
        self.hands.pass(1);
        let asked = self.asked();
        let [hedge] = asked[..] else { panic!("{asked:?}") };
        assert_eq!(hedge.link, self.primaries[2]);
        assert_eq!(self.hands.client.view().stats().hedges, 1);
        hedge
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

#[test]
fn one_more_primary_makes_up_for_a_late_digest() {
    let mut bench = Bench::new();
    bench.earn_a_hedge();
    let call = bench.read(CallOptions { receipt: true, ..CallOptions::default() });
    let asked = bench.asked();
    bench.say(asked[0], Ok(the_entry()), Some(ONE));
    let hedge = bench.hedge();
    assert_eq!((hedge.read, call_of(hedge.frame)), (ReadKind::Digest, call));
    bench.say(hedge, Ok(Entry::default()), Some(ONE));
    let [(ended, Ok(done))] = &bench.hands.ended[..] else { panic!("{:?}", bench.hands.ended) };
    assert_eq!((*ended, &done.answer, done.attempts), (call, &Answer::Entry(the_entry()), 1));
    let receipt = done.receipt.as_ref().unwrap();
    assert_eq!((receipt.needed, receipt.primaries.len()), (2, 2));
    assert!(!receipt.primaries.contains(&bench.node(1)), "the late one has said nothing");
    bench.say(asked[1], Ok(Entry::default()), Some(OTHER));
    assert_eq!(bench.hands.ended.len(), 1);
}

#[test]
fn one_more_primary_is_asked_when_the_client_was_told_to_or_never() {
    for (hedge, at) in [(Hedge::After(Duration::from_millis(40)), Some(40)), (Hedge::Never, None)] {
        let mut bench = Bench::with(hedge);
        bench.earn_a_hedge();
        bench.read(CallOptions::default());
        assert_eq!(bench.asked().len(), 2);
        let mut hedged = None;
        for millis in 1..=240 {
            bench.hands.pass(1);
            if bench.asked().len() == 1 {
                hedged.get_or_insert(millis);
            }
        }
        assert_eq!(hedged, at, "{hedge:?}");
        assert_eq!(bench.hands.client.view().stats().hedges, u64::from(at.is_some()));
    }
}

#[test]
fn one_more_primary_gives_the_entry_where_that_is_late() {
    // Those who answer in the end: a digest and an entry, or two entries.
    for others in [[1, 2], [2, 1], [0, 2], [2, 0], [0, 1], [1, 0]] {
        let mut bench = Bench::new();
        bench.earn_a_hedge();
        let call = bench.read(CallOptions::default());
        let mut asked = bench.asked();
        let hedge = bench.hedge();
        assert_eq!((hedge.read, call_of(hedge.frame)), (ReadKind::Data, call));
        asked.push(hedge);
        for place in others {
            assert!(bench.hands.ended.is_empty(), "one copy is no quorum");
            let entry = if place == 1 { Entry::default() } else { the_entry() };
            bench.say(asked[place], Ok(entry), Some(ONE));
        }
        let [(ended, Ok(done))] = &bench.hands.ended[..] else { panic!("{:?}", bench.hands.ended) };
        assert_eq!((*ended, &done.answer), (call, &Answer::Entry(the_entry())));
    }
}

#[test]
fn a_hedged_read_is_left_to_a_node_where_copies_differ_fail_or_stay_out() {
    let failure = Failure::refused(FailureCode::QuorumUnavailable).quorum(1, 0);
    let differs = Some((Ok(Entry::default()), Some(OTHER)));
    for third in [differs, Some((Err(failure), None)), None] {
        let mut bench = Bench::new();
        bench.earn_a_hedge();
        let call = bench.read(CallOptions::default());
        let asked = bench.asked();
        bench.say(asked[0], Ok(the_entry()), Some(ONE));
        let hedge = bench.hedge();
        match third {
            Some((result, copy)) => bench.say(hedge, result, copy),
            None => bench.hands.pass(250),
        }
        bench.assert_left_to_a_node(call);
    }
}

#[test]
fn questions_beyond_r_are_earned_and_there_is_one_for_a_call() {
    let mut bench = Bench::new();
    let call = bench.read(CallOptions::default());
    let first = bench.asked();
    bench.hands.pass(240);
    assert_eq!(bench.asked(), [], "nothing is earned yet");
    for asked in first {
        bench.say(asked, Ok(the_entry()), Some(ONE));
    }
    assert_eq!(bench.hands.ended.pop().map(|(ended, _)| ended), Some(call));
    for _ in 0..20 {
        bench.earn_a_hedge();
    }
    // A node that took a fifth of a second is given more time.
    let call = bench.read(CallOptions::default());
    bench.asked();
    bench.hands.pass(200);
    assert_eq!(bench.asked().len(), 1);
    bench.hands.pass(1_000);
    let asked = bench.asked();
    assert!(matches!(asked[..], [Asked { read: ReadKind::Quorum, .. }]), "{asked:?}");
    assert_eq!(asked[0].frame, call);
}

#[test]
fn a_busy_primary_or_one_that_is_not_there_is_not_asked_beyond_r() {
    let overloaded = Failure {
        retry_after: Duration::from_secs(1),
        ..Failure::refused(FailureCode::Overloaded)
    };
    for is_busy in [true, false] {
        let mut bench = Bench::new();
        bench.earn_a_hedge();
        let third = bench.primaries[2];
        if is_busy {
            let (key, _) = key_of(&bench.hands.layout, bench.node(2));
            bench.hands.get(&key, 5_000);
            let asked = bench.asked();
            assert_eq!(asked[0].link, third);
            bench.say(asked[0], Err(overloaded), None);
            let asked = bench.asked();
            bench.say(asked[0], Ok(the_entry()), None);
        } else {
            bench.hands.open.remove(&third);
            bench.hands.input(ClientInput::Closed(third));
        }
        let call = bench.read(CallOptions::default());
        let asked = bench.asked();
        bench.say(asked[0], Ok(the_entry()), Some(ONE));
        bench.hands.pass(200);
        assert_eq!(bench.asked(), []);
        bench.say(asked[1], Ok(Entry::default()), Some(ONE));
        assert_eq!(bench.hands.ended.last().map(|(ended, _)| *ended), Some(call));
    }
}

#[test]
fn a_late_copy_is_not_taken_for_that_of_the_next_read() {
    let mut bench = Bench::new();
    bench.earn_a_hedge();
    bench.read(CallOptions::default());
    let first = bench.asked();
    bench.say(first[0], Ok(the_entry()), Some(ONE));
    let hedge = bench.hedge();
    bench.say(hedge, Ok(Entry::default()), Some(ONE));
    assert_eq!(bench.hands.ended.len(), 1);
    let second = bench.read(CallOptions::default());
    let asked = bench.asked();
    bench.say(asked[0], Ok(the_entry()), Some(ONE));
    bench.say(first[1], Ok(Entry::default()), Some(ONE));
    bench.say(hedge, Ok(Entry::default()), Some(ONE));
    assert_eq!(bench.hands.ended.len(), 1, "both are of the read before");
    bench.say(asked[1], Ok(Entry::default()), Some(ONE));
    assert_eq!(bench.hands.ended.last().map(|(ended, _)| *ended), Some(second));
}
