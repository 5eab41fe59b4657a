//! What was refused did not happen, and never will.

use quorate_core::ids::{Key, RequestId};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Observation;
use crate::oracle::{How, Op, Seconds};

pub(crate) const PROPERTY: Property = Property {
    name: "unknown-is-never-refused",
    definition: "No storage ever carries out a write whose call ended as refused, before that end \
                 or after; excused where a PUT frame of the call arrived twice. Deletes without \
                 context write under no request and are left out.",
    source: "DESIGN.md §7 (Deadline: unknown is never reported as refused)",
};

pub(crate) struct UnknownIsNeverRefused;

impl Invariant for UnknownIsNeverRefused {
    fn observe(&mut self, scene: Scene<'_>, seen: &Observation<'_>) -> Verdict {
        if let Observation::Applied { key, .. } = *seen
            && let Some(minted) = scene.facts.minted()
            && let Some(fact) = scene.facts.key(key).and_then(|key| key.writes.get(&minted.dot))
        {
            return check(scene, key, fact.request);
        }
        let Some((op, How::Refused, _)) = scene.facts.ended(seen) else { return Ok(()) };
        op.request.map_or(Ok(()), |request| check(scene, &op.key, request))
    }
}

fn check(scene: Scene<'_>, name: &Key, request: RequestId) -> Verdict {
    if request == RequestId::default() {
        return Ok(());
    }
    let Some(key) = scene.facts.key(name) else { return Ok(()) };
    let Some(dot) = key.by_request.get(&request).and_then(|dots| dots.first()) else {
        return Ok(());
    };
    let refused = |op: &Op| matches!(op.how(), Some(How::Refused)) && !op.again;
    let mut same = scene.facts.of_request(request);
    let Some(op) = same.next().filter(|op| refused(op)) else { return Ok(()) };
    if !same.all(refused) {
        return Ok(());
    }
    let fact = &key.writes[dot];
    let text = format!(
        "{op} was refused, but n{} carried it out at {} as {}",
        fact.node,
        Seconds(fact.at),
        scene.facts.name(*dot),
    );
    Err(Violation::new(text).at(fact.node).of(name))
}

#[cfg(test)]
mod tests {
    use super::UnknownIsNeverRefused;
    use crate::oracle::stage::Stage;

    #[test]
    fn a_refused_write_is_carried_out_neither_before_nor_after() {
        // (before its end, refused, whether that is fine)
        for (before, refused, fine) in
            [(true, true, false), (false, true, false), (true, false, true)]
        {
            let mut stage = Stage::new(UnknownIsNeverRefused);
            let put = stage.put(1, "v", &[]);
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
