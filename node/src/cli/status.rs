//! `status`.

use std::time::Duration;

use clap::Args;
use quorate_core::layout::{Layout, Member, MemberLoad};
use quorate_core::message::StatusReply;
use serde_json::{Value, json};

use super::args::ClientArgs;
use super::failure::Failure;
use super::output::{Format, print_json, print_line, table};

/// Ask every node how it is.
///
/// Each member of the cluster is asked on a connection of its own. With -o json come all counters
/// and limits.
///
/// Examples:
///   quorate status
///   quorate status -o json | jq '.nodes[] | {label, records}'
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Status {
    #[command(flatten)]
    client: ClientArgs,
}

impl Status {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let (snapshot, status) = self
            .client
            .run(async |client| Ok((client.snapshot().await?, client.status().await?)))?;
        let Some(update) = snapshot.layout else {
            return Err(Failure::failed("the cluster gave no layout"));
        };
        let layout = &update.layout;
        let mut rows = table(
            &[
                "node", "state", "zone", "address", "storage", "up for", "records", "owns",
                "holds", "peers up", "gets", "puts", "deletes",
            ],
            5,
        );
        let mut nodes = Vec::new();
        let mut up = 0;
        for (member, load) in by_label(layout) {
            let reply = status.iter().find(|(id, _)| *id == member.id).map(|(_, reply)| reply);
            let address = update.address(member.id).map_or("", |address| address);
            let mut row = vec![member.label.to_string()];
            match reply {
                Some(Ok(reply)) => {
                    up += 1;
                    let peers_up = reply.members.iter().filter(|member| member.up).count();
                    let state =
                        if peers_up < reply.members.len() { "up, sees some down" } else { "up" };
                    row.extend([state, &member.zone, address, &reply.storage].map(str::to_owned));
                    row.extend([duration(reply.uptime), reply.records.to_string()]);
                    row.extend([load.slots, load.replicas].map(|count| count.to_string()));
                    row.push(peers_up.to_string());
                    row.extend(["gets", "puts", "deletes"].map(|name| counter(reply, name)));
                    nodes.push(reply_json(reply, address));
                }
                Some(Err(_)) | None => {
                    let reason = reply.and_then(|reply| reply.as_ref().err());
                    let reason = reason.map(ToString::to_string).unwrap_or_default();
                    row.extend(["DOWN", &member.zone, address, "-"].map(str::to_owned));
                    row.extend(["-", "-"].map(str::to_owned));
                    row.extend([load.slots, load.replicas].map(|count| count.to_string()));
                    row.extend(["-", "-", "-", "-"].map(str::to_owned));
                    nodes.push(json!({
                        "label": &*member.label,
                        "id": member.id.to_string(),
                        "address": address,
                        "up": false,
                        "error": reason,
                    }));
                }
            }
            rows.add_row(row);
        }
        if output == Format::Json {
            return print_json(&json!({
                "layout_version": layout.version().0,
                "slots": layout.slot_count().get(),
                "replication": layout.replication(),
                "up": up,
                "nodes": nodes,
            }));
        }
        let quorum = snapshot
            .defaults
            .map_or(String::new(), |defaults| format!(", R={} W={}", defaults.r, defaults.w));
        print_line(&format!(
            "{rows}\n{up} of {} nodes are up; layout {}, {} slots, N={}{quorum}",
            layout.members().len(),
            layout.version(),
            layout.slot_count(),
            layout.replication(),
        ))
    }
}

/// Members and their loads, in the order of people.
pub(super) fn by_label(layout: &Layout) -> Vec<(&Member, MemberLoad)> {
    let mut members: Vec<_> = layout.members().iter().zip(layout.load()).collect();
    members.sort_by(|(a, _), (b, _)| a.label.cmp(&b.label));
    members
}

fn counter(reply: &StatusReply, name: &str) -> String {
    let found = reply.counters.iter().find(|(counter, _)| **counter == *name);
    found.map_or("-".into(), |(_, value)| value.to_string())
}

fn reply_json(reply: &StatusReply, address: &str) -> Value {
    let numbers = |numbers: &[(quorate_core::ids::Text, u64)]| -> Value {
        numbers.iter().map(|(name, value)| (name.to_string(), json!(value))).collect()
    };
    let members = reply.members.iter().map(
        |member| json!({ "label": &*member.label, "id": member.id.to_string(), "up": member.up }),
    );
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

fn duration(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}
