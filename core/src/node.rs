//! The machine of a node: dispatch only.
//!
//! ```text
//!  Frame ---> Get, Put ------> admission -> coordinator   this node is a primary of the key
//!                                        -> pass_on       it is not
//!        ---> Replica* ------> replica                    for coordinators elsewhere
//!        ---> Replica*ed ----> coordinator                answers to its own questions
//!  Stored --> tickets -------> coordinator | replica
//!  PeerUp, PeerDown ---------> peers, then whoever waits for the peer
//!  Wake ---------------------> whoever's time is up
//! ```

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::admission;
pub use crate::config::{ConfigError, NodeConfig};
use crate::coordinator::{Coordinator, Place};
pub use crate::counters::Counters;
use crate::handshake;
use crate::ids::NodeId;
use crate::machine::{Effect, Effects, Event, Input, Peer, StoreOutcome, Ticket, Wake, WakeReason};
use crate::message::{
    Failure, FailureCode, Hello, LayoutUpdate, MemberStatus, Message, Reject, Welcome,
};
use crate::pass_on::{PassOn, Request};
use crate::peers::Peers;
use crate::replica;
use crate::tickets::{Purpose, Tickets};
use crate::time::Now;
use crate::turn::{Asker, Gate, Turn};

/// A node of the cluster, without sockets, disk and clock.
///
/// Order of calls: [`start`](Node::start) once, then [`handle`](Node::handle) for all that
/// happens, carrying out the effects of each call before the next. [`hello`](Node::hello),
/// [`welcome`](Node::welcome) and [`accepts`](Node::accepts) serve the handshake of connections;
/// a connection is made known by [`Input::PeerUp`] once its handshake is through. No input
/// panics the machine; bytes that make no message never reach it.
#[derive(Clone, Debug)]
pub struct Node {
    config: NodeConfig,
    peers: Peers,
    tickets: Tickets,
    gate: Gate,
    counters: Counters,
    coordinator: Coordinator,
    pass_on: PassOn,
}

impl Node {
    /// A node that knows its layout and nobody else yet. `seed` must be random: it decides jitter,
    /// and names calls so that an answer to an earlier life is no answer to this one.
    ///
    /// # Errors
    /// A configuration that cannot work; see [`ConfigError`].
    pub fn new(config: NodeConfig, seed: u64) -> Result<Node, ConfigError> {
        config.check()?;
        Ok(Node {
            peers: Peers::new(&config, seed),
            tickets: Tickets::new(&config),
            gate: Gate::default(),
            counters: Counters::default(),
            coordinator: Coordinator::new(&config, seed),
            pass_on: PassOn::new(seed),
            config,
        })
    }

    /// Dials the nodes that this one is to dial.
    pub fn start(&mut self, _now: Now, out: &mut Effects<Effect>) {
        self.peers.start(&self.config, out);
    }

    /// Takes in one thing that happened. Infallible: bytes that are no message died in the codec.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Effects<Effect>) {
        match input {
            Input::Frame { from, message } => self.on_frame(now, from, message, out),
            Input::PeerUp(Peer::Node(node)) => self.on_node_up(now, node, out),
            Input::PeerDown(Peer::Node(node)) => self.on_node_down(now, node, out),
            // A client is known by its requests alone; those under way end by themselves.
            Input::PeerUp(Peer::Client(_)) | Input::PeerDown(Peer::Client(_)) => {}
            Input::Stored { ticket, outcome } => self.on_stored(now, ticket, outcome, out),
            Input::Wake => self.on_wake(now, out),
        }
    }

    /// When the machine wants [`Input::Wake`] at the latest, and what waits.
    pub fn next_wake(&self) -> Option<Wake> {
        let deadlines = [self.coordinator.next_wake(), self.pass_on.next_wake()];
        let deadlines =
            deadlines.into_iter().flatten().map(|at| Wake { at, reason: WakeReason::Deadline });
        let dial = self.peers.next_wake().map(|at| Wake { at, reason: WakeReason::Dial });
        deadlines.chain(dial).min()
    }

    /// The first frame of a connection that this node dialled.
    pub fn hello(&self) -> Hello {
        handshake::hello(&self.config)
    }

    /// The answer to the first frame of a connection that somebody else dialled.
    ///
    /// # Errors
    /// What to send before the connection is closed.
    pub fn welcome(&self, hello: &Hello) -> Result<Welcome, Reject> {
        handshake::welcome(&self.config, hello)
    }

    /// Checks the answer to [`hello`](Node::hello) of the node that should be `expected`.
    ///
    /// # Errors
    /// Why the connection is of no use.
    pub fn accepts(&self, expected: NodeId, welcome: &Welcome) -> Result<(), Reject> {
        handshake::accepts(&self.config, expected, welcome)
    }

    /// What metrics, status pages and tests may look at.
    pub fn view(&self) -> NodeView<'_> {
        NodeView { node: self }
    }

    /// Asserts what must hold between inputs. The simulator calls it after each step.
    pub fn check_invariants(&self) {
        self.coordinator.check_invariants();
        self.pass_on.check_invariants();
    }

    fn on_frame(&mut self, now: Now, from: Peer, message: Message, out: &mut Effects<Effect>) {
        let (mut turn, coordinator, pass_on) = self.turn(now, out);
        let turn = &mut turn;
        match (message, from) {
            (Message::Get(get), from) => {
                on_request(turn, coordinator, pass_on, from, Request::Get(get));
            }
            (Message::Put(put), from) => {
                on_request(turn, coordinator, pass_on, from, Request::Put(put));
            }
            (Message::Reply(reply), Peer::Node(from)) => pass_on.on_reply(turn, from, reply),
            (Message::ReplicaRead(read), Peer::Node(from)) => replica::on_read(turn, from, read),
            (Message::ReplicaMerge(merge), Peer::Node(from)) => {
                replica::on_merge(turn, from, merge);
            }
            (Message::ReplicaRecord(answer), Peer::Node(from)) => {
                coordinator.on_replica_record(turn, from, answer);
            }
            (Message::ReplicaMerged(answer), Peer::Node(from)) => {
                coordinator.on_replica_merged(turn, from, answer);
            }
            (Message::Unsupported(_), _) => {}
            (
                Message::Hello(_)
                | Message::Welcome(_)
                | Message::Reject(_)
                | Message::Reply(_)
                | Message::ReplicaRead(_)
                | Message::ReplicaRecord(_)
                | Message::ReplicaMerge(_)
                | Message::ReplicaMerged(_)
                | Message::StatusRequest(_)
                | Message::StatusReply(_),
                from,
            ) => {
                turn.counters.misbehaved += 1;
                turn.out.observe(Event::Misbehaved(from));
            }
        }
    }

    fn on_stored(
        &mut self,
        now: Now,
        ticket: Ticket,
        outcome: StoreOutcome,
        out: &mut Effects<Effect>,
    ) {
        let more_follow = matches!(outcome, StoreOutcome::Applied { .. });
        let Some(purpose) = self.tickets.purpose(ticket, more_follow) else { return };
        if let StoreOutcome::Failed(error) = outcome {
            self.counters.storage_failures += 1;
            out.observe(Event::StorageFailed(error));
        }
        let (mut turn, coordinator, _) = self.turn(now, out);
        let turn = &mut turn;
        match purpose {
            Purpose::Call(call) => coordinator.on_stored(turn, call, outcome),
            Purpose::Replica(to, call) => replica::on_stored(turn, to, call, outcome),
            Purpose::Repair => {}
        }
    }

    fn on_node_up(&mut self, now: Now, node: NodeId, out: &mut Effects<Effect>) {
        if self.peers.is_up(node) {
            // What was asked on the old connection is lost with it.
            self.on_node_down(now, node, out);
        }
        self.peers.on_up(node, out);
    }

    fn on_node_down(&mut self, now: Now, node: NodeId, out: &mut Effects<Effect>) {
        self.peers.on_down(&self.config, now, node, out);
        let (mut turn, coordinator, pass_on) = self.turn(now, out);
        let turn = &mut turn;
        coordinator.on_node_down(turn, node);
        pass_on.on_node_down(turn, node);
    }

    fn on_wake(&mut self, now: Now, out: &mut Effects<Effect>) {
        self.peers.on_wake(&self.config, now, out);
        let (mut turn, coordinator, pass_on) = self.turn(now, out);
        let turn = &mut turn;
        coordinator.on_wake(turn);
        pass_on.on_wake(turn);
    }

    /// The surroundings of one input, apart from the parts that run requests.
    fn turn<'a>(
        &'a mut self,
        now: Now,
        out: &'a mut Effects<Effect>,
    ) -> (Turn<'a>, &'a mut Coordinator, &'a mut PassOn) {
        let turn = Turn {
            now,
            config: &self.config,
            peers: &self.peers,
            tickets: &mut self.tickets,
            gate: &mut self.gate,
            counters: &mut self.counters,
            out,
        };
        (turn, &mut self.coordinator, &mut self.pass_on)
    }
}

/// Who runs a request: this node, a primary that it is passed on to, or nobody.
fn on_request(
    turn: &mut Turn<'_>,
    coordinator: &mut Coordinator,
    pass_on: &mut PassOn,
    from: Peer,
    request: Request,
) {
    let asker = Asker::new(from, request.head());
    let under_way = turn.gate.enter(from);
    let most = turn.config.limits.calls_per_peer_max;
    if matches!(from, Peer::Client(_)) && under_way > most {
        return turn.overloaded(asker, "calls_per_peer_max", most);
    }
    let quorum = match admission::check(turn.config, &request) {
        Ok(quorum) => quorum,
        Err(failure) => return turn.answer(asker, None, None, Err(failure)),
    };
    let layout = &turn.config.layout.layout;
    let slot = layout.slot_of(request.head().key.as_bytes());
    let replicas = layout.primaries(slot);
    let Some(own) = replicas.iter().position(|node| *node == turn.config.id) else {
        if request.head().passed_on {
            let failure = Failure::refused(FailureCode::NotAPrimary);
            return turn.answer(asker, None, None, Err(failure));
        }
        return pass_on.on_request(turn, asker, request, quorum);
    };
    let place = Place { slot, replicas: replicas.to_vec(), own };
    match request {
        Request::Get(get) => coordinator.on_get(turn, asker, get, quorum, place),
        Request::Put(put) => coordinator.on_put(turn, asker, put, quorum, place),
    }
}

/// A read-only look at a [`Node`].
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    node: &'a Node,
}

impl<'a> NodeView<'a> {
    /// Identity and settings.
    pub fn config(&self) -> &'a NodeConfig {
        &self.node.config
    }

    /// Members, slots and addresses.
    pub fn layout(&self) -> &'a Arc<LayoutUpdate> {
        &self.node.config.layout
    }

    /// Whether the node is connected to `node`, or is it.
    pub fn is_up(&self, node: NodeId) -> bool {
        node == self.node.config.id || self.node.peers.is_up(node)
    }

    /// Requests that are not answered yet.
    pub fn requests_under_way(&self) -> usize {
        self.node.coordinator.under_way() + self.node.pass_on.len()
    }

    /// Everyone in the layout, as this node sees them.
    pub fn members(&self) -> Vec<MemberStatus> {
        let LayoutUpdate { layout, addresses } = &**self.layout();
        let loads = layout.load();
        let members = layout.members().iter().zip(addresses).zip(loads);
        let status = members.map(|((member, address), load)| MemberStatus {
            id: member.id,
            label: member.label.clone(),
            zone: member.zone.clone(),
            weight: member.weight,
            address: address.clone(),
            up: self.is_up(member.id),
            slots: load.slots,
            replicas: load.replicas,
        });
        status.collect()
    }

    /// What was counted since the start.
    pub fn counters(&self) -> Vec<(&'static str, u64)> {
        let node = self.node;
        let tables = [
            ("requests_under_way", self.requests_under_way() as u64),
            ("storage_operations_under_way", node.tickets.len() as u64),
            ("answers_kept", node.coordinator.answers_kept() as u64),
        ];
        node.counters.list().into_iter().chain(tables).collect()
    }

    /// The limits, by name.
    pub fn limits(&self) -> Vec<(&'static str, u64)> {
        self.node.config.limits.list().to_vec()
    }
}
