//! What was refused did not happen, and never will.

use quorate_core::causality::Dot;
use quorate_core::ids::{Key, RequestId};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{Applied, CallEnded};
use crate::oracle::{How, Op, Seconds, Wish, WriteFact};

pub(crate) const PROPERTY: Property = Property {
    name: "unknown-is-never-refused",
    definition: "No storage ever carries out a write whose call ended as refused, before that end \
                 or after; excused where a PUT frame of the call, or an answer to it, arrived \
                 twice, as no stream delivers them. A put that names \
                 no request is found by its value; deletes that name none, as those without \
                 context, are left out.",
    source: "DESIGN.md §7 (Deadline: unknown is never reported as refused)",
};

pub(crate) struct UnknownIsNeverRefused;

impl Invariant for UnknownIsNeverRefused {
    fn on_applied(&mut self, scene: Scene<'_>, Applied { key, .. }: Applied<'_>) -> Verdict {
        if let Some(minted) = scene.facts.minted()
            && let Some(fact) = scene.facts.key(key).and_then(|key| key.writes.get(&minted.dot))
        {
            return check(scene, key, (minted.dot, fact));
        }
        Ok(())
    }

    fn on_call_ended(&mut self, scene: Scene<'_>, ended: CallEnded<'_>) -> Verdict {
        let Some((op, How::Refused, key)) = scene.facts.ended(ended) else { return Ok(()) };
        let request = op.request.unwrap_or_default();
        let dots = match &op.wish {
            Wish::Put { .. } | Wish::Delete { .. } if request != RequestId::default() => {
                key.by_request.get(&request)
            }
            Wish::Put { value, .. } => key.by_value.get(value),
            Wish::Get { .. } | Wish::Delete { .. } => None,
        };
        let writes = dots.into_iter().flatten().map(|dot| (*dot, &key.writes[dot]));
        let mut own = writes.filter(|(_, fact)| fact.request == request);
        own.next().map_or(Ok(()), |write| check(scene, &op.key, write))
    }
}

fn check(scene: Scene<'_>, name: &Key, (dot, fact): (Dot, &WriteFact)) -> Verdict {
    let Some(key) = scene.facts.key(name) else { return Ok(()) };
    let refused = |op: &Op| matches!(op.how(), Some(How::Refused)) && !op.again;
    let mut same = scene.facts.writers(key, fact.request, &fact.payload);
    let Some(op) = same.next().filter(|op| refused(op)) else { return Ok(()) };
    if !same.all(refused) {
        return Ok(());
    }
    let text = format!(
        "{op} was refused, but n{} carried it out at {} as {}",
        fact.node,
        Seconds(fact.at),
        scene.facts.name(dot),
    );
    Err(Violation::new(text).at(fact.node).of(name))
}

#[cfg(test)]
mod tests {
    use super::UnknownIsNeverRefused;
    use crate::oracle::stage::Stage;

    #[test]
    fn a_refused_write_is_carried_out_neither_before_nor_after() {
        // (by hand, before its end, refused, whether that is fine)
        for (by_hand, before, refused, fine) in [
            (false, true, true, false),
            (false, false, true, false),
            (false, true, false, true),
            (true, true, true, false),
            (true, false, true, false),
            (true, true, false, true),
        ] {
            let mut stage = Stage::new(UnknownIsNeverRefused);
            let put = if by_hand { stage.put_by_hand("v", &[]) } else { stage.put(1, "v", &[]) };
            if before {
                let dot = stage.write(0, put);
                if !refused {
                    stage.acknowledge(put, &[dot]);
                }
            }
            if refused {
                stage.refuse(put);
            }
            if !before {
                stage.write(0, put);
            }
            stage.expect(fine, "was refused, but n0 carried it out");
        }
    }
}
