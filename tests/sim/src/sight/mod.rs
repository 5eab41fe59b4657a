//! What a world looks like to somebody who watches it: what happens, and what there is.
//!
//! ```text
//!   World --Observation, Detail--> Sight --> Happening ...        in the order of their times
//!         --View::of, Location::of-------> the nodes, the ring, a key, at one moment
//! ```
//!
//! Watching changes nothing: a run that is watched has the same trace as one that is not.

mod causes;
mod happening;
mod location;
mod milliseconds;
mod outcome;
mod recorder;
mod view;

use std::collections::VecDeque;

use quorate_core::ids::{Incarnation, Key, NodeId};
use quorate_core::machine::{HeldAs, Ticket};
use quorate_core::message::Message;
use quorate_core::time::Instant;

use crate::detail::{Detail, Obstacle};
use crate::network::End;
use crate::observation::{
    Applied, Asked, CallEnded, CallStarted, Caller, Crashed, Ending, Observation, Removed,
    Replaced, Resumed, Sent, Started, Told,
};
use crate::trace::{Lives, Ties, Words, frame};
pub(crate) use causes::Cause;
use causes::Causes;
pub use happening::{FrameLoss, Happening, What, WhatOfNode, Wish};
pub use location::{Copy, Location, Sibling, Skipped, Step};
pub use milliseconds::Milliseconds;
pub use outcome::{Outcome, Receipt, StandIn};
pub(crate) use recorder::Recorder;
pub use recorder::Watched;
pub use view::{Cut, HintsFor, KeyView, LinkView, NodeView, Seen, SpanView, UnderWay, View};

/// Collects what happens.
pub(crate) struct Sight {
    happenings: VecDeque<Happening>,
    ties: Ties,
    lives: Lives,
    causes: Causes,
    recorder: Option<Recorder>,
}

impl Sight {
    pub(crate) fn new() -> Sight {
        Sight {
            happenings: VecDeque::new(),
            ties: Ties::new(None),
            lives: Lives::new(),
            causes: Causes::default(),
            recorder: None,
        }
    }

    /// One that also keeps views, and gives up the oldest happenings where they become too many.
    pub(crate) fn recording(recorder: Recorder) -> Sight {
        Sight { recorder: Some(recorder), ..Sight::new() }
    }

    /// Tells which life of a node its data call so.
    pub(crate) fn name_life(&mut self, node: NodeId, incarnation: Incarnation, life: u64) {
        self.lives.insert((node, incarnation), life);
    }

    pub(crate) fn lives(&self) -> &Lives {
        &self.lives
    }

    /// What happened since this was asked last.
    pub(crate) fn take(&mut self) -> Vec<Happening> {
        std::mem::take(&mut self.happenings).into()
    }

    /// What was seen of a run that is over.
    pub(crate) fn into_watched(self) -> Watched {
        let (views, since) = self.recorder.map(Recorder::into_parts).unwrap_or_default();
        Watched { happenings: self.happenings.into(), views, since }
    }

    pub(crate) fn recorder(&mut self) -> Option<&mut Recorder> {
        self.recorder.as_mut()
    }

    /// The call because of which the last frame was sent.
    pub(crate) fn cause(&self) -> Cause {
        self.causes.of_last_frame()
    }

    /// A frame arrives: what comes of it has its cause.
    pub(crate) fn on_arrival(&mut self, cause: Cause) {
        self.causes.begin_step(cause);
    }

    /// A node asks its storage for something.
    pub(crate) fn on_store(&mut self, node: usize, ticket: Ticket) {
        self.causes.store(node, ticket);
    }

    /// A node learns what its storage answers: what comes of it has the cause of the question.
    pub(crate) fn on_stored(&mut self, node: usize, ticket: Ticket) {
        self.causes.stored(node, ticket);
    }

    /// An event is over: what comes next has nothing to do with it.
    pub(crate) fn on_event_over(&mut self) {
        self.causes.begin_step(Cause::default());
    }

    /// When the frame that was sent last arrives, and when it does so once more.
    pub(crate) fn on_fate(&mut self, [arrives, again]: [Option<Instant>; 2]) {
        let Some(last) = self.happenings.back_mut() else { return };
        let mut copy = again.map(|again| (last.clone(), again));
        last.set_arrival(arrives);
        if let Some((copy, again)) = &mut copy {
            copy.set_arrival(Some(*again));
        }
        self.happenings.extend(copy.map(|(copy, _)| copy));
    }

    pub(crate) fn observe(&mut self, now: Instant, seen: &Observation<'_>) {
        self.ties.learn(seen);
        let step = self.causes.step();
        match *seen {
            Observation::CallStarted(CallStarted {
                caller: Caller::Client(client),
                call,
                key,
                asked,
                ..
            }) => {
                let number = self.causes.call(client, call);
                let (asks, value) = match asked {
                    Asked::Get | Asked::Session { .. } => (Wish::Get, None),
                    Asked::Put { value, .. } => (Wish::Put, Some(text(value))),
                    Asked::Delete { .. } => (Wish::Delete, None),
                };
                let what = What::Call { call: number, client, asks, key: name(key), value };
                self.keep(now, Some(number), what);
            }
            Observation::CallEnded(CallEnded {
                caller: Caller::Client(client),
                call,
                ending: Ending::Client(ended),
            }) => {
                let Some(number) = self.causes.number(client, call) else { return };
                let outcome = Box::new(Outcome::of(ended));
                self.keep(now, Some(number), What::Ended { call: number, outcome });
            }
            Observation::Sent(Sent { from, to, message }) => {
                let cause = self.causes.sent(from, to, message);
                let what = self.frame(from, to, message, None);
                self.keep(now, cause, what);
            }
            Observation::Applied(Applied { node, copy, key, applied, record, .. }) => {
                if applied.is_some_and(|applied| !applied.changed) {
                    return;
                }
                let siblings = record.siblings().map(|(_, sibling)| location::value_of(sibling));
                let siblings = siblings.collect();
                let hint_for = hint_for(copy);
                self.keep(now, step, What::Stored { node, key: name(key), hint_for, siblings });
            }
            Observation::Removed(Removed { node, copy, key, .. }) => {
                let hint_for = hint_for(copy);
                self.keep(now, step, What::Removed { node, key: name(key), hint_for });
            }
            Observation::Started(Started { node, .. }) => self.node(now, node, WhatOfNode::Up),
            Observation::Crashed(Crashed { node, .. }) => self.node(now, node, WhatOfNode::Down),
            Observation::Replaced(Replaced { node, .. }) => self.node(now, node, WhatOfNode::Wiped),
            Observation::Resumed(Resumed { node, .. }) => self.node(now, node, WhatOfNode::Resumed),
            Observation::Told(Told { node, event }) => {
                let mut words = self.words();
                words.event(event);
                let what = What::Told {
                    node,
                    name: happening::event_name(event),
                    text: words.text,
                    key: event.key().map(name),
                };
                self.keep(now, step, what);
            }
            // Requests by hand have no client that could be shown.
            Observation::CallStarted(CallStarted { caller: Caller::Hand(_), .. })
            | Observation::CallEnded(_)
            | Observation::Handed(_)
            | Observation::Cancelled(_)
            | Observation::CallerGone(_)
            | Observation::CallerThawed(_)
            | Observation::Closed(_)
            | Observation::Delivered(_)
            | Observation::Synced(_)
            | Observation::Stopped(_)
            | Observation::Destroyed(_)
            | Observation::Stepped(_) => {}
        }
    }

    pub(crate) fn detail(&mut self, now: Instant, seen: &Detail<'_>) {
        match *seen {
            Detail::Stopped { from, to, message, by } => {
                self.on_stopped(now, (from, to), message, by)
            }
            Detail::Paused { node } => self.node(now, node, WhatOfNode::Paused),
            Detail::Answered { .. }
            | Detail::Learned { .. }
            | Detail::SyncFailed { .. }
            | Detail::Frozen { .. } => {}
        }
    }

    fn on_stopped(
        &mut self,
        now: Instant,
        (from, to): (End, End),
        message: &Message,
        by: Obstacle,
    ) {
        let lost = match by {
            Obstacle::Hold | Obstacle::Rule | Obstacle::Weather => FrameLoss::Loss,
            Obstacle::Cut => FrameLoss::Cut,
            Obstacle::Unconnected => FrameLoss::Unconnected,
            Obstacle::Connection => FrameLoss::Disconnected,
            Obstacle::Receiver => FrameLoss::Nobody,
        };
        match by {
            Obstacle::Hold | Obstacle::Rule | Obstacle::Weather | Obstacle::Cut => {
                if let Some(last) = self.happenings.back_mut() {
                    last.set_loss(lost);
                }
            }
            Obstacle::Unconnected => {
                let cause = self.causes.sent(from, to, message);
                let what = self.frame(from, to, message, Some(lost));
                self.keep(now, cause, what);
            }
            Obstacle::Connection | Obstacle::Receiver => {
                let mut words = self.words();
                let key = frame(&self.ties, &mut words, (from, to), message).key.map(name);
                let (from, to) = (from.place(), to.place());
                let frame = happening::frame_name(message);
                let what = What::Dropped { frame, from, to, lost, key };
                self.keep(now, self.causes.step(), what);
            }
        }
    }

    fn frame(&self, from: End, to: End, message: &Message, lost: Option<FrameLoss>) -> What {
        let mut words = self.words();
        let key = frame(&self.ties, &mut words, (from, to), message).key.map(name);
        What::Frame {
            frame: happening::frame_name(message),
            from: from.place(),
            to: to.place(),
            arrives: None,
            lost,
            key,
            note: words.text,
        }
    }

    fn words(&self) -> Words<'_> {
        Words { text: String::new(), lives: &self.lives }
    }

    fn node(&mut self, now: Instant, node: usize, what: WhatOfNode) {
        self.keep(now, None, What::Node { node, what });
    }

    fn keep(&mut self, now: Instant, cause: Option<u64>, what: What) {
        self.happenings.push_back(Happening { at: Milliseconds(now), cause, what });
        if let Some(recorder) = &mut self.recorder {
            recorder.bound(&mut self.happenings);
        }
    }
}

/// The number of a node: ids are given in their order, from 1.
fn number(id: NodeId) -> usize {
    usize::try_from(id.0).unwrap_or(usize::MAX).wrapping_sub(1)
}

fn hint_for(copy: HeldAs) -> Option<usize> {
    match copy {
        HeldAs::Own => None,
        HeldAs::Hint { target } => Some(number(target)),
    }
}

fn name(key: &Key) -> String {
    text(key.as_bytes())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
