//! One task per connection: reads and decodes whatever is there, writes whatever is gathered.

use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use quorate_core::codec;
use quorate_core::message::{Message, Unsupported};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{self, Instant, Interval, Sleep};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::outbox::{End, Outbox, Outgoing};
use crate::moved::moved_from;

const PING_INTERVAL: Duration = Duration::from_secs(15);

/// Pings without a sign of life after which the other end is dead: 45 s.
const SILENT_PINGS_MAX: u32 = 3;

/// Outbound bytes above which a client is not read from.
const PAUSE_BYTES: usize = 4 * 1024 * 1024;

/// Bytes read in one turn before others get theirs.
const TURN_BYTES: usize = 512 * 1024;

/// Frames that one WebSocket message may hold: decoded, they are larger than their bytes.
const FRAMES_MAX: usize = 128 * 1024;

/// Messages that are delivered together: a list of this length comes back from the allocator warm.
const DELIVERED_AT_ONCE: usize = 64;

/// How long an orderly end may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// What a pump is told once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PumpOptions {
    /// Longest frame that is accepted.
    pub(crate) frame_bytes_max: usize,
    /// Whether reading pauses while the other end does not read. Never between two nodes: they
    /// would wait for each other.
    pub(crate) pauses: bool,
    /// Whether what comes in is of no use from the start.
    pub(crate) deaf: bool,
}

/// A connection after its handshake. `deliver` gets the messages of each read, decoded.
pub(crate) struct Pump<D> {
    socket: WebSocketStream<TcpStream>,
    outbox: Arc<Outbox>,
    options: PumpOptions,
    deliver: D,
    /// Bytes handed to the socket and not yet flushed.
    flushing: Option<usize>,
    /// How many messages were delivered last, for the room of the next ones.
    delivered: usize,
    /// Reading stopped at `PAUSE_BYTES`.
    paused: bool,
    /// What comes in is of no use: its frames or sizes are broken.
    deaf: bool,
    /// The close frame is written.
    closed: bool,
    ping: Interval,
    /// Whether anything came in since the last ping.
    heard: bool,
    silent_pings: u32,
    /// Runs from the moment the end was asked for.
    close_deadline: Option<Pin<Box<Sleep>>>,
}

/// Why a connection ended, for the log.
type Ended = String;

impl<D: FnMut(Vec<Message>)> Pump<D> {
    pub(crate) fn new(
        socket: WebSocketStream<TcpStream>,
        outbox: Arc<Outbox>,
        options: PumpOptions,
        deliver: D,
    ) -> Pump<D> {
        Pump {
            socket,
            outbox,
            options,
            deliver,
            flushing: None,
            delivered: 0,
            paused: false,
            deaf: options.deaf,
            closed: false,
            ping: time::interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL),
            heard: true,
            silent_pings: 0,
            close_deadline: None,
        }
    }

    /// Runs until the connection is gone.
    pub(crate) async fn run(mut self) -> Ended {
        let ended = poll_fn(|context| self.poll_turn(context)).await;
        if self.deaf {
            linger(self.socket.into_inner()).await;
        }
        ended
    }

    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        if let Poll::Ready(ended) = self.poll_time(context) {
            return Poll::Ready(ended);
        }
        if let Poll::Ready(ended) = self.poll_read(context) {
            return Poll::Ready(ended);
        }
        self.poll_write(context)
    }

    fn poll_time(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        while self.ping.poll_tick(context).is_ready() {
            self.silent_pings = if self.heard { 0 } else { self.silent_pings + 1 };
            self.heard = false;
            if self.silent_pings >= SILENT_PINGS_MAX {
                return Poll::Ready("the other end is silent".into());
            }
            if self.flushing.is_none() && !self.closed {
                let ping = tungstenite::Message::Ping(Bytes::new());
                if let Err(error) = self.socket.start_send_unpin(ping) {
                    return Poll::Ready(error.to_string());
                }
                self.flushing = Some(0);
            }
        }
        if self.close_deadline.is_none() && self.outbox.is_ending() {
            self.close_deadline = Some(Box::pin(time::sleep(CLOSE_TIMEOUT)));
        }
        match &mut self.close_deadline {
            Some(deadline) => deadline.as_mut().poll(context).map(|()| "closed in a hurry".into()),
            None => Poll::Pending,
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        let mut messages = Vec::new();
        let mut bytes = 0;
        let ended = loop {
            if self.deaf {
                break Poll::Pending;
            }
            self.paused = self.options.pauses && self.outbox.backlog() > PAUSE_BYTES;
            if self.paused {
                break Poll::Pending;
            }
            if bytes > TURN_BYTES {
                context.waker().wake_by_ref();
                break Poll::Pending;
            }
            match self.socket.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(message))) => {
                    self.heard = true;
                    bytes += message.len();
                    self.decode(message, &mut messages);
                }
                Poll::Ready(Some(Err(tungstenite::Error::Capacity(error)))) => {
                    self.refuse(error.to_string(), CloseCode::Size, "message too long");
                }
                Poll::Ready(Some(Err(error))) => break Poll::Ready(error.to_string()),
                Poll::Ready(None) => break Poll::Ready("closed by the other end".into()),
                Poll::Pending => break Poll::Pending,
            }
        };
        self.deliver(&mut messages);
        ended
    }

    fn deliver(&mut self, messages: &mut Vec<Message>) {
        if !messages.is_empty() {
            self.delivered = messages.len();
            (self.deliver)(mem::take(messages));
        }
    }

    fn decode(&mut self, message: tungstenite::Message, messages: &mut Vec<Message>) {
        let bytes = match message {
            tungstenite::Message::Binary(bytes) => bytes,
            tungstenite::Message::Text(_) => {
                self.answer_unsupported("a text message: frames are binary".into());
                return;
            }
            tungstenite::Message::Ping(_)
            | tungstenite::Message::Pong(_)
            | tungstenite::Message::Close(_)
            | tungstenite::Message::Frame(_) => return,
        };
        // One answer per WebSocket message: noise is cheap to send, its answers are not.
        let mut first_error = None;
        let whole = bytes.len();
        for (number, frame) in codec::frames(bytes, self.options.frame_bytes_max).enumerate() {
            let body = match frame {
                Ok(body) if number < FRAMES_MAX => body,
                Ok(_) => {
                    let text = format!("more than {FRAMES_MAX} frames in one message");
                    return self.refuse(text, CloseCode::Size, "too many frames");
                }
                Err(error) => {
                    return self.refuse(error.to_string(), CloseCode::Invalid, "broken framing");
                }
            };
            match codec::decode(moved_from(whole, body)) {
                Ok(message) => {
                    if messages.is_empty() {
                        messages.reserve(self.delivered);
                    }
                    messages.push(message);
                    if messages.len() >= DELIVERED_AT_ONCE {
                        self.deliver(messages);
                    }
                }
                Err(error) => {
                    first_error.get_or_insert(error);
                }
            }
        }
        if let Some(error) = first_error {
            self.answer_unsupported(error.to_string());
        }
    }

    /// Tells the other end what was wrong; the connection lives.
    fn answer_unsupported(&self, text: String) {
        tracing::debug!(text, "a frame is not understood");
        self.outbox.push(&Message::Unsupported(Unsupported { text }));
    }

    /// Tells the other end what was wrong, and ends.
    fn refuse(&mut self, text: String, code: CloseCode, reason: &'static str) {
        self.answer_unsupported(text);
        self.outbox.close(code, reason);
        self.deaf = true;
    }

    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Ended> {
        loop {
            if let Some(bytes) = self.flushing {
                if let Err(error) = ready!(self.socket.poll_flush_unpin(context)) {
                    return Poll::Ready(error.to_string());
                }
                self.flushing = None;
                self.outbox.sent(bytes);
                if self.paused {
                    context.waker().wake_by_ref();
                }
            }
            if self.closed {
                // What is left is the other end's close frame; if it is not waited for, all is said.
                return if self.deaf { Poll::Ready("refused".into()) } else { Poll::Pending };
            }
            let (message, bytes) = match ready!(self.outbox.poll_take(context)) {
                Outgoing::Message(buffer) => {
                    let bytes = buffer.len();
                    (tungstenite::Message::Binary(Bytes::from(buffer)), bytes)
                }
                Outgoing::End(End::Close(code, reason)) => {
                    self.closed = true;
                    let frame = CloseFrame { code, reason: reason.into() };
                    (tungstenite::Message::Close(Some(frame)), 0)
                }
                Outgoing::End(End::Abort) => {
                    return Poll::Ready("too many bytes wait to be read".into());
                }
            };
            let mut kept = if let tungstenite::Message::Binary(buffer) = &message {
                buffer.clone()
            } else {
                Bytes::new()
            };
            if let Err(error) = self.socket.start_send_unpin(message) {
                return Poll::Ready(error.to_string());
            }
            self.flushing = Some(bytes);
            // The socket has copied the message, so this is the only handle to its buffer.
            kept.clear();
            self.outbox.give_back(Vec::from(kept));
        }
    }
}

/// Reads what the other end still sends, for a moment: closing a socket with unread bytes would
/// take back the answer that it is to read.
async fn linger(mut stream: TcpStream) {
    let drain = async {
        stream.shutdown().await?;
        let mut scratch = [0; 16 * 1024];
        while stream.read(&mut scratch).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // Whatever comes of it, the connection is dropped.
    let _ = time::timeout(CLOSE_TIMEOUT, drain).await;
}
