//! Reads that the client coordinates itself: R primaries are asked for what they hold.
//!
//! ```text
//!  get ──▶ R primaries are connected and well? ── no ──▶ a coordinator, as for any call
//!               │ yes
//!               ├──▶ the first:   READ_DATA      entry, digest
//!               └──▶ the others:  READ_DIGEST           digest
//!               │ one takes longer than usual, and the budget allows it
//!               └──▶ one more:    READ_DATA where the entry is late, else READ_DIGEST
//!          R digests alike ──▶ the entry
//!          one differs or fails, fewer than R speak ──▶ a coordinator: it merges and repairs
//! ```
//!
//! Replicas whose records have one digest would have been merged to that record. So an answer is
//! that of a coordinator that had asked the same R primaries.
//!
//! Invariant: what a copy says ends a call only together with R - 1 others that say the same. Their
//! frames have numbers of their own, so none is taken for the answer of a coordinator.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::call::{Action, Call};
use super::ending::is_intact;
use super::links::Reach;
use super::{Client, ClientEffect, Completion, Coordinate, Hedge, Link, Stage};
use crate::causality::RecordDigest;
use crate::ids::{NodeId, Text};
use crate::layout::LayoutVersion;
use crate::machine::Effects;
use crate::message::{
    Answer, CallId, Entry, FailureCode, Get, LayoutUpdate, Message, ReadKind, Receipt, Reply,
};
use crate::time::{Duration, Instant, Now};

/// Set in the numbers of frames that ask for a copy. No client makes so many calls.
const COPY: u64 = 1 << 48;

/// The copies that one call has asked for.
#[derive(Clone, Debug)]
pub(super) struct Copies {
    /// How many are a quorum.
    r: usize,
    /// Links of those who have not answered, and what each was asked for.
    awaited: Vec<(Link, ReadKind)>,
    /// What all have said who have answered: under which layout they are primaries, and the digest
    /// of what they hold.
    said: Option<(LayoutVersion, RecordDigest)>,
    /// Those who have answered.
    answered: Vec<NodeId>,
    entry: Option<(Entry, NodeId)>,
    /// Of a local call, the layout that says who is in its zone: by another one others may be.
    counted_by: Option<LayoutVersion>,
    /// Its zone, where that has primaries of the key.
    zone: Option<Text>,
    /// When the read is left to a node.
    until: Instant,
}

impl Copies {
    /// Whether an answer on that link is still to come.
    pub(super) fn awaits(&self, link: Link) -> bool {
        self.awaited.iter().any(|(awaited, _)| *awaited == link)
    }

    /// Whether enough have said the same. The entry is there then: of those who were asked all but
    /// R - 1 were asked for it, or one of them has given it.
    fn is_quorum(&self) -> bool {
        let answered = self.answered.len();
        answered
            >= sane_or!(self.r, HedgeLowersQuorum => 2 * self.r - answered - self.awaited.len())
    }

    /// Who did what. `shown` gave the values, as a coordinator would have.
    fn receipt(&self, shown: NodeId, layout_version: LayoutVersion) -> Receipt {
        Receipt {
            coordinator: shown,
            primaries: self.answered.clone(),
            repaired: Vec::new(),
            needed: u8::try_from(self.answered.len()).unwrap_or(u8::MAX),
            layout_version,
            fallbacks: Vec::new(),
            zone: self.zone.clone(),
        }
    }
}

/// The call for which a client has sent a frame with the number `frame`.
pub fn call_of(frame: CallId) -> CallId {
    CallId(frame.0 & !COPY)
}

/// Whether a number is that of a frame that asks for a copy.
pub(super) fn is_copy(call: CallId) -> bool {
    call.0 & COPY != 0
}

fn copy_of(call: CallId) -> CallId {
    CallId(call.0 | COPY)
}

impl Call {
    /// Whether R primaries can say all that is asked for.
    fn is_plain_read(&self) -> bool {
        matches!(&self.action, Action::Get { context } if context.is_empty())
    }
}

impl Client {
    /// Asks R primaries for their copies, where the client coordinates this read and so many are
    /// well. It does so once for a call.
    pub(super) fn ask_copies(
        &mut self,
        now: Now,
        id: CallId,
        out: &mut Effects<ClientEffect>,
    ) -> bool {
        let Some(call) = self.calls.get(id) else { return false };
        let is_ours = self.config.coordinate == Coordinate::Client && !self.has_gateway();
        if !is_ours || call.attempts > 0 || !call.is_plain_read() {
            return false;
        }
        let (Some(update), Some(defaults)) = (self.layout.clone(), self.defaults) else {
            return false;
        };
        let r = if call.quorum.r == 0 { defaults.r } else { call.quorum.r };
        let r = usize::from(sane_or!(r, OneCopyIsEnough => 1));
        let primaries = update.layout.primaries(update.layout.slot_of(call.key.as_bytes()));
        if !(1..=primaries.len()).contains(&r) {
            return false;
        }
        let counted = self.counted(&update, primaries, call.zone.as_ref());
        let r = r.min(counted.len());
        let zone = call.zone.clone().filter(|_| self.is_near(&update, counted[0]));
        let counted_by = call.zone.as_ref().map(|_| update.layout.version());
        let chosen = self.choose_copies(now, &update, &counted, r, out);
        if chosen.len() < r {
            return false;
        }
        self.send_for_copies(now, id, (&chosen, counted_by, zone), out);
        true
    }

    /// The first of these primaries that are connected and well, so many at most.
    fn choose_copies(
        &mut self,
        now: Now,
        update: &LayoutUpdate,
        primaries: &[NodeId],
        count: usize,
        out: &mut Effects<ClientEffect>,
    ) -> Vec<Link> {
        let most = self.in_flight_max();
        let mut chosen: Vec<Link> = Vec::with_capacity(count);
        for node in primaries {
            if chosen.len() == count {
                break;
            }
            let address = update.address(*node);
            match (self.links.reach(now, *node, address), address) {
                (Reach::Up(link), _) => {
                    let has_room = self.links.get(link).is_some_and(|it| it.in_flight() < most);
                    if has_room && !self.standings.is_busy(now, *node) {
                        chosen.push(link);
                    }
                }
                // For the next read; this one does not wait.
                (Reach::Idle { again: false }, Some(address))
                    if self.standings.down(*node).is_none() && self.links.has_room() =>
                {
                    self.links.dial(now, address.clone(), out);
                }
                _ => {}
            }
        }
        chosen
    }

    fn send_for_copies(
        &mut self,
        now: Now,
        id: CallId,
        (chosen, counted_by, zone): (&[Link], Option<LayoutVersion>, Option<Text>),
        out: &mut Effects<ClientEffect>,
    ) {
        let nodes = chosen.iter().filter_map(|link| self.links.get(*link)?.node());
        let (mut usual, mut patience) = (Duration::ZERO, Duration::ZERO);
        for node in nodes {
            usual = usual.max(self.standings.hedge_delay(node));
            patience = patience.max(self.standings.patience(node));
        }
        let Some(call) = self.calls.get_mut(id) else { return };
        call.attempts += 1;
        call.stage = Stage::Reading;
        let r = chosen.len();
        call.copies = Some(Box::new(Copies {
            r,
            awaited: Vec::with_capacity(r + 1),
            said: None,
            answered: Vec::with_capacity(r),
            entry: None,
            counted_by,
            zone,
            until: now.instant + patience,
        }));
        self.waiting.remove(id);
        self.hedges.on_asked(r);
        for (place, link) in chosen.iter().enumerate() {
            let read = if place == 0 { ReadKind::Data } else { ReadKind::Digest };
            self.ask_for_copy(now, id, *link, read, out);
        }
        let hedge = match self.config.hedge {
            Hedge::Usual => usual,
            Hedge::After(delay) => delay.min(patience),
            Hedge::Never => patience,
        };
        self.set_timer(id, Some(now.instant + hedge));
    }

    fn ask_for_copy(
        &mut self,
        now: Now,
        id: CallId,
        link: Link,
        read: ReadKind,
        out: &mut Effects<ClientEffect>,
    ) {
        let version = self.told_version(now);
        let Some(call) = self.calls.get_mut(id) else { return };
        let head = call.head(copy_of(id), now.instant, version);
        if let Some(copies) = &mut call.copies {
            copies.awaited.push((link, read));
        }
        if let Some(connection) = self.links.get_mut(link) {
            connection.on_sent(now, copy_of(id));
        }
        let message = Message::Get(Get { head, context: Default::default(), read });
        out.push(ClientEffect::Send { link, message });
    }

    /// A primary takes longer than usual: one more is asked, once for a call. After the time for
    /// which the client is patient a node is to read.
    pub(super) fn on_slow_copies(&mut self, now: Now, id: CallId, out: &mut Effects<ClientEffect>) {
        let Some(call) = self.calls.get(id) else { return };
        let Some(copies) = call.copies.as_ref().filter(|copies| copies.until > now.instant) else {
            return self.reroute(now, id, out);
        };
        let (until, has_entry) = (copies.until, copies.entry.is_some());
        if let Some(link) = self.spared_copy(now, id, out)
            && self.hedges.take()
        {
            let read = if has_entry { ReadKind::Digest } else { ReadKind::Data };
            self.stats.hedges += 1;
            self.ask_for_copy(now, id, link, read, out);
        }
        self.set_timer(id, Some(until));
    }

    /// A primary that was not asked yet, connected and well.
    fn spared_copy(
        &mut self,
        now: Now,
        id: CallId,
        out: &mut Effects<ClientEffect>,
    ) -> Option<Link> {
        let (call, update) = (self.calls.get(id)?, self.layout.clone()?);
        let copies = call.copies.as_ref()?;
        let awaited = copies.awaited.iter().filter_map(|(link, _)| self.links.get(*link)?.node());
        let asked: Vec<NodeId> = awaited.chain(copies.answered.iter().copied()).collect();
        let primaries = update.layout.primaries(update.layout.slot_of(call.key.as_bytes()));
        let counted = self.counted(&update, primaries, call.zone.as_ref());
        let spared = counted.iter().filter(|node| !asked.contains(node));
        let spared: Vec<NodeId> = spared.copied().collect();
        self.choose_copies(now, &update, &spared, 1, out).first().copied()
    }

    /// A primary says what it holds, or that it cannot say.
    pub(super) fn on_copy(
        &mut self,
        now: Now,
        link: Link,
        node: NodeId,
        reply: Reply,
        out: &mut Effects<ClientEffect>,
    ) {
        let id = call_of(reply.call);
        let Some(call) = self.calls.get_mut(id) else { return };
        let Some(copies) = &mut call.copies else { return };
        let place = copies.awaited.iter().position(|(awaited, _)| *awaited == link);
        let Some((_, read)) = place.map(|place| copies.awaited.remove(place)) else { return };
        let (version, direct) = (reply.layout_version, reply.passed_on_by.is_none());
        let said = match reply.result {
            Ok(answer) if !is_intact(&answer) => None,
            Ok(Answer::Entry(entry)) => Some((entry, reply.copy)),
            Ok(Answer::Written(_)) => None,
            Err(failure) => {
                if failure.code == FailureCode::Overloaded {
                    self.standings.on_busy(now, node, failure.retry_after);
                }
                None
            }
        };
        let found = match said {
            None => return self.reroute(now, id, out),
            // A node that knows of no copies has asked a quorum.
            Some((entry, None)) => Some((entry, node, reply.receipt)),
            Some((entry, Some(digest))) => {
                let same = copies.said.is_none_or(|said| said == (version, digest))
                    && copies.counted_by.is_none_or(|counted_by| counted_by == version);
                if !sane_or!(same, CopiesMayDiffer => true) {
                    return self.reroute(now, id, out);
                }
                copies.said = Some((version, digest));
                copies.answered.push(node);
                if read == ReadKind::Data {
                    copies.entry.get_or_insert((entry, node));
                }
                let is_quorum = copies.is_quorum();
                let entry = copies.entry.take_if(|_| is_quorum);
                entry.map(|(entry, node)| (entry, node, Some(copies.receipt(node, version))))
            }
        };
        let Some((entry, node, receipt)) = found else { return };
        let (answer, attempts) = (Answer::Entry(entry), call.attempts);
        let receipt = receipt.filter(|_| call.receipt);
        let completion = Completion { answer, node, direct, receipt, attempts };
        self.succeed(id, completion, out);
    }
}
