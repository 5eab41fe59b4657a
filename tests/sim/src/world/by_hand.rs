//! Frames that are put to a node by hand, without a client: what the scenarios stand on.

use bytes::Bytes;
use quorate_core::machine::{Input, Peer};
use quorate_core::message::{CallId, Change, Message, Put, Reply};
use quorate_core::time::Instant;

use super::{BY_HAND, Event, World};
use crate::observation::{Asked, CallStarted, Caller, Handed, Observation, request_of};

impl World {
    /// Hands a frame to a node, now, as from the client `sender`, a number below 2^32.
    pub(crate) fn hand(&mut self, node: usize, sender: u64, message: Message) {
        assert!(sender < BY_HAND, "numbers of senders by hand are below 2^32");
        self.note_call(sender, &message);
        self.push(self.now, Event::Handed { node, client: sender, message });
        self.run_until(self.now);
    }

    /// The reply to a request by hand and when it came, if it has; it is answered once.
    pub(crate) fn take_reply(&mut self, sender: u64, call: CallId) -> Option<(Instant, Reply)> {
        self.replies.remove(&(sender, call))
    }

    /// Whether a request by hand has its reply.
    pub(crate) fn has_reply(&self, sender: u64, call: CallId) -> bool {
        self.replies.contains_key(&(sender, call))
    }

    pub(super) fn on_handed(&mut self, node: usize, client: u64, message: Message) {
        if self.nodes[node].node.is_none() {
            return;
        }
        let caller = Caller::Hand(client);
        self.observe(&Observation::Handed(Handed { caller, node, message: &message }));
        self.input(node, Input::Frame { from: Peer::Client(BY_HAND + client), message });
    }

    fn note_call(&mut self, client: u64, message: &Message) {
        let Some((head, put)) = request_of(message) else { return };
        let session =
            if let Message::Get(get) = message { get.context.clone() } else { Bytes::new() };
        let asked = match put {
            None if session.is_empty() => Asked::Get,
            None => Asked::Session { context: session },
            Some(Put { change, context, .. }) => {
                let context = context.clone();
                match change {
                    Change::Value { payload, .. } => Asked::Put { value: payload.clone(), context },
                    Change::Delete => Asked::Delete { context },
                }
            }
        };
        self.observe(&Observation::CallStarted(CallStarted {
            caller: Caller::Hand(client),
            call: head.call,
            key: &head.key,
            asked: &asked,
            quorum: head.quorum,
            strictness: head.strictness,
            timeout: head.budget,
        }));
    }
}
