//! A node among others: gossip, seeds, handshakes, and the layout that spreads with them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Node;
use crate::founding;
use crate::handshake;
use crate::ids::{NodeId, Text};
use crate::layout::LayoutVersion;
use crate::machine::{Effect, Effects, Event, StoreOutcome, Ticket};
use crate::membership::Change;
use crate::message::{Gossip, Hello, LayoutUpdate, Reject, RejectCode, Role, Welcome};
use crate::time::Now;

/// A node that was heard from within so many gossip intervals is alive.
const ALIVE_INTERVALS: u32 = 3;

/// Most members that a WELCOME names as down.
const DOWN_TOLD: usize = 64;

impl Node {
    /// The first frame of a connection that this node dialled.
    pub fn hello(&self) -> Hello {
        handshake::hello(&self.config, self.layout.as_ref())
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
        let welcome = handshake::welcome(&self.config, self.layout.as_ref(), down, hello);
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
        if let Some(update) = &self.layout {
            self.membership.introduce_layout(now, update);
        }
        self.on_own_layout(now);
        self.membership.start(now);
        self.peers.start(now, &self.membership, out);
    }

    /// Runs the round of gossip that is due, if one is.
    pub(super) fn run_round(&mut self, now: Now, out: &mut Effects<Effect>) {
        if self.membership.next_wake().is_none_or(|due| due > now.instant) {
            return;
        }
        let mut changes = Vec::new();
        let (version, peers) = (self.layout_version(), &self.peers);
        let connected = |node| peers.is_up(node);
        for (node, question) in self.membership.on_wake(now, version, &connected, &mut changes) {
            self.say(node, question, out);
        }
        self.on_changes(now, changes, out);
        self.keep_layout(now, out);
        self.keep_memory(out);
    }

    pub(super) fn on_gossip(
        &mut self,
        now: Now,
        from: NodeId,
        mut gossip: Gossip,
        out: &mut Effects<Effect>,
    ) {
        // The newer layout first, so that the answer names it.
        if let Some(update) = gossip.layout.take() {
            self.on_layout(now, update, out);
        }
        let mut changes = Vec::new();
        let layout = self.layout.as_ref();
        if let Some(answer) = self.membership.on_gossip(now, from, &gossip, layout, &mut changes) {
            self.say(from, answer, out);
        }
        self.on_changes(now, changes, out);
        if self.layout.is_none() {
            self.keep_layout(now, out);
        }
        self.on_told_of_self(now, from, &gossip, out);
    }

    /// Somebody answered at the address of a seed; its connection comes up next.
    pub(super) fn on_seed_up(&mut self, now: Now, address: &Text, node: NodeId) {
        self.membership.note_seed(address, node);
        self.peers.on_seed_up(now, address, node);
    }

    /// The storage holds a layout, or could not take it.
    pub(super) fn on_layout_stored(
        &mut self,
        now: Now,
        ticket: Ticket,
        outcome: &StoreOutcome,
        out: &mut Effects<Effect>,
    ) {
        let Some(saved) = self.keeping.on_stored(ticket, outcome) else { return };
        if self.layout.is_none() {
            self.put_in_force(now, saved, out);
        }
    }

    fn on_layout(&mut self, now: Now, update: Arc<LayoutUpdate>, out: &mut Effects<Effect>) {
        let is_newer = founding::is_newer(&update, self.layout.as_ref());
        if !is_newer || !founding::can_serve(&self.config, &update) {
            return;
        }
        self.put_in_force(now, update, out);
        self.keeping.note_unsaved();
        self.keep_layout(now, out);
    }

    fn put_in_force(&mut self, now: Now, update: Arc<LayoutUpdate>, out: &mut Effects<Effect>) {
        out.observe(Event::LayoutChanged(update.layout.version()));
        self.membership.introduce_layout(now, &update);
        self.peers.admit_all(now, &self.membership);
        self.layout = Some(update);
        self.on_own_layout(now);
    }

    /// The parts that work with the slots of a layout begin anew.
    fn on_own_layout(&mut self, now: Now) {
        let Some(update) = &self.layout else { return };
        self.anti_entropy.on_layout(now, &self.config, &update.layout);
        self.refill.on_layout(&self.config, &update.layout);
        self.collection.on_layout(now, &self.config);
        self.epochs.retain(|node| update.layout.member(node).is_some());
    }

    fn keep_layout(&mut self, now: Now, out: &mut Effects<Effect>) {
        let storage = (&mut self.tickets, &mut *out);
        let layout = self.layout.as_ref();
        self.keeping.on_round(now, &self.config, layout, &self.membership, storage);
        sane_or!(LayoutToldUnsaved => self.hurry(now, out));
    }

    #[cfg(feature = "mutants")]
    fn hurry(&mut self, now: Now, out: &mut Effects<Effect>) {
        if let Some(saving) = self.keeping.saving().filter(|_| self.layout.is_none()) {
            self.put_in_force(now, saving, out);
        }
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
        let layout = self.layout.as_ref().filter(|_| met);
        let readdressed = layout.and_then(|old| founding::readdressed(old, &self.membership));
        if let Some(readdressed) = readdressed {
            self.layout = Some(readdressed);
            self.keeping.note_unsaved();
        }
    }

    pub(super) fn layout_version(&self) -> LayoutVersion {
        self.layout.as_ref().map_or(LayoutVersion(0), |update| update.layout.version())
    }
}
