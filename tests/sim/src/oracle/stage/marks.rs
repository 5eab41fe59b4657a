//! Commits, lives, and what nodes tell each other of them.

use quorate_core::ids::{DurableMark, Incarnation, Remembered};
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{Gossip, Message, Pulse};

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
        let wall = self.wall;
        let former = self.disks[node].life();
        let life = Incarnation(former.map_or(2, |former| former.0 + 1));
        let found = &self.disks[node].open(self.now, wall, life);
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

    /// `node` tells another one that it has so many commits.
    pub(crate) fn tell_mark(&mut self, node: usize, mark: u64) {
        let life = self.disks[node].life().unwrap_or_default();
        let message = self.gossip_of(node, life, mark);
        let (from, to) = (End::Node(node), End::Node((node + 1) % 3));
        self.see(&Observation::Sent(Sent { from, to, message: &message }));
    }

    fn gossip_of(&self, node: usize, incarnation: Incarnation, mark: u64) -> Message {
        let (id, mark) = (self.id(node), DurableMark(mark));
        let heartbeat = 1;
        let remembered = Remembered { mark, life: incarnation };
        let pulse = Pulse { id, incarnation, heartbeat, witnesses: Vec::new(), remembered };
        Message::Gossip(Gossip {
            asks: None,
            pulses: vec![pulse],
            members: Vec::new(),
            wanted: Vec::new(),
            layout_version: LayoutVersion(1),
            layout: None,
            to: Default::default(),
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
