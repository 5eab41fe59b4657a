//! `layout plan` and `layout commit`: what staged changes mean, and putting them in force.

use std::collections::BTreeMap;

use clap::Args;
use quorate_core::layout::{
    Amount, Explanation, Layout, LayoutVersion, Limit, NodeChange, explain, plan,
};
use quorate_core::message::{LayoutAnswer, LayoutOrder};
use quorate_core::ring::Slot;
use serde_json::{Value, json};

use super::super::args::{ReachArgs, block_on};
use super::super::failure::Failure;
use super::super::output::{Format, print_json, print_line, table};
use super::super::overview::bytes;
use super::follow;
use super::session::Session;
use super::stage::{staged_json, staged_lines};

/// Show what committing all that is staged would move, and how loads and zones would be.
///
/// Nothing changes. Bytes are those that the members hold of each slot right now.
#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    reach: ReachArgs,
}

/// Put all that is staged in force. Data moves in the background, and clients go on.
#[derive(Debug, Args)]
pub(super) struct Commit {
    /// Only if this is still the newest layout, as `quorate layout plan` named it.
    #[arg(long, value_name = "VERSION")]
    from: Option<u64>,
    /// Stay, and show how far the nodes are, until all is moved.
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    reach: ReachArgs,
}

impl Plan {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        block_on(async {
            let session = Session::open(self.reach).await?;
            let head = &session.head()?.layout;
            let staging = &session.report.staging;
            let members = staging.members(head);
            if members == head.members() {
                return Err(Failure::failed(
                    "nothing is staged: see `quorate layout join`, `leave`, `remove` and `set`",
                ));
            }
            let next = plan(head, members).map_err(Failure::failed)?;
            let held = Held::measure(&session).await;
            let explained = explain(head, &next, |slot| held.bytes(slot));
            let told = Told { session: &session, head, next: &next, explained, held };
            match output {
                Format::Json => print_json(&told.json()),
                Format::Table => print_line(&told.text()),
            }
        })
    }
}

impl Commit {
    pub(super) fn run(self, output: Format) -> Result<(), Failure> {
        let Commit { from, watch, reach } = self;
        block_on(async {
            let mut session = Session::open(reach).await?;
            let newest = session.head()?.layout.version();
            if from.is_some_and(|from| LayoutVersion(from) != newest) {
                let text = format!(
                    "layout {newest} is in force by now: look at `quorate layout plan` once more"
                );
                return Err(Failure::failed(text));
            }
            let lines = staged_lines(&session, &session.report.staging);
            let order = LayoutOrder::Commit(session.report.staging.clone());
            let LayoutAnswer::Committed(version) = session.order(order).await? else {
                return Err(Failure::failed("the node answers something else than a layout"));
            };
            match output {
                Format::Json => print_json(&json!({ "committed": version.0 }))?,
                Format::Table => print_line(&format!(
                    "layout {version} is in force:\n  {}{}",
                    lines.join("\n  "),
                    if watch {
                        ""
                    } else {
                        "\nsee how the data moves with `quorate layout show --watch`"
                    },
                ))?,
            }
            if watch { follow::follow(session, Some(output)).await } else { Ok(()) }
        })
    }
}

/// What the members hold of each slot.
struct Held {
    slots: BTreeMap<Slot, u64>,
    /// Labels of members that did not say.
    silent: Vec<String>,
}

impl Held {
    async fn measure(session: &Session) -> Held {
        let mut held = Held { slots: BTreeMap::new(), silent: Vec::new() };
        for (id, answer) in session.ask_all(LayoutOrder::Measure).await {
            let Ok(LayoutAnswer::Figures(figures)) = answer else {
                held.silent.push(session.label(id));
                continue;
            };
            for figures in figures {
                // Of replicas that differ the fullest one tells what the others will hold.
                let most = held.slots.entry(figures.slot).or_default();
                *most = (*most).max(figures.bytes);
            }
        }
        held
    }

    fn bytes(&self, slot: Slot) -> u64 {
        self.slots.get(&slot).copied().unwrap_or(0)
    }
}

/// A plan, for people and programs.
struct Told<'a> {
    session: &'a Session,
    head: &'a Layout,
    next: &'a Layout,
    explained: Explanation,
    held: Held,
}

impl Told<'_> {
    fn text(&self) -> String {
        let Told { head, next, explained, held, .. } = self;
        let header = ["node", "zone", "weight", "owns slots", "holds slots", "receives", "sends"];
        let mut rows = table(&header, 2);
        let mut nodes: Vec<_> = explained.nodes.iter().collect();
        nodes.sort_by_key(|node| (self.label(node), node.after.id));
        for node in nodes {
            let id = node.after.id;
            let (was, is) = (head.member(id), next.member(id));
            let member = is.or(was);
            rows.add_row([
                self.label(node),
                member.map_or_else(String::new, |member| member.zone.to_string()),
                becomes(was.map_or(0, |it| it.weight), is.map_or(0, |it| it.weight)),
                becomes(node.before.slots, node.after.slots),
                becomes(node.before.replicas, node.after.replicas),
                amount(node.receives),
                amount(node.sends),
            ]);
        }
        let total = explained.total();
        let mut lines = vec![
            format!("from layout {} to {}:", head.version(), next.version()),
            rows.to_string(),
            format!(
                "{} of {} slots change their owner ({} must); {} replicas of slots are sent, {}",
                explained.slots_moved,
                next.slot_count(),
                explained.slots_moved_least,
                total.replicas,
                bytes(total.bytes)
            ),
        ];
        let has_zones = next.members().iter().any(|member| !member.zone.is_empty());
        let said = |limit: &&Limit| has_zones || !matches!(limit, Limit::FewZones { .. });
        let limits = explained.limits.iter().filter(said);
        lines.extend(limits.map(|limit| format!("unavoidable: {limit}")));
        if !held.silent.is_empty() {
            let silent = held.silent.join(", ");
            lines.push(format!("what {silent} holds is not in the bytes: no answer"));
        }
        lines.push(format!("commit it with `quorate layout commit --from {}`", head.version()));
        lines.join("\n")
    }

    fn json(&self) -> Value {
        let Told { session, head, next, explained, held } = self;
        let node = |node: &NodeChange| {
            let amount =
                |amount: Amount| json!({ "replicas": amount.replicas, "bytes": amount.bytes });
            json!({
                "id": node.after.id.to_string(),
                "label": self.label(node),
                "slots": { "before": node.before.slots, "after": node.after.slots },
                "replicas": { "before": node.before.replicas, "after": node.after.replicas },
                "replicas_fair": node.replicas_fair_thousandths as f64 / 1_000.0,
                "receives": amount(node.receives),
                "sends": amount(node.sends),
            })
        };
        let transfers = explained.transfers.iter().map(|transfer| {
            json!({
                "from": session.label(transfer.from),
                "to": session.label(transfer.to),
                "replicas": transfer.amount.replicas,
                "bytes": transfer.amount.bytes,
            })
        });
        let total = explained.total();
        json!({
            "from": head.version().0,
            "to": next.version().0,
            "staged": staged_json(session, &session.report.staging),
            "nodes": explained.nodes.iter().map(node).collect::<Vec<_>>(),
            "transfers": transfers.collect::<Vec<_>>(),
            "slots": next.slot_count().get(),
            "slots_moved": explained.slots_moved,
            "slots_moved_least": explained.slots_moved_least,
            "replicas_sent": total.replicas,
            "bytes_sent": total.bytes,
            "limits": explained.limits.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "silent": held.silent,
        })
    }

    fn label(&self, node: &NodeChange) -> String {
        let member = self.next.member(node.after.id);
        member.map_or_else(|| self.session.label(node.after.id), |it| it.label.to_string())
    }
}

/// A number and what comes of it.
fn becomes(before: u32, after: u32) -> String {
    if before == after { after.to_string() } else { format!("{before} → {after}") }
}

fn amount(amount: Amount) -> String {
    match amount.replicas {
        0 => String::new(),
        1 => format!("1 slot, {}", bytes(amount.bytes)),
        slots => format!("{slots} slots, {}", bytes(amount.bytes)),
    }
}
