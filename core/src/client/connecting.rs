//! Connections that come and go: the handshake, and what becomes of the calls on a lost link.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::addresses::Doubt;
use super::links::Reach;
use super::{Client, ClientEffect, ClientEvent, DownReason, Link, Stage};
use crate::ids::{NodeId, Text};
use crate::machine::Effects;
use crate::message::{
    Hello, LayoutUpdate, Message, PROTOCOL_VERSION, Reject, RejectCode, Role, Welcome,
};
use crate::time::Now;

impl Client {
    #[cold]
    pub(super) fn on_opened(&mut self, now: Now, link: Link, out: &mut Effects<ClientEffect>) {
        let Some(connection) = self.links.get_mut(link) else { return };
        connection.on_heard(now);
        let hello = Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            cluster: self.config.cluster,
            role: Role::Client,
            layout_version: self.told_version(now),
            credentials: self.config.credentials.clone(),
        };
        out.push(ClientEffect::Send { link, message: Message::Hello(hello) });
    }

    #[cold]
    pub(super) fn on_closed(&mut self, now: Now, link: Link, out: &mut Effects<ClientEffect>) {
        let Some(connection) = self.links.remove(now, link, out) else { return };
        if connection.node().is_none() {
            self.doubt_address(&connection.address, None);
        }
        if let Some(node) = connection.node().or_else(|| self.member_at(&connection.address)) {
            self.standings.on_down(node, DownReason::Unreachable, out);
            self.forget_strangers();
            self.on_lost(node, out);
        }
        for call in self.calls.values_mut() {
            call.sent.retain(|sent| *sent != link);
        }
        let concerned = self.calls.iter().filter(|(_, call)| call.is_at(link));
        for id in concerned.map(|(id, _)| id).collect::<Vec<_>>() {
            let Some(call) = self.calls.get_mut(id) else { continue };
            // A write that was sent may be carried out although the link is gone.
            call.loose |= sane_or!(call.stage == Stage::Sent(link), ClientForgetsLost => false);
            self.reroute(now, id, out);
        }
        self.links.dial_seeds(now, out);
        self.route_waiting(now, out);
    }

    #[cold]
    pub(super) fn on_welcome(
        &mut self,
        now: Now,
        link: Link,
        welcome: Welcome,
        out: &mut Effects<ClientEffect>,
    ) {
        let opening = self.links.get(link).filter(|connection| connection.node().is_none());
        let Some(address) = opening.map(|connection| connection.address.clone()) else { return };
        if let Some(cluster) = self.config.cluster.filter(|cluster| *cluster != welcome.cluster) {
            let text =
                alloc::format!("the node belongs to cluster {}, not {cluster}", welcome.cluster);
            return self.on_reject(now, link, Reject { code: RejectCode::Cluster, text }, out);
        }
        // From here on the client stays with this cluster, wherever a seed may lead later.
        self.config.cluster = Some(welcome.cluster);
        self.defaults = Some(welcome.defaults);
        self.rejection = None;
        self.learn(welcome.layout, out);
        self.doubt_address(&address, Some(welcome.node));
        if self.is_spare(link) {
            self.links.let_go(link, out);
        } else if self.links.on_welcome(link, welcome.node, out) {
            self.standings.on_up(welcome.node, out);
            self.send_pings(now, welcome.node, link, out);
            if self.has_gateway() {
                self.on_gateway(now, link, out);
            }
        } else {
            self.links.discard(now, link, out);
        }
        self.on_reports(now, &welcome.down, out);
        self.route_waiting(now, out);
    }

    #[cold]
    pub(super) fn on_reject(
        &mut self,
        now: Now,
        link: Link,
        reject: Reject,
        out: &mut Effects<ClientEffect>,
    ) {
        if let Some(connection) = self.links.get(link) {
            let address = connection.address.clone();
            let event = ClientEvent::Rejected { address, reject: reject.clone() };
            out.push(ClientEffect::Observe(event));
        }
        self.rejection = Some(reject);
        out.push(ClientEffect::Hangup(link));
        self.on_closed(now, link, out);
    }

    /// Answers whether that brought other addresses or another layout.
    #[cold]
    pub(super) fn learn(
        &mut self,
        update: Option<Arc<LayoutUpdate>>,
        out: &mut Effects<ClientEffect>,
    ) -> bool {
        let Some(update) = update else { return false };
        let version = update.layout.version();
        let known = self.layout.as_ref().map(|known| known.layout.version());
        if known.is_some_and(|known| version <= known) && !self.is_readdressed(&update) {
            return false;
        }
        self.doubt = Doubt::default();
        if !self.has_gateway() {
            self.links.on_layout(&update.addresses);
        }
        self.layout = Some(update);
        self.forget_strangers();
        out.push(ClientEffect::Observe(ClientEvent::LayoutChanged { version }));
        true
    }

    /// Another node says who is down. Of a node that is connected and answers, the client knows
    /// better; of one that is no member, it wants to know nothing.
    pub(super) fn on_reports(
        &mut self,
        now: Now,
        down: &[NodeId],
        out: &mut Effects<ClientEffect>,
    ) {
        let Some(update) = &self.layout else { return };
        for node in down {
            let answers = matches!(self.links.reach(now, *node, None), Reach::Up(_));
            if !answers && update.layout.member(*node).is_some() {
                self.standings.on_report(now, *node, out);
            }
        }
    }

    pub(super) fn member_at(&self, address: &Text) -> Option<NodeId> {
        let update = self.layout.as_ref()?;
        let index = update.addresses.iter().position(|one| one == address)?;
        Some(update.layout.members().get(index)?.id)
    }

    /// Of nodes that are neither members nor connected nothing is remembered.
    #[cold]
    fn forget_strangers(&mut self) {
        let Client { standings, links, layout, .. } = self;
        let is_member = |node| layout.iter().any(|known| known.layout.member(node).is_some());
        standings.retain(|node| is_member(node) || links.up().any(|(up, _)| up == node));
    }
}
