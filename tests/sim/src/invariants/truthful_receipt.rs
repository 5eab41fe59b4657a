//! A receipt names those who did what it says.

use quorate_core::ids::NodeId;
use quorate_core::message::{Message, Receipt, Reply};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{CallEnded, Caller, Ending, Sent};
use crate::oracle::{How, KeyFacts, Op};

pub(crate) const PROPERTY: Property = Property {
    name: "truthful-receipt",
    definition: "The receipt of a reply names distinct primaries of the key; distinct fallbacks, \
                 no primaries, each with the primary that it stood in for; a coordinator that is \
                 a primary or, where the call is sloppy, any node; repaired nodes among the \
                 primaries; and the version of the layout. That of a reply that a caller takes \
                 for success names as many primaries, or where the call is sloppy primaries and \
                 fallbacks, as are needed, and no fewer are needed than it asked for; a session \
                 get needs one. On that of an acknowledged write, but for deletes without \
                 context, each primary holds the write synced, or did until a fault destroyed it, \
                 and each fallback does so in the hint for its primary, or did until the \
                 hint was removed as hints-come-home allows.",
    source: "DESIGN.md §7 (Receipt)",
};

pub(crate) struct TruthfulReceipt;

impl Invariant for TruthfulReceipt {
    fn outlives_layouts(&self) -> bool {
        false
    }

    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        if let Sent { from: End::Node(_), to: End::Client(client, _), message } = sent
            && let Message::Reply(Reply { call, receipt: Some(receipt), .. }) = message
            && let Some(op) = scene.facts.call(Caller::Client(client), *call)
            && let Some(key) = scene.facts.key(&op.key)
        {
            return names(scene, op, key, receipt).map_err(|violation| violation.of(&op.key));
        }
        Ok(())
    }

    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let Some((op, how, key)) = scene.facts.ended(ended) else { return Ok(()) };
        let receipt = match ended.ending {
            Ending::Client(Ok(done)) => done.receipt.as_ref(),
            Ending::Client(Err(_)) => None,
            Ending::Hand(reply) => reply.receipt.as_ref(),
        };
        let Some(receipt) = receipt else { return Ok(()) };
        names(scene, op, key, receipt)
            .and_then(|()| suffices(scene, op, how, key, receipt))
            .map_err(|violation| violation.of(&op.key))
    }
}

/// Whether a receipt names the right nodes, whatever they did.
fn names(scene: Scene<'_>, op: &Op, key: &KeyFacts, receipt: &Receipt) -> Verdict {
    let is_primary = |node: &NodeId| {
        scene.facts.index(*node).is_some_and(|index| key.primaries.contains(&index))
    };
    let Receipt { primaries, repaired, .. } = receipt;
    let fallbacks = &receipt.fallbacks;
    let all = primaries.iter().chain(fallbacks.iter().map(|stand_in| &stand_in.node));
    let all: Vec<&NodeId> = all.collect();
    let doubled = all.iter().enumerate().any(|(at, node)| all[..at].contains(node));
    let known = scene.facts.index(receipt.coordinator).is_some();
    let text = if op.strict && !is_primary(&receipt.coordinator) || !known {
        "a coordinator that is no primary"
    } else if fallbacks.iter().any(|stand_in| is_primary(&stand_in.node)) {
        "a fallback that is a primary"
    } else if fallbacks.iter().any(|stand_in| scene.facts.index(stand_in.node).is_none()) {
        "a fallback that is nobody"
    } else if !fallbacks.iter().all(|stand_in| is_primary(&stand_in.primary)) {
        "a fallback for a node that is no primary"
    } else if !primaries.iter().all(is_primary) {
        "a replica that is no primary"
    } else if doubled {
        "a replica twice"
    } else if !repaired.iter().all(|node| primaries.contains(node)) {
        "a repaired replica that did not answer"
    } else if receipt.layout_version != scene.layout.layout.version() {
        "another version of the layout"
    } else {
        return Ok(());
    };
    let text = format!(
        "the receipt of {op} names {text}: {receipt:?}; the primaries are {:?}",
        key.primaries
    );
    Err(Violation::new(text))
}

/// Whether a receipt bears out a success.
fn suffices(scene: Scene<'_>, op: &Op, how: &How, key: &KeyFacts, receipt: &Receipt) -> Verdict {
    let (asked, dot) = match how {
        How::Found { .. } if op.is_session() => (1, None),
        How::Found { .. } => (op.r, None),
        // Where nothing was there to delete, that was read.
        How::Written { .. } if op.wish.is_blind_delete() => (op.r.min(op.w), None),
        How::Written { dot, .. } => (op.w, *dot),
        How::Garbled | How::Refused | How::Unknown => return Ok(()),
    };
    let fallbacks = if op.strict { 0 } else { receipt.fallbacks.len() };
    let named = receipt.primaries.len() + fallbacks;
    let needed = if op.is_session() { 1 } else { receipt.needed };
    if receipt.needed < asked || named < usize::from(needed) {
        let text = format!(
            "the receipt of {op} needs {} and names {named}, {asked} were asked for: {receipt:?}",
            receipt.needed,
        );
        return Err(Violation::new(text));
    }
    let Some(dot) = dot else { return Ok(()) };
    let indexes = receipt.primaries.iter().filter_map(|node| scene.facts.index(*node));
    for node in indexes {
        if !key.held_durably(&op.key, scene.disks, node, dot) {
            let name = scene.facts.name(dot);
            let text = format!("the receipt of {op} names n{node}, which has {name} not synced");
            return Err(Violation::new(text).at(node));
        }
    }
    for stand_in in &receipt.fallbacks {
        let Some(node) = scene.facts.index(stand_in.node) else { continue };
        if !key.hinted_durably(&op.key, scene.disks, (node, stand_in.primary), dot) {
            let name = scene.facts.name(dot);
            let text = format!(
                "the receipt of {op} names n{node} for {:?}, but no such hint has {name} synced",
                stand_in.primary,
            );
            return Err(Violation::new(text).at(node));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::NodeId;
    use quorate_core::layout::LayoutVersion;
    use quorate_core::message::Receipt;

    use super::TruthfulReceipt;
    use crate::oracle::stage::Stage;

    #[test]
    fn a_receipt_is_borne_out_by_the_disks() {
        // (coordinator, primaries, repaired, needed, version, what is wrong)
        type Case<'a> = (u64, &'a [u64], &'a [u64], u8, u64, &'a str);
        let cases: [Case<'_>; 9] = [
            (1, &[1, 2], &[], 2, 1, ""),
            (1, &[1, 2], &[2], 2, 1, ""),
            (9, &[1, 2], &[], 2, 1, "a coordinator that is no primary"),
            (1, &[1, 9], &[], 2, 1, "a replica that is no primary"),
            (1, &[1, 1], &[], 2, 1, "a replica twice"),
            (1, &[1, 2], &[3], 2, 1, "did not answer"),
            (1, &[1, 2], &[], 2, 7, "another version"),
            (1, &[1], &[], 1, 1, "needs 1 and names 1"),
            (1, &[1, 3], &[], 2, 1, "names n2, which has"),
        ];
        for (coordinator, primaries, repaired, needed, version, wrong) in cases {
            let mut stage = Stage::new(TruthfulReceipt);
            let put = stage.put(1, "v", &[]);
            let dot = stage.write(0, put);
            stage.copy(0, 1);
            stage.sync(0);
            stage.sync(1);
            let ids = |ids: &[u64]| ids.iter().map(|id| NodeId(*id)).collect();
            let receipt = Receipt {
                coordinator: NodeId(coordinator),
                primaries: ids(primaries),
                repaired: ids(repaired),
                needed,
                layout_version: LayoutVersion(version),
                fallbacks: Vec::new(),
                zone: None,
            };
            stage.acknowledge_with(put, &[dot], Some(receipt));
            stage.expect(wrong.is_empty(), wrong);
        }
    }
}
