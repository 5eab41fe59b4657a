//! Clients that go through one node, their gateway, with all that they do.
//!
//! ```text
//!  no gateway              seeds are dialled, some at once; the first that welcomes is the gateway,
//!                          the others are hung up
//!  the gateway is lost     the same; its calls wait for the next one
//!  the gateway is silent   the same; whoever speaks first, the next one or this one, takes all calls
//! ```
//!
//! Only seeds that the client was given are dialled: whoever needs a gateway mostly cannot reach the
//! addresses that nodes have among themselves.
//!
//! Invariant: at most one node that is connected and not silent.

use alloc::vec::Vec;

use super::routing::Found;
use super::{Call, Client, ClientEffect, Link, Routing};
use crate::machine::Effects;
use crate::time::Now;

impl Client {
    pub(super) fn has_gateway(&self) -> bool {
        self.config.routing == Routing::Gateway
    }

    /// Whether a node that welcomes the client on `link` is one too many: it has a gateway.
    pub(super) fn is_spare(&self, link: Link) -> bool {
        self.has_gateway() && self.links.well().any(|(_, well)| well != link)
    }

    /// The node behind `link` is the gateway: all others are hung up.
    #[cold]
    pub(super) fn on_gateway(&mut self, now: Now, link: Link, out: &mut Effects<ClientEffect>) {
        let others: Vec<Link> = self.links.all().filter(|other| *other != link).collect();
        for other in others {
            if self.links.get(other).is_some_and(|connection| connection.node().is_none()) {
                self.links.let_go(other, out);
            } else {
                out.push(ClientEffect::Hangup(other));
                self.on_closed(now, other, out);
            }
        }
    }

    /// How the gateway stands for a call that it was not sent yet, and those that may become it.
    pub(super) fn look_at_gateway(&self, call: &Call) -> Found {
        let mut found = Found::default();
        self.links.opening().for_each(|again| found.hopes.add(again));
        for (node, link) in self.links.up() {
            if call.tried.contains(&node) || call.sent.contains(&link) {
                continue;
            }
            match self.links.is_silent(link) {
                true => found.silent = Some(link),
                false => found.ready = Some(link),
            }
        }
        found
    }
}
