//! A node that is fed by hand, and what to look for in what it does.

use std::sync::Arc;

use quorate_core::ids::{Incarnation, NodeId, Text};
use quorate_core::layout::PlanSettings;
use quorate_core::machine::{Effect, Effects, Event, Input, Peer, StoreOp, Ticket};
use quorate_core::message::{
    Gossip, Hello, LayoutHistory, LayoutUpdate, MemberInfo, MemberState, Message, RejectCode, Role,
};
use quorate_core::node::{Founding, Node, NodeConfig};
use quorate_core::ring::SlotCount;

use super::machines::{config, layout, now, sends, stores};

pub(crate) struct Hand {
    pub(crate) node: Node,
    pub(crate) millis: u64,
}

impl Hand {
    /// A node that has just started, and what it did.
    pub(crate) fn new(config: NodeConfig) -> (Hand, Vec<Effect>) {
        let mut hand = Hand { node: Node::new(config, 1).unwrap(), millis: 0 };
        let effects = hand.act(|node, now, out| node.start(now, out));
        (hand, effects)
    }

    pub(crate) fn act(
        &mut self,
        act: impl FnOnce(&mut Node, quorate_core::time::Now, &mut Effects<Effect>),
    ) -> Vec<Effect> {
        let mut out = Effects::new();
        act(&mut self.node, now(self.millis), &mut out);
        self.node.check_invariants();
        out.drain().collect()
    }

    pub(crate) fn input(&mut self, input: Input) -> Vec<Effect> {
        self.act(|node, now, out| node.handle(now, input, out))
    }

    pub(crate) fn up(&mut self, node: u64) -> Vec<Effect> {
        self.input(Input::PeerUp(Peer::Node(NodeId(node))))
    }

    pub(crate) fn down(&mut self, node: u64) -> Vec<Effect> {
        self.input(Input::PeerDown(Peer::Node(NodeId(node))))
    }

    pub(crate) fn gossip(&mut self, from: u64, gossip: Gossip) -> Vec<Effect> {
        let from = Peer::Node(NodeId(from));
        self.input(Input::Frame { from, message: Message::Gossip(gossip) })
    }

    /// Wakes the node whenever it wants to be, for so long.
    pub(crate) fn pass(&mut self, millis: u64) -> Vec<Effect> {
        let end = self.millis + millis;
        let mut effects = Vec::new();
        while let Some(wake) = self.node.next_wake() {
            let at = wake.at.0.div_ceil(1_000).max(self.millis);
            if at > end {
                break;
            }
            self.millis = at;
            effects.extend(self.input(Input::Wake));
            let again = self.node.next_wake().is_some_and(|wake| wake.at.0 <= at * 1_000);
            assert!(!again, "a wake leaves nothing that is due");
        }
        self.millis = end;
        effects
    }

    pub(crate) fn hello(
        &mut self,
        id: u64,
        incarnation: u32,
    ) -> (Result<(), RejectCode>, Vec<Event>) {
        let role = Role::Node { id: NodeId(id), incarnation: Incarnation(incarnation) };
        let hello = Hello { role, ..self.node.hello() };
        let mut answer = None;
        let effects = self.act(|node, now, out| answer = Some(node.welcome(now, &hello, out)));
        let answer = answer.unwrap();
        if let Err(reject) = &answer {
            assert!(!reject.text.is_empty());
        }
        (answer.map(|_| ()).map_err(|reject| reject.code), events(&effects))
    }

    pub(crate) fn counter(&self, name: &str) -> u64 {
        let counters = self.node.view().counters();
        counters.iter().find(|(known, _)| *known == name).unwrap().1
    }

    pub(crate) fn state(&self, node: u64) -> Option<MemberState> {
        self.node.view().membership().state(NodeId(node))
    }
}

pub(crate) fn info(id: u64, incarnation: u32, heartbeat: u64) -> MemberInfo {
    MemberInfo {
        id: NodeId(id),
        incarnation: Incarnation(incarnation),
        heartbeat,
        label: format!("n{id}").into(),
        zone: "z".into(),
        weight: 1,
        address: format!("ws://{id}").into(),
        remembered: Default::default(),
    }
}

pub(crate) fn silence() -> Gossip {
    Gossip::default()
}

/// What somebody says who is through with a layout.
pub(crate) fn of_layout(update: &Arc<LayoutUpdate>) -> Gossip {
    crate::machines::of_layout(update)
}

pub(crate) fn about(members: Vec<MemberInfo>) -> Gossip {
    Gossip { members, ..silence() }
}

pub(crate) fn events(effects: &[Effect]) -> Vec<Event> {
    let event = |effect: &Effect| match effect {
        Effect::Observe(event) => Some(event.clone()),
        _ => None,
    };
    effects.iter().filter_map(event).collect()
}

pub(crate) fn dials(effects: &[Effect]) -> Vec<(u64, Text)> {
    let dial = |effect: &Effect| match effect {
        Effect::Dial { node, address } => Some((node.0, address.clone())),
        _ => None,
    };
    effects.iter().filter_map(dial).collect()
}

pub(crate) fn seed_dials(effects: &[Effect]) -> Vec<Text> {
    let dial = |effect: &Effect| match effect {
        Effect::DialSeed { address } => Some(address.clone()),
        _ => None,
    };
    effects.iter().filter_map(dial).collect()
}

pub(crate) fn gossip_to(effects: &[Effect], to: u64) -> Vec<Gossip> {
    let gossip = |(peer, message)| match message {
        Message::Gossip(gossip) if peer == Peer::Node(NodeId(to)) => Some(gossip),
        _ => None,
    };
    sends(effects).into_iter().filter_map(gossip).collect()
}

pub(crate) fn saves(effects: &[Effect]) -> Vec<(Ticket, LayoutHistory)> {
    let save = |(ticket, op)| match op {
        StoreOp::SaveLayouts(update) => Some((ticket, update)),
        _ => None,
    };
    stores(effects).into_iter().filter_map(save).collect()
}

pub(crate) fn in_layout(id: u64) -> NodeConfig {
    NodeConfig { layouts: Some(layout(3, 3).into()), ..config(id) }
}

pub(crate) fn seeded(id: u64, seeds: &[&str]) -> NodeConfig {
    NodeConfig { seeds: seeds.iter().map(|seed| Text::from(*seed)).collect(), ..config(id) }
}

pub(crate) fn founder(members: usize) -> NodeConfig {
    let plan = PlanSettings { slots: SlotCount::new(16).unwrap(), replication: 3 };
    NodeConfig { founding: Some(Founding { members, plan }), ..config(1) }
}
