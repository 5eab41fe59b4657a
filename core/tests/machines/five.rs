//! A primary of five nodes that coordinates, and the words of the others.

use quorate_core::causality::{Context, Held, Record};
use quorate_core::ids::{Key, NodeId};
use quorate_core::machine::{Effect, Input, Peer, StoreOp, StoreOutcome};
use quorate_core::message::{
    Answer, CallId, Entry, Message, ReplicaMerge, ReplicaMerged, ReplicaRead, ReplicaRecord,
    ReplicaState, Reply, Strictness,
};
use quorate_core::node::NodeConfig;

use super::{ALICE, Alone, key_of, replies, run, sends, stores, value, write};

/// Node 1 of five, a key whose primaries are 1, `second` and `third`, and its fallbacks.
pub(crate) struct Five {
    pub(crate) alone: Alone,
    pub(crate) key: Key,
    pub(crate) second: NodeId,
    pub(crate) third: NodeId,
    pub(crate) fallbacks: [NodeId; 2],
}

pub(crate) fn five() -> Five {
    five_with(|_| {})
}

pub(crate) fn five_with(configure: impl FnOnce(&mut NodeConfig)) -> Five {
    let alone = Alone::with_config(5, 1, configure);
    let (key, primaries) = key_of(&alone.layout, NodeId(1));
    let slot = alone.layout.layout.slot_of(key.as_bytes());
    let list: Vec<NodeId> = alone.layout.layout.preference_list(slot).collect();
    let fallbacks = [list[3], list[4]];
    Five { alone, key, second: primaries[1], third: primaries[2], fallbacks }
}

impl Five {
    pub(crate) fn down(&mut self, node: NodeId) -> Vec<Effect> {
        self.alone.input(Input::PeerDown(Peer::Node(node)))
    }

    pub(crate) fn later(&mut self, millis: u64) -> Vec<Effect> {
        self.alone.millis += millis;
        self.alone.input(Input::Wake)
    }

    /// A put that the own storage has applied and synced; what the others were sent.
    pub(crate) fn put(&mut self, strictness: Strictness) -> Vec<(NodeId, ReplicaMerge)> {
        let mut put = self.alone.put(&self.key, "v", 1);
        put.head.strictness = strictness;
        put.head.receipt = true;
        let effects = self.alone.frame(ALICE, Message::Put(put));
        let [(ticket, op)] = &stores(&effects)[..] else { panic!("one write, not {effects:?}") };
        let outcomes = run(&mut Held::new(), op);
        let effects = self.alone.stored(*ticket, outcomes[0].clone());
        assert!(replies(&self.alone.stored(*ticket, outcomes[1].clone())).is_empty());
        merges(&effects)
    }

    /// A get that the own storage has answered with `own`; whom the others are.
    pub(crate) fn get(
        &mut self,
        own: Option<Record>,
        context: &Context,
    ) -> Vec<(NodeId, ReplicaRead)> {
        let mut get = self.alone.get(&self.key);
        get.context = context.to_token(&self.key);
        if context.is_empty() {
            get.context = Default::default();
        }
        let effects = self.alone.frame(ALICE, Message::Get(get));
        let [(ticket, StoreOp::Read { .. })] = &stores(&effects)[..] else { panic!("{effects:?}") };
        assert!(sends(&effects).is_empty(), "the others are told a digest: {effects:?}");
        reads(&self.alone.stored(*ticket, StoreOutcome::Read { record: own }))
    }

    pub(crate) fn acknowledge(&mut self, from: NodeId, call: CallId) -> Vec<Effect> {
        let merged = Message::ReplicaMerged(ReplicaMerged { call, durable: true });
        self.alone.frame(Peer::Node(from), merged)
    }

    pub(crate) fn answer(
        &mut self,
        from: NodeId,
        call: CallId,
        state: ReplicaState,
    ) -> Vec<Effect> {
        let record = Message::ReplicaRecord(ReplicaRecord { call, state });
        self.alone.frame(Peer::Node(from), record)
    }
}

pub(crate) fn merges(effects: &[Effect]) -> Vec<(NodeId, ReplicaMerge)> {
    let merge = |(to, message)| match (to, message) {
        (Peer::Node(node), Message::ReplicaMerge(merge)) => Some((node, merge)),
        _ => None,
    };
    sends(effects).into_iter().filter_map(merge).collect()
}

pub(crate) fn reads(effects: &[Effect]) -> Vec<(NodeId, ReplicaRead)> {
    let read = |(to, message)| match (to, message) {
        (Peer::Node(node), Message::ReplicaRead(read)) => Some((node, read)),
        _ => None,
    };
    sends(effects).into_iter().filter_map(read).collect()
}

pub(crate) fn hints(merges: &[(NodeId, ReplicaMerge)]) -> Vec<(NodeId, Option<NodeId>)> {
    merges.iter().map(|(node, merge)| (*node, merge.hint_for)).collect()
}

pub(crate) fn asked(reads: &[(NodeId, ReplicaRead)]) -> Vec<(NodeId, bool)> {
    reads.iter().map(|(node, read)| (*node, read.stand_in)).collect()
}

pub(crate) fn reply(effects: &[Effect]) -> Reply {
    let [reply] = &replies(effects)[..] else { panic!("one reply, not {effects:?}") };
    reply.clone()
}

pub(crate) fn entry(effects: &[Effect]) -> Entry {
    match reply(effects).result {
        Ok(Answer::Entry(entry)) => entry,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn some_record() -> Record {
    write(&mut Held::new(), 3, value("v"), &Context::new())
}
