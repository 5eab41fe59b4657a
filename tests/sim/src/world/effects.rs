//! Carrying out what the machines want done.

use quorate_core::client::{Client, ClientEffect};
use quorate_core::machine::{Effect, Effects, HeldAs, Input, Peer, StoreOp, StoreOutcome, Ticket};
use quorate_core::message::Message;
use quorate_core::node::Node;
use quorate_core::time::Now;

use super::{BY_HAND, Event, World};
use crate::detail::{Detail, Obstacle};
use crate::marks::Mark;
use crate::network::{Connection, End, Place};
use crate::observation::{
    Applied, CallEnded, Caller, Ending, Observation, Removed, Sent, Stepped, Told,
};

impl World {
    /// Gives a frame to the network.
    pub(super) fn send(&mut self, connection: Connection, from: End, message: Message) {
        let Some((a, b)) = self.network.ends(connection) else { return };
        let to = if a == from { b } else { a };
        self.observe(&Observation::Sent(Sent { from, to, message: &message }));
        let cause = self.sight.as_ref().map(|sight| sight.cause()).unwrap_or_default();
        let Some(later) = self.judge(connection, from, to, &message) else { return };
        let bytes = weight(&message);
        let fate = self.network.send(self.now, connection, to, bytes);
        self.watch.add(Mark::FrameOvertaken, fate.overtakes);
        if fate.arrives.is_none() {
            let by = if fate.cut { Obstacle::Cut } else { Obstacle::Weather };
            self.observe_detail(&Detail::Stopped { from, to, message: &message, by });
        }
        let arrivals = [fate.arrives, fate.again].map(|at| at.map(|at| at + later));
        if let Some(sight) = &mut self.sight {
            sight.on_fate(arrivals);
        }
        let [arrives, again] = arrivals;
        if let Some(at) = again {
            let message = message.clone();
            let again = Event::Frame { connection, from, to, message, again: true, cause };
            self.push(at, again);
        }
        if let Some(at) = arrives {
            let once = Event::Frame { connection, from, to, message, again: false, cause };
            self.push(at, once);
        }
    }

    pub(super) fn input(&mut self, node: usize, input: Input) {
        self.with_node(node, |machine, now, out| machine.handle(now, input, out));
    }

    pub(super) fn with_node(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Node, Now, &mut Effects<Effect>),
    ) {
        let slot = &mut self.nodes[index];
        let now = slot.clock.read(self.now);
        let mut out = Effects::new();
        let Some(node) = &mut slot.node else { return };
        self.wall = now.unix;
        act(node, now, &mut out);
        node.check_invariants();
        self.oracle.on_layouts(self.now, index, node.view());
        let wake = node.next_wake().map(|wake| wake.at.max(self.now));
        let life = slot.life;
        if let Some(at) = wake
            && slot.wake.is_none_or(|queued| at < queued)
        {
            slot.wake = Some(at);
            self.push(at, Event::WakeNode { node: index, life });
        }
        for (done, effect) in out.drain().enumerate() {
            if let Some(kept) = self.burn(index) {
                self.watch.add(Mark::CrashBetweenEffects, done > 0);
                return self.crash_keeping(index, kept);
            }
            self.on_effect(index, effect);
        }
        if self.nodes[index].life != life {
            // It has started over.
            return;
        }
        self.watch.on_stepped(index);
        if let Some(log) = &mut self.log {
            log.on_stepped();
        }
        if let Some(node) = &self.nodes[index].node {
            let seen = Observation::Stepped(Stepped { node: index, view: node.view() });
            let moment = crate::oracle::Moment {
                now: self.now,
                wall: self.wall,
                layout: &self.layout,
                disks: &self.disks,
            };
            self.oracle.observe(moment, &seen);
        }
    }

    /// One effect nearer to the end of the node; how much of its tail survives if this is the end.
    fn burn(&mut self, node: usize) -> Option<u32> {
        let (effects, kept) = self.nodes[node].fuse?;
        self.nodes[node].fuse = effects.checked_sub(1).map(|left| (left, kept));
        (effects == 0).then_some(kept)
    }

    fn on_effect(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Send { to: Peer::Client(peer), message: Message::Reply(reply) }
                if peer >= BY_HAND =>
            {
                let caller = Caller::Hand(peer - BY_HAND);
                let (call, ending) = (reply.call, Ending::Hand(&reply));
                self.observe(&Observation::CallEnded(CallEnded { caller, call, ending }));
                self.replies.insert((peer - BY_HAND, reply.call), (self.now, reply));
            }
            Effect::Send { to, message } => {
                let from = End::Node(node);
                match to {
                    Peer::Client(connection) => self.send(Connection(connection), from, message),
                    Peer::Node(id) => {
                        let Some(to) = self.index(id).map(End::Node) else { return };
                        match self.network.between(from, to) {
                            Some(connection) => self.send(connection, from, message),
                            None => {
                                let by = Obstacle::Unconnected;
                                let message = &message;
                                self.observe_detail(&Detail::Stopped { from, to, message, by });
                            }
                        }
                    }
                }
            }
            Effect::Store { ticket, slot: _, op } => self.store(node, ticket, &op),
            Effect::Dial { node: id, .. } => {
                if let Some(to) = self.index(id) {
                    let delay = self.network.delay(Place::Node(node), Place::Node(to));
                    self.push(self.now + delay, Event::Dialled { from: End::Node(node), to });
                }
            }
            Effect::DialSeed { address } => self.dial_seed(node, address),
            Effect::Hangup(Peer::Client(connection)) => {
                self.close(Connection(connection), |_| true);
            }
            Effect::Hangup(Peer::Node(id)) => {
                let other = self.index(id).map(End::Node);
                let open = other.and_then(|other| self.network.between(End::Node(node), other));
                if let Some(connection) = open {
                    self.close(connection, |_| true);
                }
            }
            Effect::StartOver => self.start_over(node),
            Effect::Observe(event) => {
                self.observe(&Observation::Told(Told { node, event: &event }));
                self.nodes[node].events.push(event);
            }
        }
    }

    fn store(&mut self, node: usize, ticket: Ticket, op: &StoreOp) {
        if let Some(sight) = &mut self.sight {
            sight.on_store(node, ticket);
        }
        let unsynced = self.disks[node].unsynced();
        let removed = match op {
            StoreOp::RemoveHint { target, key, .. } => {
                Some((HeldAs::Hint { target: *target }, key))
            }
            StoreOp::Remove { key, .. } => Some((HeldAs::Own, key)),
            StoreOp::Apply { .. }
            | StoreOp::Read { .. }
            | StoreOp::FindHints { .. }
            | StoreOp::CountHints
            | StoreOp::ScanStates { .. }
            | StoreOp::ScanRecords { .. }
            | StoreOp::Confirm { .. }
            | StoreOp::SaveStanding { .. }
            | StoreOp::Remember(_)
            | StoreOp::SaveLayouts(_) => None,
        };
        let removed = removed
            .and_then(|(copy, key)| Some((copy, key, self.disks[node].copy(copy, key).cloned()?)));
        if matches!(op, StoreOp::SaveLayouts(_)) && !self.knows_layout(node) {
            self.watch.add(Mark::FirstLayoutMade, true);
        }
        let now = self.nodes[node].clock.read(self.now);
        let Some(ran) = self.disks[node].run(now, ticket, op) else {
            if let StoreOp::SaveStanding { .. } | StoreOp::SaveLayouts(_) = op {
                // Whatever else waits for a sync has an answer that begins it.
                let (at, life) = (self.disks[node].free_at(), self.nodes[node].life);
                self.push(at, Event::Changed { node, life });
            }
            return;
        };
        if let StoreOp::Apply { key, copy, op } = op
            && self.disks[node].unsynced() > unsynced
        {
            let copy = *copy;
            let held = self.disks[node].copy(copy, key).cloned().unwrap_or_default();
            let applied = if let StoreOutcome::Applied { applied, .. } = &ran.outcome {
                Some(applied)
            } else {
                None
            };
            let record = held.record();
            let seen = Applied { node, copy, key, op, applied, record };
            self.observe(&Observation::Applied(seen));
        }
        if let Some((copy, key, held)) = removed
            && self.disks[node].unsynced() > unsynced
        {
            let record = held.record();
            self.observe(&Observation::Removed(Removed { node, copy, key, record }));
        }
        if !matches!(ran.outcome, StoreOutcome::Applied { .. }) {
            self.observe_detail(&Detail::Answered { node, ticket, op, outcome: &ran.outcome });
        }
        let life = self.nodes[node].life;
        self.push(ran.at, Event::Stored { node, life, ticket, outcome: ran.outcome });
    }

    pub(super) fn with_client<T>(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Client, Now, &mut Effects<ClientEffect>) -> T,
    ) -> T {
        let mut out = Effects::new();
        let slot = &mut self.clients[index];
        let now = slot.clock.read(self.now);
        let result = act(&mut slot.client, now, &mut out);
        slot.client.check_invariants();
        let wake = slot.client.next_wake().map(|wake| wake.at.max(self.now));
        if let Some(at) = wake
            && !slot.dead
            && slot.wake.is_none_or(|queued| at < queued)
        {
            slot.wake = Some(at);
            self.push(at, Event::WakeClient { client: index });
        }
        for effect in out.drain() {
            if self.clients[index].dead {
                break;
            }
            if self.clients[index].fuse == Some(0) {
                self.kill_client(index);
                break;
            }
            if let Some(fuse) = &mut self.clients[index].fuse {
                *fuse -= 1;
            }
            self.on_client_effect(index, effect);
        }
        result
    }

    fn on_client_effect(&mut self, client: usize, effect: ClientEffect) {
        match effect {
            ClientEffect::Dial { link, address } => {
                let from = End::Client(client, link);
                match self.at_address(&address) {
                    Some(to) => {
                        let delay = self.network.delay(from.place(), Place::Node(to));
                        self.push(self.now + delay, Event::Dialled { from, to });
                    }
                    None => self.push(self.now, Event::Lost { at: from, other: from }),
                }
            }
            ClientEffect::Send { link, message } => {
                if let Some(connection) = self.network.of_link(client, link) {
                    self.send(connection, End::Client(client, link), message);
                }
            }
            ClientEffect::Hangup(link) => match self.network.of_link(client, link) {
                Some(connection) => self.close(connection, |end| end != End::Client(client, link)),
                None => {
                    self.clients[client].given_up.insert(link);
                }
            },
            ClientEffect::Complete { call, result } => {
                let caller = Caller::Client(client);
                let ending = Ending::Client(&result);
                self.observe(&Observation::CallEnded(CallEnded { caller, call, ending }));
                let before = self.clients[client].ended.insert(call, (self.now, result));
                self.endings += 1;
                assert!(before.is_none(), "call {call:?} ended twice");
            }
            ClientEffect::Pong { .. } | ClientEffect::Observe(_) => {}
        }
    }
}

/// About how many bytes a frame has.
fn weight(message: &Message) -> usize {
    use quorate_core::causality::{Payload, Record};
    use quorate_core::ids::Key;
    use quorate_core::merkle::StateHash;
    use quorate_core::message::{
        Answer, Change, CollectAnswer, CollectStep, Comparison, Difference, Question, ReplicaState,
    };
    const HEAD: usize = 64;
    const PULSE: usize = 24;
    const MEMBER: usize = 80;
    const HASH: usize = 16;
    const HISTORY: usize = 48;
    let record = |record: &Record| {
        let payloads = record.siblings().map(|(_, sibling)| match &sibling.payload {
            Payload::Value(value) => value.len(),
            Payload::Tombstone => 0,
        });
        record.actors() * 32 + payloads.sum::<usize>()
    };
    let state = |(key, _): &(Key, StateHash)| key.as_bytes().len() + HASH;
    let body = match message {
        Message::Put(put) => match &put.change {
            Change::Value { payload, .. } => payload.len() + put.context.len(),
            Change::Delete => put.context.len(),
        },
        Message::Reply(reply) => match &reply.result {
            Ok(Answer::Entry(entry)) => {
                entry.values.iter().map(|value| value.payload.len()).sum::<usize>()
                    + entry.context.len()
            }
            Ok(Answer::Written(written)) => written.context.len(),
            Err(_) => 0,
        },
        Message::ReplicaRecord(answer) => match &answer.state {
            ReplicaState::Record(held) => record(held),
            ReplicaState::Unreadable | ReplicaState::Same => 0,
        },
        Message::Gossip(gossip) => {
            gossip.pulses.len() * PULSE + gossip.members.len() * MEMBER + gossip.wanted.len() * 8
        }
        Message::ReplicaMerge(merge) => record(&merge.record),
        Message::Compare(compare) => match &compare.question {
            Question::Branches(branches) => branches.len() * 2 * HASH,
            Question::States { states, .. } => states.iter().map(state).sum(),
            Question::Records { keys, .. } => {
                let outline = |Difference { key, outline, .. }: &Difference| {
                    key.as_bytes().len() + outline.histories().count() * HISTORY
                };
                keys.iter().map(outline).sum()
            }
            Question::Rest { .. } => 0,
        },
        Message::Compared(compared) => match &compared.answer {
            Comparison::NotNow => 0,
            Comparison::Branches { differ, .. } => {
                differ.iter().map(|branch| (1 + branch.children.len()) * HASH).sum()
            }
            Comparison::States { differ, .. } => differ.iter().map(state).sum(),
            Comparison::Records { records, .. } => {
                records.iter().map(|(key, held)| key.as_bytes().len() + record(held)).sum()
            }
        },
        Message::Collect(collect) => match &collect.step {
            CollectStep::Confirm { keys, .. } => keys.iter().map(|key| key.as_bytes().len()).sum(),
            CollectStep::NewEpoch => 0,
            CollectStep::Remove(dead) => dead.iter().map(state).sum(),
        },
        Message::Collected(collected) => match &collected.answer {
            CollectAnswer::Confirmed { states, .. } => states.len() * HASH,
            CollectAnswer::NotNow | CollectAnswer::Begun(_) => 0,
        },
        Message::Hello(_)
        | Message::Welcome(_)
        | Message::Reject(_)
        | Message::Unsupported(_)
        | Message::Get(_)
        | Message::ReplicaRead(_)
        | Message::ReplicaMerged(_)
        | Message::StatusRequest(_)
        | Message::StatusReply(_)
        | Message::RepairRequest(_)
        | Message::RepairReply(_)
        | Message::LayoutRequest(_)
        | Message::LayoutReply(_) => 0,
    };
    HEAD + body
}
