//! How far a change of the layout is, and what it waits for.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use quorate_core::ids::NodeId;
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{
    LayoutAnswer, LayoutOrder, LayoutReport, Marks, MemberState, SlotWaits,
};
use quorate_core::ring::Slot;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::super::args::ReachArgs;
use super::super::failure::Failure;
use super::super::output::{Format, is_read, print_line};
use super::super::repair::listed;
use super::session::Session;

/// Time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// Time for a node to join by itself.
const JOIN_PATIENCE: Duration = Duration::from_secs(60);

/// How far the members are.
pub(super) struct Progress {
    newest: LayoutVersion,
    oldest: LayoutVersion,
    nodes: Vec<NodeProgress>,
}

/// How far one member is.
struct NodeProgress {
    id: NodeId,
    label: String,
    /// It is a member of the newest layout: the others are not waited for.
    is_waited_for: bool,
    /// It is a member that owns nothing: it leaves.
    leaves: bool,
    marks: Marks,
    /// Its own report; or why there is none.
    report: Result<LayoutReport, String>,
    /// What it waits for, for people.
    reasons: Vec<String>,
}

impl Progress {
    /// Asks all members.
    pub(super) async fn look(session: &Session) -> Result<Progress, Failure> {
        let head = &session.head()?.layout;
        let newest = head.version();
        let answers = session.ask_all(LayoutOrder::Show).await;
        let reports: BTreeMap<NodeId, Result<LayoutReport, String>> = answers
            .into_iter()
            .map(|(id, answer)| match answer {
                Ok(LayoutAnswer::Report(report)) => (id, Ok(report)),
                Ok(_) => (id, Err("it answers something else".into())),
                Err(reason) => (id, Err(reason)),
            })
            .collect();
        let mut oldest = newest;
        for report in reports.values().flatten() {
            let first = report.live.first().map(|update| update.layout.version());
            oldest = oldest.min(first.unwrap_or(newest));
        }
        let nodes = reports.into_iter().map(|(id, report)| {
            let own = report.as_ref().ok().and_then(|report| of(&report.marks, id));
            let marks = own.or_else(|| of(&session.report.marks, id)).unwrap_or_default();
            let member = head.member(id);
            let mut node = NodeProgress {
                id,
                label: session.label(id),
                is_waited_for: member.is_some(),
                leaves: member.is_some_and(|member| member.weight == 0),
                marks,
                report,
                reasons: Vec::new(),
            };
            node.reasons = node.reasons(session, newest, oldest < newest);
            node
        });
        let mut nodes: Vec<NodeProgress> = nodes.collect();
        nodes.sort_by(|one, other| one.label.cmp(&other.label).then(one.id.cmp(&other.id)));
        Ok(Progress { newest, oldest, nodes })
    }

    /// Whether one layout is in force, and nobody holds what is others'.
    fn is_settled(&self) -> bool {
        self.oldest == self.newest && self.to_fill() == 0 && self.to_give() == 0 && !self.leaves()
    }

    fn leaves(&self) -> bool {
        self.nodes.iter().any(|node| node.leaves)
    }

    fn to_fill(&self) -> usize {
        self.reports().map(|report| report.to_fill.len()).sum()
    }

    fn to_give(&self) -> usize {
        self.reports().map(|report| report.to_give.len()).sum()
    }

    fn reports(&self) -> impl Iterator<Item = &LayoutReport> {
        self.nodes.iter().filter_map(|node| node.report.as_ref().ok())
    }

    /// How far it is, for people; many lines while something moves.
    pub(super) fn text(&self) -> String {
        if self.is_settled() {
            return format!(
                "layout {} is settled: every node holds what it is to hold",
                self.newest
            );
        }
        let mut lines = vec![self.headline()];
        for node in &self.nodes {
            lines.extend(node.reasons.iter().map(|reason| format!("  {}: {reason}", node.label)));
        }
        lines.join("\n")
    }

    fn headline(&self) -> String {
        let Progress { newest, oldest, .. } = self;
        let (to_fill, to_give) = (self.to_fill(), self.to_give());
        let slots = format!("{to_fill} replicas of slots to fill, {to_give} to give up");
        if oldest < newest {
            format!("layouts {oldest} to {newest} are in force: {slots}")
        } else {
            format!("layout {newest} is in force: {slots}")
        }
    }

    pub(super) fn json(&self) -> Value {
        let nodes = self.nodes.iter().map(|node| {
            let report = node.report.as_ref();
            let waits = |waits: fn(&LayoutReport) -> &[SlotWaits]| {
                let waits = report.ok().map_or(&[][..], waits);
                let slots = waits.iter().map(|waits| {
                    let peers = waits.peers.iter().map(|id| self.label(*id));
                    json!({ "slot": waits.slot.0, "waits_for": peers.collect::<Vec<_>>() })
                });
                slots.collect::<Vec<_>>()
            };
            json!({
                "id": node.id.to_string(),
                "label": node.label,
                "member": node.is_waited_for,
                "ack": node.marks.ack.0,
                "sync": node.marks.sync.0,
                "sync_ack": node.marks.sync_ack.0,
                "to_fill": waits(|report| &report.to_fill),
                "to_give": waits(|report| &report.to_give),
                "hints": report.ok().map(|report| report.hints),
                "silent": report.err(),
                "reasons": node.reasons,
            })
        });
        json!({
            "settled": self.is_settled(),
            "newest": self.newest.0,
            "oldest": self.oldest.0,
            "to_fill": self.to_fill(),
            "to_give": self.to_give(),
            "nodes": nodes.collect::<Vec<_>>(),
        })
    }

    fn label(&self, id: NodeId) -> String {
        let node = self.nodes.iter().find(|node| node.id == id);
        node.map_or_else(|| id.to_string(), |node| node.label.clone())
    }
}

impl NodeProgress {
    /// What it waits for: nothing, where it has done all that is to be done.
    fn reasons(&self, session: &Session, newest: LayoutVersion, is_changing: bool) -> Vec<String> {
        let mut reasons = Vec::new();
        let report = match &self.report {
            Ok(report) => report,
            Err(reason) if self.is_waited_for && is_changing => {
                let way = format!(
                    "start it again, or give it up with `quorate layout remove {}`",
                    self.label
                );
                return vec![format!("does not answer ({reason}): {way}")];
            }
            Err(_) => return reasons,
        };
        for (waits, what) in [(&report.to_fill, "fill"), (&report.to_give, "give up")] {
            let mut by_peer: BTreeMap<NodeId, Vec<Slot>> = BTreeMap::new();
            for wait in waits {
                for peer in &wait.peers {
                    by_peer.entry(*peer).or_default().push(wait.slot);
                }
            }
            for (peer, slots) in by_peer {
                let state = state_of(session, peer);
                reasons.push(format!(
                    "to {what} {}, it compares with {}{state}",
                    listed(slots.into_iter()),
                    session.label(peer)
                ));
            }
            let alone = waits.iter().filter(|wait| wait.peers.is_empty()).map(|wait| wait.slot);
            let alone: Vec<Slot> = alone.collect();
            if !alone.is_empty() {
                reasons.push(format!("removes {}, which others hold", listed(alone.into_iter())));
            }
        }
        if self.is_waited_for && is_changing && reasons.is_empty() {
            let Marks { ack, sync, sync_ack } = self.marks;
            if ack < newest {
                reasons.push(format!("finishes writes that began before layout {newest}"));
            } else if sync < newest {
                reasons.push(format!("waits until all write to layout {newest}"));
            } else if sync_ack < newest {
                reasons.push(format!("waits until all hold what layout {newest} gives them"));
            }
        }
        if self.leaves && reasons.is_empty() {
            reasons.push(match report.hints {
                0 => "holds nothing any more, and is about to be let go".into(),
                hints => format!("hands over {hints} hints before it is let go"),
            });
        }
        reasons
    }
}

fn of(marks: &[quorate_core::message::MarksOf], id: NodeId) -> Option<Marks> {
    marks.iter().find(|of| of.node == id).map(|of| of.marks)
}

/// Why a peer may not answer.
fn state_of(session: &Session, id: NodeId) -> &'static str {
    let member = session.seen.status.members.iter().find(|member| member.id == id);
    match member.map(|member| member.state) {
        Some(MemberState::Down) => " (down)",
        Some(MemberState::Suspected) => " (suspected)",
        Some(MemberState::Up) | None => "",
    }
}

/// Waits until a node that joins by itself is a member, and holds its share.
pub(in super::super) async fn await_member(
    reach: ReachArgs,
    label: &str,
    told: Option<Format>,
) -> Result<(), Failure> {
    let mut session = Session::open(reach).await?;
    let deadline = Instant::now() + JOIN_PATIENCE;
    while !session.head()?.layout.members().iter().any(|member| *member.label == *label) {
        if Instant::now() >= deadline {
            return Err(Failure::failed(format_args!(
                "{label} is no member yet: see `quorate layout show`, and the log of `quorate dev`"
            )));
        }
        sleep(LOOK_INTERVAL).await;
        session.refresh().await?;
    }
    follow(session, told).await
}

/// Shows how far the members are, until everything is settled or nobody reads it.
/// `None` waits and shows nothing.
pub(super) async fn follow(mut session: Session, output: Option<Format>) -> Result<(), Failure> {
    let bar = match output {
        Some(Format::Table) if std::io::stderr().is_terminal() => ProgressBar::new_spinner(),
        Some(_) | None => ProgressBar::hidden(),
    };
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    let mut told = String::new();
    while is_read() {
        session.refresh().await?;
        let progress = Progress::look(&session).await?;
        let is_settled = progress.is_settled();
        let now = match output {
            Some(Format::Json) => progress.json().to_string(),
            Some(Format::Table) => progress.text(),
            None => String::new(),
        };
        bar.tick();
        if bar.is_hidden() || is_settled {
            if now != told {
                bar.suspend(|| print_line(&now))?;
            }
        } else {
            bar.set_message(now.clone());
        }
        told = now;
        if is_settled {
            break;
        }
        sleep(LOOK_INTERVAL).await;
    }
    bar.finish_and_clear();
    Ok(())
}
