//! The machine of a client: it computes the ring itself and asks the primaries of a key.
//!
//! ```text
//!  get, put, delete -> route -+-> a primary that is connected      Send
//!                             +-> one that is not, but reachable   Dial, wait
//!                             +-> any other node                   Send: it passes the call on
//!                             +-> nobody                           wait, dial seeds again
//!  Frame: Reply -> answer, or the next node; same request id, same deadline
//! ```
//!
//! Invariant: every call is completed exactly once, no later than its deadline. A write that was
//! sent and not answered is reported as unknown, never as refused. The client never mints a dot.

mod call;
mod config;
mod links;
mod outcome;
mod routing;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use call::{Action, Call, Stage};
pub use config::{CallOptions, ClientConfig};
use links::{Links, State};
pub use outcome::{CallError, Completion, ErrorCode};

use crate::causality::Checksum;
use crate::ids::{Key, NodeId, RequestId, Text};
use crate::layout::LayoutVersion;
use crate::machine::{Effects, Wake, WakeReason};
use crate::message::{
    Answer, CallId, Change, Defaults, Failure, FailureCode, Hello, LayoutUpdate, Message, Outcome,
    PROTOCOL_VERSION, QuorumChoice, Reject, RejectCode, Reply, Role, Welcome,
};
use crate::prng::Prng;
use crate::time::{Instant, Now};

/// One connection of a client. Numbers are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link(pub u32);

/// What happened to a client.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientInput {
    /// A dial succeeded.
    Opened(Link),
    /// A connection is gone, or a dial failed.
    Closed(Link),
    /// A frame arrived.
    Frame {
        /// On which connection.
        link: Link,
        /// What it says.
        message: Message,
    },
    /// Time has passed.
    Wake,
}

/// What a client wants done.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEffect {
    /// Open a connection; ends in `Opened` or `Closed`.
    Dial {
        /// Names it from here on.
        link: Link,
        /// A WebSocket URL.
        address: Text,
    },
    /// Send a frame.
    Send {
        /// On which connection.
        link: Link,
        /// What.
        message: Message,
    },
    /// Close a connection; nothing more is wanted from it.
    Hangup(Link),
    /// A call has ended.
    Complete {
        /// Which.
        call: CallId,
        /// How.
        result: Result<Completion, CallError>,
    },
    /// Tell people.
    Observe(ClientEvent),
}

/// What users of a client may want to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// A node has welcomed the client.
    Connected {
        /// Which.
        node: NodeId,
        /// Where.
        address: Text,
    },
    /// A connection is gone, or could not be made.
    Disconnected {
        /// The node, if it had welcomed the client.
        node: Option<NodeId>,
        /// Where.
        address: Text,
    },
    /// The client has a newer layout.
    LayoutChanged {
        /// Its version.
        version: LayoutVersion,
    },
    /// A node refused the connection.
    Rejected {
        /// Where.
        address: Text,
        /// Why.
        reject: Reject,
    },
}

/// Counts since the client started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientStats {
    /// Calls made.
    pub calls: u64,
    /// Calls that ended well.
    pub done: u64,
    /// Calls that failed.
    pub failed: u64,
    /// Answers from a primary that was asked straight away.
    pub direct: u64,
    /// Answers that came through another node.
    pub passed_on: u64,
    /// Attempts after the first one of a call.
    pub retries: u64,
}

/// A client of the cluster, without sockets and clock.
///
/// Order of calls: [`start`](Client::start) once; then [`get`](Client::get), [`put`](Client::put),
/// [`delete`](Client::delete), [`cancel`](Client::cancel) and [`handle`](Client::handle) in any
/// order, carrying out the effects of each before the next; [`close`](Client::close) last.
#[derive(Clone, Debug)]
pub struct Client {
    config: ClientConfig,
    /// This client's half of every request id.
    id: u64,
    links: Links,
    layout: Option<Arc<LayoutUpdate>>,
    defaults: Option<Defaults>,
    calls: BTreeMap<CallId, Call>,
    /// Invariant: one entry for each call.
    timers: BTreeSet<(Instant, CallId)>,
    /// Calls in the stage `Waiting`.
    waiting: BTreeSet<CallId>,
    /// The last refused handshake, as long as nobody has welcomed the client since.
    rejection: Option<Reject>,
    last_call: u64,
    stats: ClientStats,
    closed: bool,
}

impl Client {
    /// A client that knows its seeds. `seed` must be random: it names the client's writes.
    pub fn new(config: ClientConfig, seed: u64) -> Client {
        Client {
            id: Prng::stream(seed, "client").next_u64() | 1,
            links: Links::new(config.seeds.clone(), seed),
            layout: None,
            defaults: None,
            calls: BTreeMap::new(),
            timers: BTreeSet::new(),
            waiting: BTreeSet::new(),
            rejection: None,
            last_call: 0,
            stats: ClientStats::default(),
            closed: false,
            config,
        }
    }

    /// Dials the first seeds.
    pub fn start(&mut self, now: Now, out: &mut Effects<ClientEffect>) {
        self.links.dial_seeds(now, out);
    }

    /// Reads a key. The n-th call of a client has the number n.
    pub fn get(
        &mut self,
        now: Now,
        key: Key,
        options: CallOptions,
        out: &mut Effects<ClientEffect>,
    ) -> CallId {
        self.begin(now, key, Action::Get, options, out)
    }

    /// Writes a value. `context` is that of an earlier answer for this key; empty: a blind put,
    /// which supersedes nothing.
    pub fn put(
        &mut self,
        now: Now,
        key: Key,
        value: Bytes,
        context: Bytes,
        options: CallOptions,
        out: &mut Effects<ClientEffect>,
    ) -> CallId {
        let checksum = Checksum::of_value(&value);
        let change = Change::Value { payload: value, checksum };
        let request = self.request();
        self.begin(now, key, Action::Put { context, request, change }, options, out)
    }

    /// Deletes what `context` covers; empty: what a quorum holds.
    pub fn delete(
        &mut self,
        now: Now,
        key: Key,
        context: Bytes,
        options: CallOptions,
        out: &mut Effects<ClientEffect>,
    ) -> CallId {
        let request = self.request();
        let action = Action::Put { context, request, change: Change::Delete };
        self.begin(now, key, action, options, out)
    }

    /// Ends a call early: it completes as `Aborted`. A call that has ended is left alone.
    pub fn cancel(&mut self, _now: Now, call: CallId, out: &mut Effects<ClientEffect>) {
        self.fail(call, CallError::new(ErrorCode::Aborted), out);
    }

    /// Ends everything: open calls complete as `Closed`, connections are hung up.
    pub fn close(&mut self, out: &mut Effects<ClientEffect>) {
        self.closed = true;
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            self.fail(call, CallError::new(ErrorCode::Closed), out);
        }
        self.links.close(out);
    }

    /// Takes in one thing that happened.
    pub fn handle(&mut self, now: Now, input: ClientInput, out: &mut Effects<ClientEffect>) {
        if self.closed {
            return;
        }
        match input {
            ClientInput::Opened(link) => self.on_opened(now, link, out),
            ClientInput::Closed(link) => self.on_closed(now, link, out),
            ClientInput::Frame { link, message } => self.on_frame(now, link, message, out),
            ClientInput::Wake => self.on_wake(now, out),
        }
    }

    /// When the machine wants [`ClientInput::Wake`] at the latest, and what waits.
    pub fn next_wake(&self) -> Option<Wake> {
        if self.closed {
            return None;
        }
        let timer = self.timers.first();
        let timer = timer.map(|(at, _)| Wake { at: *at, reason: WakeReason::Deadline });
        let dial = self.links.next_wake(!self.waiting.is_empty());
        let dial = dial.map(|at| Wake { at, reason: WakeReason::Dial });
        timer.into_iter().chain(dial).min()
    }

    /// What users, metrics and tests may look at.
    pub fn view(&self) -> ClientView<'_> {
        ClientView { client: self }
    }

    /// Asserts what must hold between inputs.
    pub fn check_invariants(&self) {
        assert_eq!(self.calls.len(), self.timers.len(), "each call has one timer");
        for (at, id) in &self.timers {
            assert_eq!(self.calls.get(id).map(|call| call.timer), Some(*at));
        }
        for (id, call) in &self.calls {
            assert_eq!(call.stage == Stage::Waiting, self.waiting.contains(id));
        }
    }

    fn request(&self) -> RequestId {
        RequestId { client: self.id, sequence: self.last_call + 1 }
    }

    fn begin(
        &mut self,
        now: Now,
        key: Key,
        action: Action,
        options: CallOptions,
        out: &mut Effects<ClientEffect>,
    ) -> CallId {
        self.last_call += 1;
        self.stats.calls += 1;
        let id = CallId(self.last_call);
        if let Err(error) = self.check(&key, &action) {
            self.stats.failed += 1;
            out.push(ClientEffect::Complete { call: id, result: Err(error) });
            return id;
        }
        let deadline = now.instant + options.timeout.unwrap_or(self.config.timeout);
        let or = |asked: u8, default: u8| if asked == 0 { default } else { asked };
        let quorum = QuorumChoice {
            r: or(options.quorum.r, self.config.quorum.r),
            w: or(options.quorum.w, self.config.quorum.w),
        };
        let call = Call {
            key,
            action,
            quorum,
            receipt: options.receipt,
            deadline,
            timer: deadline,
            stage: Stage::Waiting,
            tried: Vec::new(),
            sent: Vec::new(),
            loose: false,
            refusal: None,
            attempts: 0,
            asked: now.instant,
        };
        self.calls.insert(id, call);
        self.timers.insert((deadline, id));
        self.waiting.insert(id);
        self.route(now, id, out);
        id
    }

    /// Refuses what cannot succeed before anything is sent.
    fn check(&self, key: &Key, action: &Action) -> Result<(), CallError> {
        let limits = &self.config.limits;
        let or_default = |max: Option<u32>, default: usize| max.map_or(default, |max| max as usize);
        let key_max = or_default(self.defaults.map(|d| d.key_bytes_max), limits.key_bytes_max);
        let value_max = self.defaults.map(|d| d.value_bytes_max);
        let value_max = or_default(value_max, limits.value_bytes_max);
        let refuse = |code, max: usize, actual: usize| {
            let failure = Failure::refused(code).limit(max as u64, actual as u64);
            Err(CallError::of(failure, None))
        };
        if self.closed {
            return Err(CallError::new(ErrorCode::Closed));
        }
        if self.calls.len() >= limits.calls_max {
            return refuse(FailureCode::Overloaded, limits.calls_max, self.calls.len());
        }
        let key_bytes = key.as_bytes().len();
        if key_bytes == 0 || key_bytes > key_max {
            return refuse(FailureCode::KeySize, key_max, key_bytes);
        }
        let Action::Put { context, change, .. } = action else { return Ok(()) };
        if let Change::Value { payload, .. } = change
            && payload.len() > value_max
        {
            return refuse(FailureCode::ValueTooLarge, value_max, payload.len());
        }
        if crate::causality::Context::from_token(key, context).is_err() {
            return Err(CallError::new(ErrorCode::BadContext));
        }
        Ok(())
    }

    fn on_opened(&mut self, now: Now, link: Link, out: &mut Effects<ClientEffect>) {
        let Some(connection) = self.links.get_mut(link) else { return };
        connection.heard = now.instant;
        let layout = self.layout.as_ref();
        let hello = Hello {
            version_min: PROTOCOL_VERSION,
            version_max: PROTOCOL_VERSION,
            cluster: self.config.cluster,
            role: Role::Client,
            layout_version: layout.map_or(LayoutVersion(0), |update| update.layout.version()),
            credentials: self.config.credentials.clone(),
        };
        out.push(ClientEffect::Send { link, message: Message::Hello(hello) });
    }

    fn on_closed(&mut self, now: Now, link: Link, out: &mut Effects<ClientEffect>) {
        if self.links.remove(now, link, out).is_none() {
            return;
        }
        let concerned = self.calls.iter().filter(|(_, call)| {
            call.stage == Stage::Sent(link) || call.stage == Stage::Queued(link)
        });
        for id in concerned.map(|(id, _)| *id).collect::<Vec<_>>() {
            let Some(call) = self.calls.get_mut(&id) else { continue };
            // A write that was sent may be carried out although the link is gone.
            call.loose |= call.stage == Stage::Sent(link);
            call.sent.retain(|sent| *sent != link);
            self.reroute(now, id, out);
        }
        self.links.dial_seeds(now, out);
        self.route_waiting(now, out);
    }

    fn on_frame(
        &mut self,
        now: Now,
        link: Link,
        message: Message,
        out: &mut Effects<ClientEffect>,
    ) {
        let Some(connection) = self.links.get_mut(link) else { return };
        connection.heard = now.instant;
        match message {
            Message::Welcome(welcome) => self.on_welcome(now, link, welcome, out),
            Message::Reject(reject) => self.on_reject(now, link, reject, out),
            Message::Reply(reply) => self.on_reply(now, link, reply, out),
            Message::Unsupported(_)
            | Message::Hello(_)
            | Message::Get(_)
            | Message::Put(_)
            | Message::ReplicaRead(_)
            | Message::ReplicaRecord(_)
            | Message::ReplicaMerge(_)
            | Message::ReplicaMerged(_)
            | Message::StatusRequest(_)
            | Message::StatusReply(_) => {}
        }
    }

    fn on_welcome(
        &mut self,
        now: Now,
        link: Link,
        welcome: Welcome,
        out: &mut Effects<ClientEffect>,
    ) {
        let opening = matches!(
            self.links.get(link).map(|connection| connection.state),
            Some(State::Opening { .. })
        );
        if !opening {
            return;
        }
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
        if !self.links.on_welcome(link, welcome.node, out) {
            self.links.discard(link, out);
        }
        self.route_waiting(now, out);
    }

    fn on_reject(&mut self, now: Now, link: Link, reject: Reject, out: &mut Effects<ClientEffect>) {
        if let Some(connection) = self.links.get(link) {
            let address = connection.address.clone();
            let event = ClientEvent::Rejected { address, reject: reject.clone() };
            out.push(ClientEffect::Observe(event));
        }
        self.rejection = Some(reject);
        out.push(ClientEffect::Hangup(link));
        self.on_closed(now, link, out);
    }

    fn on_reply(&mut self, now: Now, link: Link, reply: Reply, out: &mut Effects<ClientEffect>) {
        self.learn(reply.layout.clone(), out);
        let node = self.links.get(link).and_then(|connection| match connection.state {
            State::Up(node) => Some(node),
            State::Opening { .. } => None,
        });
        let Some(node) = node else { return };
        let concerned = self.calls.get_mut(&reply.call).filter(|call| call.sent.contains(&link));
        if let Some(call) = concerned {
            call.sent.retain(|sent| *sent != link);
            let current = call.stage == Stage::Sent(link);
            match reply.result {
                Ok(answer) if is_intact(&answer) => {
                    let completion = Completion {
                        answer,
                        node,
                        direct: reply.passed_on_by.is_none(),
                        receipt: reply.receipt,
                        attempts: call.attempts,
                    };
                    self.succeed(reply.call, completion, out);
                }
                Ok(_) => {
                    let failure = Failure::refused(FailureCode::Damaged);
                    self.on_failure(now, reply.call, node, failure, current, out);
                }
                Err(failure) => {
                    self.on_failure(now, reply.call, node, failure, current, out);
                }
            }
        }
        self.on_room(now, link, out);
    }

    /// A node could not serve a call: another may, within the same deadline.
    fn on_failure(
        &mut self,
        now: Now,
        id: CallId,
        node: NodeId,
        failure: Failure,
        current: bool,
        out: &mut Effects<ClientEffect>,
    ) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.loose |= failure.outcome == Outcome::Unknown;
        if !current {
            return;
        }
        let elsewhere = match failure.code {
            FailureCode::QuorumUnavailable
            | FailureCode::Overloaded
            | FailureCode::Damaged
            | FailureCode::Storage
            | FailureCode::NotAPrimary => true,
            FailureCode::Timeout
            | FailureCode::WeakQuorum
            | FailureCode::BadQuorum
            | FailureCode::BadContext
            | FailureCode::KeySize
            | FailureCode::ValueTooLarge
            | FailureCode::TooManySiblings
            | FailureCode::RecordTooLarge => false,
        };
        call.tried.push(node);
        call.refusal = Some((failure, node));
        if elsewhere {
            self.reroute(now, id, out);
        } else {
            self.fail(id, CallError::of(failure, Some(node)), out);
        }
    }

    fn on_wake(&mut self, now: Now, out: &mut Effects<ClientEffect>) {
        for link in self.links.overdue(now) {
            out.push(ClientEffect::Hangup(link));
            self.on_closed(now, link, out);
        }
        while let Some((at, id)) = self.timers.first().copied() {
            if at > now.instant {
                break;
            }
            self.on_timer(now, id, out);
        }
        self.links.dial_seeds(now, out);
        self.route_waiting(now, out);
    }

    /// A call is at its deadline, or the node that was asked is silent for too long.
    fn on_timer(&mut self, now: Now, id: CallId, out: &mut Effects<ClientEffect>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if call.deadline <= now.instant {
            return self.expire(id, out);
        }
        let Stage::Sent(link) = call.stage else { return self.set_timer(id, None) };
        call.loose = true;
        let asked = call.asked;
        let silent = self.links.get(link).is_some_and(|connection| connection.heard <= asked);
        if let Some(State::Up(node)) = self.links.get(link).map(|connection| connection.state) {
            call.tried.push(node);
        }
        self.reroute(now, id, out);
        if silent {
            // Nothing at all came in since: the connection is taken for dead.
            out.push(ClientEffect::Hangup(link));
            self.on_closed(now, link, out);
        }
    }

    fn expire(&mut self, id: CallId, out: &mut Effects<ClientEffect>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.loose |= matches!(call.stage, Stage::Sent(_));
        let error = match (&call.refusal, &self.rejection) {
            (Some((failure, node)), _) => CallError::of(*failure, Some(*node)),
            (None, Some(reject)) if call.attempts == 0 => CallError {
                text: Some(reject.text.as_str().into()),
                ..CallError::new(ErrorCode::Rejected)
            },
            (None, _) if call.attempts == 0 => CallError::new(ErrorCode::Unreachable),
            (None, _) => CallError::new(ErrorCode::Timeout),
        };
        self.fail(id, error, out);
    }

    fn succeed(&mut self, id: CallId, done: Completion, out: &mut Effects<ClientEffect>) {
        self.forget(id);
        self.stats.done += 1;
        if done.direct {
            self.stats.direct += 1;
        } else {
            self.stats.passed_on += 1;
        }
        out.push(ClientEffect::Complete { call: id, result: Ok(done) });
    }

    /// Completes a call with an error, if it is still under way.
    fn fail(&mut self, id: CallId, error: CallError, out: &mut Effects<ClientEffect>) {
        let Some(mut call) = self.forget(id) else { return };
        call.loose |= matches!(call.stage, Stage::Sent(_))
            && matches!(error.code, ErrorCode::Aborted | ErrorCode::Closed);
        let outcome = match error.outcome {
            Outcome::Unknown => Outcome::Unknown,
            Outcome::None => call.outcome(),
        };
        self.stats.failed += 1;
        let error = CallError { outcome, attempts: call.attempts, ..error };
        out.push(ClientEffect::Complete { call: id, result: Err(error) });
    }

    fn forget(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.remove(&id)?;
        self.timers.remove(&(call.timer, id));
        self.waiting.remove(&id);
        Some(call)
    }

    /// Sets when a call is looked at again: at `at`, or at its deadline.
    fn set_timer(&mut self, id: CallId, at: Option<Instant>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        self.timers.remove(&(call.timer, id));
        call.timer = at.map_or(call.deadline, |at| at.min(call.deadline));
        self.timers.insert((call.timer, id));
    }

    fn learn(&mut self, update: Option<Arc<LayoutUpdate>>, out: &mut Effects<ClientEffect>) {
        let Some(update) = update else { return };
        let version = update.layout.version();
        let known = self.layout.as_ref().map(|known| known.layout.version());
        if known.is_none_or(|known| known < version) {
            self.layout = Some(update);
            out.push(ClientEffect::Observe(ClientEvent::LayoutChanged { version }));
        }
    }
}

/// Whether all values of an answer match their checksums.
fn is_intact(answer: &Answer) -> bool {
    match answer {
        Answer::Entry(entry) => {
            entry.values.iter().all(|value| Checksum::of_value(&value.payload) == value.checksum)
        }
        Answer::Written(_) => true,
    }
}

/// A read-only look at a [`Client`].
#[derive(Clone, Copy, Debug)]
pub struct ClientView<'a> {
    client: &'a Client,
}

impl<'a> ClientView<'a> {
    /// The newest layout, once a node has welcomed the client.
    pub fn layout(&self) -> Option<&'a Arc<LayoutUpdate>> {
        self.client.layout.as_ref()
    }

    /// What holds for calls that do not say otherwise.
    pub fn defaults(&self) -> Option<Defaults> {
        self.client.defaults
    }

    /// The nodes that are connected, and by which link.
    pub fn links(&self) -> Vec<(NodeId, Link)> {
        self.client.links.up().collect()
    }

    /// Calls that have not ended.
    pub fn calls_under_way(&self) -> usize {
        self.client.calls.len()
    }

    /// Counts since the start.
    pub fn stats(&self) -> ClientStats {
        self.client.stats
    }
}
