//! What the machine observes, in words for the log.

use std::time::Duration;

use quorate_core::ids::{NodeId, Text};
use quorate_core::machine::Event;
use quorate_core::node::Node;
use quorate_core::time::Now;

/// Writes an observation of a node to the log. `on` is its label.
pub(super) fn report(on: &str, node: &Node, now: Now, event: &Event) {
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
        Event::StorageFailed(error) => tracing::error!(on, ?error, "storage failed"),
        Event::Damaged { key, node } => {
            tracing::error!(on, ?key, node = ?node.as_ref().map(name), "a value is damaged");
        }
        Event::ManyActors { key, actors } => {
            tracing::warn!(on, ?key, actors, "a record has too many actors");
        }
        Event::Overloaded { limit } => tracing::warn!(on, limit, "overloaded"),
        Event::Misbehaved(peer) => tracing::warn!(on, ?peer, "a peer misbehaves"),
        Event::HintDropped { key, target } => tracing::warn!(
            on,
            ?key,
            "node {} stays away: a hint for it went to the other nodes of its key",
            name(target)
        ),
        Event::Repaired { .. }
        | Event::PassedOn { .. }
        | Event::Truncated { .. }
        | Event::HandedOver { .. } => tracing::debug!(on, ?event, "observed"),
        _ => tracing::info!(on, ?event, "observed"),
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
fn enumerate(names: &[Text]) -> String {
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
