//! Questions and answers: each side takes what is newer, and gives what the other lacks.
//!
//! ```text
//!  asker                                             receiver
//!    asks first..last, pulses, hot pulses ------------>   takes what is newer
//!    takes what is newer   <------ newer pulses, members, wanted
//!    members that are wanted, a newer layout --------->
//! ```
//!
//! Invariant: what answers an answer wants nothing, and tells only what was wanted, or of a life
//! with a higher heartbeat than it was told; so exchanges end.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::doubts::WITNESSES_KEPT;
use super::member::{Entry, HEARTBEAT_MAX};
use super::own::OfSelf;
use super::{Change, Membership};
use crate::ids::{DurableMark, Incarnation, NodeId, Remembered};
use crate::limits::MEMBER_TEXT_BYTES_MAX;
use crate::message::{Gossip, MemberInfo, Pulse};
use crate::time::Now;

/// Most members that one message describes, sent or taken.
pub const MEMBERS_PER_MESSAGE: usize = 500;

/// Most members that one message wants described.
pub const WANTED_PER_MESSAGE: usize = MEMBERS_PER_MESSAGE;

/// What an answer will say.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// In any order; of several about one member the last one counts.
    pub(super) pulses: Vec<Pulse>,
    members: Vec<MemberInfo>,
    wanted: Vec<NodeId>,
}

impl Membership {
    /// A question that speaks of the whole list or, where that is long, of a random window of it.
    pub(super) fn question(&mut self) -> Gossip {
        let count = self.members.len();
        let window = self.settings.window.max(1);
        let (from, to) = if count <= window {
            (0, count)
        } else {
            // Each index is in as many windows as any other, so the outer windows are shorter.
            let end = self.prng.below((count + window - 1) as u64) as usize + 1;
            (end.saturating_sub(window), end.min(count))
        };
        let first = self.members.at(from).filter(|_| from > 0).map_or(NodeId(0), |entry| entry.id);
        // Up to the next known one, so that each unknown id is in some window.
        let next = self.members.at(to);
        let last = next.map_or(NodeId(u64::MAX), |next| NodeId(next.id.0 - 1));
        let mut news = self.hot.pick(&mut self.prng);
        news.push(self.own);
        news.retain(|id| !(first..=last).contains(id));
        news.sort_unstable();
        news.dedup();
        let (before, after) = news.split_at(news.partition_point(|id| *id < first));
        let known = |id: &NodeId| self.members.get(*id);
        let mut pulses = Vec::with_capacity(to - from + news.len());
        let mut speak_of = |entry| pulses.extend(self.pulse(entry));
        before.iter().filter_map(known).for_each(&mut speak_of);
        self.members.part(from, to).iter().for_each(&mut speak_of);
        after.iter().filter_map(known).for_each(&mut speak_of);
        let asks = Some((first, last));
        Gossip { asks, pulses, ..Gossip::default() }
    }

    /// What is said to a peer as soon as it is connected: how this node is, and what it remembers of
    /// the peer.
    pub(crate) fn greeting(&self, to: NodeId) -> Gossip {
        let known = [self.own.min(to), self.own.max(to)];
        let entries = known.into_iter().filter_map(|id| self.members.get(id));
        let pulses = entries.filter_map(|entry| self.pulse(entry)).collect();
        Gossip { pulses, ..Gossip::default() }
    }

    /// What the sender of a message remembers of this node. `None`: the message does not say.
    pub(crate) fn told_of_self(&self, gossip: &Gossip) -> Option<Remembered> {
        let own = self.own;
        let pulses = gossip.pulses.iter().filter(|pulse| pulse.id == own);
        let infos = gossip.members.iter().filter(|info| info.id == own);
        let pulses = pulses.map(|pulse| pulse.remembered);
        let told = pulses.chain(infos.map(|info| info.remembered)).max_by_key(|told| told.mark);
        // An answer names a member of which its sender remembers more than it was told.
        let would_say = gossip.asks.is_none_or(|(first, last)| (first..=last).contains(&own));
        told.or_else(|| would_say.then(Remembered::default))
    }

    /// Takes in what another member says of members; the answer goes back to it. What it says of
    /// layouts is for the caller, as is what the answer says of them.
    pub fn on_gossip(
        &mut self,
        now: Now,
        from: NodeId,
        gossip: &Gossip,
        changes: &mut Vec<Change>,
    ) -> Option<Gossip> {
        if from == self.own {
            return None;
        }
        let refused = self.refused;
        let mut answer = Answer::default();
        for info in gossip.members.iter().take(MEMBERS_PER_MESSAGE) {
            self.on_info(now, from, info, &mut answer, changes);
        }
        let mut hint = 0;
        for pulse in gossip.pulses.iter().take(self.members_max) {
            let place = self.members.find_from(hint, pulse.id);
            hint = place.map_or_else(|would_be| would_be, |is| is + 1);
            self.on_pulse(now, from, (pulse, place.ok()), &mut answer, changes);
        }
        if let Some(range) = gossip.asks {
            self.describe_missing(range, &gossip.pulses, &mut answer);
            answer.pulses.extend(self.members.get(self.own).and_then(|own| self.pulse(own)));
        } else {
            // An answer is answered with what it wants, and with nothing that wants an answer.
            answer.pulses.clear();
            answer.wanted.clear();
        }
        for id in gossip.wanted.iter().take(WANTED_PER_MESSAGE) {
            self.describe(*id, &mut answer);
        }
        if self.refused > refused {
            changes.push(Change::Refused(from));
        }
        answer.into_gossip()
    }

    /// A sign of life of a member, possibly of an older one than is known here, and the place of
    /// that member in the list.
    fn on_pulse(
        &mut self,
        now: Now,
        from: NodeId,
        (pulse, place): (&Pulse, Option<usize>),
        answer: &mut Answer,
        changes: &mut Vec<Change>,
    ) {
        if pulse.id == self.own {
            let life = (pulse.incarnation, pulse.heartbeat);
            match self.on_own_life(now, life, changes) {
                // The own pulse is part of every answer.
                OfSelf::Nothing | OfSelf::Pulse => {}
                OfSelf::Info => self.describe(self.own, answer),
            }
            return;
        }
        if place.is_none() && self.is_departed(from, (pulse.id, pulse.heartbeat), answer) {
            return;
        }
        if let Some(entry) = place.and_then(|place| self.members.at_mut(place)) {
            let known = entry.remembered;
            entry.remember(pulse.remembered);
            if pulse.remembered.mark < known.mark {
                let entry = place.and_then(|place| self.members.at(place));
                answer.pulses.extend(entry.and_then(|entry| self.pulse(entry)));
            }
        }
        let known = place.and_then(|place| Some((place, self.members.at(place)?)));
        let Some((place, entry)) = known else {
            let room = self.members_max.saturating_sub(self.members.len() + answer.wanted.len());
            if pulse.heartbeat > 0 && room > 0 {
                answer.want(pulse.id);
            }
            return;
        };
        let is_newer = pulse.heartbeat > entry.heartbeat;
        sane_or!(let is_newer, SameHeartbeatIsLife => pulse.heartbeat >= entry.heartbeat);
        if is_newer && !self.is_possible(now, from, entry, pulse.heartbeat) {
            self.refused += 1;
            return;
        }
        if entry.incarnation != pulse.incarnation {
            // Two lives may have ended with one heartbeat; all must come to speak of the same.
            let known = (entry.heartbeat, entry.incarnation);
            if (pulse.heartbeat, pulse.incarnation) > known {
                answer.want(pulse.id);
            } else {
                self.describe(pulse.id, answer);
            }
            return;
        }
        if pulse.heartbeat < entry.heartbeat {
            answer.pulses.extend(self.pulse(entry));
            sane_or!(OlderHeartbeatTaken => self.take_heartbeat(pulse));
            return;
        }
        if is_newer {
            self.on_rise(now, place, pulse.heartbeat, changes);
        }
        // What this node itself has seen it need not be told; in a former life it may have seen it.
        let own = self.own;
        let others = pulse.witnesses.iter().filter(|witness| **witness != own);
        for witness in others.take(WITNESSES_KEPT) {
            self.add_witness(now, pulse.id, *witness, changes);
        }
        let doubt = self.doubts.get(&pulse.id);
        let unknown = |doubt: &super::Doubt| {
            pulse.witnesses.len() < WITNESSES_KEPT
                && doubt.witnesses.iter().any(|witness| !pulse.witnesses.contains(witness))
        };
        if doubt.is_some_and(unknown)
            && let Some(entry) = self.members.at(place)
        {
            answer.pulses.extend(self.pulse(entry));
        }
    }

    /// All there is to know of a member, possibly in an older life than is known here.
    fn on_info(
        &mut self,
        now: Now,
        from: NodeId,
        info: &MemberInfo,
        answer: &mut Answer,
        changes: &mut Vec<Change>,
    ) {
        let texts = [&info.label, &info.zone, &info.address];
        if texts.iter().any(|text| text.len() > MEMBER_TEXT_BYTES_MAX) {
            self.refused += 1;
            return;
        }
        if info.id == self.own {
            let life = (info.incarnation, info.heartbeat);
            if self.on_own_life(now, life, changes) == OfSelf::Info {
                self.describe(self.own, answer);
            }
            return;
        }
        if self.is_departed(from, (info.id, info.heartbeat), answer) {
            return;
        }
        let place = self.members.find_from(0, info.id);
        if let Some(entry) = place.ok().and_then(|place| self.members.at_mut(place)) {
            entry.remember(info.remembered);
        }
        let known = place.ok().and_then(|place| Some((place, self.members.at(place)?)));
        let life =
            known.map_or((0, Incarnation(0)), |(_, entry)| (entry.heartbeat, entry.incarnation));
        if info.heartbeat == 0 || (info.heartbeat, info.incarnation) <= life {
            return;
        }
        let is_possible = match known {
            Some((_, entry)) => self.is_possible(now, from, entry, info.heartbeat),
            None => info.heartbeat < HEARTBEAT_MAX && self.members.len() < self.members_max,
        };
        if !is_possible {
            self.refused += 1;
            return;
        }
        match known {
            Some((place, entry))
                if entry.incarnation == info.incarnation && entry.heartbeat > 0 =>
            {
                self.on_rise(now, place, info.heartbeat, changes);
            }
            Some(_) | None => self.meet(now, info, changes),
        }
    }

    /// Only a member itself raises its heartbeat, so its own word is taken; what others say of it
    /// must fit the time that went by.
    fn is_possible(&self, now: Now, from: NodeId, entry: &Entry, heartbeat: u64) -> bool {
        let by_itself = entry.id == from;
        let configured = self.settings.interval;
        heartbeat < HEARTBEAT_MAX
            && (by_itself || entry.can_have_reached(heartbeat, now.instant, configured))
    }

    fn on_rise(&mut self, now: Now, place: usize, heartbeat: u64, changes: &mut Vec<Change>) {
        let settings = (self.settings.interval, self.settings.suspect_after);
        let Some(entry) = self.members.at_mut(place) else { return };
        entry.rise(heartbeat, now.instant, settings);
        sane_or!(DoubtStands => return);
        let id = entry.id;
        self.clear_doubt(id, changes);
    }

    #[cfg(feature = "mutants")]
    fn take_heartbeat(&mut self, pulse: &Pulse) {
        if let Some(entry) = self.members.get_mut(pulse.id) {
            entry.heartbeat = pulse.heartbeat;
        }
    }

    /// A member that is new, or lives anew.
    fn meet(&mut self, now: Now, info: &MemberInfo, changes: &mut Vec<Change>) {
        let mut entry = Entry::new(Arc::new(info.clone()), now.instant, self.settings.interval);
        let former = self.members.get(info.id).map(|former| former.remembered);
        entry.remember(former.unwrap_or_else(|| self.memory.of(info.id)));
        entry.remember(info.remembered);
        self.members.insert(entry);
        self.note_seed(&info.address, info.id);
        self.clear_doubt(info.id, changes);
        self.hot.insert(info.id, self.members.len());
        changes.push(Change::Met(info.id));
    }

    /// Describes the members of a range that the asker did not name: all, or as many as fit, from
    /// a random one on.
    fn describe_missing(
        &mut self,
        (first, last): (NodeId, NodeId),
        pulses: &[Pulse],
        answer: &mut Answer,
    ) {
        let mut pulses = pulses.iter().map(|pulse| pulse.id).peekable();
        let mut is_named = |id| {
            while pulses.next_if(|named| *named < id).is_some() {}
            pulses.peek() == Some(&id)
        };
        let range = self.members.between(first, last).iter();
        let missing = range.filter(|entry| entry.heartbeat > 0 && !is_named(entry.id));
        let missing: Vec<NodeId> = missing.map(|entry| entry.id).collect();
        let room = MEMBERS_PER_MESSAGE.saturating_sub(answer.members.len());
        let skip = match missing.len() {
            more if more > room => self.prng.below(more as u64) as usize,
            _ => 0,
        };
        for id in missing.iter().cycle().skip(skip).take(missing.len().min(room)) {
            self.describe(*id, answer);
        }
    }

    fn describe(&self, id: NodeId, answer: &mut Answer) {
        let known = self.members.get(id).filter(|entry| entry.heartbeat > 0);
        let told = |_: &&Entry| answer.members.iter().any(|info| info.id == id);
        let Some(entry) = known.filter(|entry| !told(entry)) else { return };
        if answer.members.len() >= MEMBERS_PER_MESSAGE {
            return;
        }
        answer.members.push(entry.info());
        if self.doubts.contains_key(&id) {
            answer.pulses.extend(self.pulse(entry));
        }
    }

    /// What there is to say of a member's heartbeat. Of one that was never heard of, only who
    /// doubts that it is there.
    pub(super) fn pulse(&self, entry: &Entry) -> Option<Pulse> {
        let Entry { id, incarnation, heartbeat, remembered, .. } = *entry;
        let doubt = self.doubts.get(&id);
        let witnesses = doubt.map(|doubt| doubt.witnesses.clone()).unwrap_or_default();
        let is_worth_it =
            heartbeat > 0 || !witnesses.is_empty() || remembered.mark > DurableMark(0);
        is_worth_it.then_some(Pulse { id, incarnation, heartbeat, witnesses, remembered })
    }
}

impl Answer {
    fn want(&mut self, id: NodeId) {
        if self.wanted.len() < WANTED_PER_MESSAGE && !self.wanted.contains(&id) {
            self.wanted.push(id);
        }
    }

    /// The answer; `None` where there is nothing to say.
    fn into_gossip(mut self) -> Option<Gossip> {
        if self.pulses.is_empty() && self.members.is_empty() && self.wanted.is_empty() {
            return None;
        }
        if !self.pulses.is_sorted_by(|one, next| one.id < next.id) {
            self.pulses.sort_by_key(|pulse| pulse.id);
            self.pulses.dedup_by(|later, kept| {
                let is_same = later.id == kept.id;
                if is_same {
                    core::mem::swap(later, kept);
                }
                is_same
            });
        }
        let Answer { pulses, members, wanted } = self;
        Some(Gossip { pulses, members, wanted, ..Gossip::default() })
    }
}
