//! Commits, lives, and what nodes tell each other of them.

use quorate_core::ids::{DurableMark, Incarnation, NodeId, Remembered};
use quorate_core::machine::Found;
use quorate_core::message::{Gossip, Message, Pulse};
use quorate_core::time::Duration;

use super::Stage;
use crate::config::WorldConfig;
use crate::network::End;
use crate::observation::{
    By, Crashed, Delivered, Destroyed, Observation, Replaced, Sent, Started, Stepped,
};
use crate::world::World;

impl Stage {
    pub(crate) fn crash(&mut self, node: usize) {
        let crashed = self.disks[node].crash(self.now, 0);
        self.see(&Observation::Crashed(Crashed { node, lost: &crashed.lost }));
    }

    /// `node` crashes, and its disk is emptied.
    pub(crate) fn wipe(&mut self, node: usize) {
        self.crash(node);
        let by = By::Fault;
        let destroyed = self.disks[node].wipe();
        self.replaced(node, by);
        for destroyed in destroyed {
            let (copy, key) = (destroyed.copy, &destroyed.key);
            let (before, after) = (&destroyed.before, &destroyed.after);
            self.see(&Observation::Destroyed(Destroyed { node, by, copy, key, before, after }));
        }
    }

    /// The directory of `node` gave way to another one.
    pub(crate) fn replaced(&mut self, node: usize, by: By) {
        let committed_at = self.disks[node].committed_at();
        self.see(&Observation::Replaced(Replaced { node, by, committed_at }));
    }

    /// `node` starts on its disk.
    pub(crate) fn start_node(&mut self, node: usize) {
        self.start_with(node, |_| {});
    }

    /// The same, and finds that it remembered so many commits of another node, or of nobody any.
    pub(crate) fn start_finding(&mut self, node: usize, of: usize, mark: Option<u64>) {
        let peer = mark.map(|mark| (self.id(of), remembered(mark)));
        self.start_with(node, |found| found.peers = peer.into_iter().collect());
    }

    fn start_with(&mut self, node: usize, change: impl FnOnce(&mut Found)) {
        let wall = self.wall;
        let former = self.disks[node].life();
        let life = Incarnation(former.map_or(2, |former| former.0 + 1));
        let mut found = self.disks[node].open(self.now, wall, life);
        change(&mut found);
        let found = &found;
        self.see(&Observation::Started(Started { node, life, found, wall }));
    }

    /// `from` tells `to` that it remembers so many commits of it.
    pub(crate) fn remember(&mut self, from: usize, to: usize, mark: u64) {
        let life = self.disks[to].life().map_or(Incarnation(1), |life| Incarnation(life.0 - 1));
        let message = self.gossip_of(to, life, mark);
        let (from, to) = (End::Node(from), End::Node(to));
        let again = false;
        self.see(&Observation::Delivered(Delivered { from, to, message: &message, again }));
    }

    /// `node` hears from a third one of so many commits of another.
    pub(crate) fn hear(&mut self, node: usize, of: usize, mark: u64) {
        let message = self.gossip_of(of, Incarnation(1), mark);
        let from = (0..self.disks.len()).find(|from| ![node, of].contains(from));
        let (from, to) = (End::Node(from.expect("a third one")), End::Node(node));
        let again = false;
        self.see(&Observation::Delivered(Delivered { from, to, message: &message, again }));
    }

    /// `node` tells another one of so many commits of that one.
    pub(crate) fn say_of(&mut self, node: usize, of: usize, mark: u64) {
        let message = self.gossip_of(of, Incarnation(1), mark);
        let (from, to) = (End::Node(node), End::Node(of));
        self.see(&Observation::Sent(Sent { from, to, message: &message }));
    }

    /// `node` has asked all others about another member, and named none.
    pub(crate) fn ask_naming_nobody(&mut self, node: usize) {
        let asks = Some((NodeId(0), NodeId(u64::MAX)));
        let Message::Gossip(gossip) = self.gossip_of(node, Incarnation(1), 0) else { return };
        let message = Message::Gossip(Gossip { asks, pulses: Vec::new(), ..gossip });
        let (from, to) = (End::Node(node), End::Node((node + 1) % 3));
        self.see(&Observation::Sent(Sent { from, to, message: &message }));
    }

    /// `node` has run so many rounds of gossip.
    pub(crate) fn step_round(&mut self, node: usize, rounds: u64) {
        let config = WorldConfig { nodes: self.disks.len(), ..WorldConfig::default() };
        let mut world = World::new(config);
        world.run_for(Duration::from_secs(rounds));
        let view = world.node(node).expect("it is up").view();
        self.see(&Observation::Stepped(Stepped { node, view }));
    }

    /// `node` tells another one that it has so many commits.
    pub(crate) fn tell_mark(&mut self, node: usize, mark: u64) {
        let life = self.disks[node].life().unwrap_or_default();
        let message = self.gossip_of(node, life, mark);
        let (from, to) = (End::Node(node), End::Node((node + 1) % 3));
        self.see(&Observation::Sent(Sent { from, to, message: &message }));
    }

    fn gossip_of(&self, node: usize, incarnation: Incarnation, mark: u64) -> Message {
        let id = self.id(node);
        let heartbeat = 1;
        let remembered = Remembered { life: incarnation, ..remembered(mark) };
        let pulse = Pulse { id, incarnation, heartbeat, witnesses: Vec::new(), remembered };
        Message::Gossip(Gossip {
            asks: None,
            pulses: vec![pulse],
            members: Vec::new(),
            wanted: Vec::new(),
            ..Gossip::default()
        })
    }

    /// `node` has handled an input, and vouches for all that it holds.
    pub(crate) fn step_vouching(&mut self, node: usize) {
        let world = World::new(WorldConfig { nodes: self.disks.len(), ..WorldConfig::default() });
        let view = world.node(node).unwrap().view();
        assert!(self.layout.layout.slot_count().slots().all(|slot| view.vouches(slot)));
        self.see(&Observation::Stepped(Stepped { node, view }));
    }
}

fn remembered(mark: u64) -> Remembered {
    Remembered { mark: DurableMark(mark), life: Incarnation(1) }
}
