//! The machine of a node: dispatch only.
//!
//! ```text
//!  Frame ---> Get, Put ------> admission -> coordinator   this node is a primary of the key
//!                                        -> pass_on       it is not
//!        ---> Replica* ------> replica                    for coordinators elsewhere
//!        ---> Replica*ed ----> coordinator                answers to its own questions
//!        ---> Compare(d) ----> anti_entropy
//!        ---> RepairRequest -> anti_entropy
//!        ---> Collect(ed) ---> collection
//!  Stored --> tickets -------> trees, then coordinator | replica | ...
//!  PeerUp, PeerDown ---------> peers, then whoever waits for the peer
//!  Wake ---------------------> whoever's time is up
//! ```

mod layouts;
mod losses;
mod members;
mod orders;
mod repair;
mod requests;
mod storage;
mod view;

use crate::anti_entropy::AntiEntropy;
use crate::collection::Collection;
pub use crate::config::{
    AntiEntropySettings, ChangeSettings, CollectionSettings, ConfigError, Fanout, Founding,
    GossipSettings, NodeConfig,
};
use crate::coordinator::Coordinator;
pub use crate::counters::Counters;
use crate::epochs::Epochs;
use crate::founding::Keeping;
use crate::handoff::Handoff;
use crate::hints::Hints;
use crate::ids::NodeId;
use crate::incoming::Request;
use crate::layouts::Layouts;
use crate::leftovers::Leftovers;
use crate::machine::{Effect, Effects, Event, Input, Peer, StoreOp, Wake, WakeReason};
use crate::membership::Membership;
use crate::message::Message;
pub use crate::message::PairStatus;
use crate::pass_on::PassOn;
use crate::peers::Peers;
use crate::refill::Refill;
use crate::replica;
use crate::staging::Stage;
use crate::tickets::{Purpose, Tickets};
use crate::time::Now;
use crate::transfer::Transfer;
use crate::turn::{Gate, Turn};
use crate::verdicts::Verdicts;
use requests::{Parts, on_request};
pub use view::NodeView;

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
    layouts: Layouts,
    stage: Stage,
    transfer: Transfer,
    leftovers: Leftovers,
    peers: Peers,
    membership: Membership,
    verdicts: Verdicts,
    hints: Hints,
    epochs: Epochs,
    refill: Refill,
    tickets: Tickets,
    gate: Gate,
    counters: Counters,
    coordinator: Coordinator,
    pass_on: PassOn,
    handoff: Handoff,
    anti_entropy: AntiEntropy,
    collection: Collection,
    keeping: Keeping,
    /// Handshakes of processes whose id lives elsewhere.
    identity_conflicts: u64,
}

impl Node {
    /// A node that knows its layout and nobody else yet. `seed` must be random: it decides jitter,
    /// and names calls so that an answer to an earlier life is no answer to this one.
    ///
    /// # Errors
    /// A configuration that cannot work; see [`ConfigError`].
    pub fn new(mut config: NodeConfig, seed: u64) -> Result<Node, ConfigError> {
        config.check()?;
        let saved = config.trees.take();
        Ok(Node {
            layouts: Layouts::new(config.id, config.layouts.as_ref()),
            stage: Stage::default(),
            transfer: Transfer::default(),
            leftovers: Leftovers::default(),
            peers: Peers::new(&config, seed),
            membership: Membership::new(&config, seed),
            verdicts: Verdicts::default(),
            hints: Hints::new(&config.limits),
            epochs: Epochs::new(config.id, config.incarnation),
            refill: Refill::new(&config),
            tickets: Tickets::new(&config, seed),
            gate: Gate::default(),
            counters: Counters::default(),
            coordinator: Coordinator::new(&config, seed),
            pass_on: PassOn::new(seed),
            handoff: Handoff::new(seed),
            anti_entropy: AntiEntropy::new(&config, saved, seed),
            collection: Collection::new(&config, seed),
            keeping: Keeping::default(),
            identity_conflicts: 0,
            config,
        })
    }

    /// Dials the nodes that this one is to dial.
    pub fn start(&mut self, now: Now, out: &mut Effects<Effect>) {
        self.refill.start(now, &self.config);
        self.start_membership(now, out);
        self.handoff.start(now.instant);
        self.tickets.store(Purpose::HintCount, None, StoreOp::CountHints, out);
        let (mut turn, parts) = self.turn(now, out);
        parts.anti_entropy.on_wake(&mut turn);
    }

    /// Takes in one thing that happened. Infallible: bytes that are no message died in the codec.
    pub fn handle(&mut self, now: Now, input: Input, out: &mut Effects<Effect>) {
        match input {
            Input::Frame { from, message } => self.on_frame(now, from, message, out),
            Input::PeerUp(Peer::Node(node)) => self.on_node_up(now, node, out),
            Input::PeerDown(Peer::Node(node)) => self.on_node_down(now, node, out),
            // A client is known by its requests alone; those under way end by themselves.
            Input::PeerUp(Peer::Client(_)) | Input::PeerDown(Peer::Client(_)) => {}
            Input::SeedUp { address, node } => self.on_seed_up(now, &address, node),
            Input::SeedDown { address } => self.peers.on_seed_down(now, &address),
            Input::Stored { ticket, outcome } => self.on_stored(now, ticket, outcome, out),
            Input::Marked(mark) => self.on_marked(mark),
            Input::Wake => self.on_wake(now, out),
        }
    }

    /// When the machine wants [`Input::Wake`] at the latest, and what waits.
    pub fn next_wake(&self) -> Option<Wake> {
        let wakes = [
            (self.coordinator.next_wake(), WakeReason::Deadline),
            (self.pass_on.next_wake(), WakeReason::Deadline),
            (self.peers.next_wake(), WakeReason::Dial),
            (self.membership.next_wake(), WakeReason::Gossip),
            (self.handoff.next_wake(), WakeReason::Handoff),
            (self.anti_entropy.next_wake(), WakeReason::AntiEntropy),
            (self.collection.next_wake(), WakeReason::Collection),
            (self.leftovers.next_wake(), WakeReason::Leftovers),
        ];
        wakes.into_iter().filter_map(|(at, reason)| Some(Wake { at: at?, reason })).min()
    }

    /// What metrics, status pages and tests may look at.
    pub fn view(&self) -> NodeView<'_> {
        NodeView { node: self }
    }

    /// Asserts what must hold between inputs. The simulator calls it after each step.
    pub fn check_invariants(&self) {
        self.coordinator.check_invariants();
        self.pass_on.check_invariants();
        self.hints.check_invariants();
        self.tickets.check_invariants();
        self.membership.check_invariants();
        self.peers.check_invariants();
        self.handoff.check_invariants();
        self.anti_entropy.check_invariants();
        self.collection.check_invariants();
        self.refill.check_invariants();
        self.layouts.check_invariants();
        self.stage.check_invariants();
        self.transfer.check_invariants();
        self.leftovers.check_invariants();
    }

    fn on_frame(&mut self, now: Now, from: Peer, message: Message, out: &mut Effects<Effect>) {
        if let Peer::Node(from) = from {
            self.peers.on_heard(now, from);
            if let Message::Gossip(gossip) = message {
                return self.on_gossip(now, from, gossip, out);
            }
        }
        if let Message::LayoutRequest(request) = message {
            return self.on_layout_request(now, from, request, out);
        }
        let (mut turn, mut parts) = self.turn(now, out);
        let turn = &mut turn;
        if let (
            Message::Reply(_)
            | Message::ReplicaRecord(_)
            | Message::ReplicaMerged(_)
            | Message::Compared(_),
            Peer::Node(node),
        ) = (&message, from)
        {
            turn.on_word(node);
        }
        match (message, from) {
            (Message::Get(get), from) => {
                on_request(turn, &mut parts, from, Request::Get(get));
            }
            (Message::Put(put), from) => {
                on_request(turn, &mut parts, from, Request::Put(put));
            }
            (Message::Reply(reply), Peer::Node(from)) => {
                let orphan = parts.pass_on.on_reply(turn, from, reply);
                parts.adopt(turn, orphan);
            }
            (Message::ReplicaRead(read), Peer::Node(from)) => replica::on_read(turn, from, read),
            (Message::ReplicaMerge(merge), Peer::Node(from)) => {
                replica::on_merge(turn, from, merge);
            }
            (Message::ReplicaRecord(answer), Peer::Node(from)) => {
                parts.coordinator.on_replica_record(turn, from, answer);
            }
            (Message::ReplicaMerged(answer), Peer::Node(from)) => {
                if !parts.handoff.on_replica_merged(turn, from, answer)
                    && !parts.anti_entropy.on_replica_merged(turn, from, answer)
                {
                    parts.coordinator.on_replica_merged(turn, from, answer);
                }
            }
            (Message::Compare(compare), Peer::Node(from)) => {
                parts.anti_entropy.on_compare(turn, from, compare);
            }
            (Message::Compared(compared), Peer::Node(from)) => {
                parts.anti_entropy.on_compared(turn, from, compared);
            }
            (Message::RepairRequest(request), from) => {
                parts.anti_entropy.on_repair(turn, from, request);
            }
            (Message::Collect(collect), Peer::Node(from)) => {
                parts.collection.on_collect(turn, from, collect);
            }
            (Message::Collected(collected), Peer::Node(from)) => {
                parts.collection.on_collected(turn, from, collected);
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
                | Message::Compare(_)
                | Message::Compared(_)
                | Message::Collect(_)
                | Message::Collected(_)
                | Message::StatusRequest(_)
                | Message::StatusReply(_)
                | Message::RepairReply(_)
                | Message::LayoutRequest(_)
                | Message::LayoutReply(_)
                | Message::Gossip(_),
                from,
            ) => {
                turn.counters.misbehaved += 1;
                turn.out.observe(Event::Misbehaved(from));
            }
        }
    }

    fn on_node_up(&mut self, now: Now, node: NodeId, out: &mut Effects<Effect>) {
        if self.peers.is_up(node) {
            // What was asked on the old connection is lost with it.
            self.on_node_down(now, node, out);
        }
        self.peers.on_up(now, node, out);
        if self.peers.is_up(node) {
            self.greet(node, out);
        }
        self.verdicts.on_link_changed(node);
        let (mut turn, Parts { handoff, anti_entropy, .. }) = self.turn(now, out);
        handoff.on_node_up(&mut turn, node);
        anti_entropy.on_node_up(&mut turn, node);
    }

    fn on_node_down(&mut self, now: Now, node: NodeId, out: &mut Effects<Effect>) {
        self.peers.on_down(now, node, &self.membership, out);
        self.verdicts.on_link_changed(node);
        let (mut turn, mut parts) = self.turn(now, out);
        let turn = &mut turn;
        parts.coordinator.on_node_down(turn, node);
        let orphans = parts.pass_on.on_node_down(turn, node);
        parts.adopt(turn, orphans);
        parts.handoff.on_node_down(turn, node);
        parts.anti_entropy.on_node_down(turn, node);
    }

    fn on_wake(&mut self, now: Now, out: &mut Effects<Effect>) {
        self.run_round(now, out);
        self.refill.save(&mut self.tickets, out);
        self.peers.on_wake(now, &self.membership, out);
        let (mut turn, mut parts) = self.turn(now, out);
        let turn = &mut turn;
        parts.coordinator.on_wake(turn);
        let orphans = parts.pass_on.on_wake(turn);
        parts.adopt(turn, orphans);
        parts.handoff.on_wake(turn);
        parts.anti_entropy.on_wake(turn);
        parts.collection.on_wake(turn);
        turn.clear_leftovers();
    }

    /// The surroundings of one input, apart from the parts that run requests.
    fn turn<'a>(&'a mut self, now: Now, out: &'a mut Effects<Effect>) -> (Turn<'a>, Parts<'a>) {
        let turn = Turn {
            now,
            config: &self.config,
            layouts: &self.layouts,
            layout: self.layouts.read(),
            peers: &self.peers,
            membership: &self.membership,
            verdicts: &mut self.verdicts,
            hints: &mut self.hints,
            epochs: &mut self.epochs,
            refill: &mut self.refill,
            transfer: &mut self.transfer,
            leftovers: &mut self.leftovers,
            tickets: &mut self.tickets,
            gate: &mut self.gate,
            counters: &mut self.counters,
            out,
        };
        let (coordinator, pass_on) = (&mut self.coordinator, &mut self.pass_on);
        let (handoff, anti_entropy) = (&mut self.handoff, &mut self.anti_entropy);
        let collection = &mut self.collection;
        (turn, Parts { coordinator, pass_on, handoff, anti_entropy, collection })
    }
}
