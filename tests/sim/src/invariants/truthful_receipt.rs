//! A receipt names those who did what it says.

use quorate_core::causality::Dot;
use quorate_core::ids::NodeId;
use quorate_core::message::{Message, Receipt, Reply};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{CallEnded, Caller, Ending, Sent};
use crate::oracle::{How, InForce, KeyFacts, Op, Since};

pub(crate) const PROPERTY: Property = Property {
    name: "truthful-receipt",
    definition: "The receipt of a reply names distinct primaries of the key; distinct fallbacks, \
                 no primaries, each with the primary that it stood in for; a coordinator that is \
                 a primary or, where the call is sloppy, any node; repaired nodes among the \
                 primaries; and the version of the layout that reads go by. That of a reply that \
                 a caller takes for success names as many primaries, or where the call is sloppy \
                 primaries and fallbacks, as are needed, and no fewer are needed than it asked \
                 for; a session get needs one. On that of an acknowledged write, but for deletes \
                 without context, each primary holds the write synced, or did until a fault \
                 destroyed it or it moved away, and each fallback does so in the hint for its \
                 primary, or did until the hint was removed as hints-come-home allows. While the \
                 layout changes, all of it fits what was in force at the coordinator at one time \
                 since the call began, the coordinator at the same or an earlier one: the \
                 primaries of a read are those by the layout that \
                 reads go by; those of a write are those by all layouts, as far as they are \
                 members of the newest, and it names W primaries of each layout, or all that are \
                 left there, or who stood in for them, or where the call is sloppy primaries of \
                 the other layouts in their place.",
    source: "DESIGN.md §7 (Receipt)",
};

pub(crate) struct TruthfulReceipt;

impl Invariant for TruthfulReceipt {
    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        if let Sent { from: End::Node(_), to: End::Client(client, _), message } = sent
            && let Message::Reply(Reply { call, receipt: Some(receipt), .. }) = message
            && let Some(op) = scene.facts.call(Caller::Client(client), *call)
        {
            return by_any(scene, op, receipt, |_| Ok(()));
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
        let (asked, dot) = match how {
            How::Found { .. } if op.is_session() => (1, None),
            How::Found { .. } => (op.r, None),
            // Where nothing was there to delete, that was read.
            How::Written { .. } if op.wish.is_blind_delete() => (op.r.min(op.w), None),
            How::Written { dot, .. } => (op.w, *dot),
            How::Garbled | How::Refused | How::Unknown => (0, None),
        };
        let is_done = !matches!(how, How::Garbled | How::Refused | How::Unknown);
        let asked = Some(asked).filter(|_| is_done);
        by_any(scene, op, receipt, |layouts| match asked {
            Some(asked) => suffices(scene, op, asked, layouts, receipt),
            None => Ok(()),
        })?;
        let Some(dot) = dot else { return Ok(()) };
        is_held(scene, op, key, receipt, dot).map_err(|violation| violation.of(&op.key))
    }
}

/// The layouts by which a receipt names somebody.
struct Layouts<'a> {
    in_force: &'a InForce,
    /// Whether a write reached all of them; else a read went by one.
    writes: bool,
}

impl Layouts<'_> {
    fn primaries(&self) -> Vec<usize> {
        if self.writes { self.in_force.holders() } else { self.in_force.readers.clone() }
    }
}

/// Whether a receipt is right by what was in force at its coordinator at one time.
fn by_any(
    scene: Scene<'_>,
    op: &Op,
    receipt: &Receipt,
    suffices: impl Fn(&Layouts<'_>) -> Verdict,
) -> Verdict {
    let coordinator = scene.facts.index(receipt.coordinator);
    let request = op.request.unwrap_or_default();
    let since = Since::Number(scene.facts.first_try(request, op.began).min(op.began));
    let asked = (coordinator.unwrap_or_default(), &op.key);
    let in_force = scene.facts.in_force(scene.layout, asked, since);
    let was_home = coordinator
        .is_some_and(|node| in_force.iter().any(|in_force| in_force.primaries.contains(&node)));
    if !was_home && op.strict || coordinator.is_none() {
        let text = format!(
            "the receipt of {op} names a coordinator that is no primary: {receipt:?}; the \
             layouts are {in_force:?}"
        );
        return Err(Violation::new(text).of(&op.key));
    }
    // A delete without context may have come no further than its read.
    let kinds: &[bool] = match op.wish.is_blind_delete() {
        true => &[true, false],
        false => &[op.wish.is_write()],
    };
    let mut verdict = Ok(());
    for in_force in in_force.iter().rev() {
        for writes in kinds {
            let layouts = Layouts { in_force, writes: *writes };
            verdict = names(scene, op, &layouts, receipt).and_then(|()| suffices(&layouts));
            if verdict.is_ok() {
                return Ok(());
            }
        }
    }
    verdict.map_err(|violation| violation.of(&op.key))
}

/// Whether a receipt names the right nodes, whatever they did.
fn names(scene: Scene<'_>, op: &Op, layouts: &Layouts<'_>, receipt: &Receipt) -> Verdict {
    let in_force = layouts.in_force;
    let list = layouts.primaries();
    let is_in = |list: &[usize], node: &NodeId| {
        scene.facts.index(*node).is_some_and(|index| list.contains(&index))
    };
    let is_primary = |node: &NodeId| is_in(&list, node);
    let Receipt { primaries, repaired, .. } = receipt;
    let fallbacks = &receipt.fallbacks;
    let all = primaries.iter().chain(fallbacks.iter().map(|stand_in| &stand_in.node));
    let all: Vec<&NodeId> = all.collect();
    let doubled = all.iter().enumerate().any(|(at, node)| all[..at].contains(node));
    let text = if fallbacks.iter().any(|stand_in| is_primary(&stand_in.node)) {
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
    } else if receipt.layout_version != in_force.read {
        "another version of the layout"
    } else {
        return Ok(());
    };
    let text =
        format!("the receipt of {op} names {text}: {receipt:?}; the layouts are {in_force:?}");
    Err(Violation::new(text))
}

/// Whether a receipt bears out a success.
fn suffices(
    scene: Scene<'_>,
    op: &Op,
    asked: u8,
    layouts: &Layouts<'_>,
    receipt: &Receipt,
) -> Verdict {
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
    if !layouts.writes {
        return Ok(());
    }
    let stood_in = receipt.fallbacks.iter().map(|stand_in| &stand_in.primary);
    let served = receipt.primaries.iter().chain(stood_in.filter(|_| !op.strict));
    let served: Vec<usize> = served.filter_map(|node| scene.facts.index(*node)).collect();
    for list in &layouts.in_force.lists {
        let others = served.iter().filter(|node| !op.strict && !list.contains(node)).count();
        let own = list.iter().filter(|node| served.contains(node)).count();
        let needed = list.len().min(asked.into());
        if own + others < needed {
            let text = format!(
                "the receipt of {op} needs {needed} of the primaries {list:?} and names {own}, and \
                 {others} in their place: {receipt:?}",
            );
            return Err(Violation::new(text));
        }
    }
    Ok(())
}

/// Whether those whom the receipt of a write names hold it.
fn is_held(scene: Scene<'_>, op: &Op, key: &KeyFacts, receipt: &Receipt, dot: Dot) -> Verdict {
    let indexes = receipt.primaries.iter().filter_map(|node| scene.facts.index(*node));
    for node in indexes {
        if !key.held_durably(&op.key, scene.disks, node, dot) && !key.has_moved_away(node, dot) {
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

    #[test]
    fn a_write_is_borne_out_in_each_layout_in_force() {
        // (named of the older layout, of the newer one, version, what is wrong)
        for (older, newer, version, wrong) in [
            (2, 2, 1, ""),
            (2, 0, 1, "needs 2 of the primaries"),
            (0, 2, 1, "needs 2 of the primaries"),
            (2, 2, 2, "another version"),
        ] {
            let mut stage = Stage::with_nodes(6, TruthfulReceipt);
            let put = stage.put(1, "v", &[]);
            let newest = stage.layout_without_primaries();
            let (former, next) = (stage.primaries(), stage.primaries_by(&newest));
            stage.learn(former[0], &newest);
            let dot = stage.write(former[0], put);
            former[1..].iter().chain(&next).for_each(|node| stage.copy(former[0], *node));
            (0..6).for_each(|node| stage.sync(node));
            let named = former[..older].iter().chain(&next[..newer]);
            let receipt = Receipt {
                coordinator: stage.id(former[0]),
                primaries: named.map(|node| stage.id(*node)).collect(),
                repaired: Vec::new(),
                needed: 2,
                layout_version: LayoutVersion(version),
                fallbacks: Vec::new(),
                zone: None,
            };
            stage.acknowledge_with(put, &[dot], Some(receipt));
            stage.expect(wrong.is_empty(), wrong);
        }
    }
}
