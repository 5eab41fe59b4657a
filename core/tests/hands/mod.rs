//! A client driven by hand: its sockets and its clock are the test.

#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]
#![allow(dead_code, reason = "each test file does other things")]

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use quorate_core::client::{
    CallError, CallOptions, Client, ClientConfig, ClientEffect, ClientEvent, ClientInput,
    Completion, DownReason, Link, NodeState,
};
use quorate_core::ids::{Incarnation, Key, NodeId, Text};
use quorate_core::machine::{Effects, Wake};
use quorate_core::message::{
    Answer, CallId, Defaults, Entry, Failure, Hello, LayoutUpdate, Message, PROTOCOL_VERSION,
    Reply, Welcome,
};
use quorate_core::time::Duration;

use crate::machines::{CLUSTER, key_of, layout, now};

/// A client whose sockets a test plays.
pub(crate) struct Hands {
    pub(crate) client: Client,
    pub(crate) layout: Arc<LayoutUpdate>,
    pub(crate) calls_max: u32,
    pub(crate) millis: u64,
    /// Links that were dialled and not hung up.
    pub(crate) open: BTreeMap<Link, Text>,
    /// All addresses that were dialled, in order.
    pub(crate) dialled: Vec<Text>,
    pub(crate) hung_up: Vec<Link>,
    /// Requests that were sent.
    pub(crate) sent: Vec<(Link, CallId)>,
    /// The first frame of each connection.
    pub(crate) hellos: Vec<Hello>,
    /// The requests, whole.
    pub(crate) frames: Vec<Message>,
    pub(crate) ended: Vec<(CallId, Result<Completion, CallError>)>,
    pub(crate) pongs: Vec<(CallId, Duration)>,
    pub(crate) events: Vec<ClientEvent>,
}

impl Hands {
    pub(crate) fn new(seeds: &[&str], layout: Arc<LayoutUpdate>) -> Hands {
        Hands::with(seeds, layout, |_| {})
    }

    pub(crate) fn with(
        seeds: &[&str],
        layout: Arc<LayoutUpdate>,
        change: impl FnOnce(&mut ClientConfig),
    ) -> Hands {
        let mut config = ClientConfig {
            seeds: seeds.iter().map(|seed| Text::from(*seed)).collect(),
            ..ClientConfig::default()
        };
        change(&mut config);
        let mut hands = Hands {
            client: Client::new(config, 1),
            layout,
            calls_max: 64,
            millis: 0,
            open: BTreeMap::new(),
            dialled: Vec::new(),
            hung_up: Vec::new(),
            sent: Vec::new(),
            hellos: Vec::new(),
            frames: Vec::new(),
            ended: Vec::new(),
            pongs: Vec::new(),
            events: Vec::new(),
        };
        hands.act(|client, now, out| client.start(now, out));
        hands
    }

    pub(crate) fn act<T>(
        &mut self,
        act: impl FnOnce(&mut Client, quorate_core::time::Now, &mut Effects<ClientEffect>) -> T,
    ) -> T {
        let mut out = Effects::new();
        let result = act(&mut self.client, now(self.millis), &mut out);
        self.client.check_invariants();
        for effect in out.drain() {
            match effect {
                ClientEffect::Dial { link, address } => {
                    self.dialled.push(address.clone());
                    self.open.insert(link, address);
                }
                ClientEffect::Hangup(link) => {
                    self.open.remove(&link);
                    self.hung_up.push(link);
                }
                ClientEffect::Send { link, message: Message::Get(get) } => {
                    self.sent.push((link, get.head.call));
                    self.frames.push(Message::Get(get));
                }
                ClientEffect::Send { link, message: Message::Put(put) } => {
                    self.sent.push((link, put.head.call));
                    self.frames.push(Message::Put(put));
                }
                ClientEffect::Send { message: Message::Hello(hello), .. } => {
                    self.hellos.push(hello);
                }
                ClientEffect::Complete { call, result } => self.ended.push((call, result)),
                ClientEffect::Pong { call, took } => self.pongs.push((call, took)),
                ClientEffect::Observe(event) => self.events.push(event),
                ClientEffect::Send { .. } => {}
            }
        }
        result
    }

    pub(crate) fn input(&mut self, input: ClientInput) {
        self.act(|client, now, out| client.handle(now, input, out));
    }

    /// Lets time pass; every wake must move the next one into the future.
    pub(crate) fn pass(&mut self, millis: u64) {
        let until = self.millis + millis;
        while let Some(Wake { at, reason }) = self.client.next_wake() {
            let due = at.0.div_ceil(1_000).max(self.millis);
            if due > until {
                break;
            }
            self.millis = due;
            self.input(ClientInput::Wake);
            let next = self.client.next_wake();
            let later = next.is_none_or(|next| next.at > now(self.millis).instant);
            assert!(later, "woken in vain at {} ms for {reason:?}", self.millis);
        }
        self.millis = until;
    }

    /// The link to an address, which must be dialled.
    pub(crate) fn at(&self, address: &str) -> Link {
        let at = self.open.iter().find(|(_, open)| &***open == address);
        *at.unwrap_or_else(|| panic!("{address} is not dialled: {:?}", self.open)).0
    }

    /// Node `node` answers on a link.
    pub(crate) fn welcome(&mut self, link: Link, node: u64) {
        let layout = Some(self.layout.clone());
        self.welcome_with(link, node, layout, &[]);
    }

    pub(crate) fn welcome_with(
        &mut self,
        link: Link,
        node: u64,
        layout: Option<Arc<LayoutUpdate>>,
        down: &[u64],
    ) {
        self.input(ClientInput::Opened(link));
        let defaults = Defaults {
            r: 2,
            w: 2,
            allow_weak: false,
            key_bytes_max: 1024,
            value_bytes_max: 1 << 20,
            calls_max: self.calls_max,
            strict: false,
        };
        let welcome = Welcome {
            version: PROTOCOL_VERSION,
            cluster: CLUSTER,
            node: NodeId(node),
            label: "n".into(),
            incarnation: Incarnation(1),
            defaults,
            layout,
            down: down.iter().copied().map(NodeId).collect(),
        };
        self.input(ClientInput::Frame { link, message: Message::Welcome(welcome) });
    }

    /// A client that is connected to all nodes of a layout.
    pub(crate) fn connected(nodes: u64, replication: u8) -> Hands {
        let seeds: Vec<String> = (1..=nodes).map(|node| format!("ws://{node}")).collect();
        let seeds: Vec<&str> = seeds.iter().map(String::as_str).collect();
        let mut hands = Hands::new(&seeds[..1], layout(nodes, replication));
        hands.welcome(hands.at("ws://1"), 1);
        for node in 2..=nodes {
            let (key, _) = key_of(&hands.layout, NodeId(node));
            let call = hands.get(&key, 5_000);
            hands.welcome(hands.at(seeds[node as usize - 1]), node);
            hands.act(|client, now, out| client.cancel(now, call, out));
        }
        hands.answer_all();
        hands.sent.clear();
        hands.frames.clear();
        hands.ended.clear();
        hands.events.clear();
        hands
    }

    pub(crate) fn refuse_dials(&mut self) {
        for link in self.open.keys().copied().collect::<Vec<_>>() {
            self.open.remove(&link);
            self.input(ClientInput::Closed(link));
        }
    }

    pub(crate) fn get(&mut self, key: &Key, timeout_ms: u64) -> CallId {
        let timeout = Some(Duration::from_millis(timeout_ms));
        let options = CallOptions { timeout, ..CallOptions::default() };
        self.act(|client, now, out| client.get(now, key.clone(), Bytes::new(), options, out))
    }

    pub(crate) fn put(&mut self, key: &Key) -> CallId {
        let (value, context) = (Bytes::from_static(b"v"), Bytes::new());
        let options = CallOptions::default();
        self.act(|client, now, out| client.put(now, key.clone(), value, context, options, out))
    }

    pub(crate) fn reply(&mut self, link: Link, call: CallId, result: Result<Answer, Failure>) {
        self.reply_with(link, call, result, &[]);
    }

    pub(crate) fn reply_with(
        &mut self,
        link: Link,
        call: CallId,
        result: Result<Answer, Failure>,
        down: &[NodeId],
    ) {
        self.reply_all(link, call, result, down, None);
    }

    pub(crate) fn reply_all(
        &mut self,
        link: Link,
        call: CallId,
        result: Result<Answer, Failure>,
        down: &[NodeId],
        layout: Option<Arc<LayoutUpdate>>,
    ) {
        let layout_version = self.layout.layout.version();
        let down = down.to_vec();
        let (receipt, passed_on_by, copy) = (None, None, None);
        let reply =
            Reply { call, layout_version, layout, receipt, passed_on_by, down, result, copy };
        self.input(ClientInput::Frame { link, message: Message::Reply(reply) });
    }

    /// Every request that was ever sent is answered.
    pub(crate) fn answer_all(&mut self) {
        for (link, call) in self.sent.clone() {
            self.reply(link, call, Ok(entry()));
        }
    }

    /// What was told of a node, shortly.
    pub(crate) fn events_of(&self, wanted: NodeId) -> Vec<&'static str> {
        let told = |event: &ClientEvent| match event {
            ClientEvent::Connected { node, .. } => Some((*node, "connected")),
            ClientEvent::Disconnected { node, .. } => Some(((*node)?, "disconnected")),
            ClientEvent::NodeUp { node } => Some((*node, "up")),
            ClientEvent::NodeDown { node, reason } => Some((
                *node,
                match reason {
                    DownReason::Silent => "down: silent",
                    DownReason::Unreachable => "down: unreachable",
                    DownReason::Reported => "down: reported",
                },
            )),
            _ => None,
        };
        let told = self.events.iter().filter_map(told);
        told.filter(|(node, _)| *node == wanted).map(|(_, told)| told).collect()
    }

    pub(crate) fn state(&self, node: NodeId) -> NodeState {
        let nodes = self.client.view().nodes();
        nodes.iter().find(|(id, _)| *id == node).expect("it is a member").1
    }

    pub(crate) fn last_sent(&self) -> Link {
        self.sent.last().expect("something was sent").0
    }
}

pub(crate) fn entry() -> Answer {
    Answer::Entry(Entry::default())
}
