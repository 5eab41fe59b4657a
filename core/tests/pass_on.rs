//! What a node that is no primary makes of the answers of those to whom it handed a request.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod machines;

use machines::{ALICE, Alone, key_without, replies, sends, stores};
use quorate_core::ids::{Key, NodeId};
use quorate_core::machine::{Effect, HeldAs, Input, Peer, StoreOp};
use quorate_core::message::{
    Answer, CallId, Entry, Failure, FailureCode, Message, Outcome, Reply, Strictness,
};

/// Node 1 of five, and a key of which it is no primary.
struct Stranger {
    alone: Alone,
    key: Key,
    primaries: Vec<NodeId>,
}

fn stranger() -> Stranger {
    let alone = Alone::new(5, 1);
    let (key, primaries) = key_without(&alone.layout, NodeId(1));
    Stranger { alone, key, primaries }
}

/// The failures that say of one primary that it cannot, and did nothing.
const CANNOT: [FailureCode; 6] = [
    FailureCode::QuorumUnavailable,
    FailureCode::Storage,
    FailureCode::Overloaded,
    FailureCode::NotAPrimary,
    FailureCode::NotReady,
    FailureCode::Damaged,
];

impl Stranger {
    fn put(&mut self, strictness: Strictness) -> Vec<Effect> {
        let mut put = self.alone.put(&self.key, "v", 1);
        put.head.strictness = strictness;
        self.alone.frame(ALICE, Message::Put(put))
    }

    fn get(&mut self, strictness: Strictness) -> Vec<Effect> {
        let mut get = self.alone.get(&self.key);
        get.head.strictness = strictness;
        self.alone.frame(ALICE, Message::Get(get))
    }

    fn later(&mut self, millis: u64) -> Vec<Effect> {
        self.alone.millis += millis;
        self.alone.input(Input::Wake)
    }

    /// The primary of this place answers the request that `asked` handed to it.
    fn answers(
        &mut self,
        place: usize,
        asked: &[Effect],
        result: Result<Answer, Failure>,
    ) -> Vec<Effect> {
        let from = Peer::Node(self.primaries[place]);
        let (_, call) = handed(asked)[0];
        let reply = Reply {
            call,
            layout_version: self.alone.layout.layout.version(),
            layout: None,
            receipt: None,
            passed_on_by: None,
            copy: None,
            down: Vec::new(),
            result,
        };
        self.alone.frame(from, Message::Reply(reply))
    }

    fn refuses(&mut self, place: usize, asked: &[Effect], code: FailureCode) -> Vec<Effect> {
        self.answers(place, asked, Err(Failure::refused(code)))
    }
}

/// To whom a request is handed, and under which call.
fn handed(effects: &[Effect]) -> Vec<(NodeId, CallId)> {
    let request = |(to, message)| match (to, message) {
        (Peer::Node(node), Message::Get(get)) => Some((node, get.head.call)),
        (Peer::Node(node), Message::Put(put)) => Some((node, put.head.call)),
        _ => None,
    };
    sends(effects).into_iter().filter_map(request).collect()
}

fn handed_to(effects: &[Effect]) -> Vec<NodeId> {
    handed(effects).into_iter().map(|(node, _)| node).collect()
}

fn failure(effects: &[Effect]) -> Failure {
    let [reply] = &replies(effects)[..] else { panic!("one reply, not {effects:?}") };
    reply.result.clone().expect_err("a failure")
}

#[test]
fn a_primary_that_cannot_is_followed_by_the_next_one() {
    for code in CANNOT {
        for strictness in [Strictness::Strict, Strictness::Sloppy] {
            let mut stranger = stranger();
            let first = stranger.put(strictness);
            assert_eq!(handed_to(&first), [stranger.primaries[0]]);
            let second = stranger.refuses(0, &first, code);
            assert_eq!(handed_to(&second), [stranger.primaries[1]], "{code:?}");
            assert!(replies(&second).is_empty());
            let found = Ok(Answer::Entry(Entry::default()));
            let answer = stranger.answers(1, &first, found.clone());
            assert_eq!(replies(&answer)[0].result, found);
        }
    }
}

#[test]
fn a_sloppy_request_that_every_primary_refuses_is_run_by_the_node_itself() {
    let mut stranger = stranger();
    let put = stranger.put(Strictness::Sloppy);
    stranger.refuses(0, &put, FailureCode::QuorumUnavailable);
    stranger.refuses(1, &put, FailureCode::Overloaded);
    let last = stranger.refuses(2, &put, FailureCode::Storage);
    assert!(replies(&last).is_empty());
    let [(_, StoreOp::Apply { copy, .. })] = &stores(&last)[..] else { panic!("{last:?}") };
    assert_eq!(*copy, HeldAs::Hint { target: stranger.primaries[0] });
    let get = stranger.get(Strictness::Sloppy);
    for place in 0..2 {
        stranger.refuses(place, &get, FailureCode::QuorumUnavailable);
    }
    let last = stranger.refuses(2, &get, FailureCode::QuorumUnavailable);
    assert!(matches!(&stores(&last)[..], [(_, StoreOp::Read { .. })]), "{last:?}");
}

#[test]
fn a_strict_request_that_every_primary_refuses_is_told_what_a_quorum_lacked() {
    use FailureCode::{NotReady, Overloaded, QuorumUnavailable};
    for (codes, code) in [
        ([QuorumUnavailable, NotReady, Overloaded], QuorumUnavailable),
        ([NotReady, QuorumUnavailable, Overloaded], QuorumUnavailable),
        ([NotReady, QuorumUnavailable, QuorumUnavailable], QuorumUnavailable),
        ([NotReady, Overloaded, NotReady], NotReady),
    ] {
        let mut stranger = stranger();
        let put = stranger.put(Strictness::Strict);
        let mut last = Vec::new();
        for (place, code) in codes.into_iter().enumerate() {
            let refusal = Failure::refused(code).quorum(9, place as u32);
            last = stranger.answers(place, &put, Err(refusal));
        }
        let failure = failure(&last);
        assert_eq!((failure.code, failure.outcome), (code, Outcome::None), "{codes:?}");
        let place = codes.iter().rposition(|other| *other == code).unwrap();
        assert_eq!((failure.needed, failure.acked), (9, place as u32), "{codes:?}");
    }
}

#[test]
fn refusals_do_not_clear_a_primary_that_was_lost() {
    for strictness in [Strictness::Strict, Strictness::Sloppy] {
        let mut stranger = stranger();
        let put = stranger.put(strictness);
        let second = stranger.alone.input(Input::PeerDown(Peer::Node(stranger.primaries[0])));
        assert_eq!(handed_to(&second), [stranger.primaries[1]]);
        stranger.refuses(1, &put, FailureCode::QuorumUnavailable);
        for node in 2..=5 {
            if ![stranger.primaries[1], stranger.primaries[2]].contains(&NodeId(node)) {
                stranger.alone.input(Input::PeerDown(Peer::Node(NodeId(node))));
            }
        }
        stranger.alone.input(Input::PeerDown(Peer::Node(stranger.primaries[1])));
        let last = stranger.refuses(2, &put, FailureCode::QuorumUnavailable);
        if strictness == Strictness::Strict {
            assert_eq!(failure(&last).outcome, Outcome::Unknown);
        } else {
            // The fallback itself cannot refuse it, either.
            assert!(replies(&last).is_empty(), "{last:?}");
            let unknown = failure(&stranger.later(5_000));
            assert_eq!(unknown.outcome, Outcome::Unknown);
        }
    }
}

#[test]
fn a_write_that_a_lost_primary_had_and_the_node_itself_refuses_is_unknown() {
    let mut stranger = stranger();
    let put = stranger.put(Strictness::Sloppy);
    assert_eq!(handed_to(&put), [stranger.primaries[0]]);
    let mut effects = Vec::new();
    for node in 2..=5 {
        assert!(replies(&effects).is_empty());
        effects = stranger.alone.input(Input::PeerDown(Peer::Node(NodeId(node))));
    }
    let failure = failure(&effects);
    assert_eq!(failure.code, FailureCode::QuorumUnavailable);
    assert_eq!((failure.needed, failure.outcome), (2, Outcome::Unknown));
}

#[test]
fn a_refusal_that_is_about_the_request_goes_to_the_client_at_once() {
    for code in [
        FailureCode::WeakQuorum,
        FailureCode::BadQuorum,
        FailureCode::BadContext,
        FailureCode::KeySize,
        FailureCode::ValueTooLarge,
        FailureCode::TooManySiblings,
        FailureCode::RecordTooLarge,
    ] {
        let mut stranger = stranger();
        let put = stranger.put(Strictness::Sloppy);
        stranger.refuses(0, &put, FailureCode::NotReady);
        let refused = failure(&stranger.refuses(1, &put, code));
        assert_eq!((refused.code, refused.outcome), (code, Outcome::None));
    }
}

#[test]
fn a_write_that_may_have_happened_is_not_handed_on() {
    let mut stranger = stranger();
    let put = stranger.put(Strictness::Sloppy);
    let unknown = Failure::refused(FailureCode::QuorumUnavailable).quorum(2, 1).unknown();
    let answer = stranger.answers(0, &put, Err(unknown));
    assert_eq!(failure(&answer), unknown);
}

#[test]
fn an_unknown_outcome_is_not_refined_by_a_later_refusal() {
    let mut stranger = stranger();
    let put = stranger.put(Strictness::Strict);
    assert_eq!(handed_to(&stranger.later(600)), [stranger.primaries[1]]);
    let unknown = Failure::refused(FailureCode::Timeout).unknown();
    assert!(
        replies(&stranger.answers(0, &put, Err(unknown))).is_empty(),
        "the second may do better"
    );
    assert_eq!(
        handed_to(&stranger.refuses(1, &put, FailureCode::Storage)),
        [stranger.primaries[2]]
    );
    let last = failure(&stranger.refuses(2, &put, FailureCode::QuorumUnavailable));
    assert_eq!((last.code, last.outcome), (FailureCode::QuorumUnavailable, Outcome::Unknown));
}

#[test]
fn a_late_refusal_does_not_hurry_the_primary_that_was_asked_after_it() {
    let mut stranger = stranger();
    let put = stranger.put(Strictness::Strict);
    assert_eq!(handed_to(&stranger.later(600)), [stranger.primaries[1]]);
    let late = stranger.refuses(0, &put, FailureCode::Overloaded);
    assert!(sends(&late).is_empty(), "{late:?}");
    // Its refusal counts: nothing happened there.
    stranger.refuses(1, &put, FailureCode::Overloaded);
    let last = failure(&stranger.refuses(2, &put, FailureCode::Overloaded));
    assert_eq!((last.code, last.outcome), (FailureCode::Overloaded, Outcome::None));
}

#[test]
fn a_strict_request_waits_for_a_silent_primary_after_the_others_refused() {
    let mut stranger = stranger();
    let put = stranger.put(Strictness::Strict);
    stranger.later(600);
    stranger.refuses(1, &put, FailureCode::QuorumUnavailable);
    assert!(replies(&stranger.refuses(2, &put, FailureCode::QuorumUnavailable)).is_empty());
    let late = stranger.answers(0, &put, Ok(Answer::Entry(Entry::default())));
    assert!(replies(&late)[0].result.is_ok());
}

#[test]
fn a_refusal_that_comes_twice_counts_once() {
    let mut stranger = stranger();
    let put = stranger.put(Strictness::Strict);
    stranger.refuses(0, &put, FailureCode::Overloaded);
    assert!(stranger.refuses(0, &put, FailureCode::Overloaded).is_empty());
    assert_eq!(stranger.alone.node.view().requests_under_way(), 1);
}
