//! The one task that owns a client's machine.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::future;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use quorate_core::client::{
    CallError, CallOptions, Client as Machine, ClientEffect, ClientEvent, ClientInput, Completion,
    Link,
};
use quorate_core::ids::{Key, Text};
use quorate_core::machine::Effects;
use quorate_core::message::{CallId, Message};
use tokio::sync::{oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::{self, Instant, Sleep};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{ClientError, ClientOptions, ClientStatus, Request, Snapshot, link};
use crate::clock::Clock;
use crate::mailbox::Mailbox;
use crate::socket::Outbox;

/// Where the caller of a request waits.
type Caller = oneshot::Sender<Result<Completion, CallError>>;

/// What the driver is told.
#[derive(Debug)]
pub(super) enum Command {
    Call { key: Key, request: Request, options: CallOptions, answer: Caller },
    Look(oneshot::Sender<Snapshot>),
    Opened { link: Link, outbox: Arc<Outbox> },
    Batch { link: Link, messages: Vec<Message> },
    Closed { link: Link, reason: String },
    Close,
}

pub(super) struct Driver {
    machine: Machine,
    clock: Clock,
    commands: Arc<Mailbox<Command>>,
    effects: Effects<ClientEffect>,
    callers: HashMap<CallId, Caller>,
    links: BTreeMap<Link, Connection>,
    /// Links with something in their outbox that were not woken yet.
    dirty: Vec<Link>,
    status: watch::Sender<ClientStatus>,
    /// Whether the status may have changed in this turn.
    stirred: bool,
    /// Whoever waits for the first welcome.
    connecting: Option<Connecting>,
}

/// A connection that was asked for.
struct Connection {
    dial: AbortHandle,
    /// From the moment it is open.
    outbox: Option<Arc<Outbox>>,
    dirty: bool,
}

struct Connecting {
    caller: oneshot::Sender<Result<(), ClientError>>,
    seeds: Vec<String>,
    until: Instant,
    /// What went wrong last.
    last: String,
    /// Seeds that refused the client.
    refusals: BTreeSet<Text>,
}

impl Driver {
    pub(super) fn new(
        options: &ClientOptions,
        seed: u64,
        commands: Arc<Mailbox<Command>>,
        status: watch::Sender<ClientStatus>,
        connected: oneshot::Sender<Result<(), ClientError>>,
    ) -> Driver {
        let connecting = Connecting {
            caller: connected,
            seeds: options.seeds.clone(),
            until: Instant::now() + options.timeout,
            last: "no answer yet".into(),
            refusals: BTreeSet::new(),
        };
        Driver {
            machine: Machine::new(options.config(), seed),
            clock: Clock::start(),
            commands,
            effects: Effects::new(),
            callers: HashMap::new(),
            links: BTreeMap::new(),
            dirty: Vec::new(),
            status,
            stirred: false,
            connecting: Some(connecting),
        }
    }

    /// Runs until the client is closed.
    pub(super) async fn run(mut self) {
        self.machine.start(self.clock.now(), &mut self.effects);
        self.end_turn();
        let mut batch = VecDeque::new();
        let mut alarm = pin!(time::sleep(Duration::ZERO));
        let commands = Arc::clone(&self.commands);
        loop {
            let wake =
                self.machine.next_wake().map(|wake| Instant::from_std(self.clock.std(wake.at)));
            let connecting = self.connecting.as_ref().map(|connecting| connecting.until);
            let wake = wake.into_iter().chain(connecting).min();
            if let Some(wake) = wake
                && (alarm.is_elapsed() || wake < alarm.deadline())
            {
                alarm.as_mut().reset(wake);
            }
            tokio::select! {
                biased;
                () = commands.take(&mut batch) => {
                    for command in batch.drain(..) {
                        if matches!(command, Command::Close) {
                            return self.close();
                        }
                        self.on_command(command);
                    }
                }
                () = ring(alarm.as_mut(), wake.is_some()) => {
                    self.machine.handle(self.clock.now(), ClientInput::Wake, &mut self.effects);
                }
            }
            self.end_turn();
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Call { key, request, options, answer } => {
                self.on_call(key, request, options, answer);
            }
            // Whoever looked may be gone.
            Command::Look(answer) => drop(answer.send(Snapshot::of(&self.machine.view()))),
            Command::Opened { link, outbox } => match self.links.get_mut(&link) {
                Some(connection) => {
                    connection.outbox = Some(outbox);
                    self.handle(ClientInput::Opened(link));
                }
                None => outbox.close(CloseCode::Normal, "not wanted any more"),
            },
            Command::Batch { link, messages } => {
                if self.links.contains_key(&link) {
                    for message in messages {
                        self.handle(ClientInput::Frame { link, message });
                    }
                }
            }
            Command::Closed { link, reason } => {
                if self.links.remove(&link).is_some() {
                    tracing::debug!(reason, "connection closed");
                    if let Some(connecting) = &mut self.connecting {
                        connecting.last = reason;
                    }
                    self.handle(ClientInput::Closed(link));
                }
            }
            Command::Close => {}
        }
    }

    fn on_call(&mut self, key: Key, request: Request, options: CallOptions, answer: Caller) {
        let now = self.clock.now();
        let (machine, out) = (&mut self.machine, &mut self.effects);
        let call = match request {
            Request::Get { context } => machine.get(now, key, context, options, out),
            Request::Put { value, context } => machine.put(now, key, value, context, options, out),
            Request::Delete { context } => machine.delete(now, key, context, options, out),
        };
        self.callers.insert(call, answer);
        self.carry_out();
    }

    fn handle(&mut self, input: ClientInput) {
        self.machine.handle(self.clock.now(), input, &mut self.effects);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.effects.pop() {
            match effect {
                ClientEffect::Send { link, message } => self.send(link, &message),
                ClientEffect::Dial { link, address } => {
                    self.stirred = true;
                    let dial = link::run(Arc::clone(&self.commands), link, address);
                    let dial = tokio::spawn(dial).abort_handle();
                    self.links.insert(link, Connection { dial, outbox: None, dirty: false });
                }
                ClientEffect::Hangup(link) => {
                    self.stirred = true;
                    self.hang_up(link);
                }
                ClientEffect::Complete { call, result } => {
                    if let Some(caller) = self.callers.remove(&call) {
                        // A caller that is gone does not want to know.
                        drop(caller.send(result));
                    }
                }
                ClientEffect::Pong { .. } => {}
                ClientEffect::Observe(event) => self.observe(event),
            }
        }
    }

    fn send(&mut self, link: Link, message: &Message) {
        let Some(connection) = self.links.get_mut(&link) else { return };
        let Some(outbox) = &connection.outbox else { return };
        outbox.push(message);
        if !connection.dirty {
            connection.dirty = true;
            self.dirty.push(link);
        }
    }

    fn hang_up(&mut self, link: Link) {
        let Some(connection) = self.links.remove(&link) else { return };
        match connection.outbox {
            Some(outbox) => outbox.close(CloseCode::Normal, "hung up"),
            None => connection.dial.abort(),
        }
    }

    fn observe(&mut self, event: ClientEvent) {
        tracing::debug!(?event, "observed");
        self.stirred = true;
        let (ClientEvent::Rejected { reject, address }, Some(connecting)) =
            (event, &mut self.connecting)
        else {
            return;
        };
        connecting.last.clone_from(&reject.text);
        connecting.refusals.insert(address);
        // Another seed may still let the client in.
        if connecting.refusals.len() >= connecting.seeds.len()
            && let Some(connecting) = self.connecting.take()
        {
            drop(connecting.caller.send(Err(ClientError::Rejected(reject))));
        }
    }

    fn end_turn(&mut self) {
        self.carry_out();
        for link in self.dirty.drain(..) {
            if let Some(connection) = self.links.get_mut(&link) {
                connection.dirty = false;
                connection.outbox.iter().for_each(|outbox| outbox.wake());
            }
        }
        if mem::take(&mut self.stirred) {
            let status = ClientStatus::of(&self.machine.view());
            self.status.send_if_modified(|known| {
                let changed = *known != status;
                *known = status;
                changed
            });
        }
        let Some(connecting) = self.connecting.take() else { return };
        if !self.machine.view().links().is_empty() {
            drop(connecting.caller.send(Ok(())));
        } else if connecting.until <= Instant::now() {
            let Connecting { caller, seeds, last, .. } = connecting;
            drop(caller.send(Err(ClientError::NoSeed { seeds, last })));
        } else {
            self.connecting = Some(connecting);
        }
    }

    fn close(mut self) {
        self.machine.close(&mut self.effects);
        self.carry_out();
        let links: Vec<Link> = self.links.keys().copied().collect();
        links.into_iter().for_each(|link| self.hang_up(link));
    }
}

async fn ring(alarm: Pin<&mut Sleep>, armed: bool) {
    if armed { alarm.await } else { future::pending().await }
}
