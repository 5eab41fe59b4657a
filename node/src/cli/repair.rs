//! `repair`.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use futures_util::future::join_all;
use indicatif::{ProgressBar, ProgressStyle};
use quorate_core::ids::NodeId;
use quorate_core::message::MemberStatus;
use quorate_core::ring::Slot;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::args::{ReachArgs, block_on, seconds};
use super::failure::{Failure, Kind};
use super::output::{Format, print_json, print_line};
use super::overview::{Overview, bytes};
use super::repaired::{Asked, Refused};

/// Compare the replicas, and make equal what differs.
///
/// Nodes do that all the time, a little at a time. This asks them to compare everything at once,
/// shows how far they are, and tells what each of them found. A node that stays away keeps its
/// slots from being compared: they are named, and the exit code is 1.
///
/// Examples:
///   quorate repair
///   quorate repair --node n3 --timeout 600
///   quorate repair --slot 17 -o json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Repair {
    /// Compare this slot alone; `quorate ring KEY` tells the slot of a key.
    #[arg(long, value_name = "NUMBER")]
    slot: Option<u32>,
    /// Ask this node alone, by its label or its id.
    #[arg(long, value_name = "LABEL")]
    node: Option<String>,
    /// Time for all comparisons; what is not done by then goes on in the background.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    timeout: Duration,
    #[command(flatten)]
    reach: ReachArgs,
}

/// Time for one answer of a node.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long nodes that are not connected may stay away while nothing else is left to compare.
const AWAY_PATIENCE: Duration = Duration::from_secs(5);

/// Time between two looks at how far the nodes are.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

impl Repair {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Repair { slot, node, timeout, reach } = self;
        let options = reach.ask_options(PATIENCE.min(timeout));
        block_on(async {
            let deadline = Instant::now() + timeout;
            let seen = Overview::ask(&options).await?;
            let slot = slot.map(Slot);
            let members = chosen(&seen, slot, node.as_deref())?;
            let asked = members.into_iter().map(|member| Asked::ask(member, slot, &options));
            let mut nodes: Vec<Asked> = join_all(asked).await;
            check_refusals(&nodes, slot)?;
            let bar = progress(&nodes);
            follow(&mut nodes, deadline, &bar).await;
            bar.finish_and_clear();
            tell(&seen, &nodes, output)?;
            verdict(&seen, &nodes, timeout)
        })
    }
}

/// The members to ask, in the order of people; wrong choices are told before anybody is asked.
fn chosen<'a>(
    seen: &'a Overview,
    slot: Option<Slot>,
    node: Option<&str>,
) -> Result<Vec<&'a MemberStatus>, Failure> {
    let none = || Failure::failed("the cluster has no layout yet: there is nothing to compare");
    let layout = &seen.layout.as_ref().ok_or_else(none)?.layout;
    let slots = layout.slot_count().get();
    if let Some(slot) = slot.filter(|slot| slot.0 >= slots) {
        let text =
            format!("there is no slot {slot}: the last of the {slots} slots is {}", slots - 1);
        return Err(Failure::new(Kind::Usage, text));
    }
    let members = seen.members();
    let Some(name) = node else {
        let holds = |member: &&MemberStatus| match slot {
            Some(slot) => layout.is_primary(slot, member.id),
            None => member.replicas > 0,
        };
        return Ok(members.into_iter().filter(holds).collect());
    };
    let named = |member: &&MemberStatus| *member.label == *name || member.id.to_string() == name;
    let found: Vec<&MemberStatus> = members.iter().copied().filter(named).collect();
    let labels = || members.iter().map(|member| &*member.label).collect::<Vec<_>>().join(", ");
    let wrong = |text| Err(Failure::new(Kind::Usage, text));
    match (&found[..], slot) {
        ([], _) => wrong(format!("there is no node {name}: the members are {}", labels())),
        ([_, _, ..], _) => wrong(format!("several nodes are called {name}: give the id of one")),
        ([member], Some(slot)) if !layout.is_primary(slot, member.id) => {
            let primaries = layout.primaries(slot).iter().map(|id| seen.label(*id));
            let primaries: Vec<String> = primaries.collect();
            wrong(format!(
                "{name} is no primary of slot {slot}: these are {}",
                primaries.join(", ")
            ))
        }
        ([_], _) => Ok(found),
    }
}

/// Where no node does anything there is nothing to wait for.
fn check_refusals(nodes: &[Asked], slot: Option<Slot>) -> Result<(), Failure> {
    let reason = |node: &Asked| match &node.result {
        Ok(_) => None,
        Err(Refused { reason }) => Some(format!("{}: {reason}", node.label)),
    };
    let reasons: Vec<String> = nodes.iter().filter_map(reason).collect();
    if !reasons.is_empty() && reasons.len() == nodes.len() {
        let what = slot.map_or_else(|| "nothing".into(), |slot| format!("slot {slot} not"));
        return Err(Failure::failed(format_args!("{what} is compared: {}", reasons.join("; "))));
    }
    Ok(())
}

fn progress(nodes: &[Asked]) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{elapsed} {wide_bar} {pos} of {len} pairs {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let pairs = nodes.iter().map(|node| u64::from(node.pairs())).sum();
    ProgressBar::new(pairs).with_style(style)
}

/// Looks again and again, until all is compared, nothing more can be, or the time is up.
async fn follow(nodes: &mut [Asked], deadline: Instant, bar: &ProgressBar) {
    let mut away_since: Option<Instant> = None;
    loop {
        join_all(nodes.iter_mut().map(Asked::look)).await;
        bar.set_position(nodes.iter().map(Asked::compared).sum::<usize>() as u64);
        let moved = nodes.iter().map(|node| node.moved().records_taken).sum::<u64>();
        bar.set_message(format!("compared, {moved} records taken"));
        if nodes.iter().all(Asked::is_done) {
            return;
        }
        let now = Instant::now();
        let only_away = nodes.iter().all(|node| node.is_done() || node.waits_for_absent());
        away_since = only_away.then(|| away_since.unwrap_or(now));
        let given_up = away_since.is_some_and(|since| now >= since + AWAY_PATIENCE);
        if given_up || now >= deadline {
            return;
        }
        sleep(LOOK_INTERVAL.min(deadline - now)).await;
    }
}

fn tell(seen: &Overview, nodes: &[Asked], output: Format) -> Result<(), Failure> {
    match output {
        Format::Json => print_json(&json!({
            "nodes": nodes.iter().map(|node| node_json(seen, node)).collect::<Vec<_>>(),
            "pairs": nodes.iter().map(Asked::pairs).sum::<u32>(),
            "compared": nodes.iter().map(Asked::compared).sum::<usize>(),
            "done": nodes.iter().all(Asked::is_complete),
        })),
        Format::Table => nodes.iter().try_for_each(|node| print_line(&line(node))),
    }
}

/// One node, for people.
fn line(node: &Asked) -> String {
    let label = &node.label;
    if let Err(Refused { reason }) = &node.result {
        return format!("{label}: nothing compared: {reason}");
    }
    let moved = node.moved();
    let (pairs, compared, equal) = (node.pairs(), node.compared(), node.equal());
    if pairs == 0 {
        return format!("{label}: has no slot in common with another node");
    }
    format!(
        "{label}: {} slots compared with {} nodes: {compared} of {pairs} pairs, {equal} found \
         equal, {} made equal; {} records taken, {} given, {} exchanged",
        node.slots().len(),
        node.peers().len(),
        compared - equal,
        moved.records_taken,
        moved.records_given,
        bytes(moved.bytes),
    )
}

fn node_json(seen: &Overview, node: &Asked) -> Value {
    let missing = node.missing();
    let missing = missing.iter().map(
        |(slot, peer)| json!({ "slot": slot.0, "with": seen.label(*peer), "id": peer.to_string() }),
    );
    let moved = node.moved();
    json!({
        "label": node.label,
        "id": node.id.to_string(),
        "error": node.result.as_ref().err().map(|refused| &refused.reason),
        "pairs": node.pairs(),
        "compared": node.compared(),
        "equal": node.equal(),
        "records_taken": moved.records_taken,
        "records_given": moved.records_given,
        "bytes": moved.bytes,
        "missing": missing.collect::<Vec<_>>(),
    })
}

/// A failure that names what was not compared.
fn verdict(seen: &Overview, nodes: &[Asked], timeout: Duration) -> Result<(), Failure> {
    let mut reasons = Vec::new();
    for node in nodes {
        if let Err(Refused { reason }) = &node.result {
            reasons.push(format!("{}: {reason}", node.label));
            continue;
        }
        let missing = node.missing();
        let peers: BTreeSet<NodeId> = missing.iter().map(|(_, peer)| *peer).collect();
        for peer in peers {
            let slots = missing.iter().filter(|(_, with)| *with == peer).map(|(slot, _)| *slot);
            let why = match node.sees(peer) {
                true => format!("not within {} s", timeout.as_secs_f32()),
                false => "not connected".into(),
            };
            reasons.push(format!(
                "{} with {} ({why}): {}",
                node.label,
                seen.label(peer),
                listed(slots)
            ));
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format_args!(
        "not everything was compared; the nodes go on trying\n  {}",
        reasons.join("\n  ")
    )))
}

/// The first of some slots by number, and how many more.
pub(super) fn listed(slots: impl Iterator<Item = Slot>) -> String {
    const NAMED_MAX: usize = 8;
    let slots: Vec<String> = slots.map(|slot| slot.to_string()).collect();
    let named = &slots[..slots.len().min(NAMED_MAX)];
    let noun = if slots.len() == 1 { "slot" } else { "slots" };
    match slots.len() - named.len() {
        0 => format!("{noun} {}", named.join(", ")),
        more => format!("{noun} {} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_slots_are_counted_and_not_all_named() {
        assert_eq!(listed([Slot(7)].into_iter()), "slot 7");
        assert_eq!(listed((0..3).map(Slot)), "slots 0, 1, 2");
        assert_eq!(listed((0..64).map(Slot)), "slots 0, 1, 2, 3, 4, 5, 6, 7 and 56 more");
    }
}
