//! Runs core's client through one batch of commands.
//!
//! Invariant: all frames of one link that one batch gave rise to leave as one WebSocket message,
//! as long as it stays within what a node accepts.

use bytes::Bytes;
use quorate_core::client::{
    Client, ClientConfig, ClientEffect, ClientEvent, ClientInput, ClientView, Link,
};
use quorate_core::codec;
use quorate_core::ids::{Key, Text};
use quorate_core::limits::{FRAME_BYTES_MAX, LINK_FRAME_BYTES_MAX};
use quorate_core::machine::Effects;
use quorate_core::message::{CallId, Message};
use quorate_core::time::Now;

use super::commands::{Command, Commands};
use super::results::Results;

/// A batch up to this length is copied once, and all that its calls hold are parts of the copy. A
/// longer one would be kept as a whole by a call that waits.
const SHARED_BYTES_MAX: usize = 64 * 1024;

/// Core's client, its effects turned into a batch of results.
#[derive(Debug)]
pub struct Driver {
    client: Client,
    effects: Effects<ClientEffect>,
    /// Frames of the running batch, by link; the buffers are kept from batch to batch. A list,
    /// since links are few and a tree would cost more bytes of code than it saves time.
    outgoing: Vec<(Link, Vec<u8>)>,
    /// Requests so far: the number of the next one is one more, here and in TypeScript.
    calls: u64,
    started: bool,
}

impl Driver {
    /// A client that dials its first seed in its first batch.
    #[cold]
    pub fn new(config: ClientConfig, seed: u64) -> Driver {
        Driver {
            client: Client::new(config, seed),
            effects: Effects::new(),
            outgoing: Vec::new(),
            calls: 0,
            started: false,
        }
    }

    /// What the client knows.
    pub fn view(&self) -> ClientView<'_> {
        self.client.view()
    }

    /// Carries out `batch` and writes what follows from it.
    pub fn run(&mut self, now: Now, batch: &[u8], results: &mut Results) {
        results.begin();
        if !self.started {
            self.started = true;
            self.client.start(now, &mut self.effects);
            self.settle(results);
        }
        let shared = (batch.len() <= SHARED_BYTES_MAX).then(|| Bytes::copy_from_slice(batch));
        let source = shared.as_ref();
        for command in Commands::new(source.map_or(batch, |shared| shared)) {
            self.on_command(now, command, source, results);
        }
        for (link, frames) in &mut self.outgoing {
            if !frames.is_empty() {
                results.send(*link, frames);
                frames.clear();
            }
        }
        results.end(now.instant, self.client.next_wake().map(|wake| wake.at));
    }

    /// The bytes of `command` are a part of `source`, if there is one.
    fn on_command(
        &mut self,
        now: Now,
        command: Command<'_>,
        source: Option<&Bytes>,
        results: &mut Results,
    ) {
        let owned = |bytes: &[u8]| match source {
            Some(source) => source.slice_ref(bytes),
            None => Bytes::copy_from_slice(bytes),
        };
        let (client, effects) = (&mut self.client, &mut self.effects);
        match command {
            Command::Opened(link) => client.handle(now, ClientInput::Opened(link), effects),
            Command::Closed(link) => {
                client.handle(now, ClientInput::Closed(link), effects);
                self.forget(link);
            }
            Command::Message { link, bytes } => self.on_message(now, link, owned(bytes), results),
            Command::Get { options, key, context } => {
                let call = client.get(now, Key(owned(key)), owned(context), options, effects);
                self.count(call);
            }
            Command::Put { options, key, context, value } => {
                let (context, value) = (owned(context), owned(value));
                let call = client.put(now, Key(owned(key)), value, context, options, effects);
                self.count(call);
            }
            Command::Delete { options, key, context } => {
                let call = client.delete(now, Key(owned(key)), owned(context), options, effects);
                self.count(call);
            }
            Command::Cancel(call) => client.cancel(now, call, effects),
            Command::Close => client.close(effects),
            Command::Wake => client.handle(now, ClientInput::Wake, effects),
            Command::Redial { address, wait } => {
                let address = address.map(Text::from);
                client.handle(now, ClientInput::Redial { address, wait }, effects);
            }
            Command::Ping { node, timeout } => {
                let call = client.ping(now, node, timeout, effects);
                self.count(call);
            }
        }
        self.settle(results);
    }

    fn on_message(&mut self, now: Now, link: Link, bytes: Bytes, results: &mut Results) {
        for frame in codec::frames(bytes, LINK_FRAME_BYTES_MAX) {
            match frame.and_then(codec::decode_answer) {
                Ok(message) => {
                    let input = ClientInput::Frame { link, message };
                    self.client.handle(now, input, &mut self.effects);
                }
                Err(error) if !error.is_recoverable() => {
                    results.hangup(link);
                    self.forget(link);
                    self.client.handle(now, ClientInput::Closed(link), &mut self.effects);
                    return;
                }
                // A frame that is newer than this client is not meant for it.
                Err(_) => {}
            }
            self.settle(results);
        }
    }

    fn count(&mut self, call: CallId) {
        self.calls += 1;
        assert_eq!(call.0, self.calls, "requests are counted from 1");
    }

    fn settle(&mut self, results: &mut Results) {
        while let Some(effect) = self.effects.pop() {
            match effect {
                ClientEffect::Dial { link, address } => results.dial(link, &address),
                ClientEffect::Send { link, message } => self.send(link, &message, results),
                ClientEffect::Hangup(link) => {
                    if let Some(frames) = self.forget(link)
                        && !frames.is_empty()
                    {
                        results.send(link, &frames);
                    }
                    results.hangup(link);
                }
                ClientEffect::Complete { call, result } => results.complete(call, &result),
                ClientEffect::Pong { call, took } => results.pong(call, took),
                ClientEffect::Observe(event) => observe(&event, results),
            }
        }
    }

    /// What was to be sent on a link that is no more.
    fn forget(&mut self, link: Link) -> Option<Vec<u8>> {
        let index = self.outgoing.iter().position(|(one, _)| *one == link)?;
        Some(self.outgoing.swap_remove(index).1)
    }

    fn send(&mut self, link: Link, message: &Message, results: &mut Results) {
        let known = self.outgoing.iter().position(|(one, _)| *one == link);
        let index = known.unwrap_or_else(|| {
            self.outgoing.push((link, Vec::new()));
            self.outgoing.len() - 1
        });
        let Some((_, frames)) = self.outgoing.get_mut(index) else { return };
        let before = frames.len();
        codec::encode_request(message, frames);
        if before > 0 && frames.len() > FRAME_BYTES_MAX {
            results.send(link, frames.get(..before).unwrap_or_default());
            frames.drain(..before);
        }
    }
}

#[cold]
fn observe(event: &ClientEvent, results: &mut Results) {
    match event {
        ClientEvent::Connected { node, address } => results.connected(*node, address),
        ClientEvent::Disconnected { node, address } => results.disconnected(*node, address),
        ClientEvent::NodeDown { node, reason } => results.node_down(*node, *reason),
        ClientEvent::NodeUp { node } => results.node_up(*node),
        ClientEvent::LayoutChanged { version } => results.layout(version.0),
        ClientEvent::Rejected { address, reject } => results.rejected(address, reject),
        // An event that is newer than this face has no listener.
        _ => {}
    }
}
