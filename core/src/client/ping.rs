//! Pings: how long one node takes to answer.
//!
//! A ping is a GET of the empty key, which every node refuses at once, without its storage. So
//! nodes of every version answer it, and a node that does not is found silent, as by any request.
//!
//! Invariant: a ping ends exactly once, no later than its deadline.

use bytes::Bytes;

use super::links::Reach;
use super::{CallError, Client, ClientEffect, ErrorCode, Link};
use crate::ids::{Key, NodeId};
use crate::machine::Effects;
use crate::message::{CallId, Get, Message, QuorumChoice, ReadKind, RequestHead, Strictness};
use crate::time::{Duration, Instant, Now};

/// A ping under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ping {
    pub(super) id: CallId,
    node: NodeId,
    /// The connection that it was sent on; `None`: it waits for one.
    link: Option<Link>,
    /// When it ends at the latest.
    pub(super) until: Instant,
}

impl Client {
    /// Asks one node for a sign of life, and connects to it where it must. It has a number as if it
    /// were a call, and completes as [`ClientEffect::Pong`] or with an error.
    #[cold]
    pub fn ping(
        &mut self,
        now: Now,
        node: NodeId,
        timeout: Option<Duration>,
        out: &mut Effects<ClientEffect>,
    ) -> CallId {
        self.last_call += 1;
        let id = CallId(self.last_call);
        let address = self.layout.as_ref().and_then(|update| update.address(node)).cloned();
        let until = now.instant + timeout.unwrap_or(self.config.timeout);
        let is_full = self.pings.len() >= self.config.limits.calls_max;
        self.pings.push(Ping { id, node, link: None, until });
        let waits = match self.links.reach(now, node, address.as_ref()) {
            _ if self.closed || is_full => false,
            Reach::Up(link) | Reach::Silent(link) => {
                self.send_ping(now, link, id, out);
                true
            }
            Reach::Opening { .. } => true,
            Reach::Idle { .. } if self.has_gateway() => false,
            Reach::Idle { .. } => address.is_some_and(|address| self.links.dial(now, address, out)),
            Reach::Failed | Reach::Taken => false,
        };
        if !waits {
            self.end_pings(ErrorCode::Unreachable, |ping| ping.id == id, out);
        }
        id
    }

    /// A node is connected: the pings that wait for it go.
    #[cold]
    pub(super) fn send_pings(
        &mut self,
        now: Now,
        node: NodeId,
        link: Link,
        out: &mut Effects<ClientEffect>,
    ) {
        for index in 0..self.pings.len() {
            let Ping { id, node: wanted, link: sent, .. } = self.pings[index];
            if wanted == node && sent.is_none() {
                self.send_ping(now, link, id, out);
            }
        }
    }

    #[cold]
    fn send_ping(&mut self, now: Now, link: Link, id: CallId, out: &mut Effects<ClientEffect>) {
        let layout_version = self.told_version(now);
        let Some(ping) = self.pings.iter_mut().find(|ping| ping.id == id) else { return };
        let Some(connection) = self.links.get_mut(link) else { return };
        ping.link = Some(link);
        connection.on_sent(now, id);
        let head = RequestHead {
            call: id,
            key: Key(Bytes::new()),
            quorum: QuorumChoice::default(),
            strictness: Strictness::Configured,
            budget: ping.until.since(now.instant),
            layout_version,
            passed_on: false,
            receipt: false,
            zone: None,
        };
        let (context, read) = (Bytes::new(), ReadKind::Quorum);
        out.push(ClientEffect::Send { link, message: Message::Get(Get { head, context, read }) });
    }

    /// A node has answered a request: answers whether that was a ping.
    pub(super) fn on_pong(
        &mut self,
        call: CallId,
        took: Duration,
        out: &mut Effects<ClientEffect>,
    ) -> bool {
        let Some(index) = self.pings.iter().position(|ping| ping.id == call) else { return false };
        self.pings.swap_remove(index);
        out.push(ClientEffect::Pong { call, took });
        true
    }

    /// Ends some pings without an answer.
    #[cold]
    pub(super) fn end_pings(
        &mut self,
        code: ErrorCode,
        concerned: impl Fn(&Ping) -> bool,
        out: &mut Effects<ClientEffect>,
    ) {
        self.pings.retain(|ping| {
            let ends = concerned(ping);
            if ends {
                let error = CallError { node: Some(ping.node), ..CallError::new(code) };
                out.push(ClientEffect::Complete { call: ping.id, result: Err(error) });
            }
            !ends
        });
    }

    /// The connection to a node is lost, or was not made.
    #[cold]
    pub(super) fn on_lost(&mut self, node: NodeId, out: &mut Effects<ClientEffect>) {
        self.end_pings(ErrorCode::Unreachable, |ping| ping.node == node, out);
    }
}
