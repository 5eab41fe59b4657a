//! What is known of calls and writes.

mod carried;
mod in_force;
mod layouts;
mod old_copies;
mod tasks;

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_core::causality::{Actor, Context, Dot, Held, Payload, Record, RecordOp, Write};
use quorate_core::client::call_of;
use quorate_core::ids::{Key, NodeId, RequestId};
use quorate_core::message::{Answer, CallId, Message, Put, Reply, Strictness};
use quorate_core::node::GossipSettings;
use quorate_core::time::Duration;

pub(crate) use carried::Carried;
use carried::Familiar;
pub(crate) use in_force::{InForce, Since};
use layouts::Layouts;
pub(crate) use old_copies::Memory;
use old_copies::{Life, OldCopies};
pub(crate) use tasks::{HeldThen, Task};

use super::dots::{knows, unknown_to};
use super::keys::{Acknowledged, KeyFacts};
use super::ops::{Ended, How, Op, OpId, Wish};
use crate::network::End;
use crate::observation::{
    self, CallEnded, CallStarted, Caller, CallerGone, CallerThawed, Cancelled, Crashed, Delivered,
    Observation, Sent, Synced,
};
use crate::oracle::Moment;
use crate::recent::Table;

/// The history of a world: calls, and the writes that they led to.
pub(crate) struct Facts {
    /// N, R and W that hold for calls which do not say otherwise.
    pub(crate) n: u8,
    pub(crate) r: u8,
    pub(crate) w: u8,
    /// Whether only primaries count, where a call does not say otherwise.
    pub(super) strict: bool,
    /// How long a record is left alone that is dead.
    pub(crate) grace: Duration,
    /// How members tell each other that they are alive.
    pub(crate) gossip: GossipSettings,
    /// The number of the observation that was taken in last.
    pub(crate) number: u64,
    /// The nodes by their index.
    nodes: Vec<NodeId>,
    ops: Vec<Op>,
    calls: Table<(Caller, CallId), OpId>,
    requests: Table<RequestId, Vec<OpId>>,
    keys: BTreeMap<Key, KeyFacts>,
    /// Which layouts were in force, and where.
    layouts: Layouts,
    /// The key and the node that each actor first wrote at.
    actors: Table<Actor, (Key, usize)>,
    /// What the nodes that live were asked: by node, coordinator, call.
    tasks: Table<(usize, usize, CallId), Task>,
    /// What the engine showed before the change that was observed last.
    before: Arc<Held>,
    minted: Option<Minted>,
    /// Directories that faults took back to older ones.
    old_copies: OldCopies,
    /// The last life of each node.
    lives: BTreeMap<usize, Life>,
    /// Who stores what the observation that was taken in last brings.
    familiar: Familiar,
}

/// The write that the last observation brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Minted {
    pub(crate) dot: Dot,
    /// Whether its name was given before.
    pub(crate) again: bool,
}

impl Facts {
    pub(crate) fn new(n: u8, r: u8, w: u8, strict: bool) -> Facts {
        Facts {
            n,
            r,
            w,
            strict,
            grace: Duration::ZERO,
            gossip: GossipSettings::default(),
            number: 0,
            nodes: Vec::new(),
            ops: Vec::new(),
            calls: Table::default(),
            requests: Table::default(),
            keys: BTreeMap::new(),
            layouts: Layouts::default(),
            actors: Table::default(),
            tasks: Table::default(),
            before: Arc::default(),
            minted: None,
            old_copies: OldCopies::default(),
            lives: BTreeMap::new(),
            familiar: Familiar::Nobody,
        }
    }

    /// With a grace time.
    pub(crate) fn with_grace(self, grace: Duration) -> Facts {
        Facts { grace, ..self }
    }

    /// With other settings of gossip.
    pub(crate) fn with_gossip(self, gossip: GossipSettings) -> Facts {
        Facts { gossip, ..self }
    }

    pub(crate) fn observe(&mut self, moment: Moment<'_>, seen: &Observation<'_>) {
        self.number += 1;
        self.minted = None;
        if self.nodes.is_empty() {
            self.nodes = (1..=moment.disks.len() as u64).map(NodeId).collect();
        }
        match *seen {
            Observation::CallStarted(started) => self.on_call_started(moment, started),
            Observation::CallEnded(ended) => self.on_call_ended(moment, ended),
            Observation::Cancelled(cancelled) => self.on_cancelled(moment, cancelled),
            Observation::CallerGone(CallerGone { client }) => {
                for op in self.open_of(client) {
                    op.gone = true;
                }
            }
            Observation::CallerThawed(CallerThawed { client, since }) => {
                for op in self.open_of(client).filter(|op| op.deadline >= since) {
                    op.deadline = op.deadline.max(moment.now);
                }
            }
            Observation::Sent(sent) => self.on_sent(sent),
            Observation::Delivered(delivered) => {
                self.on_delivered(delivered);
                self.on_told_of_self(moment, delivered);
            }
            Observation::Handed(handed) => self.on_request(handed.caller, handed.message),
            Observation::Applied(applied) => self.on_applied(moment, applied),
            Observation::Synced(synced) => self.on_synced(moment, synced),
            Observation::Removed(removed) => self.on_removed(moment, removed),
            Observation::Crashed(crashed) => self.on_crashed(moment, crashed),
            Observation::Replaced(replaced) => self.old_copies.on_replaced(replaced),
            Observation::Started(started) => self.on_started(moment, started),
            Observation::Destroyed(destroyed) => self.on_destroyed(moment, destroyed),
            Observation::Closed(_)
            | Observation::Stopped(_)
            | Observation::Resumed(_)
            | Observation::Told(_) => {}
            Observation::Stepped(stepped) => self.on_stepped(moment.now, stepped),
        }
        self.familiar = self.familiarity(self.record_of(seen));
    }

    /// What is known of a key; `None` where nobody ever named it.
    pub(crate) fn key(&self, key: &Key) -> Option<&KeyFacts> {
        self.keys.get(key)
    }

    /// All keys that were ever named.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&Key, &KeyFacts)> {
        self.keys.iter()
    }

    /// All calls, in the order of their beginnings.
    pub(crate) fn ops(&self) -> &[Op] {
        &self.ops
    }

    pub(crate) fn op(&self, OpId(index): OpId) -> &Op {
        &self.ops[index]
    }

    /// The last call of a caller with that number.
    pub(crate) fn call(&self, caller: Caller, call: CallId) -> Option<&Op> {
        self.calls.get(&(caller, call)).map(|id| self.op(*id))
    }

    /// The call that has just ended for the first time, how, and what is known of its key.
    pub(crate) fn ended(&self, ended: CallEnded<'_>) -> Option<(&Op, &How, &KeyFacts)> {
        let CallEnded { caller, call, .. } = ended;
        let op = self.call(caller, call).filter(|op| op.ends == 1)?;
        Some((op, op.how()?, self.key(&op.key)?))
    }

    /// The calls that may have led to a write: those that have sent its request; where it names
    /// none, those that put its value and name no request either. Nothing leads from a delete
    /// that names no request to its call.
    pub(crate) fn writers<'a>(
        &'a self,
        key: &'a KeyFacts,
        request: RequestId,
        payload: &Payload,
    ) -> impl Iterator<Item = &'a Op> {
        let ids = match payload {
            Payload::Value(_) | Payload::Tombstone if request != RequestId::default() => {
                self.requests.get(&request)
            }
            Payload::Value(value) => key.puts.get(value),
            Payload::Tombstone => None,
        };
        let ops = ids.into_iter().flatten().map(|id| self.op(*id));
        ops.filter(move |op| op.request.is_none_or(|known| known == request))
    }

    /// The calls whose writes have this name.
    pub(crate) fn tries(&self, request: RequestId) -> impl Iterator<Item = &Op> {
        let ids = self.requests.get(&request).filter(|_| request != RequestId::default());
        ids.into_iter().flatten().map(|id| self.op(*id))
    }

    /// The write that the last observation brought.
    pub(crate) fn minted(&self) -> Option<Minted> {
        self.minted
    }

    /// What the engine showed before the change that was observed last.
    pub(crate) fn before(&self) -> &Record {
        self.before.record()
    }

    /// The key and the node that an actor first wrote at.
    pub(crate) fn actor(&self, actor: Actor) -> Option<(&Key, usize)> {
        self.actors.get(&actor).map(|(key, node)| (key, *node))
    }

    /// The id of a node.
    pub(crate) fn id(&self, node: usize) -> NodeId {
        self.nodes[node]
    }

    /// The index of a node.
    pub(crate) fn index(&self, node: NodeId) -> Option<usize> {
        self.nodes.binary_search(&node).ok()
    }

    fn key_mut(&mut self, Moment { layout, .. }: Moment<'_>, key: &Key) -> &mut KeyFacts {
        if !self.keys.contains_key(key) {
            let layout = &layout.layout;
            let ids = layout.primaries(layout.slot_of(key.as_bytes())).iter();
            let first: Vec<usize> = ids.filter_map(|id| self.index(*id)).collect();
            let all = if self.has_changed() { self.all_primaries(key) } else { first };
            self.keys.insert(key.clone(), KeyFacts::new(all, self.nodes.len()));
        }
        self.keys.get_mut(key).expect("it is there")
    }

    fn open_of(&mut self, client: usize) -> impl Iterator<Item = &mut Op> {
        let open = self.ops.iter_mut().filter(|op| op.end.is_none() && !op.gone);
        open.filter(move |op| op.caller == Caller::Client(client))
    }

    fn on_call_started(&mut self, moment: Moment<'_>, started: CallStarted<'_>) {
        let CallStarted { caller, call, key, asked, quorum, strictness, timeout } = started;
        let or = |asked: u8, default: u8| if asked == 0 { default } else { asked };
        let op = Op {
            caller,
            call,
            key: key.clone(),
            wish: Wish::of(key, asked),
            r: or(quorum.r, self.r),
            w: or(quorum.w, self.w),
            strict: match strictness {
                Strictness::Configured => self.strict,
                Strictness::Strict => true,
                Strictness::Sloppy => false,
            },
            started: moment.now,
            began: self.number,
            deadline: moment.now + timeout,
            request: None,
            other_request: None,
            again: false,
            cancelled: false,
            gone: false,
            end: None,
            ends: 0,
        };
        let id = OpId(self.ops.len());
        let facts = self.key_mut(moment, &op.key);
        if let Wish::Put { value, .. } = &op.wish {
            facts.puts.entry(value.clone()).or_default().push(id);
        }
        self.calls.insert((op.caller, op.call), id);
        self.ops.push(op);
    }

    fn on_cancelled(&mut self, moment: Moment<'_>, Cancelled { client, call }: Cancelled) {
        let id = self.calls.get(&(Caller::Client(client), call));
        if let Some(OpId(index)) = id.filter(|id| self.op(**id).end.is_none()) {
            // It may be past its deadline, if its caller was frozen then.
            let op = &mut self.ops[*index];
            op.deadline = moment.now;
            op.cancelled = true;
        }
    }

    fn on_call_ended(&mut self, moment: Moment<'_>, ended: CallEnded<'_>) {
        let CallEnded { caller, call, ending } = ended;
        let Some(id) = self.calls.get(&(caller, call)).copied() else { return };
        self.ops[id.0].ends += 1;
        let op = &self.ops[id.0];
        if op.ends > 1 {
            return;
        }
        let lists = self.lists(&op.key);
        let Some(facts) = self.keys.get_mut(&op.key) else { return };
        let mut how = op.ending(ending);
        match &mut how {
            How::Found { context, .. } => {
                facts.shown.merge(context);
            }
            How::Written { context, fresh, dot } => {
                facts.shown.merge(context);
                let blind = op.wish.is_blind_delete();
                *dot = if blind {
                    // Nobody can tell a tombstone of its own from one that it found: neither is
                    // taken for its own where it is not on W disks.
                    let holders =
                        |dot: &Dot| facts.keepers(&op.key, moment.disks, *dot, op.strict).len();
                    let found = facts.blind_tombstone(context, op.began);
                    found.filter(|dot| holders(dot) >= usize::from(op.w))
                } else if let [dot] = fresh[..] {
                    Some(dot)
                } else {
                    None
                };
                let given = match (*dot, op.wish.given()) {
                    (Some(dot), _) if blind => facts.writes[&dot].context.clone(),
                    // Where nothing was written, nothing but the disks keeps the promise.
                    (None, _) if blind => {
                        let holders =
                            facts.holders(&op.key, moment.disks, context, op.strict).len();
                        let kept = holders >= usize::from(op.w);
                        if kept { context.clone() } else { Context::new() }
                    }
                    (_, Some(given)) => given.clone(),
                    (_, None) => Context::new(),
                };
                if blind || dot.is_some() {
                    let w = if op.strict {
                        op.w
                    } else {
                        // Whoever is excused from holding it does not hold it.
                        let holds = |node: &&usize| {
                            let held = moment.disks[**node].synced(&op.key);
                            held.is_some_and(|record| match &*dot {
                                Some(dot) => knows(record, *dot),
                                None => unknown_to(record, context).is_empty(),
                            })
                        };
                        // Of each layout that a reader may go by as many hold it.
                        let found = lists.iter().map(|list| list.iter().filter(&holds).count());
                        op.w.min(found.min().unwrap_or_default() as u8)
                    };
                    let ack = Acknowledged { op: id, w, dot: *dot, given };
                    facts.acknowledge(ack, context);
                }
            }
            How::Garbled | How::Refused | How::Unknown => {}
        }
        self.ops[id.0].end = Some(Ended { at: moment.now, how });
    }

    fn on_sent(&mut self, Sent { from, to, message }: Sent<'_>) {
        match (from, to, message) {
            (End::Client(client, _), _, message) => {
                self.on_request(Caller::Client(client), message);
            }
            (End::Node(_), End::Client(client, _), Message::Reply(reply)) => {
                self.on_shown(Caller::Client(client), reply);
            }
            (End::Node(_), End::Node(_) | End::Client(..), _) => {}
        }
    }

    fn on_delivered(&mut self, delivered: Delivered<'_>) {
        self.on_asked(delivered);
        if let Delivered { message: Message::Put(put), again: true, .. } = delivered {
            for op in self.requests.get(&put.request).into_iter().flatten() {
                self.ops[op.0].again = true;
            }
        }
        // An old refusal is taken for the answer to a later try at the same node.
        if let Delivered {
            to: End::Client(client, _),
            message: Message::Reply(reply),
            again: true,
            ..
        } = delivered
            && let Some(op) = self.calls.get(&(Caller::Client(client), reply.call))
        {
            self.ops[op.0].again = true;
        }
    }

    /// A node was sent, or handed, a frame of a caller.
    fn on_request(&mut self, caller: Caller, message: &Message) {
        let Message::Put(Put { head, request, .. }) = message else { return };
        let Some(id) = self.calls.get(&(caller, head.call)).copied() else { return };
        let op = &mut self.ops[id.0];
        match op.request {
            None => {
                op.request = Some(*request);
                self.requests.entry(*request).or_default().push(id);
            }
            Some(first) if first == *request => {}
            Some(_) => op.other_request = Some(*request),
        }
    }

    fn on_shown(&mut self, caller: Caller, reply: &Reply) {
        let Some(id) = self.calls.get(&(caller, call_of(reply.call))) else { return };
        let key = &self.ops[id.0].key;
        let token = match &reply.result {
            Ok(Answer::Entry(entry)) => &entry.context,
            Ok(Answer::Written(written)) => &written.context,
            Err(_) => return,
        };
        let Ok(context) = Context::from_token(key, token) else { return };
        if let Some(facts) = self.keys.get_mut(key) {
            facts.shown.merge(&context);
        }
    }

    fn on_applied(&mut self, moment: Moment<'_>, seen: observation::Applied<'_>) {
        let observation::Applied { node, copy, key, op, applied, record } = seen;
        let number = self.number;
        let facts = self.key_mut(moment, key);
        let held = facts.set_copy(node, copy, moment.disks[node].copy(copy, key).cloned());
        let before = held.record();
        if let RecordOp::Write(write) = op {
            let dot = match applied {
                Some(applied) => applied.dot.filter(|_| applied.changed),
                None => new_sibling(before, record, write),
            };
            if applied.is_none_or(|applied| applied.truncated > 0) {
                let known = before.histories().map(|(actor, _)| actor);
                let shown = write.context.iter().map(|(actor, _)| actor);
                let dropped = known.chain(shown).filter(|actor| record.history(*actor).is_none());
                facts.truncated.extend(dropped);
            }
            if let Some(dot) = dot {
                let again = !facts.mint(dot, write, node, (moment.now, number));
                self.actors.entry(dot.actor).or_insert_with(|| (key.clone(), node));
                self.minted = Some(Minted { dot, again });
            }
        }
        self.before = held;
    }

    fn on_synced(&mut self, moment: Moment<'_>, synced: Synced<'_>) {
        let Synced { node, copy, key, record } = synced;
        // What goes to a damaged place is as good as destroyed.
        if moment.disks[node].is_damaged(copy, key) {
            let number = self.number;
            let facts = self.key_mut(moment, key);
            facts.destroy((node, key, number), record, &Record::new(), moment.disks);
        }
    }

    fn on_crashed(&mut self, moment: Moment<'_>, Crashed { node, .. }: Crashed<'_>) {
        self.tasks.retain(|(at, _, _), _| *at != node);
        let disk = &moment.disks[node];
        for (key, facts) in &mut self.keys {
            facts.memory[node] = disk.held(key).cloned().unwrap_or_default();
            facts.hints.retain(|(at, _), _| *at != node);
            let what = (node, key, self.number);
            let rotten = disk.synced_as(key).filter(|(copy, _)| disk.is_damaged(*copy, key));
            for (_, record) in rotten {
                // Some of what was under way to a damaged place may have got there.
                facts.destroy(what, record, &Record::new(), moment.disks);
            }
        }
        for (target, key, held) in disk.hints() {
            if let Some(facts) = self.keys.get_mut(key) {
                facts.hints.insert((node, target), held.clone());
            }
        }
    }
}

/// The write that a storage kept though it said that it had failed.
fn new_sibling(before: &Record, after: &Record, write: &Write) -> Option<Dot> {
    let new = after.siblings().find(|(dot, sibling)| {
        dot.actor.node == write.newborn.node
            && sibling.request == write.request
            && sibling.payload == write.payload
            && sibling.written == write.written
            && !knows(before, *dot)
    });
    new.map(|(dot, _)| dot)
}
