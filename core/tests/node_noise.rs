//! Words that nobody asked for: they change nothing, whenever they come.

mod machines;

use machines::five::{Five, five, merges, reads};
use machines::{ALICE, replies, run, stores};
use quorate_core::causality::{ApplyRefusal, Context, Held, Record};
use quorate_core::ids::NodeId;
use quorate_core::machine::{Peer, StoreOutcome};
use quorate_core::message::{
    CallId, FailureCode, Message, Outcome, QuorumChoice, ReplicaMerged, ReplicaRecord,
    ReplicaState, Strictness,
};
use quorate_core::prng::Prng;

const ROUNDS: u64 = 50;
const FRAMES: usize = 12;

/// Who may say anything at any time: a stranger and the node itself among them.
fn everybody() -> Vec<NodeId> {
    (1..=6).map(NodeId).collect()
}

impl Five {
    /// Words on `call` from `nodes`, none of which has any to say. Nothing comes of them.
    fn noise(&mut self, prng: &mut Prng, call: CallId, nodes: &[NodeId]) {
        for _ in 0..FRAMES {
            let from = nodes[prng.below(nodes.len() as u64) as usize];
            let record = |state| Message::ReplicaRecord(ReplicaRecord { call, state });
            let word = match prng.below(5) {
                0 => Message::ReplicaMerged(ReplicaMerged { call, durable: true }),
                1 => Message::ReplicaMerged(ReplicaMerged { call, durable: false }),
                2 => record(ReplicaState::Record(Record::new())),
                3 => record(ReplicaState::Same),
                _ => record(ReplicaState::Unreadable),
            };
            let effects = self.alone.frame(Peer::Node(from), word.clone());
            assert!(replies(&effects).is_empty(), "{word:?} of {from:?}: {effects:?}");
            assert!(merges(&effects).is_empty() && reads(&effects).is_empty(), "{effects:?}");
        }
    }

    /// The number of the last call: they are counted up.
    fn last_call(&mut self) -> CallId {
        self.get(None, &Context::new())[0].1.call
    }

    fn others(&self, asked: &[NodeId]) -> Vec<NodeId> {
        everybody().into_iter().filter(|node| !asked.contains(node)).collect()
    }
}

fn to_all() -> QuorumChoice {
    QuorumChoice { r: 3, w: 3 }
}

#[test]
fn noise_neither_counts_for_a_write_nor_against_it() {
    for seed in 0..ROUNDS {
        let mut five = five();
        let mut prng = Prng::stream(seed, "noise");
        let call = CallId(five.last_call().0 + 1);
        let mut put = five.alone.put(&five.key, "v", 1);
        put.head.strictness = Strictness::Strict;
        put.head.quorum = to_all();
        let effects = five.alone.frame(ALICE, Message::Put(put));
        let [(ticket, op)] = &stores(&effects)[..] else { panic!("one write, not {effects:?}") };
        five.noise(&mut prng, call, &everybody());
        let outcomes = run(&mut Held::new(), op);
        let sent = merges(&five.alone.stored(*ticket, outcomes[0].clone()));
        assert_eq!(sent[0].1.call, call);
        let (second, third) = (five.second, five.third);
        let strays = five.others(&[second, third]);
        five.noise(&mut prng, call, &strays);
        assert!(replies(&five.alone.stored(*ticket, outcomes[1].clone())).is_empty());
        five.noise(&mut prng, call, &strays);
        assert!(replies(&five.acknowledge(second, call)).is_empty(), "two of three");
        let strays = five.others(&[third]);
        five.noise(&mut prng, call, &strays);
        let done = replies(&five.acknowledge(third, call));
        assert!(done[0].result.is_ok());
        five.noise(&mut prng, call, &everybody());
    }
}

#[test]
fn noise_before_the_storage_refuses_a_write_does_not_make_it_unknown() {
    let refusals = [
        (StoreOutcome::Refused(ApplyRefusal::Checksum), FailureCode::Damaged),
        (
            StoreOutcome::Refused(ApplyRefusal::Siblings { count: 100, max: 100 }),
            FailureCode::TooManySiblings,
        ),
    ];
    for seed in 0..ROUNDS {
        for (outcome, code) in &refusals {
            let mut five = five();
            let mut prng = Prng::stream(seed, "noise");
            let call = CallId(five.last_call().0 + 1);
            let mut put = five.alone.put(&five.key, "v", 1);
            put.head.strictness = Strictness::Strict;
            put.head.quorum = to_all();
            let effects = five.alone.frame(ALICE, Message::Put(put));
            let [(ticket, _)] = stores(&effects)[..] else { panic!("one write") };
            five.noise(&mut prng, call, &everybody());
            let effects = five.alone.stored(ticket, outcome.clone());
            let failure = replies(&effects)[0].result.clone().unwrap_err();
            assert_eq!((failure.code, failure.outcome), (*code, Outcome::None));
        }
    }
}

#[test]
fn noise_neither_counts_for_a_read_nor_against_it() {
    for seed in 0..ROUNDS {
        let mut five = five();
        let mut prng = Prng::stream(seed, "noise");
        let call = CallId(five.last_call().0 + 1);
        let mut get = five.alone.get(&five.key);
        get.head.quorum = to_all();
        let effects = five.alone.frame(ALICE, Message::Get(get));
        let [(ticket, _)] = stores(&effects)[..] else { panic!("one read") };
        five.noise(&mut prng, call, &everybody());
        let effects = five.alone.stored(ticket, StoreOutcome::Read { record: None });
        assert_eq!(reads(&effects)[0].1.call, call);
        let (second, third) = (five.second, five.third);
        let strays = five.others(&[second, third]);
        five.noise(&mut prng, call, &strays);
        assert!(replies(&five.answer(second, call, ReplicaState::Same)).is_empty());
        // A word on a write is none on a read.
        assert!(replies(&five.acknowledge(third, call)).is_empty());
        let strays = five.others(&[third]);
        five.noise(&mut prng, call, &strays);
        let done = replies(&five.answer(third, call, ReplicaState::Same));
        assert!(done[0].result.is_ok());
        five.noise(&mut prng, call, &everybody());
    }
}
