//! What the machine observes, in words for the log.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::ids::{NodeId, Text};
use quorate_core::machine::{Event, StoreError};
use quorate_core::node::Node;
use quorate_core::time::{Instant, Now};

/// What comes once for each key of a node is told of no more often.
const INTERVAL: Duration = Duration::from_secs(60);

/// Writes what a node observes to the log.
#[derive(Debug, Default)]
pub(super) struct Reporter {
    /// Hints that were dropped, by target.
    dropped: AddedUp,
    /// Records that were not merged, by sender.
    stale: AddedUp,
}

/// What comes often, by node: when people may be told next, and of how many.
#[derive(Debug, Default)]
struct AddedUp(BTreeMap<NodeId, (Instant, u64)>);

impl Reporter {
    /// Writes an observation. `on` is the label of the node.
    pub(super) fn report(&mut self, on: &str, node: &Node, now: Now, event: &Event) {
        if let Event::HintDropped { target, .. } = event {
            self.dropped.add(now.instant, *target);
        } else if let Event::StaleRefused(from) = event {
            self.stale.add(now.instant, *from);
        } else {
            report(on, node, now, event);
        }
        for (target, hints) in self.dropped.due(now.instant) {
            tracing::warn!(
                on,
                hints,
                "node {} stays away: hints for it went to the other nodes of their keys",
                name(node, now, target)
            );
        }
        for (from, records) in self.stale.due(now.instant) {
            tracing::warn!(
                on,
                records,
                "node {} sent records that it had read before a collection began: they were not \
                 merged",
                name(node, now, from)
            );
        }
    }
}

impl AddedUp {
    fn add(&mut self, now: Instant, of: NodeId) {
        // The first one is told of at once.
        let (_, count) = self.0.entry(of).or_insert((now, 0));
        *count += 1;
    }

    /// Nodes of which people are to be told, and how many times. A node is forgotten after an
    /// interval without any.
    fn due(&mut self, now: Instant) -> Vec<(NodeId, u64)> {
        let mut due = Vec::new();
        self.0.retain(|of, (next, count)| {
            if now < *next {
                return true;
            }
            let told = std::mem::take(count);
            if told > 0 {
                due.push((*of, told));
                *next = now + INTERVAL;
            }
            told > 0
        });
        due
    }
}

fn report(on: &str, node: &Node, now: Now, event: &Event) {
    let name = |id: &NodeId| name(node, now, *id);
    match event {
        Event::NodeUp(id) => tracing::info!(on, "connected to node {}", name(id)),
        Event::NodeDown(id) => tracing::warn!(on, "the connection to node {} is gone", name(id)),
        Event::MemberMet(id) => tracing::info!(on, "met node {}", name(id)),
        Event::MemberUp(id) => tracing::info!(on, "node {} is up again", name(id)),
        Event::MemberSuspected(id) => {
            tracing::warn!(on, "node {} is suspected: its heartbeat is overdue here", name(id));
        }
        Event::MemberDown { node: id, witnesses } => {
            let mut witnesses: Vec<Text> = witnesses.iter().map(name).collect();
            witnesses.sort();
            let (id, witnesses) = (name(id), enumerate(&witnesses));
            tracing::warn!(on, "node {id} is down: no heartbeat seen by {witnesses}");
        }
        Event::MemberStaysDown { node: id, down } => tracing::error!(
            on,
            "node {} is down for {}: start it again with its data directory; until then its keys \
             have one replica less",
            name(id),
            span(*down)
        ),
        Event::MemberForgotten(id) => {
            tracing::info!(on, "node {} is no member any more, and forgotten", name(id));
        }
        Event::IdentityConflict { node: id, incarnation } => tracing::error!(
            on,
            incarnation = incarnation.0,
            "two processes run as node {} ({id}), maybe on copies of one data directory: stop one \
             of them and give it an empty --data",
            name(id)
        ),
        Event::GossipRefused(id) => {
            tracing::warn!(on, "node {} says what cannot be of a member: ignored", name(id));
        }
        Event::PeerAvoided(id) => {
            tracing::warn!(on, "node {} does not answer in time: requests go around it", name(id));
        }
        Event::PeerTrusted(id) => tracing::info!(on, "node {} answers in time again", name(id)),
        Event::LayoutChanged(version) => tracing::info!(on, "layout {version} is in force"),
        Event::ChangeRefused(refusal) => tracing::warn!(
            on,
            "what is staged cannot be committed: {refusal}; it is tried again; look at it with \
             `quorate layout plan`"
        ),
        Event::LayoutReplaced(version) => tracing::warn!(
            on,
            "layout {version} was made twice, on two sides of a partition: the other one is in \
             force; look at it with `quorate layout show`, and make your change anew from there"
        ),
        Event::LayoutSynced(version) => {
            tracing::info!(on, "all members hold what layout {version} gives them");
        }
        // The storage says once that its disk is full.
        Event::StorageFailed(StoreError::Full) => tracing::debug!(on, "a write is refused"),
        Event::StorageFailed(error) => tracing::error!(on, ?error, "storage failed"),
        Event::Damaged { key, node } => {
            tracing::error!(on, ?key, node = ?node.as_ref().map(name), "a value is damaged");
        }
        Event::ManyActors { key, actors } => {
            tracing::warn!(on, ?key, actors, "a record has too many actors");
        }
        Event::Overloaded { limit } => tracing::warn!(on, limit, "overloaded"),
        Event::Misbehaved(peer) => tracing::warn!(on, ?peer, "a peer misbehaves"),
        Event::HintsDamaged { target, hints } => tracing::error!(
            on,
            hints,
            "hints for node {} on this disk are damaged, and cannot be handed over; the other \
             nodes of their keys may still hold what they say",
            name(target)
        ),
        Event::DataLost { is_old } => report_loss(on, *is_old),
        Event::Refilled => tracing::info!(
            on,
            "all that the other nodes hold of what was lost is here again: this node votes"
        ),
        Event::RecordRotten { key } => tracing::error!(
            on,
            ?key,
            "a record on this disk is damaged: it is removed, and taken from the other nodes again"
        ),
        Event::TreesKept => tracing::info!(on, "the trees of the last stop are in use"),
        Event::TreesUnfit(why) => {
            tracing::info!(on, "the trees are counted, since those that were saved do not fit: {why}");
        }
        Event::Repaired { .. }
        | Event::PassedOn { .. }
        | Event::Truncated { .. }
        | Event::HandedOver { .. }
        | Event::RecordTaken { .. }
        | Event::RecordGiven { .. }
        | Event::Collected { .. }
        // Those are added up.
        | Event::HintDropped { .. }
        | Event::StaleRefused(_) => tracing::debug!(on, ?event, "observed"),
        _ => tracing::info!(on, ?event, "observed"),
    }
}

fn report_loss(on: &str, is_old: bool) {
    if is_old {
        tracing::error!(
            on,
            "the storage is an old copy: other nodes remember later commits, and may have \
             collected what was deleted since; it is set aside, and this node begins with an empty \
             one"
        );
    } else {
        tracing::error!(
            on,
            "the storage has lost data that was synced: other nodes remember later commits; this \
             node takes it from them again, slot by slot, and does not vote until then"
        );
    }
}

/// The label of a node, or its id where nobody has told the label.
fn name(node: &Node, now: Now, id: NodeId) -> Text {
    let members = node.view().members(now);
    let member = members.into_iter().find(|member| member.id == id);
    let label = member.map(|member| member.label).filter(|label| !label.is_empty());
    label.unwrap_or_else(|| Text::from(id.to_string()))
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn enumerate(names: &[Text]) -> String {
    match names {
        [] => "nobody".into(),
        [only] => only.to_string(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A span of time for people, in its greatest unit.
pub(crate) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_often_is_told_of_at_once_and_then_once_a_minute_with_its_number() {
        let at = |seconds: u64| Instant(seconds * 1_000_000);
        let (one, two) = (NodeId(1), NodeId(2));
        let mut dropped = AddedUp::default();
        dropped.add(at(5), one);
        assert_eq!(dropped.due(at(5)), [(one, 1)]);
        for second in 6..65 {
            dropped.add(at(second), one);
            assert_eq!(dropped.due(at(second)), []);
        }
        dropped.add(at(64), two);
        assert_eq!(dropped.due(at(64)), [(two, 1)], "each node has its own minute");
        assert_eq!(dropped.due(at(65)), [(one, 59)]);
        assert_eq!(dropped.due(at(200)), []);
        assert!(dropped.0.is_empty(), "they are forgotten");
    }

    #[test]
    fn names_are_enumerated_as_people_do() {
        let names = ["a", "b", "c"].map(Text::from);
        let enumerated = [0, 1, 2, 3].map(|count| enumerate(&names[..count]));
        assert_eq!(enumerated, ["nobody", "a", "a and b", "a, b and c"]);
    }

    #[test]
    fn spans_are_told_in_their_greatest_unit() {
        let told = [12, 119, 720, 7_200, 200_000].map(|secs| span(Duration::from_secs(secs)));
        assert_eq!(told, ["12 s", "119 s", "12 min", "2 h", "2 d"]);
    }
}
