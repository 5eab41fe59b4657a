//! `members`.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use quorate_core::ids::NodeId;
use quorate_core::message::MemberStatus;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::args::{AskOptions, ClientArgs, block_on, seconds};
use super::failure::Failure;
use super::output::{Format, is_read, print_json, print_line};
use super::overview::{Overview, bytes, heartbeat, member_json, state, state_name};

/// Show who belongs to the cluster, one line each, as one node sees it.
///
/// With --watch it goes on and prints a line for each change, until it is stopped.
///
/// Examples:
///   quorate members
///   quorate members --watch -o json | jq -c 'select(.change == "down")'
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Members {
    /// Go on, and print what changes.
    #[arg(long)]
    watch: bool,
    /// Time between two looks.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = seconds)]
    interval: Duration,
    #[command(flatten)]
    client: ClientArgs,
}

impl Members {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Members { watch, interval, client } = self;
        let options = AskOptions::from(client);
        block_on(async {
            let first = Overview::ask(&options).await?;
            show(&first, output, watch)?;
            if watch { follow(first, &options, interval, output).await } else { Ok(()) }
        })
    }
}

/// All members: lines, an array, or the first lines of a watch.
fn show(overview: &Overview, output: Format, watch: bool) -> Result<(), Failure> {
    let members = overview.members();
    match output {
        Format::Table => {
            let columns = members.iter().map(|member| columns(member)).collect::<Vec<_>>();
            print_line(&aligned(&columns).join("\n"))
        }
        Format::Json if watch => members
            .iter()
            .try_for_each(|member| print_json(&change_json(overview, member, "there"))),
        Format::Json => {
            let members = members.iter().map(|member| member_json(overview, member));
            print_json(&members.collect::<Value>())
        }
    }
}

fn columns(member: &MemberStatus) -> [String; 5] {
    let zone = match &*member.zone {
        "" => String::new(),
        zone => format!("zone {zone}"),
    };
    [
        member.label.to_string(),
        state(member),
        format!("heartbeat {}", heartbeat(member)),
        member.address.to_string(),
        zone,
    ]
}

/// Lines whose columns stand below each other.
fn aligned(rows: &[[String; 5]]) -> Vec<String> {
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3, 4].map(width);
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Prints what changes between two looks, until nobody reads it.
async fn follow(
    mut before: Overview,
    options: &AskOptions,
    every: Duration,
    output: Format,
) -> Result<(), Failure> {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answered = true;
    while is_read() {
        ticks.tick().await;
        let now = match Overview::ask(options).await {
            Ok(now) => now,
            Err(failure) => {
                if std::mem::take(&mut answered) {
                    eprintln!("quorate: {failure}; trying again");
                }
                continue;
            }
        };
        answered = true;
        for (member, change) in changes(&before, &now) {
            match output {
                Format::Table => print_line(&sentence(&now, member, change))?,
                Format::Json => print_json(&change_json(&now, member, change))?,
            }
        }
        before = now;
    }
    Ok(())
}

/// The members that are not what they were, and in which way.
fn changes<'a>(before: &Overview, now: &'a Overview) -> Vec<(&'a MemberStatus, &'static str)> {
    let former: BTreeMap<NodeId, &MemberStatus> =
        before.status.members.iter().map(|member| (member.id, member)).collect();
    let mut changes = Vec::new();
    for member in now.members() {
        let Some(former) = former.get(&member.id) else {
            changes.push((member, "joined"));
            continue;
        };
        if state_name(former) != state_name(member) {
            changes.push((member, state_name(member)));
        }
        if (former.hints == 0) != (member.hints == 0) {
            changes.push((member, if member.hints == 0 { "hints gone" } else { "hints wait" }));
        }
    }
    changes
}

fn sentence(overview: &Overview, member: &MemberStatus, change: &str) -> String {
    let label = &member.label;
    match change {
        "joined" => format!("{label} joined: {}, {}", member.address, state(member)),
        "hints wait" => format!(
            "{label}: {} hints ({}) wait for it on {}",
            member.hints,
            bytes(member.hint_bytes),
            overview.status.label
        ),
        "hints gone" => format!("{label}: no hints wait for it on {}", overview.status.label),
        "down" | "suspected" => format!(
            "{label} is {change}: no heartbeat seen by {}",
            overview.witnesses(member).join(" and ")
        ),
        change => format!("{label} is {change}"),
    }
}

fn change_json(overview: &Overview, member: &MemberStatus, change: &str) -> Value {
    json!({
        "change": change,
        "seen_by": &*overview.status.label,
        "member": member_json(overview, member),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other() {
        let row = |label: &str, state: &str| [label, state, "h", "a", ""].map(str::to_owned);
        let lines = aligned(&[row("n1", "up"), row("n10", "suspected")]);
        assert_eq!(lines, ["n1   up         h  a", "n10  suspected  h  a"]);
    }
}
