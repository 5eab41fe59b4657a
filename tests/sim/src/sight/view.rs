//! The whole world at one moment, as a page may look at it.

use std::collections::BTreeMap;

use quorate_core::ids::{Key, NodeId, Text};
use quorate_core::message::MemberState;
use quorate_core::ring::Position;
use quorate_core::time::{Duration, Instant};
use serde::{Serialize, Serializer};

use super::{Milliseconds, name, number};
use crate::network::{Place, Weather};
use crate::world::World;

/// Keys that a view names.
const KEYS_MAX: usize = 1_000;

/// The whole world at one moment. Nodes and clients go by their numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    /// When.
    pub now: Milliseconds,
    /// N.
    pub replication: u8,
    /// R.
    pub r: u8,
    /// W.
    pub w: u8,
    /// The newest layout that any node knows.
    pub version: u64,
    /// All nodes.
    pub nodes: Vec<NodeView>,
    /// For each slot the number of its owner.
    pub owners: Vec<usize>,
    /// For each slot the numbers of its primaries, in the order of the walk.
    pub primaries: Vec<Vec<usize>>,
    /// All clients.
    pub clients: Vec<UnderWay>,
    /// Pairs of nodes between which nothing gets through.
    pub cuts: Vec<Cut>,
    /// Links that are not as usual.
    pub links: Vec<LinkView>,
    /// Keys that any node holds, in their order.
    pub keys: Vec<KeyView>,
}

/// A node at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeView {
    /// Its id.
    pub id: String,
    /// Its name for people.
    pub label: String,
    /// Its failure domain.
    pub zone: String,
    /// Its weight in the newest layout, or the one that it would join with.
    pub weight: u32,
    /// Whether it runs.
    pub up: bool,
    /// Whether it stands still.
    pub paused: bool,
    /// Whether it is a member of the newest layout.
    pub member: bool,
    /// Starts so far.
    pub life: u64,
    /// Milliseconds by which its wall clock is ahead.
    pub clock: i64,
    /// Keys that it holds for itself.
    pub records: usize,
    /// Hints that it holds.
    pub hints: Vec<HintsFor>,
    /// How it sees each node.
    pub sees: Vec<Option<Seen>>,
    /// The layouts that it holds in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layouts: Option<SpanView>,
    /// Slots that it has yet to fill for a new layout.
    pub slots_to_fill: usize,
    /// Counts since its start; empty while it is down.
    pub counters: Vec<(&'static str, u64)>,
}

/// How many hints there are for a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct HintsFor {
    /// For whom.
    #[serde(rename = "for")]
    pub node: usize,
    /// How many.
    pub count: usize,
}

/// What one node holds another one for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// Whether it is there.
    #[serde(serialize_with = "state")]
    pub state: MemberState,
    /// Time since its heartbeat rose.
    pub age: Milliseconds,
    /// Who suspects it.
    pub witnesses: Vec<usize>,
}

/// Versions of layouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SpanView {
    /// The oldest in force.
    pub oldest: u64,
    /// The newest.
    pub newest: u64,
    /// The one that reads go by.
    pub read: u64,
}

/// A client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnderWay {
    /// Its calls under way.
    pub under_way: usize,
}

/// Two nodes between which nothing gets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Cut(pub usize, pub usize);

/// Two nodes whose link is not as usual.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LinkView {
    /// One of them.
    pub a: usize,
    /// The other one.
    pub b: usize,
    /// The least time that a frame travels, in the worse direction.
    pub delay: Milliseconds,
    /// Of a thousand frames, how many are lost in the worse direction.
    pub loss: u32,
}

/// A key that is held somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyView {
    /// The key.
    pub key: String,
    /// Its place on the ring.
    pub position: String,
    /// Its slot.
    pub slot: u32,
    /// The most siblings that stand in one copy.
    pub siblings: usize,
}

impl View {
    /// What there is to be seen now.
    pub fn of(world: &World) -> View {
        let layout = &world.newest_layout().layout;
        let config = world.config();
        let members: Vec<usize> = layout.members().iter().map(|it| number(it.id)).collect();
        let primaries = |slot| layout.primaries(slot).iter().map(|id| number(*id)).collect();
        let pairs = || {
            let nodes = 0..world.node_count();
            nodes.flat_map(|b| (0..b).map(move |a| (a, b)))
        };
        let is_cut = |&(a, b): &(usize, usize)| world.is_cut(Place::Node(a), Place::Node(b));
        let clients = (0..world.client_count())
            .map(|client| UnderWay { under_way: world.client(client).view().calls_under_way() });
        View {
            now: Milliseconds(world.now()),
            replication: layout.replication(),
            r: config.r,
            w: config.w,
            version: layout.version().0,
            nodes: (0..world.node_count()).map(|node| NodeView::of(world, node)).collect(),
            owners: layout.owners().iter().map(|owner| members[usize::from(*owner)]).collect(),
            primaries: layout.slot_count().slots().map(primaries).collect(),
            clients: clients.collect(),
            cuts: pairs().filter(is_cut).map(|(a, b)| Cut(a, b)).collect(),
            links: pairs().filter_map(|(a, b)| LinkView::of(world, a, b)).collect(),
            keys: keys(world),
        }
    }
}

impl NodeView {
    fn of(world: &World, node: usize) -> NodeView {
        let own = world.as_it_is(node);
        let member = world.newest_layout().layout.member(own.id);
        let machine = world.node(node).map(|machine| machine.view());
        let mut hints: BTreeMap<NodeId, usize> = BTreeMap::new();
        for (target, _, _) in world.hints_of(node) {
            *hints.entry(target).or_default() += 1;
        }
        let hints = hints.into_iter().map(|(to, count)| HintsFor { node: number(to), count });
        let text = |text: &Text| text.as_ref().to_owned();
        NodeView {
            id: own.id.to_string(),
            label: text(&own.label),
            zone: text(&own.zone),
            weight: member.map_or(own.weight, |member| member.weight),
            up: machine.is_some(),
            paused: world.is_paused(node),
            member: member.is_some(),
            life: world.starts(node),
            clock: world.clock_ahead(node),
            records: world.keys(node).len(),
            hints: hints.collect(),
            sees: (0..world.node_count()).map(|other| Seen::of(world, node, other)).collect(),
            layouts: world.span(node).map(|span| SpanView {
                oldest: span.oldest.0,
                newest: span.head.version.0,
                read: span.read.0,
            }),
            slots_to_fill: machine.map_or(0, |machine| machine.slots_to_fill()),
            counters: machine.map(|machine| machine.counters()).unwrap_or_default(),
        }
    }
}

impl Seen {
    fn of(world: &World, node: usize, other: usize) -> Option<Seen> {
        let member = world.member(node, other)?;
        Some(Seen {
            state: member.state,
            age: span(member.heartbeat_age),
            witnesses: member.witnesses.into_iter().map(number).collect(),
        })
    }
}

impl LinkView {
    fn of(world: &World, a: usize, b: usize) -> Option<LinkView> {
        let (one, other) = (Place::Node(a), Place::Node(b));
        let weathers = [world.weather(one, other), world.weather(other, one)];
        let usual = Weather::default();
        if weathers == [usual; 2] {
            return None;
        }
        let [there, back] = weathers;
        let delay = span(there.delay_min.max(back.delay_min));
        Some(LinkView { a, b, delay, loss: there.loss.max(back.loss) })
    }
}

fn keys(world: &World) -> Vec<KeyView> {
    let layout = &world.newest_layout().layout;
    let mut held: BTreeMap<Key, usize> = BTreeMap::new();
    for node in 0..world.node_count() {
        let own = world.records_of(node);
        let hints = world.hints_of(node).map(|(_, key, record)| (key, record));
        for (key, record) in own.chain(hints) {
            let most = held.entry(key.clone()).or_default();
            *most = record.sibling_count().max(*most);
        }
    }
    let view = |(key, siblings): (Key, usize)| KeyView {
        position: Position::of(key.as_bytes()).to_string(),
        slot: layout.slot_of(key.as_bytes()).0,
        key: name(&key),
        siblings,
    };
    held.into_iter().take(KEYS_MAX).map(view).collect()
}

/// A span of time in the form of a moment.
fn span(time: Duration) -> Milliseconds {
    Milliseconds(Instant(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))
}

fn state<S: Serializer>(state: &MemberState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match state {
        MemberState::Up => "up",
        MemberState::Suspected => "suspect",
        MemberState::Down => "down",
    })
}
