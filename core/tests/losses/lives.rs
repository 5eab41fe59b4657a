//! Clean stops, one after the other: more of them than lives are continued.

use bytes::Bytes;
use quorate_core::causality::{Context, Held, RecordOp};
use quorate_core::ids::{DurableMark, Incarnation, NodeId};
use quorate_core::machine::{Found, Input, PastLife, StoreOp};
use quorate_core::message::{Message, Put};

use crate::Replica;
use crate::machines::{ALICE, Alone, key_of, now, run, stores};

/// Lives that are continued.
const LIVES: u32 = 64;

impl Replica {
    /// A life that both others remember.
    fn confirmed(life: u32, found: Found) -> Replica {
        let mark = DurableMark(found.mark.0 + 1);
        let alone = Alone::ungreeted(3, u64::from(life), |config| config.found = found);
        let (key, _) = key_of(&alone.layout, NodeId(1));
        let mut replica = Replica { alone, key };
        replica.alone.input(Input::Marked(mark));
        for other in [2, 3] {
            replica.told(other, Incarnation(life), mark.0);
        }
        replica
    }

    /// What a put of a client, who was shown so much, does to the own copy.
    fn put(&mut self, held: &mut Held, context: &Context, sequence: u32) {
        let put = self.alone.put(&self.key.clone(), "v", sequence.into());
        let context = if context.is_empty() { Bytes::new() } else { context.to_token(&self.key) };
        let effects = self.alone.frame(ALICE, Message::Put(Put { context, ..put }));
        let stores = stores(&effects);
        let [(_, op @ StoreOp::Apply { .. })] = &stores[..] else { panic!("{effects:?}") };
        run(held, op);
    }
}

#[test]
fn an_actor_of_too_many_lives_ago_is_left_alone_and_a_new_one_goes_on() {
    // The one key was first written in the first life, the other in the second.
    let mut copies = [Held::new(), Held::new()];
    let mut found = Found::default();
    for life in 1..=LIVES + 3 {
        let mut replica = Replica::confirmed(life, found.clone());
        for (held, first) in copies.iter_mut().zip(1..=life) {
            let before = held.record().clone();
            replica.put(held, &before.context(), 2 * life + first);
            let actors = if life <= first + LIVES { 1 } else { 2 };
            assert_eq!(held.record().actors(), actors, "life {life}, written in life {first}");
            assert_eq!(held.record().siblings().count(), 1, "it supersedes what was shown");
            let after = held.record().clone();
            held.apply(&RecordOp::Merge(before)).unwrap();
            assert_eq!(*held.record(), after, "what comes late brings nothing back");
        }
        let lives = replica.alone.node.view().lives();
        let last = (1..=life).rev().take(LIVES as usize).map(Incarnation);
        assert_eq!(lives, last.collect::<Vec<_>>());
        let (mark, written) = (DurableMark(found.mark.0 + 1), now(0).unix);
        found.past.push(PastLife { life: Incarnation(life), mark, is_accounted: false });
        found = Found { mark, written, lives, ..found };
    }
    // Who was shown nothing supersedes nothing.
    let [held, _] = &mut copies;
    Replica::confirmed(LIVES + 4, found).put(held, &Context::new(), 1);
    assert_eq!((held.record().actors(), held.record().siblings().count()), (2, 2));
}
