//! What is to be sent on one connection: encoded frames by class, gathered until the end of a turn.
//!
//! ```text
//!            push push push ... wake              poll_take
//!   Control  [open: frames]                      ------+
//!   Client   [sealed] [sealed] [open: frames]    ------+---> one WebSocket message
//!   Repair   [open: frames]                      ------+     of all that fits
//!   Handoff  [open: frames]                      ------+
//! ```
//!
//! The driver appends to one buffer per class and wakes the connection once per turn; the
//! connection sends what waits, the most urgent class first, and gives the buffer back.

use std::collections::VecDeque;
use std::mem;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use quorate_core::codec;
use quorate_core::message::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::class::{Class, Overflow};
use crate::mailbox::lock;

/// A buffer that is at least this long is sealed: the next frame of its class begins another one.
/// Longer ones leave the processor's cache before they are sent, and the allocator gives what takes
/// more than 512 KiB back to the system each time, to be cleared page by page for the next one.
pub(super) const MESSAGE_BYTES: usize = 128 * 1024;

/// What waits in several buffers shares a message up to this length.
const GATHERED_BYTES_MAX: usize = 2 * MESSAGE_BYTES;

/// Sent buffers are kept for the next messages as long as all of them take no more than this.
const KEPT_BYTES_MAX: usize = 8 * MESSAGE_BYTES;

/// The sending half of a connection, shared by the driver and the connection's pump.
#[derive(Debug)]
pub(crate) struct Outbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of [`Class::ALL`].
    lanes: [Lane; Class::ALL.len()],
    /// Sent buffers, for the next messages.
    spare: Vec<Vec<u8>>,
    /// Bytes in all lanes and on their way.
    backlog: usize,
    end: Option<End>,
    /// The pump, while there is nothing to send.
    pump: Option<Waker>,
}

/// What waits in one class.
#[derive(Debug, Default)]
struct Lane {
    /// Buffers that are full.
    sealed: VecDeque<Vec<u8>>,
    /// The buffer that still grows.
    open: Vec<u8>,
    /// Bytes in all of them.
    bytes: usize,
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

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It waits, or the connection ends anyway.
    Waits,
    /// Its class had too much to send and can do without it.
    Dropped,
}

impl Outbox {
    pub(crate) fn new() -> Outbox {
        Outbox { state: Mutex::default() }
    }

    /// Appends a frame. It leaves with the next [`wake`](Outbox::wake).
    pub(crate) fn push(&self, message: &Message) -> Pushed {
        let mut state = lock(&self.state);
        if state.end.is_some() {
            return Pushed::Waits;
        }
        let State { lanes, spare, backlog, .. } = &mut *state;
        let class = Class::of(message);
        let lane = &mut lanes[class as usize];
        if lane.open.capacity() == 0 {
            lane.open = spare.pop().unwrap_or_default();
        }
        let former = lane.open.len();
        codec::encode(message, &mut lane.open);
        let bytes = lane.open.len() - former;
        let (most, overflow) = class.limit();
        if lane.bytes > 0 && lane.bytes + bytes > most {
            match overflow {
                Overflow::Cut => {
                    let pump = state.pump.take();
                    *state = State { end: Some(End::Abort), pump, ..State::default() };
                    return Pushed::Waits;
                }
                Overflow::Drop => {
                    lane.open.truncate(former);
                    return Pushed::Dropped;
                }
            }
        }
        lane.bytes += bytes;
        *backlog += bytes;
        if lane.open.len() >= MESSAGE_BYTES {
            lane.sealed.push_back(mem::take(&mut lane.open));
        }
        Pushed::Waits
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
    pub(crate) fn is_ending(&self) -> bool {
        lock(&self.state).end.is_some()
    }

    /// The next message or, behind all of them, the end.
    pub(super) fn poll_take(&self, context: &mut Context<'_>) -> Poll<Outgoing> {
        let mut state = lock(&self.state);
        if let Some(message) = state.gather() {
            return Poll::Ready(Outgoing::Message(message));
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
        lock(&self.state).keep(buffer);
    }

    /// Counts bytes that have left.
    pub(super) fn sent(&self, bytes: usize) {
        let mut state = lock(&self.state);
        // An abort has set the count to zero.
        state.backlog = state.backlog.saturating_sub(bytes);
    }
}

impl State {
    /// What waits, the most urgent first, as far as it fits into one message. Nearly always that is
    /// one buffer, which is moved; only what joins it is copied.
    fn gather(&mut self) -> Option<Vec<u8>> {
        let mut message: Option<Vec<u8>> = None;
        for index in 0..self.lanes.len() {
            let Some(next) = self.lanes[index].next_bytes() else { continue };
            let gathered = message.as_ref().map_or(0, Vec::len);
            if gathered > 0 && gathered + next > GATHERED_BYTES_MAX {
                break;
            }
            let buffer = self.lanes[index].take();
            match &mut message {
                Some(message) => {
                    message.extend_from_slice(&buffer);
                    self.keep(buffer);
                }
                None => message = Some(buffer),
            }
            if self.lanes[index].bytes > 0 {
                break;
            }
        }
        message
    }

    fn keep(&mut self, mut buffer: Vec<u8>) {
        let kept: usize = self.spare.iter().map(Vec::capacity).sum();
        if buffer.capacity() > 0 && kept + buffer.capacity() <= KEPT_BYTES_MAX {
            buffer.clear();
            self.spare.push(buffer);
        }
    }
}

impl Lane {
    /// Length of the first buffer.
    fn next_bytes(&self) -> Option<usize> {
        let first = self.sealed.front().unwrap_or(&self.open);
        (!first.is_empty()).then_some(first.len())
    }

    fn take(&mut self) -> Vec<u8> {
        let buffer = self.sealed.pop_front().unwrap_or_else(|| mem::take(&mut self.open));
        self.bytes -= buffer.len();
        buffer
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use bytes::Bytes;
    use quorate_core::causality::Record;
    use quorate_core::ids::{Epoch, Key};
    use quorate_core::layout::LayoutVersion;
    use quorate_core::limits::LINK_FRAME_BYTES_MAX;
    use quorate_core::message::{CallId, MergeReason, ReplicaMerge, Unsupported};

    use super::super::class::{CLIENT_BYTES_MAX, CONTROL_BYTES_MAX, HANDOFF_BYTES_MAX};
    use super::*;

    fn control(bytes: usize) -> Message {
        Message::Unsupported(Unsupported { text: "x".repeat(bytes) })
    }

    /// A frame of a little more than 1 KiB, numbered.
    fn merge(call: u64, reason: MergeReason) -> Message {
        Message::ReplicaMerge(ReplicaMerge {
            call: CallId(call),
            key: Key::from(vec![b'k'; 1024]),
            record: Record::default(),
            hint_for: None,
            reason,
            epoch: Epoch(1),
            layout_version: LayoutVersion(0),
        })
    }

    /// More frames of [`merge`] than so many bytes hold.
    fn more_than(bytes: usize) -> u64 {
        bytes as u64 / 1024 + 1
    }

    fn take(outbox: &Outbox) -> Option<Outgoing> {
        match outbox.poll_take(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outgoing) => Some(outgoing),
            Poll::Pending => None,
        }
    }

    fn take_all(outbox: &Outbox) -> Vec<Outgoing> {
        let mut ended = false;
        iter::from_fn(|| {
            let outgoing = take(outbox).filter(|_| !ended);
            ended = matches!(outgoing, Some(Outgoing::End(_)));
            outgoing
        })
        .collect()
    }

    /// The frames of all messages that wait.
    fn frames(outbox: &Outbox) -> Vec<Message> {
        let frames = take_all(outbox).into_iter().flat_map(|outgoing| match outgoing {
            Outgoing::Message(bytes) => codec::frames(Bytes::from(bytes), LINK_FRAME_BYTES_MAX),
            Outgoing::End(end) => panic!("{end:?}"),
        });
        frames.map(|frame| codec::decode(frame.unwrap()).unwrap()).collect()
    }

    #[test]
    fn frames_share_a_message_until_it_is_full() {
        let outbox = Outbox::new();
        for _ in 0..10 {
            outbox.push(&control(MESSAGE_BYTES / 4));
        }
        assert_eq!(take_all(&outbox).len(), 3);
        outbox.push(&control(1));
        outbox.push(&merge(1, MergeReason::Handoff));
        outbox.push(&merge(2, MergeReason::Write));
        assert_eq!(take_all(&outbox).len(), 1);
    }

    #[test]
    fn the_urgent_overtake_and_each_class_keeps_its_order() {
        let outbox = Outbox::new();
        let pushed = [
            merge(1, MergeReason::Handoff),
            merge(2, MergeReason::Repair),
            merge(3, MergeReason::Write),
            control(1),
            merge(4, MergeReason::Handoff),
            merge(5, MergeReason::Write),
            control(2),
        ];
        for message in &pushed {
            outbox.push(message);
        }
        let order = [3, 6, 2, 5, 1, 0, 4].map(|index: usize| pushed[index].clone());
        assert_eq!(frames(&outbox), order);
    }

    #[test]
    fn the_urgent_wait_for_no_more_than_the_message_under_way() {
        let outbox = Outbox::new();
        (0..more_than(4 * MESSAGE_BYTES)).for_each(|call| {
            outbox.push(&merge(call, MergeReason::Write));
        });
        assert!(take(&outbox).is_some());
        outbox.push(&control(1));
        assert_eq!(frames(&outbox).first(), Some(&control(1)));
    }

    #[test]
    fn buffers_that_were_sent_are_filled_again_and_no_more_than_some_are_kept() {
        let outbox = Outbox::new();
        let fill = || {
            (0..4).for_each(|_| {
                outbox.push(&control(MESSAGE_BYTES));
            });
        };
        let sent = || {
            take_all(&outbox).into_iter().map(|outgoing| match outgoing {
                Outgoing::Message(buffer) => buffer,
                Outgoing::End(end) => panic!("{end:?}"),
            })
        };
        fill();
        let first: Vec<Vec<u8>> = sent().collect();
        let places: Vec<*const u8> = first.iter().map(|buffer| buffer.as_ptr()).collect();
        first.into_iter().for_each(|buffer| outbox.give_back(buffer));
        fill();
        assert!(sent().all(|buffer| places.contains(&buffer.as_ptr())));
        (0..100).for_each(|_| outbox.give_back(Vec::with_capacity(MESSAGE_BYTES)));
        outbox.give_back(Vec::with_capacity(KEPT_BYTES_MAX + 1));
        let kept: usize = lock(&outbox.state).spare.iter().map(Vec::capacity).sum();
        assert_eq!(kept, KEPT_BYTES_MAX);
    }

    #[test]
    fn the_end_comes_behind_what_was_pushed() {
        let outbox = Outbox::new();
        outbox.push(&control(1));
        outbox.close(CloseCode::Normal, "done");
        outbox.push(&control(1));
        let taken = take_all(&outbox);
        assert_eq!(taken.len(), 2);
        assert_eq!(taken[1], Outgoing::End(End::Close(CloseCode::Normal, "done")));
    }

    #[test]
    fn a_reader_that_does_not_read_is_cut() {
        let outbox = Outbox::new();
        for call in 0..more_than(CLIENT_BYTES_MAX) {
            outbox.push(&merge(call, MergeReason::Write));
        }
        assert_eq!(take_all(&outbox), [Outgoing::End(End::Abort)]);
        assert_eq!(outbox.backlog(), 0);

        let outbox = Outbox::new();
        (0..=CONTROL_BYTES_MAX / MESSAGE_BYTES).for_each(|_| {
            outbox.push(&control(MESSAGE_BYTES));
        });
        assert_eq!(take_all(&outbox), [Outgoing::End(End::Abort)]);
    }

    #[test]
    fn hints_that_find_no_room_are_dropped_and_the_connection_lives() {
        let outbox = Outbox::new();
        let calls = more_than(HANDOFF_BYTES_MAX);
        let dropped = (0..calls)
            .filter(|call| outbox.push(&merge(*call, MergeReason::Handoff)) == Pushed::Dropped);
        let dropped = dropped.count();
        assert!(dropped > 0);
        assert_eq!(outbox.push(&merge(calls, MergeReason::Repair)), Pushed::Waits);
        let sent = frames(&outbox);
        assert_eq!(sent.len() + dropped, calls as usize + 1);
        assert_eq!(outbox.push(&merge(0, MergeReason::Handoff)), Pushed::Waits, "there is room");
    }

    #[test]
    fn one_frame_finds_room_however_long_it_is() {
        let outbox = Outbox::new();
        outbox.push(&control(CONTROL_BYTES_MAX + 1));
        assert_eq!(frames(&outbox), [control(CONTROL_BYTES_MAX + 1)]);
    }
}
