//! `layout history`.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use quorate_core::layout::Member;
use quorate_core::message::{LayoutAnswer, LayoutOrder, PastLayout};
use serde_json::{Value, json};

use super::super::args::{ReachArgs, block_on};
use super::super::failure::Failure;
use super::super::output::{Format, print_json, print_line, table};
use super::session::Session;
use super::stage::role;
use crate::server::span;

pub(super) fn run(reach: ReachArgs, output: Format) -> Result<(), Failure> {
    let past = block_on(async {
        let mut session = Session::open(reach).await?;
        let LayoutAnswer::Past(past) = session.order(LayoutOrder::History).await? else {
            return Err(Failure::failed("the node answers something else than the history"));
        };
        Ok(past)
    })?;
    if output == Format::Json {
        return print_json(&past.iter().map(past_json).collect::<Value>());
    }
    if past.is_empty() {
        return print_line("this node has seen no change of the layout");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut rows = table(&["layout", "heard of", "what changed", "slots moved"], 3);
    for past in &past {
        let ago = now.saturating_sub(Duration::from_millis(past.at.0));
        rows.add_row([
            past.id.version.to_string(),
            format!("{} ago", span(ago)),
            changes(past),
            past.slots_moved.to_string(),
        ]);
    }
    print_line(&rows.to_string())
}

fn changes(past: &PastLayout) -> String {
    let listed = |what: &str, members: &[Member]| {
        members.iter().map(|member| format!("{what} {}", role(member))).collect::<Vec<_>>()
    };
    let left = past.left.iter().map(|member| format!("- {}", member.label)).collect();
    [listed("+", &past.joined), left, listed("=", &past.changed)].concat().join("\n")
}

fn past_json(past: &PastLayout) -> Value {
    let members = |members: &[Member]| {
        let member = |member: &Member| {
            json!({
                "id": member.id.to_string(),
                "label": &*member.label,
                "zone": &*member.zone,
                "weight": member.weight,
            })
        };
        members.iter().map(member).collect::<Value>()
    };
    json!({
        "version": past.id.version.0,
        "hash": format!("{:032x}", past.id.hash),
        "at_ms": past.at.0,
        "joined": members(&past.joined),
        "left": members(&past.left),
        "changed": members(&past.changed),
        "slots_moved": past.slots_moved,
    })
}
