//! The machine of a client: it computes the ring itself and asks the primaries of a key.
//!
//! ```text
//!  get, put, delete -> route -+-> a primary that is connected      Send
//!                             +-> one that is not, but reachable   Dial, wait
//!                             +-> any other node                   Send: it passes the call on
//!                             +-> one that is down, or silent      as a last resort
//!                             +-> nobody                           wait, dial seeds again
//!  a node falls silent -> its calls go to the next one; an answer that comes after all counts
//!  Frame: Reply -> answer, or the next node; same request id, same deadline
//! ```
//!
//! Told to, it goes through one node for all: see `gateway.rs`.
//!
//! Of the nodes it knows what they themselves let it know: who answers, how fast, who is silent, who
//! is overloaded. What others say of a node counts as long as it has no word from that node.
//!
//! What happens seldom is marked as cold: browsers load this code, so that is compiled for size, and
//! kept out of what each call runs through.
//!
//! Invariant: every call is completed exactly once, no later than its deadline. A write that was
//! sent and not answered is reported as unknown, never as refused. The client never mints a dot.

mod addresses;
mod call;
mod config;
mod connecting;
mod connection;
mod copies;
mod ending;
mod gateway;
mod hedge;
mod histogram;
mod io;
mod links;
mod offline;
mod outcome;
mod ping;
mod routing;
mod silence;
mod sorted;
mod standing;
mod view;
mod zones;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use addresses::Doubt;
use call::{Action, Call, Stage};
pub use config::{CallOptions, ClientConfig, Coordinate, Hedge, Offline, Routing};
pub use copies::call_of;
use hedge::HedgeBudget;
pub use histogram::Latencies;
pub use io::{ClientEffect, ClientEvent, ClientInput, Link};
use links::Links;
pub use outcome::{CallError, Completion, ErrorCode};
use ping::Ping;
use sorted::Sorted;
pub use standing::DownReason;
use standing::Standings;
pub use view::{ClientStats, ClientView, NodeState};

use crate::causality::Checksum;
use crate::ids::{Key, RequestId};
use crate::limits::ZONE_BYTES_MAX;
use crate::machine::{Effects, Wake, WakeReason};
use crate::message::{
    CallId, Change, Defaults, Failure, FailureCode, LayoutUpdate, Message, QuorumChoice, Reject,
    bad_ttl,
};
use crate::prng::Prng;
use crate::time::{Instant, Now};

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
    standings: Standings,
    hedges: HedgeBudget,
    /// For the pauses of calls.
    prng: Prng,
    layout: Option<Arc<LayoutUpdate>>,
    /// Whether its members are where it says.
    doubt: Doubt,
    defaults: Option<Defaults>,
    calls: Sorted<CallId, Box<Call>>,
    /// Invariant: one entry for each call.
    timers: Sorted<(Instant, CallId), ()>,
    /// Calls in the stage `Waiting`.
    waiting: Sorted<CallId, ()>,
    /// Pings under way.
    pings: Vec<Ping>,
    /// The last refused handshake, as long as nobody has welcomed the client since.
    rejection: Option<Reject>,
    last_call: u64,
    stats: ClientStats,
    closed: bool,
}

impl Client {
    /// A client that knows its seeds. `seed` must be random: it names the client's writes.
    #[cold]
    pub fn new(config: ClientConfig, seed: u64) -> Client {
        Client {
            id: Prng::stream(seed, "client").next_u64() | 1,
            links: Links::new(&config, seed),
            standings: Standings::new(seed),
            hedges: HedgeBudget::default(),
            prng: Prng::stream(seed, "pauses"),
            layout: None,
            doubt: Doubt::default(),
            defaults: None,
            calls: Sorted::new(),
            timers: Sorted::new(),
            waiting: Sorted::new(),
            pings: Vec::new(),
            rejection: None,
            last_call: 0,
            stats: ClientStats::default(),
            closed: false,
            config,
        }
    }

    /// Dials the first seeds.
    #[cold]
    pub fn start(&mut self, now: Now, out: &mut Effects<ClientEffect>) {
        self.links.dial_seeds(now, out);
    }

    /// Reads a key. With the `context` of an earlier answer for this key it is answered as soon as
    /// one replica holds all that the context covers; empty: by a quorum. The n-th call of a client
    /// has the number n.
    pub fn get(
        &mut self,
        now: Now,
        key: Key,
        context: Bytes,
        options: CallOptions,
        out: &mut Effects<ClientEffect>,
    ) -> CallId {
        self.begin(now, key, Action::Get { context }, options, out)
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
        let change = Change::Value { payload: value, checksum, ttl: options.ttl };
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
        self.end_pings(ErrorCode::Aborted, |ping| ping.id == call, out);
        self.fail(call, CallError::new(ErrorCode::Aborted), out);
    }

    /// Ends everything: open calls complete as `Closed`, connections are hung up.
    #[cold]
    pub fn close(&mut self, out: &mut Effects<ClientEffect>) {
        self.closed = true;
        for call in self.calls.keys() {
            self.fail(call, CallError::new(ErrorCode::Closed), out);
        }
        self.end_pings(ErrorCode::Closed, |_| true, out);
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
            ClientInput::Redial { address, wait } => self.on_redial(now, address, wait, out),
        }
        self.look_offline(out);
    }

    /// When the machine wants [`ClientInput::Wake`] at the latest, and what waits.
    pub fn next_wake(&self) -> Option<Wake> {
        if self.closed {
            return None;
        }
        let timer = self.timers.first();
        let timer = timer.map(|(at, _)| Wake { at, reason: WakeReason::Deadline });
        let look = self.links.next_look(&self.standings);
        let look = look.map(|at| Wake { at, reason: WakeReason::Retry });
        let dial = self.links.next_dial(!self.waiting.is_empty());
        let dial = dial.map(|at| Wake { at, reason: WakeReason::Dial });
        let ping = self.pings.iter().map(|ping| ping.until).min();
        let ping = ping.map(|at| Wake { at, reason: WakeReason::Deadline });
        timer.into_iter().chain(look).chain(dial).chain(ping).min()
    }

    /// What users, metrics and tests may look at.
    pub fn view(&self) -> ClientView<'_> {
        ClientView { client: self }
    }

    /// Asserts what must hold between inputs.
    pub fn check_invariants(&self) {
        let mut timers: Vec<(Instant, CallId)> = Vec::with_capacity(self.calls.len());
        let mut waiting = self.waiting.iter().map(|(id, ())| id);
        let mut queued = 0;
        for (id, call) in self.calls.iter() {
            timers.push((call.timer, id));
            match call.stage {
                Stage::Waiting => assert_eq!(waiting.next(), Some(id), "it stands in `waiting`"),
                Stage::Queued(link) => {
                    let connection = self.links.get(link);
                    assert!(connection.is_some_and(|known| known.backlog.contains(id)));
                    queued += 1;
                }
                Stage::Sent(_) | Stage::Paused => {}
                Stage::Reading => assert!(call.copies.is_some(), "it knows whom it has asked"),
            }
        }
        assert_eq!(waiting.next(), None, "only waiting calls stand in `waiting`");
        assert_eq!(self.links.queued(), queued, "only queued calls stand in a backlog");
        // A sort of what is almost in order is cheaper than a look-up for each.
        timers.sort_unstable();
        let kept = self.timers.iter().map(|(timer, ())| timer);
        assert!(kept.eq(timers), "each call has one timer");
        assert!(!self.has_gateway() || self.links.well().count() <= 1, "there is one gateway");
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
        let zone = self.config.zone.as_ref().filter(|_| options.local.unwrap_or(self.config.local));
        let zone = zone.cloned();
        if let Err(error) = self.check(&key, &action, &options) {
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
            strictness: config::strictness(options.strict.or(self.config.strict)),
            receipt: options.receipt,
            zone,
            deadline,
            timer: deadline,
            stage: Stage::Waiting,
            copies: None,
            tried: Vec::new(),
            sent: Vec::new(),
            loose: false,
            refusal: None,
            retry_after: None,
            rounds: 0,
            attempts: 0,
        };
        self.calls.insert(id, Box::new(call));
        self.timers.insert((deadline, id), ());
        self.waiting.insert(id, ());
        self.route(now, id, out);
        self.look_at_queue(id, out);
        id
    }

    /// Refuses what cannot succeed before anything is sent.
    fn check(&self, key: &Key, action: &Action, options: &CallOptions) -> Result<(), CallError> {
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
        let (Action::Get { context } | Action::Put { context, .. }) = action;
        match action {
            Action::Put { change: Change::Value { payload, .. }, .. }
                if payload.len() > value_max =>
            {
                return refuse(FailureCode::ValueTooLarge, value_max, payload.len());
            }
            Action::Put { change: change @ Change::Value { .. }, .. } => {
                change.check_ttl().map_err(|failure| CallError::of(failure, None))?;
            }
            Action::Get { .. } | Action::Put { change: Change::Delete, .. } => {
                if let Some(ttl) = options.ttl {
                    return Err(CallError::of(bad_ttl(ttl), None));
                }
            }
        }
        if options.local.unwrap_or(self.config.local) {
            let bytes = self.config.zone.as_ref().map_or(0, |zone| zone.len());
            if bytes == 0 || bytes > ZONE_BYTES_MAX {
                let (limit, actual) = (ZONE_BYTES_MAX as u64, bytes as u64);
                return Err(CallError { limit, actual, ..CallError::new(ErrorCode::BadZone) });
            }
        }
        if crate::causality::Context::from_token(key, context).is_err() {
            return Err(CallError::new(ErrorCode::BadContext));
        }
        Ok(())
    }

    fn on_frame(
        &mut self,
        now: Now,
        link: Link,
        message: Message,
        out: &mut Effects<ClientEffect>,
    ) {
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
            | Message::Compare(_)
            | Message::Compared(_)
            | Message::StatusRequest(_)
            | Message::StatusReply(_)
            | Message::Gossip(_)
            | Message::RepairRequest(_)
            | Message::RepairReply(_)
            | Message::Collect(_)
            | Message::Collected(_)
            | Message::LayoutRequest(_)
            | Message::LayoutReply(_) => {}
        }
        self.on_heard(now, link, out);
    }

    #[cold]
    fn on_wake(&mut self, now: Now, out: &mut Effects<ClientEffect>) {
        self.look_after_links(now, out);
        self.end_pings(ErrorCode::Timeout, |ping| ping.until <= now.instant, out);
        while let Some((at, id)) = self.timers.first() {
            if at > now.instant {
                break;
            }
            self.on_timer(now, id, out);
        }
        self.links.on_wake(now);
        self.links.dial_seeds(now, out);
        self.route_waiting(now, out);
    }
}
