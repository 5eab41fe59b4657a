//! What moved away is removed only where those who are primaries now hold it.

use quorate_core::machine::HeldAs;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Removed;
use crate::oracle::known;

pub(crate) const PROPERTY: Property = Property {
    name: "moved-away-is-held",
    definition: "When a node removes its own copy of a key since that moved away, each primary of \
                 the key in the newest layout that it knows has all that the copy knew, in memory \
                 or synced, or had until a fault took it. Actors that truncation dropped are excused.",
    source: "DESIGN.md §9 (only after the new ones hold it)",
};

pub(crate) struct MovedAwayIsHeld;

impl Invariant for MovedAwayIsHeld {
    fn on_removed(&mut self, scene: Scene<'_>, removed: Removed<'_>) -> Verdict {
        let Removed { node, copy: HeldAs::Own, key: name, record } = removed else {
            return Ok(());
        };
        let (Some(key), Some(homes)) = (scene.facts.key(name), scene.facts.new_homes(node, name))
        else {
            return Ok(());
        };
        if homes.contains(&node) {
            return Ok(());
        }
        for home in homes.into_iter().filter(|home| !scene.disks[*home].has_damage()) {
            let shown = key.memory[home].record().context();
            let lacks = |dot: &quorate_core::causality::Dot| {
                !shown.covers(*dot) && !key.held_durably(name, scene.disks, home, *dot)
            };
            let missing: Vec<_> = known(record).into_iter().filter(lacks).collect();
            if !missing.is_empty() {
                let text = format!(
                    "n{node} removes its copy, but n{home}, which is a primary now, lacks {}",
                    scene.facts.names(missing),
                );
                return Err(Violation::new(text).at(node).of(name));
            }
        }
        Ok(())
    }
}
