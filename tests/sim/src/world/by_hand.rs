//! Requests at a named coordinator, as a client of its own would send them.

use bytes::Bytes;
use quorate_core::causality::Checksum;
use quorate_core::ids::{Key, RequestId};
use quorate_core::layout::LayoutVersion;
use quorate_core::machine::{Input, Peer};
use quorate_core::message::{CallId, Change, Get, Message, Put, QuorumChoice, Reply, RequestHead};

use super::{BY_HAND, PATIENCE, World};

impl World {
    /// Writes at `node`, as a client of its own would, and waits for the answer.
    pub fn put_at(&mut self, node: usize, key: &str, value: &str, context: Bytes) -> Reply {
        let request = RequestId { client: u64::MAX, sequence: self.by_hand + 1 };
        self.put_at_as(node, key, value, context, request)
    }

    /// The same under a given request id.
    pub fn put_at_as(
        &mut self,
        node: usize,
        key: &str,
        value: &str,
        context: Bytes,
        request: RequestId,
    ) -> Reply {
        let payload = Bytes::copy_from_slice(value.as_bytes());
        let checksum = Checksum::of_value(&payload);
        let head = self.head(key);
        let change = Change::Value { payload, checksum };
        self.ask(node, Message::Put(Put { head, context, request, change }))
    }

    /// Reads at `node` and waits for the answer.
    pub fn get_at(&mut self, node: usize, key: &str) -> Reply {
        let head = self.head(key);
        self.ask(node, Message::Get(Get { head }))
    }

    /// Hands a get or put with the last [`head`](World::head) to a node, as a client of its own
    /// would, and waits for the reply.
    ///
    /// # Panics
    /// Where no reply comes.
    pub fn ask(&mut self, node: usize, message: Message) -> Reply {
        self.ask_and(node, message, |_| {})
    }

    /// The same, with something that happens before the reply is waited for.
    ///
    /// # Panics
    /// Where no reply comes.
    pub fn ask_and(
        &mut self,
        node: usize,
        message: Message,
        meanwhile: impl FnOnce(&mut World),
    ) -> Reply {
        let call = CallId(self.by_hand);
        let mut reply = self.feed(node, self.by_hand, message);
        meanwhile(self);
        let until = self.now + PATIENCE;
        loop {
            reply = reply.or_else(|| self.replies.remove(&(self.by_hand, call)));
            if let Some(reply) = reply {
                return reply;
            }
            assert!(self.now < until && self.step(), "no reply to {call:?}");
        }
    }

    /// Hands any message to a node as from the client `client`, a number below 2^32; answers the
    /// reply if it comes at once.
    pub fn feed(&mut self, node: usize, client: u64, message: Message) -> Option<Reply> {
        self.input(node, Input::Frame { from: Peer::Client(BY_HAND + client), message });
        let first = self.replies.keys().next().copied()?;
        self.replies.remove(&first)
    }

    /// The head of a request by hand.
    pub fn head(&mut self, key: &str) -> RequestHead {
        self.by_hand += 1;
        RequestHead {
            call: CallId(self.by_hand),
            key: Key::from(key.as_bytes().to_vec()),
            quorum: QuorumChoice::default(),
            budget: self.config.timeout,
            layout_version: LayoutVersion(0),
            passed_on: false,
            receipt: true,
        }
    }
}
