//! Nodes that stop answering: their calls go to the next node at once, within the same deadline.

use alloc::vec::Vec;

use super::{Client, ClientEffect, DownReason, Link, Stage};
use crate::ids::NodeId;
use crate::machine::Effects;
use crate::time::Now;

impl Client {
    /// Looks after connections when the client is woken.
    pub(super) fn look_after_links(&mut self, now: Now, out: &mut Effects<ClientEffect>) {
        if let Some(due) = self.links.next_look(&self.standings) {
            self.links.on_late(now, due);
        }
        for link in self.links.dead(now) {
            out.push(ClientEffect::Hangup(link));
            self.on_closed(now, link, out);
        }
        let fallen = self.links.fallen_silent(now, &self.standings);
        // All are marked before the first call looks for another node.
        for (node, link) in &fallen {
            if let Some(connection) = self.links.get_mut(*link) {
                connection.silent = true;
            }
            self.standings.on_down(*node, DownReason::Silent, out);
        }
        for (_, link) in fallen {
            self.leave(now, link, out);
        }
    }

    /// Something came in on a link.
    pub(super) fn on_heard(&mut self, now: Now, link: Link, out: &mut Effects<ClientEffect>) {
        let Some(connection) = self.links.get_mut(link) else { return };
        if connection.on_heard(now)
            && let Some(node) = connection.node()
        {
            self.on_voice(now, node, out);
        }
    }

    /// A silent node speaks: calls that wait for anybody may go there.
    #[cold]
    fn on_voice(&mut self, now: Now, node: NodeId, out: &mut Effects<ClientEffect>) {
        self.standings.on_up(node, out);
        self.route_waiting(now, out);
    }

    /// The calls of a link look for another node; an answer that comes after all still counts.
    #[cold]
    fn leave(&mut self, now: Now, link: Link, out: &mut Effects<ClientEffect>) {
        let concerned = self.calls.iter().filter(|(_, call)| call.is_at(link));
        for id in concerned.map(|(id, _)| id).collect::<Vec<_>>() {
            let Some(call) = self.calls.get_mut(id) else { continue };
            match call.stage {
                Stage::Sent(_) => call.loose |= sane_or!(true, ClientForgetsSilent => false),
                Stage::Queued(_) => {
                    if let Some(connection) = self.links.get_mut(link) {
                        connection.backlog.remove(id);
                    }
                }
                Stage::Waiting | Stage::Reading | Stage::Paused => {}
            }
            self.reroute(now, id, out);
        }
    }
}
