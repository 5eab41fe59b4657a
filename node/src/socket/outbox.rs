//! What is to be sent on one connection: encoded frames, gathered until the end of a turn.
//!
//! ```text
//!   push push push ... wake          poll_take
//!   [open: frames]  --MESSAGE_BYTES--> [sealed] [sealed] ---> one WebSocket message each
//! ```
//!
//! The driver appends to one buffer and wakes the connection once per turn; the connection sends
//! the buffer as one WebSocket message and gives it back.

use std::collections::VecDeque;
use std::mem;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use quorate_core::codec;
use quorate_core::message::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::mailbox::lock;

/// A message that is at least this long is sealed: the next frame begins another one.
pub(super) const MESSAGE_BYTES: usize = 1024 * 1024;

/// A connection that has more than this to send is cut: the other end does not read.
pub(crate) const BACKLOG_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A sent buffer of more than this is not kept for the next message.
const KEPT_BYTES_MAX: usize = 2 * MESSAGE_BYTES;

/// The sending half of a connection, shared by the driver and the connection's pump.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Messages that are full.
    sealed: VecDeque<Vec<u8>>,
    /// The message that still grows.
    open: Vec<u8>,
    /// A sent buffer, for the next message.
    spare: Vec<u8>,
    /// Bytes in `sealed`, in `open`, and on their way.
    backlog: usize,
    end: Option<End>,
    /// The pump, while there is nothing to send.
    pump: Option<Waker>,
}

/// How a connection is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// After everything is sent, with this code and reason.
    Close(CloseCode, &'static str),
    /// At once.
    Abort,
}

/// What the pump is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outgoing {
    Message(Vec<u8>),
    End(End),
}

impl Outbox {
    pub(crate) fn new() -> Outbox {
        Outbox { state: Mutex::default() }
    }

    /// Appends a frame. It leaves with the next [`wake`](Outbox::wake).
    pub(crate) fn push(&self, message: &Message) {
        let mut state = lock(&self.state);
        if state.end.is_some() {
            return;
        }
        let former = state.open.len();
        codec::encode(message, &mut state.open);
        state.backlog += state.open.len() - former;
        if state.open.len() >= MESSAGE_BYTES {
            let spare = mem::take(&mut state.spare);
            let full = mem::replace(&mut state.open, spare);
            state.sealed.push_back(full);
        }
        if state.backlog > BACKLOG_BYTES_MAX {
            *state = State { end: Some(End::Abort), pump: state.pump.take(), ..State::default() };
        }
    }

    /// Lets the pump send what was pushed.
    pub(crate) fn wake(&self) {
        let pump = lock(&self.state).pump.take();
        if let Some(pump) = pump {
            pump.wake();
        }
    }

    /// Closes the connection once everything that was pushed is sent.
    pub(crate) fn close(&self, code: CloseCode, reason: &'static str) {
        lock(&self.state).end.get_or_insert(End::Close(code, reason));
        self.wake();
    }

    /// Bytes that are not sent yet.
    pub(super) fn backlog(&self) -> usize {
        lock(&self.state).backlog
    }

    /// Whether the connection is to end.
    pub(super) fn is_ending(&self) -> bool {
        lock(&self.state).end.is_some()
    }

    /// The next message or, behind all of them, the end.
    pub(super) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Outgoing> {
        let mut state = lock(&self.state);
        if let Some(message) = state.sealed.pop_front() {
            return Poll::Ready(Outgoing::Message(message));
        }
        if !state.open.is_empty() {
            let spare = mem::take(&mut state.spare);
            return Poll::Ready(Outgoing::Message(mem::replace(&mut state.open, spare)));
        }
        if let Some(end) = &state.end {
            return Poll::Ready(Outgoing::End(end.clone()));
        }
        let waits = state.pump.as_ref().is_some_and(|pump| pump.will_wake(context.waker()));
        if !waits {
            state.pump = Some(context.waker().clone());
        }
        Poll::Pending
    }

    /// Takes back the buffer of a message, emptied.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        debug_assert!(buffer.is_empty());
        let mut state = lock(&self.state);
        if buffer.capacity() <= KEPT_BYTES_MAX && buffer.capacity() > state.spare.capacity() {
            state.spare = buffer;
        }
    }

    /// Counts bytes that have left.
    pub(super) fn sent(&self, bytes: usize) {
        let mut state = lock(&self.state);
        // An abort has set the count to zero.
        state.backlog = state.backlog.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use quorate_core::message::Unsupported;

    use super::*;

    fn message(bytes: usize) -> Message {
        Message::Unsupported(Unsupported { text: "x".repeat(bytes) })
    }

    fn take_all(outbox: &Outbox) -> Vec<Outgoing> {
        let mut context = Context::from_waker(Waker::noop());
        let mut ended = false;
        iter::from_fn(|| match outbox.poll_take(&mut context) {
            _ if ended => None,
            Poll::Ready(outgoing) => {
                ended = matches!(outgoing, Outgoing::End(_));
                Some(outgoing)
            }
            Poll::Pending => None,
        })
        .collect()
    }

    #[test]
    fn frames_share_a_message_until_it_is_full() {
        let outbox = Outbox::new();
        (0..10).for_each(|_| outbox.push(&message(MESSAGE_BYTES / 4)));
        assert_eq!(take_all(&outbox).len(), 3);
        outbox.push(&message(1));
        outbox.push(&message(1));
        assert_eq!(take_all(&outbox).len(), 1);
    }

    #[test]
    fn the_end_comes_behind_what_was_pushed() {
        let outbox = Outbox::new();
        outbox.push(&message(1));
        outbox.close(CloseCode::Normal, "done");
        outbox.push(&message(1));
        let taken = take_all(&outbox);
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[1], Outgoing::End(End::Close(CloseCode::Normal, "done")));
    }

    #[test]
    fn a_reader_that_does_not_read_is_cut() {
        let outbox = Outbox::new();
        (0..65).for_each(|_| outbox.push(&message(MESSAGE_BYTES)));
        assert_eq!(take_all(&outbox), [Outgoing::End(End::Abort)]);
        assert_eq!(outbox.backlog(), 0);
    }
}
