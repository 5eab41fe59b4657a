//! In which order fallbacks are called in, and which of them are counted on.

mod machines;

use machines::five::{Five, five, hints, merges, reply};
use machines::{ALICE, replies, run, stores};
use quorate_core::causality::Held;
use quorate_core::ids::NodeId;
use quorate_core::machine::{Input, Peer};
use quorate_core::message::{CallId, FailureCode, Message, QuorumChoice, ReplicaMerge, Strictness};

impl Five {
    fn up(&mut self, node: NodeId) {
        self.alone.input(Input::PeerUp(Peer::Node(node)));
    }

    /// A sloppy put with W=3; what the others were sent.
    fn put_to_three(&mut self, sequence: u64) -> Vec<(NodeId, ReplicaMerge)> {
        let mut put = self.alone.put(&self.key, "v", sequence);
        put.head.quorum = QuorumChoice { r: 1, w: 3 };
        put.head.strictness = Strictness::Sloppy;
        let effects = self.alone.frame(ALICE, Message::Put(put));
        let [(ticket, op)] = &stores(&effects)[..] else { panic!("one write, not {effects:?}") };
        let outcomes = run(&mut Held::new(), op);
        let effects = self.alone.stored(*ticket, outcomes[0].clone());
        assert!(replies(&self.alone.stored(*ticket, outcomes[1].clone())).is_empty());
        merges(&effects)
    }

    /// Both fallbacks have been silent for long, and were asked once more a moment ago.
    fn both_fallbacks_are_avoided(&mut self) {
        let (second, third, [fourth, fifth]) = (self.second, self.third, self.fallbacks);
        self.down(second);
        self.down(third);
        for (sequence, wait) in [(100, 300), (101, 10)] {
            let sent = self.put_to_three(sequence);
            assert_eq!(hints(&sent), [(fourth, Some(second)), (fifth, Some(third))]);
            self.later(wait);
        }
        self.up(second);
        self.up(third);
    }
}

#[test]
fn a_fallback_that_is_avoided_is_called_in_after_those_that_are_trusted() {
    let mut five = five();
    let (second, third, [fourth, fifth]) = (five.second, five.third, five.fallbacks);
    five.both_fallbacks_are_avoided();
    five.down(third);
    // One word is enough.
    five.acknowledge(fifth, CallId(1));
    let sent = five.put_to_three(1);
    assert_eq!(hints(&sent), [(second, None), (fifth, Some(third))]);
    assert_eq!(hints(&merges(&five.down(fifth))), [(fourth, Some(third))]);
}

#[test]
fn a_write_counts_on_fallbacks_that_are_avoided_where_there_are_no_others() {
    let mut five = five();
    let (second, third, [fourth, fifth]) = (five.second, five.third, five.fallbacks);
    five.both_fallbacks_are_avoided();
    five.down(third);
    five.down(fifth);
    let sent = five.put_to_three(1);
    assert_eq!(hints(&sent), [(second, None), (fourth, Some(third))]);
    assert!(replies(&five.acknowledge(second, sent[0].1.call)).is_empty());
    assert!(reply(&five.acknowledge(fourth, sent[1].1.call)).result.is_ok());
    five.down(fourth);
    let mut put = five.alone.put(&five.key, "v", 2);
    put.head.quorum = QuorumChoice { r: 1, w: 3 };
    let refused = reply(&five.alone.frame(ALICE, Message::Put(put))).result.unwrap_err();
    assert_eq!(refused.code, FailureCode::QuorumUnavailable);
    assert_eq!((refused.needed, refused.acked), (3, 2));
}

#[test]
fn a_primary_that_is_avoided_is_asked_before_a_fallback_that_is() {
    let mut five = five();
    let (second, third, [fourth, fifth]) = (five.second, five.third, five.fallbacks);
    five.both_fallbacks_are_avoided();
    five.down(fifth);
    // The third is silent, and the second try is its probe.
    for (sequence, wait) in [(1, 260), (2, 10)] {
        let sent = five.put_to_three(sequence);
        assert_eq!(hints(&sent), [(second, None), (third, None)]);
        five.acknowledge(second, sent[0].1.call);
        five.later(wait);
    }
    let sent = five.put_to_three(3);
    assert_eq!(hints(&sent), [(second, None), (third, None)]);
    five.acknowledge(second, sent[0].1.call);
    let both = [(fourth, Some(third)), (fourth, Some(third))];
    assert_eq!(hints(&merges(&five.later(260))), both, "for the second try and for the third");
}
