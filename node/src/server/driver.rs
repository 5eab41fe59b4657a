//! The one task that owns the machine: takes all that is ready, carries out what comes of it, and
//! lets every connection and the storage go on once, at the end of the turn.

mod ending;

use std::collections::VecDeque;
use std::future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use quorate_core::ids::{DurableMark, Text};
use quorate_core::machine::{Effect, Effects, Input, Peer};
use quorate_core::message::{
    CallId, Failure, FailureCode, Get, Hello, Message, Put, RejectCode, Reply, Role, StatusReply,
    StatusRequest, Welcome,
};
use quorate_core::node::Node;
use quorate_core::time::Now;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{self, Instant};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::dialler::{self, DialFailure, Dialled};
use super::lives::Ending;
use super::registry::{Inserted, Link, Registry};
use super::report::Reporter;
use super::status::Look;
use super::{Admission, ConnectionId, Event, Shared, connection, status};
use crate::clock::Clock;
use crate::socket::Outbox;
use crate::storage::{Answer, Storage};

/// How long calls under way may take once the node is to stop.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// When to try a node again that stops: it may be one that starts again at once.
const RETRY_STOPPING: Duration = Duration::from_secs(1);

pub(super) struct Driver {
    node: Node,
    label: Text,
    reporter: Reporter,
    storage: Storage,
    clock: Clock,
    /// When the event that is handled was taken: what is read of one connection at a time is one.
    now: Now,
    shared: Arc<Shared>,
    registry: Registry,
    effects: Effects<Effect>,
    /// Answers of the storage that the machine was not told yet.
    answered: Vec<Answer>,
    /// The last commit that the machine was told to be synced.
    told: DurableMark,
    /// Whether what is stored is an old copy.
    is_outdated: bool,
    /// How many lives of this process came before.
    rebirths: u64,
    /// When the node stops in any case, once it was asked to.
    stop_by: Option<Instant>,
}

impl Driver {
    pub(super) fn new(
        node: Node,
        label: Text,
        storage: Storage,
        shared: Arc<Shared>,
        clock: Clock,
        rebirths: u64,
    ) -> Driver {
        Driver {
            node,
            label,
            reporter: Reporter::default(),
            storage,
            now: clock.now(),
            clock,
            shared,
            registry: Registry::default(),
            effects: Effects::new(),
            answered: Vec::new(),
            told: DurableMark(0),
            is_outdated: false,
            rebirths,
            stop_by: None,
        }
    }

    /// Runs until the node was stopped, or cannot go on with its storage.
    pub(super) async fn run(mut self, listener: TcpListener) -> Ending {
        let accepting = match connection::accept(listener, Arc::clone(&self.shared)) {
            Ok(accepting) => accepting,
            Err(error) => return self.cannot_listen(&error),
        };
        self.now = self.clock.now();
        self.node.start(self.now, &mut self.effects);
        self.carry_out();
        self.tell_mark();
        self.end_turn();

        let mut events = VecDeque::new();
        let mut alarm = std::pin::pin!(time::sleep(Duration::ZERO));
        loop {
            let wake = self.node.next_wake().map(|wake| Instant::from_std(self.clock.std(wake.at)));
            let wake = wake.into_iter().chain(self.stop_by).min();
            if let Some(wake) = wake
                && (alarm.is_elapsed() || wake < alarm.deadline())
            {
                // One that rings early is only set anew: most deadlines are never reached.
                alarm.as_mut().reset(wake);
            }
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                biased;
                () = shared.mailbox.take(&mut events) => {
                    events.drain(..).for_each(|event| self.on_event(event, &accepting));
                }
                () = ring(alarm.as_mut(), wake.is_some()) => {
                    self.now = self.clock.now();
                    self.tell_mark();
                    self.handle(Input::Wake);
                }
            }
            self.end_turn();
            if self.is_done() {
                return Ending::Stopped { synced: self.finish().await };
            }
            if let Some((why, aside)) = self.is_over().filter(|_| self.stop_by.is_none()) {
                accepting.abort();
                return self.end_life(why, aside).await;
            }
        }
    }

    /// Ends a life that nobody can reach.
    pub(super) fn cannot_listen(self, error: &io::Error) -> Ending {
        tracing::error!(%error, "the node cannot listen");
        Ending::Stopped { synced: self.storage.close() }
    }

    /// Tells the machine how far the storage is synced, where that is news.
    fn tell_mark(&mut self) {
        let synced = self.storage.synced_mark();
        if synced > self.told {
            self.told = synced;
            self.handle(Input::Marked(synced));
        }
    }

    fn on_event(&mut self, event: Event, accepting: &JoinHandle<()>) {
        self.now = self.clock.now();
        match event {
            Event::Batch { connection, messages } => self.on_batch(connection, messages),
            Event::Stored(answers) => {
                self.answered.extend(answers);
                self.carry_out();
                self.tell_mark();
            }
            Event::Hello { connection, hello, outbox, admitted } => {
                self.on_hello(connection, hello, outbox, admitted);
            }
            Event::Welcomed { connection, dialled, welcome, outbox, rest } => {
                self.on_welcomed(connection, dialled, &welcome, outbox);
                // Where the connection was not let in, nobody takes what came with it.
                self.on_batch(connection, rest);
            }
            Event::DialFailed { dialled, failure } => self.on_dial_failed(dialled, &failure),
            Event::Closed { connection, reason } => {
                if let Some(closed) = self.registry.remove(connection) {
                    tracing::debug!(peer = ?closed.peer, reason, "connection closed");
                    self.handle(Input::PeerDown(closed.peer));
                }
            }
            // Whoever looked may be gone.
            Event::Look(answer) => drop(answer.send(self.look())),
            Event::Stop => {
                tracing::info!(on = &*self.label, calls = self.registry.calls(), "stopping");
                accepting.abort();
                self.stop_by.get_or_insert_with(|| Instant::now() + STOP_TIMEOUT);
            }
        }
    }

    fn on_batch(&mut self, connection: ConnectionId, messages: Vec<Message>) {
        let Some(from) = self.registry.peer(connection) else { return };
        for message in messages {
            match (&message, from) {
                (Message::StatusRequest(request), _) => {
                    let reply = Message::StatusReply(self.status(*request));
                    self.registry.send(from, &reply);
                    continue;
                }
                (Message::Get(_) | Message::Put(_), Peer::Client(_)) => {
                    self.registry.count_call(connection);
                    if self.stop_by.is_some() {
                        self.refuse(from, &message);
                        continue;
                    }
                }
                _ => {}
            }
            self.handle(Input::Frame { from, message });
        }
    }

    /// A node that stops takes no new requests; whoever asks can go to another one.
    fn refuse(&mut self, to: Peer, message: &Message) {
        let (Message::Get(Get { head, .. }) | Message::Put(Put { head, .. })) = message else {
            return;
        };
        let call = head.call;
        let reply = Reply {
            call,
            layout_version: status::layout_version(&self.node),
            layout: None,
            receipt: None,
            passed_on_by: None,
            copy: None,
            down: Vec::new(),
            result: Err(Failure::refused(FailureCode::Overloaded).retry_after(RETRY_STOPPING)),
        };
        self.registry.send(to, &Message::Reply(reply));
    }

    fn on_hello(
        &mut self,
        connection: ConnectionId,
        hello: Hello,
        outbox: Arc<Outbox>,
        admitted: oneshot::Sender<Admission>,
    ) {
        let welcome = self.node.welcome(self.now, &hello, &mut self.effects);
        self.carry_out();
        let welcome = match welcome {
            Ok(welcome) => welcome,
            Err(reject) => {
                tracing::warn!(
                    on = &*self.label,
                    code = ?reject.code,
                    reason = reject.text,
                    "a HELLO was refused"
                );
                // Where the connection is gone already there is nobody to tell.
                drop(admitted.send(Admission::Refused(reject)));
                return;
            }
        };
        outbox.push(&Message::Welcome(welcome));
        let admission = match hello.role {
            Role::Client => Admission::Client,
            Role::Node { .. } => Admission::Node,
        };
        if admitted.send(admission).is_err() {
            return;
        }
        match hello.role {
            Role::Client => {
                self.registry.insert_client(connection, outbox);
                self.handle(Input::PeerUp(Peer::Client(connection.0)));
            }
            Role::Node { id, incarnation } => {
                let link = Link { node: id, incarnation, dialler: id };
                self.open(connection, link, outbox);
            }
        }
    }

    fn on_welcomed(
        &mut self,
        connection: ConnectionId,
        dialled: Dialled,
        welcome: &Welcome,
        outbox: Arc<Outbox>,
    ) {
        if let Err(reject) = self.node.accepts(dialled.node(), welcome) {
            outbox.close(CloseCode::Policy, "not the node that was dialled");
            self.on_dial_failed(dialled, &DialFailure::Rejected(reject));
            return;
        }
        let node = welcome.node;
        if let Dialled::Seed { address } = dialled {
            self.handle(Input::SeedUp { address, node });
        }
        let dialler = self.node.view().config().id;
        self.open(connection, Link { node, incarnation: welcome.incarnation, dialler }, outbox);
    }

    /// Takes a connection to a node into use, unless there is one that stays.
    fn open(&mut self, connection: ConnectionId, link: Link, outbox: Arc<Outbox>) {
        let peer = Peer::Node(link.node);
        match self.registry.insert_node(connection, link, Arc::clone(&outbox)) {
            Inserted::Alone => {}
            Inserted::Replaced(former) => {
                former.outbox.close(CloseCode::Policy, "replaced by another connection");
                self.handle(Input::PeerDown(peer));
            }
            Inserted::Refused => {
                return outbox.close(CloseCode::Policy, "another connection is open");
            }
        }
        self.handle(Input::PeerUp(peer));
    }

    fn on_dial_failed(&mut self, dialled: Dialled, failure: &DialFailure) {
        let (on, address) = (&*self.label, &**dialled.address());
        match failure {
            DialFailure::Unreachable(reason) => tracing::debug!(on, address, reason, "no answer"),
            DialFailure::Rejected(reject) => match reject.code {
                // A node may find itself among its seeds, and a full one may have room again.
                RejectCode::Identity | RejectCode::Full => {
                    tracing::info!(on, address, reason = reject.text, "not let in");
                }
                RejectCode::Version
                | RejectCode::Cluster
                | RejectCode::Credentials
                | RejectCode::Malformed => {
                    tracing::error!(on, address, "this node was not let in: {}", reject.text);
                }
            },
        }
        match dialled {
            // It may have dialled us meanwhile.
            Dialled::Node { node, .. } if self.registry.has_node(node) => {}
            Dialled::Node { node, .. } => self.handle(Input::PeerDown(Peer::Node(node))),
            Dialled::Seed { address } => self.handle(Input::SeedDown { address }),
        }
    }

    fn handle(&mut self, input: Input) {
        self.node.handle(self.now, input, &mut self.effects);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        loop {
            while let Some(effect) = self.effects.pop() {
                self.carry_out_one(effect);
            }
            if self.answered.is_empty() {
                return;
            }
            for (ticket, outcome) in self.answered.drain(..) {
                self.node.handle(self.now, Input::Stored { ticket, outcome }, &mut self.effects);
            }
        }
    }

    fn carry_out_one(&mut self, effect: Effect) {
        match effect {
            Effect::Send { to, message } => self.registry.send(to, &message),
            Effect::Store { ticket, op, .. } => self.storage.submit(ticket, op, &mut self.answered),
            Effect::Dial { node, address } => self.dial(Dialled::Node { node, address }),
            Effect::DialSeed { address } => self.dial(Dialled::Seed { address }),
            Effect::Hangup(peer) => {
                if let Some(outbox) = self.registry.outbox(peer) {
                    outbox.close(CloseCode::Normal, "hung up");
                }
            }
            Effect::StartOver => self.is_outdated = true,
            Effect::Observe(event) => {
                self.reporter.report(&self.label, &self.node, self.now, &event);
            }
        }
    }

    fn dial(&self, dialled: Dialled) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(dialler::run(shared, dialled, self.node.hello()));
    }

    fn end_turn(&mut self) {
        self.storage.flush();
        self.registry.flush();
    }

    fn is_done(&self) -> bool {
        self.stop_by.is_some_and(|by| self.registry.calls() == 0 || Instant::now() >= by)
    }

    fn status(&self, request: StatusRequest) -> StatusReply {
        let view = status::Parts {
            node: &self.node,
            now: self.now,
            label: &self.label,
            storage: &self.storage,
            uptime: self.clock.elapsed(),
            clients: self.registry.clients(),
            frames_dropped: self.registry.dropped(),
            storage_rebirths: self.rebirths,
        };
        view.reply(request)
    }

    fn look(&self) -> Look {
        let stopping = self.stop_by.is_some();
        let request = StatusRequest { call: CallId(0), slots: false };
        Look::new(self.status(request), self.node.view().config(), &self.storage, stopping)
    }
}

async fn ring(alarm: std::pin::Pin<&mut time::Sleep>, armed: bool) {
    if armed { alarm.await } else { future::pending().await }
}
