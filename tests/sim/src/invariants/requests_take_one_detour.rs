//! A request is handed on once at most, to a primary; and only primaries write, or fallbacks for
//! them.

use quorate_core::causality::RecordOp;
use quorate_core::machine::HeldAs;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{Applied, Sent, request_of};

pub(crate) const PROPERTY: Property = Property {
    name: "requests-take-one-detour",
    definition: "A node hands a get or put on only where it is no primary of the key, to one that \
                 is, and marks it as passed on. Primaries carry out writes in their own copies, \
                 others in hints only, and those no write that each call which asks for it wants \
                 strict.",
    source: "DESIGN.md §7 (Put); core/src/pass_on.rs",
};

pub(crate) struct RequestsTakeOneDetour;

impl Invariant for RequestsTakeOneDetour {
    fn outlives_layouts(&self) -> bool {
        false
    }

    fn on_applied(&mut self, scene: Scene<'_>, applied: Applied<'_>) -> Verdict {
        let Applied { node, copy, key, op: RecordOp::Write(write), .. } = applied else {
            return Ok(());
        };
        let Some(facts) = scene.facts.key(key) else { return Ok(()) };
        if facts.primaries.contains(&node) && copy == HeldAs::Own {
            return Ok(());
        }
        let mut tries = scene.facts.tries(write.request).peekable();
        let is_strict = tries.peek().is_some() && tries.all(|op| op.strict);
        let how = match copy {
            HeldAs::Own => "in its own copy",
            HeldAs::Hint { .. } if facts.primaries.contains(&node) => "in a hint",
            HeldAs::Hint { .. } if is_strict => "a strict write",
            HeldAs::Hint { .. } => return Ok(()),
        };
        let text = format!("n{node} writes {how}, but the primaries are {:?}", facts.primaries);
        Err(Violation::new(text).at(node).of(key))
    }

    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        let Sent { from: End::Node(from), to: End::Node(to), message } = sent else {
            return Ok(());
        };
        let Some((head, _)) = request_of(message) else { return Ok(()) };
        let Some(key) = scene.facts.key(&head.key) else { return Ok(()) };
        let text = if !head.passed_on {
            "does not mark it"
        } else if key.primaries.contains(&from) {
            "is a primary itself"
        } else if !key.primaries.contains(&to) {
            "chooses one that is no primary"
        } else {
            return Ok(());
        };
        let text = format!(
            "n{from} hands a request on to n{to} as {:?}, but {text}; the primaries are {:?}",
            head.call, key.primaries,
        );
        Err(Violation::new(text).at(from).of(&head.key))
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::RequestId;
    use quorate_core::message::Message;

    use super::RequestsTakeOneDetour;
    use crate::network::End;
    use crate::observation::{Asked, Observation, Sent};
    use crate::oracle::stage::Stage;

    #[test]
    fn a_stranger_hands_on_to_a_primary() {
        let mut stage = Stage::with_nodes(5, RequestsTakeOneDetour);
        let primaries = stage.primaries();
        let strangers: Vec<usize> = (0..5).filter(|node| !primaries.contains(node)).collect();
        for (from, to, passed_on, part) in [
            (strangers[0], primaries[0], true, ""),
            (strangers[0], primaries[0], false, "does not mark it"),
            (primaries[1], primaries[0], true, "is a primary itself"),
            (strangers[0], strangers[1], true, "one that is no primary"),
        ] {
            let mut stage = Stage::with_nodes(5, RequestsTakeOneDetour);
            let get = stage.get(1);
            let mut message = stage.frame(get, &Asked::Get, RequestId::default());
            if let Message::Get(get) = &mut message {
                get.head.passed_on = passed_on;
            }
            let (from, to, message) = (End::Node(from), End::Node(to), &message);
            stage.see(&Observation::Sent(Sent { from, to, message }));
            stage.expect(part.is_empty(), part);
        }
        let put = stage.put(1, "v", &[]);
        stage.write(primaries[0], put);
        stage.expect(true, "");
        stage.write(strangers[0], put);
        stage.expect(false, "writes in its own copy, but the primaries are");
    }
}
