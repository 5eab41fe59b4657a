//! What the log has to say of an observation: the columns and the rest of its line.

use quorate_core::causality::{Applied, RecordOp, Write};
use quorate_core::ids::Key;
use quorate_core::machine::HeldAs;
use quorate_core::message::{
    CallId, Change, CollectAnswer, CollectStep, Comparison, LayoutSpan, Marks, MergeReason,
    Message, Put, Question, ReplicaState,
};
use quorate_core::time::Instant;

use super::ties::{Owner, Ties, owner};
use super::words::{self, Words};
use crate::network::End;
use crate::observation::{
    self, Asked, By, CallEnded, CallStarted, Caller, CallerGone, CallerThawed, Cancelled, Closed,
    Crashed, Delivered, Destroyed, Ending, Handed, Observation, Removed, Replaced, Resumed, Sent,
    Started, Stopped, Synced, Told, key_in,
};

/// The columns of a line that are the same for all lines.
#[derive(Default)]
pub(crate) struct Columns<'a> {
    pub(super) place: String,
    pub(super) arrow: &'static str,
    pub(super) other: String,
    pub(super) kind: &'a str,
    pub(crate) key: Option<&'a Key>,
}

impl Columns<'_> {
    /// The whole line; `text` is what stands behind the columns.
    pub(super) fn line(&self, now: Instant, text: &str) -> String {
        let Columns { place, arrow, other, kind, key } = self;
        let key = key.map(words::key).unwrap_or_default();
        let time = time(now);
        let line = format!("{time}  {place:<4} {arrow:<2} {other:<4} {kind:<8} {key:<8}  {text}");
        line.trim_end().to_owned()
    }
}

pub(super) fn time(Instant(us): Instant) -> String {
    format!("{:>5}.{:06}", us / 1_000_000, us % 1_000_000)
}

pub(super) fn at<'a>(node: usize, kind: &'a str, key: Option<&'a Key>) -> Columns<'a> {
    Columns { place: format!("n{node}"), kind, key, ..Columns::default() }
}

pub(super) fn at_client(client: usize, kind: &str) -> Columns<'_> {
    Columns { place: format!("c{client}"), kind, ..Columns::default() }
}

/// What an observation has to say; `None`: nothing.
pub(super) fn line<'a>(
    ties: &'a Ties,
    words: &mut Words<'_>,
    seen: &Observation<'a>,
) -> Option<Columns<'a>> {
    Some(match *seen {
        Observation::CallStarted(CallStarted {
            caller,
            call,
            key,
            asked,
            quorum,
            strictness,
            timeout,
        }) => {
            words.add(name(ties, Owner::of(caller), call));
            let kind = asked_for(words, key, asked);
            words.quorum(quorum);
            words.strictness(strictness);
            words.add(format_args!("within {}", words::seconds(timeout)));
            Columns { place: format!("{caller:?}"), kind, key: Some(key), ..Columns::default() }
        }
        Observation::CallEnded(CallEnded { caller, call, ending }) => {
            let key = ties.key(Owner::of(caller), call);
            words.add(name(ties, Owner::of(caller), call));
            match ending {
                Ending::Client(Ok(done)) => {
                    words.answer(key, &done.answer);
                    words.add(format_args!("from {}", words::Node(done.node)));
                }
                Ending::Client(Err(error)) => words.failed(
                    error.code.as_str(),
                    error.outcome,
                    (error.acked, error.needed),
                    (error.actual, error.limit),
                ),
                Ending::Hand(reply) => words.reply(key, reply),
            }
            Columns { place: format!("{caller:?}"), kind: "end", key, ..Columns::default() }
        }
        Observation::Cancelled(Cancelled { client, call }) => {
            let owner = Owner::Client(client);
            words.add(name(ties, owner, call));
            Columns { key: ties.key(owner, call), ..at_client(client, "cancel") }
        }
        Observation::CallerGone(CallerGone { client }) => at_client(client, "dead"),
        Observation::CallerThawed(CallerThawed { client, since }) => {
            words.add(format_args!("since {}", time(since).trim_start()));
            at_client(client, "thawed")
        }
        Observation::Closed(Closed { a, b }) => {
            let (place, other) = (a.place().to_string(), b.place().to_string());
            Columns { place, arrow: "--", other, kind: "closed", key: None }
        }
        Observation::Sent(Sent { from, to, message }) => {
            let mut columns = frame(ties, words, (from, to), message);
            columns.arrow = "->";
            columns
        }
        Observation::Delivered(Delivered { from, to, message, again }) => {
            let columns = frame(ties, words, (from, to), message);
            if again {
                words.add("(again)");
            }
            Columns { place: columns.other, other: columns.place, arrow: "<-", ..columns }
        }
        Observation::Handed(Handed { caller, node, message }) => {
            let asker = Owner::of(caller);
            let kind = body(ties, words, Some(asker), message);
            let (place, other) = (format!("n{node}"), "hand".to_owned());
            Columns { place, arrow: "<-", other, kind, key: key_in(message) }
        }
        Observation::Applied(observation::Applied { node, copy, key, op, applied, record }) => {
            held_as(words, copy);
            let kind = match op {
                RecordOp::Write(write) => {
                    self::write(ties, words, write, applied);
                    "write"
                }
                RecordOp::Merge(_) => "merge",
            };
            match applied {
                None => words.add("kept, but said to have failed:"),
                Some(applied) if !applied.changed => words.add("no change:"),
                Some(_) => {}
            }
            words.record(record);
            at(node, kind, Some(key))
        }
        Observation::Synced(Synced { node, copy, key, record }) => {
            held_as(words, copy);
            words.record(record);
            at(node, "synced", Some(key))
        }
        Observation::Crashed(Crashed { node, lost }) => {
            if !lost.is_empty() {
                words.add("lost what was not synced of");
                lost.iter().for_each(|key| words.add(words::key(key)));
            }
            at(node, "crashed", None)
        }
        Observation::Stopped(Stopped { node, is_clean }) => {
            words.add(if is_clean { "clean" } else { "not clean" });
            at(node, "stops", None)
        }
        Observation::Started(Started { node, found, .. }) => {
            words.add(format_args!("at commit {}", found.mark.0));
            if found.standing.refilling {
                words.add("to be refilled");
            }
            at(node, "started", None)
        }
        Observation::Replaced(Replaced { node, by, .. }) => {
            words.add(match by {
                By::Fault => "by another one",
                By::Node => "set aside",
            });
            at(node, "disk", None)
        }
        Observation::Resumed(Resumed { node, since }) => {
            words.add(format_args!("since {}", time(since).trim_start()));
            at(node, "resumed", None)
        }
        Observation::Removed(Removed { node, copy, key, record }) => {
            held_as(words, copy);
            words.record(record);
            at(node, "removed", Some(key))
        }
        Observation::Destroyed(Destroyed { node, copy, key, before, after, .. }) => {
            held_as(words, copy);
            words.record(before);
            words.add("->");
            words.record(after);
            at(node, "destroyed", Some(key))
        }
        Observation::Told(Told { node, event }) => {
            words.event(event);
            at(node, "told", event.key())
        }
        Observation::Stepped(_) => return None,
    })
}

fn held_as(words: &mut Words<'_>, copy: HeldAs) {
    match copy {
        HeldAs::Own => {}
        HeldAs::Hint { target } => words.add(format_args!("hint for {}", words::Node(target))),
    }
}

fn asked_for(words: &mut Words<'_>, key: &Key, asked: &Asked) -> &'static str {
    match asked {
        Asked::Get => "get",
        Asked::Session { context } => {
            words.token(Some(key), context);
            "get"
        }
        Asked::Put { value, context } => {
            words.add("");
            words.value(value);
            words.token(Some(key), context);
            "put"
        }
        Asked::Delete { context } => {
            words.token(Some(key), context);
            "delete"
        }
    }
}

/// What a coordinator's storage made of a write.
fn write(ties: &Ties, words: &mut Words<'_>, write: &Write, applied: Option<&Applied>) {
    if let Some(dot) = applied.and_then(|applied| applied.dot) {
        words.add("");
        words.dot(dot);
    }
    if write.request.sequence > 0 {
        let caller = match ties.writer(write.request.client) {
            Some(client) => Caller::Client(client),
            None => Caller::Hand(write.request.sequence),
        };
        words.add(match caller {
            Caller::Client(client) => format!("for c{client}/{}", write.request.sequence),
            Caller::Hand(number) => format!("for hand/{number}"),
        });
    }
    if let Some(dropped) = applied.map(|applied| applied.truncated).filter(|count| *count > 0) {
        words.add(format_args!("{dropped} actors dropped"));
    }
}

/// A frame as its sender sees it.
pub(crate) fn frame<'a>(
    ties: &'a Ties,
    words: &mut Words<'_>,
    (from, to): (End, End),
    message: &'a Message,
) -> Columns<'a> {
    let asker = owner(from, to, message).map(|(owner, _)| owner);
    let kind = body(ties, words, asker, message);
    let key = key_of(ties, from, to, message);
    let (place, other) = (from.place().to_string(), to.place().to_string());
    Columns { place, arrow: "", other, kind, key }
}

/// The key that a frame is about.
fn key_of<'a>(ties: &'a Ties, from: End, to: End, message: &'a Message) -> Option<&'a Key> {
    key_in(message).or_else(|| {
        let (owner, call) = owner(from, to, message)?;
        ties.key(owner, call)
    })
}

/// What people call a call.
fn name(ties: &Ties, owner: Owner, call: CallId) -> String {
    match owner {
        Owner::Client(client) => format!("c{client}/{}", call.0),
        Owner::Hand(_) => format!("hand/{}", call.0),
        Owner::Node(node) => format!("n{node}:{}", ties.number(node, call)),
        Owner::Repair(..) => "repair".to_owned(),
    }
}

/// What a frame says beside its key; answers what kind it is.
fn body(
    ties: &Ties,
    words: &mut Words<'_>,
    asker: Option<Owner>,
    message: &Message,
) -> &'static str {
    let call = |words: &mut Words<'_>, call: CallId| {
        if let Some(asker) = asker {
            words.add(name(ties, asker, call));
        }
    };
    let named = |words: &mut Words<'_>, id: CallId, name: &'static str| {
        call(words, id);
        name
    };
    match message {
        Message::Get(get) => {
            call(words, get.head.call);
            if !get.context.is_empty() {
                words.token(Some(&get.head.key), &get.context);
            }
            words.quorum(get.head.quorum);
            words.strictness(get.head.strictness);
            "GET"
        }
        Message::Put(put) => {
            call(words, put.head.call);
            put_body(ties, words, put)
        }
        Message::Reply(reply) => {
            call(words, reply.call);
            let key = asker.and_then(|asker| ties.key(asker, reply.call));
            words.reply(key, reply);
            "REPLY"
        }
        Message::ReplicaRead(read) => {
            call(words, read.call);
            if read.digest.is_some() {
                words.add("with a digest");
            }
            if read.stand_in {
                words.add("as a stand-in");
            }
            "READ"
        }
        Message::ReplicaRecord(answer) => {
            call(words, answer.call);
            match &answer.state {
                ReplicaState::Record(record) => words.record(record),
                ReplicaState::Same => words.add("the same"),
                ReplicaState::Unreadable => words.add("cannot say"),
            }
            "RECORD"
        }
        Message::ReplicaMerge(merge) => {
            call(words, merge.call);
            match merge.reason {
                MergeReason::Write | MergeReason::Repair => {}
                MergeReason::Handoff => words.add("handed over"),
                MergeReason::AntiEntropy => words.add("found by comparison"),
            }
            if let Some(target) = merge.hint_for {
                words.add(format_args!("hint for {}", words::Node(target)));
            }
            words.record(&merge.record);
            "MERGE"
        }
        Message::ReplicaMerged(answer) => {
            call(words, answer.call);
            words.add(if answer.durable { "durable" } else { "not durable" });
            "MERGED"
        }
        Message::Compare(compare) => {
            call(words, compare.call);
            question(words, &compare.question);
            "COMPARE"
        }
        Message::Compared(compared) => {
            call(words, compared.call);
            comparison(words, &compared.answer);
            "COMPARED"
        }
        Message::Collect(collect) => {
            call(words, collect.call);
            match &collect.step {
                CollectStep::Confirm { keys, since: None, .. } => {
                    words.add(format_args!("what of {} keys", keys.len()));
                }
                CollectStep::Confirm { keys, since: Some(_), floors } => {
                    let (keys, floors) = (keys.len(), floors.len());
                    words.add(format_args!("what of {keys} keys, {floors} epochs are over"));
                }
                CollectStep::NewEpoch => words.add("a new epoch begins"),
                CollectStep::Remove(dead) => {
                    words.add(format_args!("{} records go", dead.len()));
                }
            }
            "COLLECT"
        }
        Message::Collected(collected) => {
            call(words, collected.call);
            match &collected.answer {
                CollectAnswer::NotNow => words.add("cannot say"),
                CollectAnswer::Confirmed { states, .. } => {
                    let settled = states.iter().flatten().count();
                    words.add(format_args!("{settled} of {} are settled", states.len()));
                }
                CollectAnswer::Begun(_) => words.add("it has begun"),
            }
            "COLLECTED"
        }
        Message::Hello(hello) => {
            words.add(format_args!("layout {}", hello.layout_version.0));
            "HELLO"
        }
        Message::Welcome(welcome) => {
            if let Some(update) = &welcome.layout {
                words.add(format_args!("layout {}", update.layout.version().0));
            }
            "WELCOME"
        }
        Message::Reject(reject) => {
            words.add(&reject.text);
            "REJECT"
        }
        Message::Unsupported(unsupported) => {
            words.add(&unsupported.text);
            "UNSUPPORTED"
        }
        Message::StatusRequest(request) => named(words, request.call, "STATUS?"),
        Message::StatusReply(status) => named(words, status.call, "STATUS"),
        Message::RepairRequest(request) => named(words, request.call, "REPAIR?"),
        Message::RepairReply(reply) => named(words, reply.call, "REPAIR"),
        Message::LayoutRequest(request) => named(words, request.call, "LAYOUT?"),
        Message::LayoutReply(reply) => named(words, reply.call, "LAYOUT"),
        Message::Gossip(gossip) => {
            words.add(if gossip.asks.is_some() { "asks" } else { "answers" });
            let (pulses, members) = (gossip.pulses.len(), gossip.members.len());
            words.add(format_args!("{pulses} pulses, {members} members"));
            if !gossip.wanted.is_empty() {
                words.add(format_args!("{} wanted", gossip.wanted.len()));
            }
            let LayoutSpan { head, oldest, read } = gossip.span;
            words.add(format_args!("layouts {oldest} to {}, reads {read}", head.version));
            for of in &gossip.marks {
                let (node, Marks { ack, sync, sync_ack }) = (words::Node(of.node), of.marks);
                words.add(format_args!("{node} acks {ack}, synced {sync}, knows {sync_ack}"));
            }
            let versions = gossip.layouts.iter().map(|update| update.layout.version());
            versions.for_each(|version| words.add(format_args!("layout {version}")));
            "GOSSIP"
        }
    }
}

fn question(words: &mut Words<'_>, question: &Question) {
    match question {
        Question::Branches(branches) => words.add(format_args!("{} branches", branches.len())),
        Question::States { piece, states, .. } => {
            words.add(format_args!("{}: {} states", words::At(*piece), states.len()));
        }
        Question::Records { slot, keys, .. } => {
            words.add(format_args!("slot {}: {} keys", slot.0, keys.len()));
        }
        Question::Rest { piece, .. } => {
            words.add(format_args!("{}: everything", words::At(*piece)));
        }
    }
}

fn comparison(words: &mut Words<'_>, answer: &Comparison) {
    let more = match answer {
        Comparison::NotNow => return words.add("cannot say"),
        Comparison::Branches { differ, busy } => {
            words.add(format_args!("{} branches differ", differ.len()));
            if !busy.is_empty() {
                words.add(format_args!("and {} slots are being refilled", busy.len()));
            }
            return;
        }
        Comparison::States { differ, until } => {
            words.add(format_args!("{} keys differ", differ.len()));
            until.is_some()
        }
        Comparison::Records { records, wants, until, .. } => {
            words.add(format_args!("{} records, {} wanted", records.len(), wants.len()));
            until.is_some()
        }
    };
    if more {
        words.add("and more");
    }
}

fn put_body(ties: &Ties, words: &mut Words<'_>, put: &Put) -> &'static str {
    if put.head.passed_on {
        let writer = ties.writer(put.request.client);
        let writer = writer.map_or("hand".to_owned(), |client| format!("c{client}"));
        words.add(format_args!("for {writer}/{}", put.request.sequence));
    }
    let kind = match &put.change {
        Change::Value { payload, ttl, .. } => {
            words.add("");
            words.value(payload);
            if let Some(ttl) = ttl {
                words.add(format_args!("for {ttl:?}"));
            }
            "PUT"
        }
        Change::Delete => "DELETE",
    };
    words.token(Some(&put.head.key), &put.context);
    words.quorum(put.head.quorum);
    words.strictness(put.head.strictness);
    kind
}
