//! Machines driven by hand: one node, or one client, and everything around it a test.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]
#![allow(dead_code, reason = "each test file drives another machine")]

pub(crate) mod five;

use std::sync::Arc;

use bytes::Bytes;
use quorate_core::causality::{Actor, Birth, Checksum, Context, Held, Payload, Record};
use quorate_core::causality::{RecordOp, Write};
use quorate_core::ids::{ClusterId, Incarnation, Key, NodeId, RequestId, Text};
use quorate_core::layout::{LayoutVersion, Member, PlanSettings, plan_first};
use quorate_core::limits::Limits;
use quorate_core::machine::{
    Effect, Effects, HeldAs, HintChange, Input, Peer, StateChange, StoreOp, StoreOutcome, Ticket,
    hint_bytes,
};
use quorate_core::message::{
    CallId, Change, Get, Gossip, LayoutId, LayoutSpan, LayoutUpdate, Message, Put, QuorumChoice,
    ReadKind, Reply, RequestHead, Strictness,
};
use quorate_core::node::{
    AntiEntropySettings, ChangeSettings, CollectionSettings, Fanout, GossipSettings, Node,
    NodeConfig,
};
use quorate_core::ring::{Position, SlotCount};
use quorate_core::time::{Duration, Instant, Now, UnixMs};

pub(crate) const CLUSTER: ClusterId = ClusterId(1);
pub(crate) const ALICE: Peer = Peer::Client(1);

/// A layout of nodes with the ids 1, 2, ... at `ws://1`, `ws://2`, ...
pub(crate) fn layout(nodes: u64, replication: u8) -> Arc<LayoutUpdate> {
    let member =
        |id| Member { id: NodeId(id), label: format!("n{id}").into(), zone: "z".into(), weight: 1 };
    let slots = SlotCount::new(64).unwrap();
    let settings = PlanSettings { slots, replication };
    let layout = plan_first(settings, (1..=nodes).map(member).collect()).unwrap();
    let addresses = (1..=nodes).map(|id| Text::from(format!("ws://{id}"))).collect();
    Arc::new(LayoutUpdate { layout, addresses })
}

/// A key whose primaries begin with `first`, and all of them.
pub(crate) fn key_of(layout: &LayoutUpdate, first: NodeId) -> (Key, Vec<NodeId>) {
    key_where(layout, |primaries| primaries[0] == first)
}

/// A key of which `stranger` is no primary, and its primaries.
pub(crate) fn key_without(layout: &LayoutUpdate, stranger: NodeId) -> (Key, Vec<NodeId>) {
    key_where(layout, |primaries| !primaries.contains(&stranger))
}

fn key_where(layout: &LayoutUpdate, wanted: impl Fn(&[NodeId]) -> bool) -> (Key, Vec<NodeId>) {
    (0..10_000_u32)
        .map(|number| Key::from(format!("key {number}").into_bytes()))
        .map(|key| {
            let slot = layout.layout.slot_of(key.as_bytes());
            let primaries = layout.layout.primaries(slot).to_vec();
            (key, primaries)
        })
        .find(|(_, primaries)| wanted(primaries))
        .expect("some key is there")
}

pub(crate) fn now(millis: u64) -> Now {
    Now { instant: Instant(millis * 1_000), unix: UnixMs(1_700_000_000_000 + millis) }
}

/// Node `id`, at `ws://id`, without a layout and without seeds.
pub(crate) fn config(id: u64) -> NodeConfig {
    NodeConfig {
        cluster: CLUSTER,
        id: NodeId(id),
        incarnation: Incarnation(1),
        label: format!("n{id}").into(),
        zone: "z".into(),
        weight: 1,
        address: format!("ws://{id}").into(),
        seeds: vec![],
        layouts: None,
        trees: None,
        found: Default::default(),
        founding: None,
        r: 2,
        w: 2,
        strict: false,
        allow_weak: false,
        fanout: Fanout::All,
        gossip: GossipSettings::default(),
        // Replicas are compared in tests of that alone.
        anti_entropy: AntiEntropySettings { bytes_per_second: 0, ..AntiEntropySettings::default() },
        collection: CollectionSettings::default(),
        changes: ChangeSettings::default(),
        credentials: Bytes::new(),
        limits: Limits::default(),
    }
}

/// The node with the id 1, connected to all others.
pub(crate) struct Alone {
    pub(crate) node: Node,
    pub(crate) layout: Arc<LayoutUpdate>,
    pub(crate) millis: u64,
    last_call: u64,
}

impl Alone {
    pub(crate) fn new(nodes: u64, seed: u64) -> Alone {
        Alone::with_limits(nodes, seed, Limits::default())
    }

    pub(crate) fn with_limits(nodes: u64, seed: u64, limits: Limits) -> Alone {
        Alone::with_config(nodes, seed, |config| config.limits = limits)
    }

    pub(crate) fn with_config(
        nodes: u64,
        seed: u64,
        configure: impl FnOnce(&mut NodeConfig),
    ) -> Alone {
        let mut alone = Alone::ungreeted(nodes, seed, configure);
        for other in 2..=nodes {
            alone.frame(Peer::Node(NodeId(other)), Message::Gossip(greeting()));
        }
        alone
    }

    /// The others are connected and have not said a word.
    pub(crate) fn ungreeted(
        nodes: u64,
        seed: u64,
        configure: impl FnOnce(&mut NodeConfig),
    ) -> Alone {
        let layout = layout(nodes, 3);
        let mut config = NodeConfig {
            incarnation: Incarnation(seed as u32),
            layouts: Some(layout.clone().into()),
            ..config(1)
        };
        configure(&mut config);
        let node = Node::new(config, seed).unwrap();
        let mut alone = Alone { node, layout, millis: 0, last_call: 0 };
        let started = alone.act(|node, now, out| node.start(now, out));
        for (ticket, op) in stores(&started) {
            let outcome = match op {
                StoreOp::CountHints => StoreOutcome::HintsCounted(Vec::new()),
                StoreOp::ScanStates { .. } => {
                    StoreOutcome::StatesScanned { states: Vec::new(), more: false }
                }
                _ => panic!("not asked at the start: {op:?}"),
            };
            alone.stored(ticket, outcome);
        }
        for other in 2..=nodes {
            alone.input(Input::PeerUp(Peer::Node(NodeId(other))));
        }
        alone
    }

    pub(crate) fn act(
        &mut self,
        act: impl FnOnce(&mut Node, Now, &mut Effects<Effect>),
    ) -> Vec<Effect> {
        let mut out = Effects::new();
        act(&mut self.node, now(self.millis), &mut out);
        self.node.check_invariants();
        out.drain().collect()
    }

    pub(crate) fn input(&mut self, input: Input) -> Vec<Effect> {
        self.act(|node, now, out| node.handle(now, input, out))
    }

    pub(crate) fn frame(&mut self, from: Peer, message: Message) -> Vec<Effect> {
        self.input(Input::Frame { from, message })
    }

    pub(crate) fn stored(&mut self, ticket: Ticket, outcome: StoreOutcome) -> Vec<Effect> {
        self.input(Input::Stored { ticket, outcome })
    }

    pub(crate) fn head(&mut self, key: &Key) -> RequestHead {
        self.last_call += 1;
        RequestHead {
            call: CallId(self.last_call),
            key: key.clone(),
            quorum: QuorumChoice::default(),
            strictness: Strictness::Configured,
            budget: Duration::from_secs(5),
            layout_version: LayoutVersion(1),
            passed_on: false,
            receipt: false,
            zone: None,
        }
    }

    pub(crate) fn get(&mut self, key: &Key) -> Get {
        Get { head: self.head(key), context: Bytes::new(), read: ReadKind::Quorum }
    }

    /// A blind put with the request id `sequence`.
    pub(crate) fn put(&mut self, key: &Key, value: &'static str, sequence: u64) -> Put {
        let payload = Bytes::from_static(value.as_bytes());
        let checksum = Checksum::of_value(&payload);
        let request = RequestId { client: 9, sequence };
        let change = Change::Value { payload, checksum, ttl: None };
        Put { head: self.head(key), context: Bytes::new(), request, change }
    }

    pub(crate) fn delete(&mut self, key: &Key, sequence: u64) -> Put {
        let request = RequestId { client: 9, sequence };
        Put { head: self.head(key), context: Bytes::new(), request, change: Change::Delete }
    }
}

/// The storage operations among effects.
pub(crate) fn stores(effects: &[Effect]) -> Vec<(Ticket, StoreOp)> {
    let store = |effect: &Effect| match effect {
        Effect::Store { ticket, op, .. } => Some((*ticket, op.clone())),
        _ => None,
    };
    effects.iter().filter_map(store).collect()
}

/// The frames among effects.
pub(crate) fn sends(effects: &[Effect]) -> Vec<(Peer, Message)> {
    let send = |effect: &Effect| match effect {
        Effect::Send { to, message } => Some((*to, message.clone())),
        _ => None,
    };
    effects.iter().filter_map(send).collect()
}

/// The replies to clients among effects.
pub(crate) fn replies(effects: &[Effect]) -> Vec<Reply> {
    let reply = |(to, message)| match (to, message) {
        (Peer::Client(_), Message::Reply(reply)) => Some(reply),
        _ => None,
    };
    sends(effects).into_iter().filter_map(reply).collect()
}

/// What somebody says as soon as it is connected that remembers nothing of the other.
/// What a node says that is through with a layout, to one that does not know it.
pub(crate) fn of_layout(update: &Arc<LayoutUpdate>) -> Gossip {
    let version = update.layout.version();
    let span = LayoutSpan { head: LayoutId::of(update), oldest: version, read: version };
    Gossip { span, layouts: vec![update.clone()], ..Gossip::default() }
}

pub(crate) fn greeting() -> Gossip {
    Gossip::default()
}

/// What a disk answers to an operation, in its order.
pub(crate) fn run(held: &mut Held, op: &StoreOp) -> Vec<StoreOutcome> {
    match op {
        StoreOp::Read { .. } => {
            let record = held.record().clone();
            vec![StoreOutcome::Read { record: (!record.is_empty()).then_some(record) }]
        }
        StoreOp::Apply { key, copy, op } => {
            let tree_key = config(1).tree_key();
            let before = tree_key.sized_state(key, held.record());
            let applied = held.apply(op).unwrap();
            let after = tree_key.sized_state(key, held.record());
            let position = Position::of(key.as_bytes());
            let record = matches!(op, RecordOp::Write(_)).then(|| held.record().clone());
            let (hint, state) = match copy {
                HeldAs::Own => (None, Some(StateChange { position, before, after })),
                HeldAs::Hint { .. } => {
                    let after = hint_bytes(key, held.record());
                    (Some(HintChange { before: None, after }), None)
                }
            };
            vec![StoreOutcome::Applied { applied, record, hint, state }, StoreOutcome::Durable]
        }
        StoreOp::FindHints { .. }
        | StoreOp::RemoveHint { .. }
        | StoreOp::CountHints
        | StoreOp::ScanStates { .. }
        | StoreOp::ScanRecords { .. }
        | StoreOp::Confirm { .. }
        | StoreOp::Remove { .. }
        | StoreOp::SaveStanding { .. }
        | StoreOp::Remember(_)
        | StoreOp::SaveLayouts(_) => panic!("this disk keeps one record: {op:?}"),
    }
}

/// What `node` holds after a write of `payload` with `context` to `held`.
pub(crate) fn write(held: &mut Held, node: u64, payload: Payload, context: &Context) -> Record {
    let birth = Birth(held.record().actors() as u64 + 1);
    let newborn = Actor { node: NodeId(node), incarnation: Incarnation(77), birth };
    let context = context.clone();
    let write = Write { context, ..blind(newborn, payload, UnixMs(1_600_000_000_000)) };
    held.apply(&RecordOp::Write(write)).unwrap();
    held.record().clone()
}

/// A write without a name that has seen nothing.
pub(crate) fn blind(newborn: Actor, payload: Payload, written: UnixMs) -> Write {
    Write {
        context: Context::new(),
        checksum: Checksum::of(&payload),
        payload,
        written,
        expires: None,
        request: RequestId::default(),
        newborn,
        continued: [].into(),
        siblings_max: 100,
        record_bytes_max: 1 << 20,
        actors_kept: 10,
        actor_age_min: Duration::from_secs(60),
    }
}

pub(crate) fn value(text: &'static str) -> Payload {
    Payload::Value(Bytes::from_static(text.as_bytes()))
}
