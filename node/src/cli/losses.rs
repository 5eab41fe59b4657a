//! What `status` says of nodes whose storage does not hold all that it should.

use quorate_core::message::StatusReply;

use super::overview::counter;

/// What an operator should know of a node's storage, one sentence each.
pub(super) fn attention(reply: &StatusReply) -> Vec<String> {
    let label = &reply.label;
    let count = |name| counter(reply, name).unwrap_or(0);
    let mut sentences = Vec::new();
    let refilling = count("slots_refilling");
    if refilling > 0 {
        let slots = if refilling == 1 { "1 slot".into() } else { format!("{refilling} slots") };
        sentences.push(format!(
            "node {label} has lost data: it takes {slots} from the other nodes again, and does not \
             vote for what they hold until then"
        ));
    } else if reply.layout_version.0 > 0 && counter(reply, "vouches") == Some(0) {
        sentences.push(format!(
            "node {label} does not vote for what it holds: since it started no other node has told \
             it that this is all it ever had"
        ));
    }
    if count("storage_full") > 0 {
        sentences.push(format!(
            "node {label} has no room left on its disk: it refuses writes until there is some"
        ));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use quorate_core::ids::{ClusterId, Incarnation, NodeId};
    use quorate_core::layout::LayoutVersion;
    use quorate_core::message::CallId;
    use quorate_core::time::UnixMs;

    use super::*;

    fn reply(counters: &[(&str, u64)]) -> StatusReply {
        StatusReply {
            call: CallId(1),
            cluster: ClusterId(1),
            node: NodeId(1),
            label: "a".into(),
            incarnation: Incarnation(1),
            layout_version: LayoutVersion(1),
            uptime: Duration::ZERO,
            software: "".into(),
            storage: "".into(),
            records: 0,
            members: vec![],
            counters: counters.iter().map(|(name, count)| ((*name).into(), *count)).collect(),
            limits: vec![],
            now: UnixMs(1),
            comparisons: vec![],
        }
    }

    #[test]
    fn a_node_that_lacks_something_needs_attention_and_a_whole_one_does_not() {
        let said = |counters: &[(&str, u64)]| attention(&reply(counters)).join("; ");
        assert_eq!(said(&[("vouches", 1), ("slots_refilling", 0), ("storage_full", 0)]), "");
        assert_eq!(said(&[]), "", "a former version does not say");
        assert!(said(&[("vouches", 1), ("slots_refilling", 3)]).contains("takes 3 slots"));
        assert!(said(&[("vouches", 0)]).contains("does not vote"));
        assert!(said(&[("vouches", 1), ("storage_full", 1)]).contains("refuses writes"));
    }
}
