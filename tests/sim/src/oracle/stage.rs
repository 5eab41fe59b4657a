//! A stage for the tests of invariants: three nodes with disks, and observations made by hand.

mod forged;
mod layouts;
mod marks;

use bytes::Bytes;
use quorate_core::causality::{
    Actor, Birth, Checksum, Context, Counter, Dot, Payload, Record, RecordOp, Write,
};
use quorate_core::client::{Completion, Link};
use quorate_core::ids::{ClusterId, Epoch, Incarnation, Key, NodeId, RequestId, Text};
use quorate_core::layout::{LayoutVersion, Member, PlanSettings, plan_first};
use quorate_core::machine::{HeldAs, StoreOp, StoreOutcome, Ticket};
use quorate_core::merkle::TreeKey;
use quorate_core::message::{
    Answer, CallId, Change, Entry, EntryValue, Failure, FailureCode, Get, LayoutUpdate,
    MergeReason, Message, Put, QuorumChoice, ReadKind, Receipt, ReplicaMerge, Reply, RequestHead,
    Strictness, Written,
};
use quorate_core::ring::SlotCount;
use quorate_core::time::{Duration, Instant, Now, UnixMs};

use super::{Facts, Moment, Op};
use crate::disk::{Disk, DiskTemper};
use crate::invariants::{Invariant, Scene, Verdict};
use crate::network::End;
use crate::observation::{
    Applied, Asked, CallEnded, CallStarted, Caller, Ending, Handed, Observation, Removed, Sent,
    Synced,
};

/// A call made on the stage.
pub(crate) type Call = (Caller, CallId);

/// Three nodes, all primaries of every key, with N=3, R=2 and W=2; strict.
pub(crate) struct Stage {
    pub(crate) layout: LayoutUpdate,
    pub(crate) disks: Vec<Disk>,
    pub(crate) facts: Facts,
    pub(crate) now: Instant,
    /// What every node reads on its wall clock.
    pub(crate) wall: UnixMs,
    pub(crate) key: Key,
    tree_key: TreeKey,
    invariant: Box<dyn Invariant>,
    verdict: Verdict,
    calls: u64,
    births: u64,
}

impl Stage {
    pub(crate) fn new(invariant: impl Invariant + 'static) -> Stage {
        Stage::with_nodes(3, invariant)
    }

    pub(crate) fn with_nodes(nodes: usize, invariant: impl Invariant + 'static) -> Stage {
        let member = |index: usize| Member {
            id: NodeId(index as u64 + 1),
            label: format!("n{index}").into(),
            zone: "z".into(),
            weight: 1,
        };
        let settings = PlanSettings { slots: SlotCount::new(8).unwrap(), replication: 3 };
        let layout = plan_first(settings, (0..nodes).map(member).collect()).unwrap();
        let tree_key = TreeKey::derive(ClusterId(1), &[]);
        let disk = |node| Disk::new(node, 1, tree_key, DiskTemper::default());
        Stage {
            layout: LayoutUpdate { layout, addresses: vec![Text::from("ws://n"); nodes] },
            disks: (0..nodes).map(disk).collect(),
            facts: Facts::new(3, 2, 2, true),
            now: Instant(1_000_000),
            wall: UnixMs(1_000),
            key: Key::from("k"),
            tree_key,
            invariant: Box::new(invariant),
            verdict: Ok(()),
            calls: 0,
            births: 0,
        }
    }

    /// Calls that begin from here on are sloppy.
    pub(crate) fn turn_sloppy(&mut self) {
        self.facts.strict = false;
    }

    /// Shows an observation to the facts and to the invariant, as the oracle does.
    pub(crate) fn see(&mut self, seen: &Observation<'_>) {
        self.now = self.now + Duration::from_micros(1);
        let moment =
            Moment { now: self.now, wall: self.wall, layout: &self.layout, disks: &self.disks };
        self.facts.observe(moment, seen);
        let Moment { now, wall, layout, disks } = moment;
        let carried = self.facts.carried(seen);
        let scene = Scene { now, wall, layout, disks, facts: &self.facts, carried };
        let verdict = self.invariant.observe(scene, seen);
        if self.verdict.is_ok() {
            self.verdict = verdict;
        }
    }

    /// The world is at rest, all nodes whole.
    pub(crate) fn rest(&mut self) {
        let scene = Scene {
            now: self.now,
            wall: self.wall,
            layout: &self.layout,
            disks: &self.disks,
            facts: &self.facts,
            carried: None,
        };
        let verdict = self.invariant.at_rest(scene, &[0, 1, 2]);
        if self.verdict.is_ok() {
            self.verdict = verdict;
        }
    }

    /// Asserts that nothing was found so far, or a violation whose text contains `part`.
    pub(crate) fn expect(&self, fine: bool, part: &str) {
        match &self.verdict {
            Ok(()) => assert!(fine, "nothing was found, but {part:?} was expected"),
            Err(violation) => {
                assert!(!fine && violation.text.contains(part), "{violation}");
            }
        }
    }

    /// What is done from here on is done to another key.
    pub(crate) fn turn_to(&mut self, key: &'static str) {
        self.key = Key::from(key);
    }

    pub(crate) fn dot(&self, node: usize, birth: u64, counter: u64) -> Dot {
        Dot { actor: self.actor(node, birth), counter: Counter(counter) }
    }

    fn actor(&self, node: usize, birth: u64) -> Actor {
        let node = NodeId(node as u64 + 1);
        Actor { node, incarnation: Incarnation(1), birth: Birth(birth) }
    }

    pub(crate) fn put(&mut self, client: usize, value: &'static str, given: &[Dot]) -> Call {
        self.put_with(client, value, given, 0, 0)
    }

    pub(crate) fn put_with(
        &mut self,
        client: usize,
        value: &'static str,
        given: &[Dot],
        r: u8,
        w: u8,
    ) -> Call {
        let value = Bytes::from_static(value.as_bytes());
        self.start(client, Asked::Put { value, context: self.token(given) }, r, w)
    }

    pub(crate) fn delete(&mut self, client: usize, given: &[Dot]) -> Call {
        self.start(client, Asked::Delete { context: self.token(given) }, 0, 0)
    }

    pub(crate) fn get(&mut self, client: usize) -> Call {
        self.get_with(client, 0, 0)
    }

    pub(crate) fn get_with(&mut self, client: usize, r: u8, w: u8) -> Call {
        self.start(client, Asked::Get, r, w)
    }

    /// Begins a call of one second, and sends its frame to the first node.
    fn start(&mut self, client: usize, asked: Asked, r: u8, w: u8) -> Call {
        self.calls += 1;
        let (caller, call) = (Caller::Client(client), CallId(self.calls));
        let (quorum, key) = (QuorumChoice { r, w }, self.key.clone());
        let timeout = Duration::from_secs(1);
        let key = &key;
        self.see(&Observation::CallStarted(CallStarted {
            caller,
            call,
            key,
            asked: &asked,
            quorum,
            strictness: Strictness::Configured,
            timeout,
        }));
        self.send_request((caller, call), &asked, RequestId { client: 9, sequence: call.0 });
        (caller, call)
    }

    /// A request by hand, which names no request; it reaches the first node.
    pub(crate) fn put_by_hand(&mut self, value: &'static str, given: &[Dot]) -> Call {
        self.calls += 1;
        let (caller, call) = (Caller::Hand(1), CallId(self.calls));
        let value = Bytes::from_static(value.as_bytes());
        let asked = Asked::Put { value, context: self.token(given) };
        let (quorum, key) = (QuorumChoice::default(), &self.key.clone());
        let timeout = Duration::from_secs(1);
        self.see(&Observation::CallStarted(CallStarted {
            caller,
            call,
            key,
            asked: &asked,
            quorum,
            strictness: Strictness::Configured,
            timeout,
        }));
        let message = self.frame((caller, call), &asked, RequestId::default());
        self.see(&Observation::Handed(Handed { caller, node: 0, message: &message }));
        (caller, call)
    }

    /// The frame of a call.
    pub(crate) fn frame(&self, call: Call, asked: &Asked, request: RequestId) -> Message {
        let head = RequestHead {
            call: call.1,
            key: self.key.clone(),
            quorum: QuorumChoice::default(),
            strictness: Strictness::Configured,
            budget: Duration::from_millis(900),
            layout_version: LayoutVersion(1),
            passed_on: false,
            receipt: false,
            zone: None,
        };
        let (change, context) = match asked {
            Asked::Get => {
                return Message::Get(Get { head, context: Bytes::new(), read: ReadKind::Quorum });
            }
            Asked::Session { context } => {
                return Message::Get(Get {
                    head,
                    context: context.clone(),
                    read: ReadKind::Quorum,
                });
            }
            Asked::Put { value, context } => {
                let (payload, checksum) = (value.clone(), Checksum::of_value(value));
                (Change::Value { payload, checksum, ttl: None }, context)
            }
            Asked::Delete { context } => (Change::Delete, context),
        };
        Message::Put(Put { head, context: context.clone(), request, change })
    }

    pub(crate) fn send_request(&mut self, call: Call, asked: &Asked, request: RequestId) {
        let message = self.frame(call, asked, request);
        let from = self.end(call.0);
        self.see(&Observation::Sent(Sent { from, to: End::Node(0), message: &message }));
    }

    /// The end of a caller's only connection.
    pub(crate) fn end(&self, caller: Caller) -> End {
        match caller {
            Caller::Client(client) => End::Client(client, Link(1)),
            Caller::Hand(_) => panic!("a hand has no connection"),
        }
    }

    pub(crate) fn op(&self, call: Call) -> &Op {
        self.facts.call(call.0, call.1).unwrap()
    }

    /// The storage of `node` carries out the write of a call, with the context that it was given.
    pub(crate) fn write(&mut self, node: usize, call: Call) -> Dot {
        let given = self.op(call).wish.given().unwrap().clone();
        let write = self.write_of(node, call, given);
        self.apply_write(node, write)
    }

    /// The same with another context.
    pub(crate) fn write_with(&mut self, node: usize, call: Call, covers: &[Dot]) -> Dot {
        let write = self.write_of(node, call, context(covers));
        self.apply_write(node, write)
    }

    /// The same with a birth that is not a new one.
    pub(crate) fn write_as(&mut self, node: usize, call: Call, birth: u64) -> Dot {
        let mut write = self.write_of(node, call, Context::new());
        write.newborn = self.actor(node, birth);
        self.apply_write(node, write)
    }

    pub(crate) fn write_of(&mut self, node: usize, call: Call, context: Context) -> Write {
        self.births += 1;
        let newborn = self.actor(node, self.births);
        let op = self.op(call);
        let payload = match &op.wish {
            crate::oracle::Wish::Put { value, .. } => Payload::Value(value.clone()),
            crate::oracle::Wish::Get { .. } | crate::oracle::Wish::Delete { .. } => {
                Payload::Tombstone
            }
        };
        let request = if op.wish.is_blind_delete() { None } else { op.request };
        Write {
            context,
            checksum: Checksum::of(&payload),
            payload,
            written: UnixMs(1_000),
            expires: None,
            request: request.unwrap_or_default(),
            newborn,
            continued: [].into(),
            siblings_max: 100,
            record_bytes_max: 1 << 20,
            actors_kept: 10,
            actor_age_min: Duration::from_secs(3_600),
        }
    }

    pub(crate) fn apply_write(&mut self, node: usize, write: Write) -> Dot {
        let dot = self.apply(node, RecordOp::Write(write), true);
        dot.expect("a write has a name")
    }

    /// Carries out a change; where it is not `told`, the storage says that it failed.
    pub(crate) fn apply(&mut self, node: usize, op: RecordOp, told: bool) -> Option<Dot> {
        self.apply_to(node, HeldAs::Own, op, told)
    }

    fn apply_to(&mut self, node: usize, copy: HeldAs, op: RecordOp, told: bool) -> Option<Dot> {
        let key = self.key.clone();
        let store = StoreOp::Apply { key: key.clone(), copy, op: op.clone() };
        let clock = self.clock();
        let ran = self.disks[node].run(clock, Ticket(1), &store).unwrap();
        let StoreOutcome::Applied { applied, .. } = ran.outcome else {
            panic!("refused: {:?}", ran.outcome)
        };
        let record = self.disks[node].copy(copy, &key).unwrap().record().clone();
        let (key, record, applied_told) = (&key, &record, told.then_some(&applied));
        let seen = Applied { node, copy, key, op: &op, applied: applied_told, record };
        self.see(&Observation::Applied(seen));
        applied.dot
    }

    /// Carries out one change and reports another.
    pub(crate) fn apply_reported(&mut self, node: usize, op: &RecordOp, reported: RecordOp) {
        let copy = HeldAs::Own;
        let key = self.key.clone();
        let store = StoreOp::Apply { key: key.clone(), copy, op: op.clone() };
        let clock = self.clock();
        let ran = self.disks[node].run(clock, Ticket(1), &store).unwrap();
        let StoreOutcome::Applied { applied, .. } = ran.outcome else {
            panic!("refused: {:?}", ran.outcome)
        };
        let record = self.disks[node].memory(&key).unwrap().clone();
        let (key, applied, record, op) = (&key, Some(&applied), &record, &reported);
        self.see(&Observation::Applied(Applied { node, copy, key, op, applied, record }));
    }

    /// `to` merges what `from` holds.
    pub(crate) fn copy(&mut self, from: usize, to: usize) {
        let record = self.disks[from].memory(&self.key).unwrap().clone();
        assert_eq!(self.apply(to, RecordOp::Merge(record), true), None);
    }

    /// `to` keeps what `from` holds as a hint for `target`.
    pub(crate) fn hint(&mut self, from: usize, to: usize, target: usize) {
        let record = self.record(from);
        let copy = HeldAs::Hint { target: self.id(target) };
        assert_eq!(self.apply_to(to, copy, RecordOp::Merge(record), true), None);
    }

    /// `node` removes its hint for `target`.
    pub(crate) fn remove_hint(&mut self, node: usize, target: usize) {
        let (key, target) = (self.key.clone(), self.id(target));
        let copy = HeldAs::Hint { target };
        let held = self.disks[node].copy(copy, &key).unwrap().clone();
        let (record, digest) = (held.record(), held.record().digest());
        let remove = StoreOp::RemoveHint { target, key: key.clone(), digest };
        let clock = self.clock();
        let ran = self.disks[node].run(clock, Ticket(1), &remove).unwrap();
        assert!(matches!(ran.outcome, StoreOutcome::HintRemoved { bytes: Some(_) }));
        let key = &key;
        self.see(&Observation::Removed(Removed { node, copy, key, record }));
    }

    /// `node` removes its own copy for good.
    pub(crate) fn collect(&mut self, node: usize) {
        let (key, record) = (self.key.clone(), self.record(node));
        let state = self.tree_key.state(&key, &record);
        let remove = StoreOp::Remove { key: key.clone(), state };
        let clock = self.clock();
        let ran = self.disks[node].run(clock, Ticket(1), &remove).unwrap();
        assert!(matches!(ran.outcome, StoreOutcome::Removed { state: Some(_) }));
        let (key, record, copy) = (&key, &record, HeldAs::Own);
        self.see(&Observation::Removed(Removed { node, copy, key, record }));
    }

    fn clock(&self) -> Now {
        Now { instant: self.now, unix: self.wall }
    }

    pub(crate) fn id(&self, node: usize) -> NodeId {
        NodeId(node as u64 + 1)
    }

    pub(crate) fn record(&self, node: usize) -> Record {
        self.disks[node].memory(&self.key).cloned().unwrap_or_default()
    }

    /// `from` sends what it holds to `to`.
    pub(crate) fn send_record(&mut self, from: usize, to: usize) {
        let record = self.record(from);
        let (key, reason) = (self.key.clone(), MergeReason::Write);
        let (call, epoch, layout_version) = (CallId(77), Epoch(1), LayoutVersion(0));
        let hint_for = None;
        let merge = ReplicaMerge { call, key, record, hint_for, reason, epoch, layout_version };
        let message = Message::ReplicaMerge(merge);
        let (from, to) = (End::Node(from), End::Node(to));
        self.see(&Observation::Sent(Sent { from, to, message: &message }));
    }

    /// `node` syncs all that it holds.
    pub(crate) fn sync(&mut self, node: usize) {
        self.now = self.now + Duration::from_millis(100);
        if self.disks[node].begin_sync(self.now).is_none() {
            return;
        }
        for (copy, key) in self.disks[node].end_sync(self.now).copies {
            if let Some(held) = self.disks[node].copy_synced(copy, &key).cloned() {
                let (key, record) = (&key, held.record());
                self.see(&Observation::Synced(Synced { node, copy, key, record }));
            }
        }
    }

    /// A write ends acknowledged with the context of these dots.
    pub(crate) fn acknowledge(&mut self, call: Call, covers: &[Dot]) {
        self.acknowledge_with(call, covers, None);
    }

    pub(crate) fn acknowledge_with(
        &mut self,
        call: Call,
        covers: &[Dot],
        receipt: Option<Receipt>,
    ) {
        let written = Written { context: self.token(covers), siblings: 1 };
        self.complete(call, Answer::Written(written), receipt);
    }

    /// A get ends with these values and the context of these dots.
    pub(crate) fn find(&mut self, call: Call, values: &[&'static str], covers: &[Dot]) {
        let shown = |value: &&'static str| {
            let payload = Bytes::from_static(value.as_bytes());
            let checksum = Checksum::of_value(&payload);
            EntryValue { payload, checksum, written: UnixMs(1_000), expires: None }
        };
        let values = values.iter().map(shown).collect();
        let entry = Entry { values, tombstones: 0, context: self.token(covers) };
        self.complete(call, Answer::Entry(entry), None);
    }

    pub(crate) fn complete(&mut self, call: Call, answer: Answer, receipt: Option<Receipt>) {
        let node = NodeId(1);
        let done = Completion { answer, node, direct: true, receipt, attempts: 1 };
        let ending = Ending::Client(&Ok(done));
        self.see(&Observation::CallEnded(CallEnded { caller: call.0, call: call.1, ending }));
    }

    /// A call ends refused.
    pub(crate) fn refuse(&mut self, call: Call) {
        let reply = self.reply(call, Err(Failure::refused(FailureCode::QuorumUnavailable)));
        let ending = Ending::Hand(&reply);
        self.see(&Observation::CallEnded(CallEnded { caller: call.0, call: call.1, ending }));
    }

    pub(crate) fn reply(&self, call: Call, result: Result<Answer, Failure>) -> Reply {
        Reply {
            call: call.1,
            layout_version: self.layout.layout.version(),
            layout: None,
            receipt: None,
            passed_on_by: None,
            copy: None,
            down: Vec::new(),
            result,
        }
    }

    pub(crate) fn token(&self, dots: &[Dot]) -> Bytes {
        context(dots).to_token(&self.key)
    }

    /// The nodes in the order of the preference list of the key.
    pub(crate) fn primaries(&self) -> Vec<usize> {
        self.primaries_by(&self.layout)
    }
}

/// A context of these dots.
pub(crate) fn context(dots: &[Dot]) -> Context {
    let mut context = Context::new();
    for dot in dots {
        context.insert(*dot);
    }
    context
}
