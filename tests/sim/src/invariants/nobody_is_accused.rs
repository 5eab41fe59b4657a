//! Nobody who goes by the rules is said to break them.

use quorate_core::machine::{Event, Peer};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Told;

pub(crate) const PROPERTY: Property = Property {
    name: "nobody-is-accused",
    definition: "No node says of another one that it misbehaves: all nodes go by the rules here, \
                 and what the network does to frames makes nobody break them.",
    source: "DESIGN.md §6, §8",
};

pub(crate) struct NobodyIsAccused;

impl Invariant for NobodyIsAccused {
    fn on_told(&mut self, _: Scene<'_>, Told { node, event }: Told<'_>) -> Verdict {
        let Event::Misbehaved(Peer::Node(other)) = event else { return Ok(()) };
        Err(Violation::new(format!("n{node} says that {other:?} misbehaves")).at(node))
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::machine::{Event, Peer};

    use super::NobodyIsAccused;
    use crate::observation::{Observation, Told};
    use crate::oracle::stage::Stage;

    #[test]
    fn an_accusation_is_a_violation() {
        let mut stage = Stage::new(NobodyIsAccused);
        let event = Event::Misbehaved(Peer::Node(stage.id(2)));
        stage.see(&Observation::Told(Told { node: 1, event: &event }));
        stage.expect(false, "n1 says that");
    }
}
