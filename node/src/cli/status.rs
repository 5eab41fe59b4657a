//! `status`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use quorate_core::ids::{NodeId, Text};
use quorate_core::layout::{Layout, Member, MemberLoad};
use quorate_core::message::{MemberState, MemberStatus, StatusReply};
use serde_json::{Value, json};

use super::args::{AskOptions, ClientArgs, block_on};
use super::failure::Failure;
use super::losses;
use super::output::{Format, print_json, print_line, table};
use super::overview::{Overview, bytes, heartbeat, limit, member_json, state};
use super::slots::Comparisons;
use crate::server::{enumerate, span};

/// Show how every node is, and what needs attention.
///
/// Who is up is told by the first node that answers; then every member is asked for its own
/// numbers, and how many hints it holds for the others. With -o json come all counters and limits.
///
/// Examples:
///   quorate status
///   quorate status --slots    when the replicas of each slot were last found equal
///   quorate status -o json | jq '.members[] | {label, state, hints}'
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Status {
    /// Show for each slot who holds it, and when its replicas were last found equal.
    #[arg(long)]
    slots: bool,
    #[command(flatten)]
    client: ClientArgs,
}

/// The same for programs, without the slots.
pub(super) async fn cluster_json(options: &AskOptions) -> Result<Value, Failure> {
    Ok(Cluster::ask(options).await?.json(false))
}

/// What the answering node says of the members, and what each says of itself.
struct Cluster {
    seen: Overview,
    replies: BTreeMap<NodeId, Result<StatusReply, String>>,
}

impl Status {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let options = AskOptions::from(self.client);
        let cluster = block_on(Cluster::ask(&options))?;
        match output {
            Format::Json => print_json(&cluster.json(self.slots)),
            Format::Table if self.slots => print_line(&cluster.slots_text()?),
            Format::Table => print_line(&cluster.text()),
        }
    }
}

impl Cluster {
    async fn ask(options: &AskOptions) -> Result<Cluster, Failure> {
        let seen = Overview::ask(options).await?;
        let others = seen.status.members.iter().filter(|member| member.id != seen.status.node);
        let asked = others.map(async |member| {
            let reply = Overview::ask_one(&member.address, options).await;
            let reply = reply.map(|overview| overview.status).and_then(|reply| {
                let other = format!("node {} answers at its address", reply.node);
                if reply.node == member.id { Ok(reply) } else { Err(other) }
            });
            (member.id, reply)
        });
        let mut replies: BTreeMap<_, _> = join_all(asked).await.into_iter().collect();
        replies.insert(seen.status.node, Ok(seen.status.clone()));
        Ok(Cluster { seen, replies })
    }

    /// Hints for a member, and their bytes, on all nodes that answered.
    fn hints(&self, target: NodeId) -> (u64, u64) {
        let replies = self.replies.values().flatten();
        let held = replies.flat_map(|reply| &reply.members).filter(|member| member.id == target);
        held.fold((0, 0), |(hints, bytes), held| (hints + held.hints, bytes + held.hint_bytes))
    }

    fn up(&self) -> usize {
        self.replies.values().filter(|reply| reply.is_ok()).count()
    }

    /// Slots, and copies of them.
    fn slots(&self) -> (u64, u64) {
        self.seen.status.members.iter().fold((0, 0), |(slots, replicas), member| {
            (slots + u64::from(member.slots), replicas + u64::from(member.replicas))
        })
    }

    /// On how many nodes each key is.
    fn replication(&self) -> u64 {
        let (slots, replicas) = self.slots();
        replicas.checked_div(slots).unwrap_or(0)
    }

    /// What an operator should look after, one sentence each.
    fn attention(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        let own = &self.seen.status;
        if own.layout_version.0 == 0 {
            sentences.push(format!(
                "the cluster has no layout yet: {} members have met, and the founder waits for \
                 more",
                own.members.len()
            ));
        }
        for member in self.seen.members() {
            sentences.extend(self.attention_for(member));
        }
        for reply in self.replies.values().flatten() {
            sentences.extend(losses::attention(reply));
        }
        sentences.extend(self.collection_attention());
        sentences.extend(self.comparisons().attention());
        sentences
    }

    fn attention_for(&self, member: &MemberStatus) -> Option<String> {
        let (hints, hint_bytes) = self.hints(member.id);
        let label = &member.label;
        let layout = self.seen.layout.as_ref().map(|update| &update.layout);
        let is_member = layout.is_none_or(|layout| layout.member(member.id).is_some());
        let silent = self.replies.get(&member.id).and_then(|reply| reply.as_ref().err());
        let what = match (member.state, silent) {
            // One that left, or that never came in.
            (MemberState::Down | MemberState::Suspected, _) if !is_member && hints == 0 => {
                return None;
            }
            (MemberState::Down, _) => format!("is down for {}", span(member.down)),
            (MemberState::Suspected, _) => format!(
                "is suspected by {}: its heartbeat is {} old",
                self.seen.witnesses(member).join(" and "),
                span(member.heartbeat_age)
            ),
            (MemberState::Up, Some(reason)) => format!("does not answer here: {reason}"),
            (MemberState::Up, None) if !member.up => {
                format!("is not connected to {}", self.seen.status.label)
            }
            (MemberState::Up, None) if hints > 0 => "is up".into(),
            (MemberState::Up, None) if !is_member => format!(
                "is no member and holds nothing: `quorate layout join {label}` gives it its share"
            ),
            (MemberState::Up, None) if member.slots == 0 && member.weight == 0 => {
                "leaves: see `quorate layout show --watch`".into()
            }
            (MemberState::Up, None) => return None,
        };
        let wait = match hints {
            0 => String::new(),
            1 => format!(": 1 hint waits for it ({})", bytes(hint_bytes)),
            more => format!(": {more} hints wait for it ({})", bytes(hint_bytes)),
        };
        Some(format!("node {label} {what}{wait}"))
    }

    /// Who holds up collection. A node that is away for less than the grace time holds up nothing
    /// that would be noticed.
    fn collection_attention(&self) -> Option<String> {
        let layout = &self.seen.layout.as_ref()?.layout;
        let replies = self.replies.values().flatten();
        let grace = replies.filter_map(|reply| limit(reply, "grace_ms")).min()?;
        let grace = Duration::from_millis(grace);
        let holds_up = |member: &&MemberStatus| {
            let away = member.state == MemberState::Down && member.down >= grace;
            away && layout.member(member.id).is_some()
        };
        let away = self.seen.members().into_iter().filter(holds_up);
        let away: Vec<Text> = away.map(|member| member.label.clone()).collect();
        let are = if away.len() == 1 { "is" } else { "are" };
        (!away.is_empty()).then(|| {
            let away = enumerate(&away);
            format!("what was deleted or has expired is not collected while {away} {are} away")
        })
    }

    fn comparisons(&self) -> Comparisons<'_> {
        Comparisons::new(&self.seen, self.replies.values().flatten())
    }

    fn slots_text(&self) -> Result<String, Failure> {
        let none = || Failure::failed("the cluster has no layout yet, so there are no slots");
        let layout = &self.seen.layout.as_ref().ok_or_else(none)?.layout;
        Ok(self.comparisons().text(layout))
    }

    fn text(&self) -> String {
        let header = [
            "node",
            "state",
            "zone",
            "address",
            "doubted by",
            "heartbeat",
            "hints for it",
            "load",
            "records",
            "up for",
        ];
        let mut rows = table(&header, 5);
        let (_, replicas) = self.slots();
        for member in self.seen.members() {
            let (hints, hint_bytes) = self.hints(member.id);
            let hints = match hints {
                0 => "0".into(),
                hints => format!("{hints} ({})", bytes(hint_bytes)),
            };
            let load = f64::from(member.replicas) / replicas.max(1) as f64 * 100.0;
            let reply = self.replies.get(&member.id).and_then(|reply| reply.as_ref().ok());
            let of_itself = |value: fn(&StatusReply) -> String| reply.map_or("-".into(), value);
            rows.add_row([
                member.label.to_string(),
                state(member),
                member.zone.to_string(),
                member.address.to_string(),
                self.seen.witnesses(member).join(", "),
                heartbeat(member),
                hints,
                format!("{load:.1} %"),
                of_itself(|reply| reply.records.to_string()),
                of_itself(|reply| span(reply.uptime)),
            ]);
        }
        let (status, defaults) = (&self.seen.status, &self.seen.defaults);
        let mut lines = vec![
            rows.to_string(),
            format!(
                "{} of {} nodes answer; cluster {}, layout {}, {} slots, N={}, R={} W={}{}; \
                 states as {} sees them",
                self.up(),
                status.members.len(),
                status.cluster,
                status.layout_version,
                self.slots().0,
                self.replication(),
                defaults.r,
                defaults.w,
                if defaults.strict { ", strict" } else { "" },
                status.label,
            ),
        ];
        let attention = self.attention();
        if attention.is_empty() {
            lines.push("nothing needs attention".into());
        }
        lines.extend(attention.into_iter().map(|sentence| format!("! {sentence}")));
        lines.join("\n")
    }

    fn json(&self, with_slots: bool) -> Value {
        let (status, defaults) = (&self.seen.status, &self.seen.defaults);
        let (slots, replicas) = self.slots();
        let members = self.seen.members().into_iter().map(|member| {
            let (hints, hint_bytes) = self.hints(member.id);
            let mut value = member_json(&self.seen, member);
            value["hints"] = hints.into();
            value["hint_bytes"] = hint_bytes.into();
            value["load"] = (f64::from(member.replicas) / replicas.max(1) as f64).into();
            value
        });
        let nodes =
            self.seen.members().into_iter().map(|member| match self.replies.get(&member.id) {
                Some(Ok(reply)) => reply_json(&self.seen, reply, &member.address),
                Some(Err(reason)) => silent_json(member, reason),
                None => silent_json(member, "not asked"),
            });
        let mut value = json!({
            "cluster": status.cluster.to_string(),
            "seen_by": &*status.label,
            "layout_version": status.layout_version.0,
            "slots": slots,
            "replication": self.replication(),
            "r": defaults.r,
            "w": defaults.w,
            "strict": defaults.strict,
            "up": self.up(),
            "members": members.collect::<Vec<_>>(),
            "nodes": nodes.collect::<Vec<_>>(),
            "attention": self.attention(),
        });
        if let (true, Some(layout)) = (with_slots, &self.seen.layout) {
            value["comparisons"] = self.comparisons().json(&layout.layout);
        }
        value
    }
}

/// Members and their loads, in the order of people.
pub(super) fn by_label(layout: &Layout) -> Vec<(&Member, MemberLoad)> {
    let mut members: Vec<_> = layout.members().iter().zip(layout.load()).collect();
    members.sort_by(|(a, _), (b, _)| a.label.cmp(&b.label));
    members
}

/// A node that did not say how it is.
fn silent_json(member: &MemberStatus, reason: &str) -> Value {
    json!({
        "label": &*member.label,
        "id": member.id.to_string(),
        "address": &*member.address,
        "up": false,
        "error": reason,
    })
}

/// What a node says of itself and of the others.
fn reply_json(seen: &Overview, reply: &StatusReply, address: &str) -> Value {
    let numbers = |numbers: &[(Text, u64)]| -> Value {
        numbers.iter().map(|(name, value)| (name.to_string(), json!(value))).collect()
    };
    let members = reply.members.iter().map(|member| member_json(seen, member));
    json!({
        "label": &*reply.label,
        "id": reply.node.to_string(),
        "cluster": reply.cluster.to_string(),
        "address": address,
        "up": true,
        "incarnation": reply.incarnation.0,
        "layout_version": reply.layout_version.0,
        "uptime_ms": reply.uptime.as_millis() as u64,
        "software": &*reply.software,
        "storage": &*reply.storage,
        "records": reply.records,
        "members": members.collect::<Vec<_>>(),
        "counters": numbers(&reply.counters),
        "limits": numbers(&reply.limits),
    })
}
