//! Gets, puts and deletes: at a named coordinator, or by a real client.

use bytes::Bytes;
use quorate_core::causality::Checksum;
use quorate_core::client::CallOptions;
use quorate_core::ids::{Key, RequestId};
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{
    CallId, Change, Get, Message, Put, QuorumChoice, ReadKind, RequestHead, Strictness,
};
use quorate_core::time::{Duration, Instant};

use super::{Client, Done, Node, Outcome, Scenario};
use crate::observation::Asked;

/// Senders with a chosen number begin here: no other request by hand has one of theirs.
const CHOSEN_SENDERS: u64 = 1 << 31;

/// A request that is being worded: options first, then what it asks for.
///
/// [`put`](Request::put), [`get`](Request::get) and [`delete`](Request::delete) let time pass until
/// the request has ended and expect success; those with `try_` answer an [`Outcome`] that may be a
/// failure; those with `start_` only send it and answer a [`Pending`].
#[must_use = "nothing is sent before `put`, `get` or `delete`"]
pub struct Request<'a> {
    scenario: &'a mut Scenario,
    to: To,
    /// What the writer was shown; empty: nothing.
    context: Bytes,
    quorum: QuorumChoice,
    strictness: Strictness,
    budget: Option<Duration>,
    ttl: Option<Duration>,
    passed_on: bool,
    damaged: bool,
    /// The number of the request id; `None`: one of its own.
    request: Option<u64>,
    /// The connection; `None`: one of its own.
    sender: Option<u64>,
}

#[derive(Clone, Copy)]
enum To {
    Node(Node),
    Client(Client),
}

/// A request under way; [`Scenario::finish`] waits for its end.
#[derive(Clone, Debug)]
#[must_use = "finish it, or let it be on purpose"]
pub struct Pending {
    /// The request, for panics: `put "k" = "milk" at n2`.
    pub(super) what: String,
    pub(super) key: Key,
    /// What the request had been shown.
    pub(super) shown: Bytes,
    pub(super) began: Instant,
    pub(super) budget: Duration,
    pub(super) way: Way,
}

/// How a request was sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// Straight to a node.
    Hand { sender: u64, call: CallId },
    /// Through a client.
    Client { client: usize, call: CallId },
}

impl Scenario {
    /// Words a request to a node, which coordinates it where it is a primary of the key and else
    /// passes it on. Each request comes over a connection of its own and has a request id of its
    /// own; neither partitions of clients nor rules for frames touch it or its reply.
    pub fn at(&mut self, node: Node) -> Request<'_> {
        self.request(To::Node(node))
    }

    /// Words a request to a real client.
    pub fn by(&mut self, client: Client) -> Request<'_> {
        self.request(To::Client(client))
    }

    fn request(&mut self, to: To) -> Request<'_> {
        Request {
            scenario: self,
            to,
            context: Bytes::new(),
            quorum: QuorumChoice::default(),
            strictness: Strictness::Configured,
            budget: None,
            ttl: None,
            passed_on: false,
            damaged: false,
            request: None,
            sender: None,
        }
    }
}

impl Request<'_> {
    /// The caller had been shown what `earlier` was told. Without it, a put is blind, and a delete
    /// covers what a quorum holds. A get with it is a session read: it is answered as soon as one
    /// replica knows all that.
    pub fn with(self, earlier: &Done) -> Self {
        let context = earlier.context();
        self.with_token(context)
    }

    /// The context is these bytes, which may be anything.
    pub fn with_token(mut self, token: impl Into<Bytes>) -> Self {
        self.context = token.into();
        self
    }

    /// R for this request.
    pub fn r(mut self, r: u8) -> Self {
        self.quorum.r = r;
        self
    }

    /// W for this request.
    pub fn w(mut self, w: u8) -> Self {
        self.quorum.w = w;
        self
    }

    /// Only the key's own replicas count.
    pub fn strict(mut self) -> Self {
        self.strictness = Strictness::Strict;
        self
    }

    /// Fallbacks stand in for replicas that cannot be reached.
    pub fn sloppy(mut self) -> Self {
        self.strictness = Strictness::Sloppy;
        self
    }

    /// Time for the whole request.
    pub fn budget(mut self, budget: Duration) -> Self {
        self.budget = Some(budget);
        self
    }

    /// The value of a put reads as deleted after this time, by the clock of whoever looks.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// The write has the request id number `number`: two writes with the same one are two tries of
    /// one write.
    ///
    /// # Panics
    /// For a client, which names its writes itself.
    #[track_caller]
    pub fn as_request(mut self, number: u64) -> Self {
        self.only_at_a_node("names its writes itself");
        self.request = Some(number);
        self
    }

    /// The request comes over the connection number `number`, as others may.
    ///
    /// # Panics
    /// For a client, which has connections of its own.
    #[track_caller]
    pub fn as_sender(mut self, number: u16) -> Self {
        self.only_at_a_node("has connections of its own");
        self.sender = Some(CHOSEN_SENDERS + u64::from(number));
        self
    }

    /// Another node has passed the request on.
    ///
    /// # Panics
    /// For a client, which is no node.
    #[track_caller]
    pub fn passed_on(mut self) -> Self {
        self.only_at_a_node("is no node");
        self.passed_on = true;
        self
    }

    /// The value was damaged on its way: it does not match its checksum.
    ///
    /// # Panics
    /// For a client, which computes checksums itself.
    #[track_caller]
    pub fn damaged(mut self) -> Self {
        self.only_at_a_node("computes checksums itself");
        self.damaged = true;
        self
    }

    /// Writes a text.
    ///
    /// # Panics
    /// Where it fails.
    #[track_caller]
    pub fn put(self, key: &str, value: &str) -> Done {
        self.try_put(key, value).ok()
    }

    /// Reads.
    ///
    /// # Panics
    /// Where it fails.
    #[track_caller]
    pub fn get(self, key: &str) -> Done {
        self.try_get(key).ok()
    }

    /// Deletes.
    ///
    /// # Panics
    /// Where it fails.
    #[track_caller]
    pub fn delete(self, key: &str) -> Done {
        self.try_delete(key).ok()
    }

    /// Writes a text, with whatever outcome.
    ///
    /// # Panics
    /// Where the request never ends: its coordinator is gone.
    #[track_caller]
    pub fn try_put(self, key: &str, value: &str) -> Outcome {
        self.wait(key, Self::value(value))
    }

    /// Reads, with whatever outcome.
    ///
    /// # Panics
    /// Where the request never ends: its coordinator is gone.
    #[track_caller]
    pub fn try_get(self, key: &str) -> Outcome {
        self.wait(key, Self::read)
    }

    /// Deletes, with whatever outcome.
    ///
    /// # Panics
    /// Where the request never ends: its coordinator is gone.
    #[track_caller]
    pub fn try_delete(self, key: &str) -> Outcome {
        self.wait(key, |context| Asked::Delete { context })
    }

    /// Sends a put. What it makes happen at the node at once has happened; no time has passed.
    ///
    /// # Panics
    /// Where the node is down, or the client is dead.
    #[track_caller]
    pub fn start_put(self, key: &str, value: &str) -> Pending {
        self.start(key, Self::value(value)).1
    }

    /// Sends a get, as [`start_put`](Request::start_put).
    ///
    /// # Panics
    /// Where the node is down, or the client is dead.
    #[track_caller]
    pub fn start_get(self, key: &str) -> Pending {
        self.start(key, Self::read).1
    }

    /// Sends a delete, as [`start_put`](Request::start_put).
    ///
    /// # Panics
    /// Where the node is down, or the client is dead.
    #[track_caller]
    pub fn start_delete(self, key: &str) -> Pending {
        self.start(key, |context| Asked::Delete { context }).1
    }

    fn read(context: Bytes) -> Asked {
        if context.is_empty() { Asked::Get } else { Asked::Session { context } }
    }

    fn value(value: &str) -> impl FnOnce(Bytes) -> Asked {
        let value = Bytes::copy_from_slice(value.as_bytes());
        move |context| Asked::Put { value, context }
    }

    #[track_caller]
    fn only_at_a_node(&self, why: &str) {
        if let To::Client(client) = self.to {
            panic!("{client} is a real client and {why}: this is for requests at a node");
        }
    }
}

impl<'a> Request<'a> {
    #[track_caller]
    fn wait(self, key: &str, asked: impl FnOnce(Bytes) -> Asked) -> Outcome {
        let (scenario, pending) = self.start(key, asked);
        scenario.try_finish(pending)
    }

    #[track_caller]
    fn start(
        mut self,
        key: &str,
        asked: impl FnOnce(Bytes) -> Asked,
    ) -> (&'a mut Scenario, Pending) {
        let shown = self.context.clone();
        let asked = asked(std::mem::take(&mut self.context));
        let what = what(key, &asked, self.to);
        let began = self.scenario.world.now();
        let way = match self.to {
            To::Node(node) => self.start_at(node, key, asked),
            To::Client(client) => self.start_by(client, key, asked),
        };
        let budget = self.budget.unwrap_or(self.scenario.timeout);
        let key = Key::from(key.as_bytes().to_vec());
        (self.scenario, Pending { what, key, shown, began, budget, way })
    }

    #[track_caller]
    fn start_at(&mut self, node: Node, key: &str, asked: Asked) -> Way {
        self.scenario.expect_up(node, "take a request");
        let number = self.scenario.next_number();
        let (sender, call) = (self.sender.unwrap_or(number), CallId(number));
        let head = RequestHead {
            call,
            key: Key::from(key.as_bytes().to_vec()),
            quorum: self.quorum,
            strictness: self.strictness,
            budget: self.budget.unwrap_or(self.scenario.timeout),
            layout_version: LayoutVersion(0),
            passed_on: self.passed_on,
            receipt: true,
            zone: None,
        };
        let request = match self.request {
            Some(sequence) => RequestId { client: u64::MAX - 1, sequence },
            None => RequestId { client: u64::MAX, sequence: number },
        };
        let message = match asked {
            Asked::Get => Message::Get(Get { head, context: Bytes::new(), read: ReadKind::Quorum }),
            Asked::Session { context } => {
                Message::Get(Get { head, context, read: ReadKind::Quorum })
            }
            Asked::Put { value: payload, context } => {
                let Checksum(right) = Checksum::of_value(&payload);
                let checksum = Checksum(right ^ u64::from(self.damaged));
                let change = Change::Value { payload, checksum, ttl: self.ttl };
                Message::Put(Put { head, context, request, change })
            }
            Asked::Delete { context } => {
                Message::Put(Put { head, context, request, change: Change::Delete })
            }
        };
        self.scenario.world.hand(node.0, sender, message);
        Way::Hand { sender, call }
    }

    #[track_caller]
    fn start_by(&mut self, Client(client): Client, key: &str, asked: Asked) -> Way {
        assert!(
            !self.scenario.world.is_dead(client),
            "c{client} is dead: it cannot ask for {key:?}"
        );
        let options = CallOptions {
            timeout: self.budget,
            quorum: self.quorum,
            receipt: true,
            strict: match self.strictness {
                Strictness::Configured => None,
                Strictness::Strict => Some(true),
                Strictness::Sloppy => Some(false),
            },
            local: None,
            ttl: self.ttl,
        };
        let call = self.scenario.world.call(client, key, asked, options);
        Way::Client { client, call }
    }
}

/// A request in words.
fn what(key: &str, asked: &Asked, to: To) -> String {
    let to = match to {
        To::Node(node) => format!("at {node}"),
        To::Client(client) => format!("by {client}"),
    };
    let blindly = |context: &Bytes| if context.is_empty() { "blind " } else { "" };
    match asked {
        Asked::Get => format!("get {key:?} {to}"),
        Asked::Session { .. } => format!("session get {key:?} {to}"),
        Asked::Put { value, context } => {
            let value = String::from_utf8_lossy(value);
            format!("{}put {key:?} = {value:?} {to}", blindly(context))
        }
        Asked::Delete { context } => format!("{}delete {key:?} {to}", blindly(context)),
    }
}
