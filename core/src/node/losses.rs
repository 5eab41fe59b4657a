//! A node and what it has lost: what others remember of it, and what its storage cannot read.

use super::Node;
use crate::ids::{DurableMark, Incarnation, Key, NodeId};
use crate::machine::{Effect, Effects, Event, Peer, StoreOp, StoreOutcome, Ticket};
use crate::message::{Gossip, Message};
use crate::refill::Told;
use crate::time::Now;

impl Node {
    /// Tells a peer, before anything else, what this node remembers of it.
    pub(super) fn greet(&mut self, node: NodeId, out: &mut Effects<Effect>) {
        let greeting = self.membership.greeting(node);
        self.say(node, greeting, None, out);
    }

    /// Sends gossip, which is meant for the life of the peer that is connected; `told` is what it
    /// answers.
    pub(super) fn say(
        &self,
        to: NodeId,
        mut gossip: Gossip,
        told: Option<&Gossip>,
        out: &mut Effects<Effect>,
    ) {
        self.tell_of_layouts(&mut gossip, told);
        gossip.to = self.peers.life(to).unwrap_or_default();
        out.send(Peer::Node(to), Message::Gossip(gossip));
    }

    /// The storage has synced so much.
    pub(super) fn on_marked(&mut self, mark: DurableMark) {
        self.refill.on_marked(mark);
        self.tell_mark();
    }

    /// Has the storage keep what this node remembers of others.
    pub(super) fn keep_memory(&mut self, out: &mut Effects<Effect>) {
        let Some(update) = self.layouts.head() else { return };
        if let Some(peers) = self.membership.take_news(&update.layout) {
            self.tickets.store_unanswered(StoreOp::Remember(peers), out);
        }
    }

    fn tell_mark(&mut self) {
        if let Some(mark) = self.refill.mark_to_tell() {
            self.membership.set_own_mark(mark);
        }
    }

    /// A peer says what it remembers of this node.
    pub(super) fn on_told_of_self(
        &mut self,
        now: Now,
        from: NodeId,
        gossip: &Gossip,
        out: &mut Effects<Effect>,
    ) {
        let Some(told) = self.membership.told_of_self(gossip) else { return };
        let is_late = ![Incarnation(0), self.config.incarnation].contains(&gossip.to);
        let was_asked = self.refill.is_asked();
        let was_lost = self.refill.standing().refilling;
        match self.refill.on_told(now, (!is_late).then_some(from), told) {
            Told::NoNews => {}
            Told::Lost => {
                if !was_lost {
                    self.note_loss(false, out);
                }
                self.refill.wait_for_all(&self.config, &self.layouts);
                self.anti_entropy.begin_anew(now, &self.config);
                self.refill.save(&mut self.tickets, out);
            }
            Told::OldCopy => {
                self.note_loss(true, out);
                out.push(Effect::StartOver);
            }
        }
        self.tell_mark();
        if !was_asked && self.refill.is_asked() {
            // Whatever is due has waited for this.
            self.on_wake(now, out);
        }
    }

    fn note_loss(&mut self, is_old: bool, out: &mut Effects<Effect>) {
        self.counters.data_losses += 1;
        out.observe(Event::DataLost { is_old });
    }

    /// An own copy cannot be read.
    pub(super) fn on_rotten(&mut self, now: Now, key: &Key, out: &mut Effects<Effect>) {
        if self.refill.on_rotten(now, &self.config, &self.layouts, key) {
            self.counters.records_rotten += 1;
            out.observe(Event::RecordRotten { key: key.clone() });
            // Trees that tell what it was would be found equal to those of others.
            self.anti_entropy.on_doubt(now, key);
            self.anti_entropy.begin_anew(now, &self.config);
            self.refill.save(&mut self.tickets, out);
        }
    }

    /// The storage has saved what is known of losses, or could not.
    pub(super) fn on_standing_stored(
        &mut self,
        now: Now,
        ticket: Ticket,
        outcome: &StoreOutcome,
        out: &mut Effects<Effect>,
    ) {
        let saved = self.refill.on_stored(ticket, outcome);
        self.tell_mark();
        for key in &saved.discarded {
            // What the trees told of it is not known.
            self.anti_entropy.on_doubt(now, key);
        }
        if saved.is_whole {
            out.observe(Event::Refilled);
        }
        if matches!(outcome, StoreOutcome::Durable) {
            self.refill.save(&mut self.tickets, out);
        }
    }
}
