//! Short forms of what the log talks about.
//!
//! ```text
//!   n0.a3#2                          the 2nd write of the 3rd actor born in the first life of n0
//!   {n0.a1#1-3,5}                    a context
//!   {n0.a1#1-3 | n1.b2#1="milk"}     a record: superseded | live
//!   c0/17  hand/3                    a call of a client, and each request that it sends
//!   n2:5                             the 5th call of n2 that asks other nodes
//! ```

use std::collections::BTreeMap;
use std::fmt::{self, Display, Write};

use quorate_core::causality::{Actor, ApplyRefusal, Context, Dot, Payload, Record, Seen};
use quorate_core::ids::{Incarnation, Key, NodeId};
use quorate_core::machine::{Event, Peer, StoreError};
use quorate_core::merkle::Piece;
use quorate_core::message::{Answer, Failure, Outcome, QuorumChoice, Reply, Strictness};
use quorate_core::time::Duration;

use crate::detail::Obstacle;

/// Characters of a value that are shown.
const VALUE_CHARS: usize = 24;

/// The lives of the nodes, by what their data call them: the first one is life 0.
pub(crate) type Lives = BTreeMap<(NodeId, Incarnation), u64>;

/// Writes short forms; each method appends to `text`.
pub(crate) struct Words<'a> {
    pub(crate) text: String,
    pub(crate) lives: &'a Lives,
}

impl Words<'_> {
    /// Appends what is formatted, behind a blank where something stands already.
    pub(crate) fn add(&mut self, words: impl Display) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.put(words);
    }

    fn put(&mut self, words: impl Display) {
        write!(self.text, "{words}").expect("a string takes everything");
    }

    pub(crate) fn dot(&mut self, dot: Dot) {
        self.actor(dot.actor);
        self.put(format_args!("#{}", dot.counter.0));
    }

    fn actor(&mut self, Actor { node, incarnation, birth }: Actor) {
        self.put(format_args!("{}.", Node(node)));
        match self.lives.get(&(node, incarnation)).copied() {
            Some(life) => self.life(life),
            None => self.put(format_args!("{:x}.", incarnation.0)),
        }
        self.put(birth.0);
    }

    /// a, b, ..., z, ba, bb, ...
    fn life(&mut self, life: u64) {
        if let Some(rest) = Some(life / 26).filter(|rest| *rest > 0) {
            self.life(rest);
        }
        self.text.push(char::from(b'a' + (life % 26) as u8));
    }

    fn seen(&mut self, actor: Actor, seen: &Seen) {
        self.actor(actor);
        let mut mark = '#';
        if seen.upto() > 0 {
            self.put(format_args!("{mark}{}", if seen.upto() == 1 { "1" } else { "1-" }));
            if seen.upto() > 1 {
                self.put(seen.upto());
            }
            mark = ',';
        }
        for also in seen.also() {
            self.put(format_args!("{mark}{also}"));
            mark = ',';
        }
    }

    pub(crate) fn context(&mut self, context: &Context) {
        self.add('{');
        for (index, (actor, seen)) in context.iter().enumerate() {
            if index > 0 {
                self.text.push(' ');
            }
            self.seen(actor, seen);
        }
        self.text.push('}');
    }

    /// A context as its users hold it.
    pub(crate) fn token(&mut self, key: Option<&Key>, token: &[u8]) {
        match key.map(|key| Context::from_token(key, token)) {
            _ if token.is_empty() => self.add("blind"),
            Some(Ok(context)) => self.context(&context),
            Some(Err(_)) | None => self.add("{?}"),
        }
    }

    pub(crate) fn record(&mut self, record: &Record) {
        self.add('{');
        let start = self.text.len();
        for (actor, history) in record.histories().filter(|(_, h)| !h.superseded().is_empty()) {
            if self.text.len() > start {
                self.text.push(' ');
            }
            self.seen(actor, history.superseded());
        }
        for (index, (dot, sibling)) in record.siblings().enumerate() {
            let behind = self.text.len() > start;
            let gap = if index > 0 {
                " "
            } else if behind {
                " | "
            } else {
                "| "
            };
            self.text.push_str(gap);
            self.dot(dot);
            self.text.push('=');
            self.payload(&sibling.payload);
        }
        self.text.push('}');
    }

    fn payload(&mut self, payload: &Payload) {
        match payload {
            Payload::Value(value) => self.value(value),
            Payload::Tombstone => self.text.push_str("deleted"),
        }
    }

    pub(crate) fn value(&mut self, value: &[u8]) {
        let text = String::from_utf8_lossy(value);
        let cut = text.char_indices().nth(VALUE_CHARS).map(|(at, _)| at);
        match cut {
            Some(at) => self.put(format_args!("{:?}..", &text[..at])),
            None => self.put(format_args!("{text:?}")),
        }
    }

    pub(crate) fn quorum(&mut self, QuorumChoice { r, w }: QuorumChoice) {
        if r > 0 {
            self.add(format_args!("R={r}"));
        }
        if w > 0 {
            self.add(format_args!("W={w}"));
        }
    }

    pub(crate) fn reply(&mut self, key: Option<&Key>, reply: &Reply) {
        if let Some(by) = reply.passed_on_by {
            self.add(format_args!("passed on by {}", Node(by)));
        }
        match &reply.result {
            Ok(answer) => self.answer(key, answer),
            Err(failure) => self.failure(failure),
        }
        if let Some(receipt) = &reply.receipt {
            let by = |nodes: &[NodeId]| -> String {
                let nodes: Vec<String> = nodes.iter().map(|node| Node(*node).to_string()).collect();
                nodes.join(",")
            };
            self.add(format_args!("by {}", by(&receipt.primaries)));
            if !receipt.repaired.is_empty() {
                self.add(format_args!("stale {}", by(&receipt.repaired)));
            }
        }
        if reply.layout.is_some() {
            self.add(format_args!("with layout {}", reply.layout_version.0));
        }
    }

    pub(crate) fn answer(&mut self, key: Option<&Key>, answer: &Answer) {
        match answer {
            Answer::Entry(entry) => {
                let siblings = entry.values.len() + entry.tombstones as usize;
                self.add(format_args!("ok siblings={siblings}"));
                for value in &entry.values {
                    self.add("");
                    self.value(&value.payload);
                }
                if entry.tombstones > 0 {
                    self.add(format_args!("deleted x{}", entry.tombstones));
                }
                if !entry.context.is_empty() {
                    self.token(key, &entry.context);
                }
            }
            Answer::Written(written) => {
                self.add(format_args!("ok siblings={}", written.siblings));
                if !written.context.is_empty() {
                    self.token(key, &written.context);
                }
            }
        }
    }

    fn failure(&mut self, failure: &Failure) {
        let Failure { code, outcome, needed, acked, limit, actual, retry_after: _ } = *failure;
        self.failed(&shout(&format!("{code:?}")), outcome, (acked, needed), (actual, limit));
    }

    /// How something ended badly: `acked` of `needed`, and a number that exceeded a limit.
    pub(crate) fn failed(
        &mut self,
        code: &str,
        outcome: Outcome,
        (acked, needed): (u32, u32),
        (actual, limit): (u64, u64),
    ) {
        self.add(match outcome {
            Outcome::None => "refused",
            Outcome::Unknown => "unknown",
        });
        self.add(code);
        if needed > 0 {
            self.add(format_args!("{acked}/{needed}"));
        }
        if limit > 0 {
            self.add(format_args!("{actual} of at most {limit}"));
        }
    }

    /// Whether fallbacks count, where a request says so.
    pub(crate) fn strictness(&mut self, strictness: Strictness) {
        match strictness {
            Strictness::Configured => {}
            Strictness::Strict => self.add("strict"),
            Strictness::Sloppy => self.add("sloppy"),
        }
    }

    pub(crate) fn refusal(&mut self, refusal: &ApplyRefusal) {
        self.add(format_args!("refused: {refusal}"));
    }

    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::NodeUp(node) => self.add(format_args!("{} is up", Node(*node))),
            Event::NodeDown(node) => self.add(format_args!("{} is down", Node(*node))),
            Event::Repaired { node, .. } => self.add(format_args!("{} is repaired", Node(*node))),
            Event::PassedOn { to } => self.add(format_args!("passed on to {}", Node(*to))),
            Event::Overloaded { limit } => self.add(format_args!("overloaded {limit}")),
            Event::ManyActors { actors, .. } => self.add(format_args!("{actors} actors")),
            Event::Truncated { actors, .. } => self.add(format_args!("{actors} actors dropped")),
            Event::Damaged { node, .. } => {
                self.add("damaged");
                if let Some(node) = node {
                    self.add(format_args!("as {} sent it", Node(*node)));
                }
            }
            Event::StorageFailed(error) => {
                self.add(format_args!("storage failed: {}", store_error(*error)));
            }
            Event::Misbehaved(peer) => match peer {
                Peer::Node(node) => self.add(format_args!("{} misbehaved", Node(*node))),
                Peer::Client(_) => self.add("a client misbehaved"),
            },
            Event::MemberMet(node) => self.add(format_args!("{} is met", Node(*node))),
            Event::MemberSuspected(node) => {
                self.add(format_args!("{} is suspected", Node(*node)));
            }
            Event::MemberDown { node, witnesses } => {
                let witnesses: Vec<String> =
                    witnesses.iter().map(|witness| Node(*witness).to_string()).collect();
                self.add(format_args!("{} is held for down by", Node(*node)));
                self.add(witnesses.join(", "));
            }
            Event::MemberUp(node) => self.add(format_args!("{} is heard from", Node(*node))),
            Event::MemberStaysDown { node, down } => {
                self.add(format_args!("{} is down for {}", Node(*node), seconds(*down)));
            }
            Event::MemberForgotten(node) => self.add(format_args!("forgets {}", Node(*node))),
            Event::IdentityConflict { node, .. } => {
                self.add(format_args!("two live as {}", Node(*node)));
            }
            Event::GossipRefused(node) => {
                self.add(format_args!("refuses the gossip of {}", Node(*node)));
            }
            Event::PeerAvoided(node) => self.add(format_args!("avoids {}", Node(*node))),
            Event::PeerTrusted(node) => self.add(format_args!("trusts {} again", Node(*node))),
            Event::LayoutChanged(version) => self.add(format_args!("layout {}", version.0)),
            Event::ChangeRefused(refusal) => self.add(format_args!("no new layout: {refusal}")),
            Event::LayoutReplaced(version) => {
                self.add(format_args!("layout {} replaced", version.0));
            }
            Event::LayoutSynced(version) => self.add(format_args!("reads by layout {}", version.0)),
            Event::HandedOver { target, .. } => {
                self.add(format_args!("handed over to {}", Node(*target)));
            }
            Event::HintDropped { target, .. } => {
                self.add(format_args!("gave up a hint for {}", Node(*target)));
            }
            Event::HintsDamaged { target, hints } => {
                let target = Node(*target);
                self.add(format_args!("{hints} hints for {target} cannot be read"));
            }
            Event::RecordTaken { from, .. } => {
                self.add(format_args!("lacked it, took it from {}", Node(*from)));
            }
            Event::RecordGiven { to, .. } => {
                self.add(format_args!("gave it to {}, which lacked it", Node(*to)));
            }
            Event::Collected { .. } => self.add("collected"),
            Event::StaleRefused(from) => {
                self.add(format_args!("refuses what {} read long ago", Node(*from)));
            }
            Event::DataLost { is_old } => {
                self.add(if *is_old { "holds an old copy" } else { "has lost something" });
            }
            Event::Refilled => self.add("holds again what was lost"),
            Event::RecordRotten { .. } => self.add("cannot read its copy, and removes it"),
            Event::TreesKept => self.add("has the trees of its former life"),
            Event::TreesUnfit(why) => self.add(format_args!("counts its trees: {why}")),
            // For those that core may add.
            _ => self.add(format_args!("{event:?}")),
        }
    }
}

/// A node by its index: ids are given in their order, from 1.
pub(crate) struct Node(pub(crate) NodeId);

impl Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{}", self.0.0.wrapping_sub(1))
    }
}

/// Where the records of a piece lie.
pub(crate) struct At(pub(crate) Piece);

impl Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Piece { slot, branch } = self.0;
        write!(f, "slot {} branch {}.{}", slot.0, branch.level, branch.index)
    }
}

pub(crate) fn key(key: &Key) -> String {
    String::from_utf8_lossy(key.as_bytes()).chars().take(VALUE_CHARS).collect()
}

pub(crate) fn store_error(error: StoreError) -> &'static str {
    match error {
        StoreError::Io => "io",
        StoreError::Damaged => "damaged",
        StoreError::Closed => "closed",
        StoreError::Full => "full",
    }
}

pub(crate) fn obstacle(obstacle: Obstacle) -> &'static str {
    match obstacle {
        Obstacle::Hold => "held",
        Obstacle::Rule => "lost: a rule",
        Obstacle::Cut => "lost: the link is cut",
        Obstacle::Weather => "lost: the link",
        Obstacle::Unconnected => "lost: no connection",
        Obstacle::Connection => "lost: the connection is gone",
        Obstacle::Receiver => "lost: nobody there",
    }
}

pub(crate) fn seconds(duration: Duration) -> String {
    let us = duration.as_micros();
    let (whole, part) = (us / 1_000_000, us % 1_000_000);
    let digits = format!("{whole}.{part:06}");
    format!("{}s", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// `LostQuorum` as `LOST_QUORUM`.
fn shout(name: &str) -> String {
    let mut shouted = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !shouted.is_empty() {
            shouted.push('_');
        }
        shouted.push(letter.to_ascii_uppercase());
    }
    shouted
}
