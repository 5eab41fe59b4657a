//! A node among others: gossip, seeds, handshakes.

use alloc::vec::Vec;

use super::Node;
use crate::handshake;
use crate::ids::{NodeId, Text};
use crate::machine::{Effect, Effects, Event};
use crate::membership::Change;
use crate::message::{Gossip, Hello, LayoutHistory, Reject, RejectCode, Role, Welcome};
use crate::time::Now;

/// A node that was heard from within so many gossip intervals is alive.
const ALIVE_INTERVALS: u32 = 3;

/// Most members that a WELCOME names as down.
const DOWN_TOLD: usize = 64;

impl Node {
    /// The first frame of a connection that this node dialled.
    pub fn hello(&self) -> Hello {
        handshake::hello(&self.config, self.layouts.read())
    }

    /// The answer to the first frame of a connection that somebody else dialled. The embedder
    /// carries out the effects like those of an input.
    ///
    /// # Errors
    /// What to send before the connection is closed.
    pub fn welcome(
        &mut self,
        now: Now,
        hello: &Hello,
        out: &mut Effects<Effect>,
    ) -> Result<Welcome, Reject> {
        let down = self.membership.down().take(DOWN_TOLD).collect();
        let welcome = handshake::welcome(&self.config, self.layouts.read(), down, hello);
        let Role::Node { id, incarnation } = hello.role else { return welcome };
        let recently = self.config.gossip.interval * ALIVE_INTERVALS;
        let life = (id, incarnation);
        let lives_elsewhere = match &welcome {
            // The node's own id; its own life is itself at another address, which is no conflict.
            Err(reject) => {
                reject.code == RejectCode::Identity && incarnation != self.config.incarnation
            }
            Ok(_) => self.peers.lives_elsewhere(now, life, &self.membership, recently),
        };
        if lives_elsewhere {
            self.identity_conflicts += 1;
            out.observe(Event::IdentityConflict { node: id, incarnation });
            return Err(handshake::lives_elsewhere(id));
        }
        if welcome.is_ok() {
            self.peers.on_greeted(id, incarnation);
        }
        welcome
    }

    /// Checks the answer to [`hello`](Node::hello) of the node that should be `expected`; `None`
    /// after the dial of a seed: anybody but this node itself.
    ///
    /// # Errors
    /// Why the connection is of no use.
    pub fn accepts(&mut self, expected: Option<NodeId>, welcome: &Welcome) -> Result<(), Reject> {
        handshake::accepts(&self.config, expected, welcome)?;
        self.peers.on_greeted(welcome.node, welcome.incarnation);
        Ok(())
    }

    pub(super) fn start_membership(&mut self, now: Now, out: &mut Effects<Effect>) {
        if !self.refill.is_old() {
            self.membership.recall(&self.config.found.peers);
        }
        for update in self.config.layouts.iter().flat_map(LayoutHistory::live) {
            self.membership.introduce_layout(now, update);
        }
        self.on_own_layouts(now);
        self.membership.start(now);
        self.peers.start(now, &self.membership, out);
    }

    /// Runs the round of gossip that is due, if one is.
    pub(super) fn run_round(&mut self, now: Now, out: &mut Effects<Effect>) {
        if self.membership.next_wake().is_none_or(|due| due > now.instant) {
            return;
        }
        let mut changes = Vec::new();
        let peers = &self.peers;
        let connected = |node| peers.is_up(node);
        for (node, question) in self.membership.on_wake(now, &connected, &mut changes) {
            self.say(node, question, None, out);
        }
        self.on_changes(now, changes, out);
        self.advance(now, out);
        self.change_by_itself(now, out);
        self.forget_the_departed(now, out);
        self.keep_layouts(now, out);
        self.keep_memory(out);
    }

    pub(super) fn on_gossip(
        &mut self,
        now: Now,
        from: NodeId,
        mut gossip: Gossip,
        out: &mut Effects<Effect>,
    ) {
        // Newer layouts first, so that the answer names them.
        self.on_told_of_layouts(now, &mut gossip, out);
        let mut changes = Vec::new();
        let answer = self.membership.on_gossip(now, from, &gossip, &mut changes);
        let is_behind = self.layouts.news_for(&gossip.span).is_some();
        let answer = answer.or_else(|| is_behind.then(Gossip::default));
        if let Some(answer) = answer {
            self.say(from, answer, Some(&gossip), out);
        }
        self.on_changes(now, changes, out);
        if self.layouts.head().is_none() {
            self.keep_layouts(now, out);
        }
        self.on_told_of_self(now, from, &gossip, out);
    }

    /// Whoever is no member of a layout any more, and down for long, is known no more.
    fn forget_the_departed(&mut self, now: Now, out: &mut Effects<Effect>) {
        if self.layouts.head().is_none() {
            return;
        }
        let (layouts, hints) = (&self.layouts, &self.hints);
        let needs = |node| layouts.knows(node) || hints.of(node).hints > 0;
        for node in self.membership.forget(now, &needs) {
            self.peers.on_forgotten(node);
            out.observe(Event::MemberForgotten(node));
        }
    }

    /// Somebody answered at the address of a seed; its connection comes up next.
    pub(super) fn on_seed_up(&mut self, now: Now, address: &Text, node: NodeId) {
        self.membership.note_seed(address, node);
        self.peers.on_seed_up(now, address, node);
    }

    fn on_changes(&mut self, now: Now, changes: Vec<Change>, out: &mut Effects<Effect>) {
        let met = changes.iter().any(|change| matches!(change, Change::Met(_)));
        for change in changes {
            out.observe(match change {
                Change::Met(node) => {
                    self.peers.on_met(now, node);
                    Event::MemberMet(node)
                }
                Change::Suspected(node) => Event::MemberSuspected(node),
                Change::Down { node, witnesses } => Event::MemberDown { node, witnesses },
                Change::Up(node) => Event::MemberUp(node),
                Change::StaysDown { node, down } => Event::MemberStaysDown { node, down },
                Change::Refused(node) => Event::GossipRefused(node),
                Change::Conflict { node, incarnation } => {
                    Event::IdentityConflict { node, incarnation }
                }
            });
        }
        if met {
            self.readdress();
        }
    }
}
