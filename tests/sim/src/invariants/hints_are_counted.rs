//! A node knows how many hints it has, or that it does not know.

use std::collections::BTreeMap;

use quorate_core::ids::NodeId;
use quorate_core::machine::{HeldAs, hint_bytes};
use quorate_core::node::NodeView;

use crate::disk::Disk;
use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{Applied, Stepped};

pub(crate) const PROPERTY: Property = Property {
    name: "hints-are-counted",
    definition: "While nothing is asked of its storage, a node that has counted its hints and is \
                 not in doubt about any tells as many, and as many bytes, as its storage has. \
                 When a hint is made or grows, those for its target take no more than \
                 target_hint_bytes_max, and all together no more than hint_bytes_max. The first \
                 is looked at after every sixteenth step. Damaged disks are excused.",
    source: "DESIGN.md §10, §15",
};

/// All hints are looked at.
const EVERY: u32 = 16;

#[derive(Default)]
pub(crate) struct HintsAreCounted {
    steps: u32,
    /// Nodes whose hints have grown, and the target; their limits are known after the step.
    grown: BTreeMap<usize, NodeId>,
}

impl Invariant for HintsAreCounted {
    fn on_applied(&mut self, scene: Scene<'_>, applied: Applied<'_>) -> Verdict {
        if let Applied { node, copy: HeldAs::Hint { target }, applied: Some(applied), .. } = applied
            && applied.changed
            && !scene.disks[node].has_damage()
        {
            self.grown.insert(node, target);
        }
        Ok(())
    }

    fn on_stepped(&mut self, scene: Scene<'_>, stepped: Stepped<'_>) -> Verdict {
        let Stepped { node, view } = stepped;
        let disk = &scene.disks[node];
        self.steps = self.steps.wrapping_add(1);
        if let Some(target) = self.grown.remove(&node) {
            within_limits(view, disk, target).map_err(|violation| violation.at(node))?;
        }
        if self.steps.is_multiple_of(EVERY)
            && !disk.has_damage()
            && let Some(count) = view.hints_for_certain()
        {
            equal((count.hints, count.bytes), held(disk, None))
                .map_err(|violation| violation.at(node))?;
        }
        Ok(())
    }
}

fn equal(told: (u64, u64), held: (u64, u64)) -> Verdict {
    if told == held {
        return Ok(());
    }
    let text = format!("(hints, bytes) are {told:?} by its count and {held:?} in its storage");
    Err(Violation::new(text))
}

fn within_limits(view: NodeView<'_>, disk: &Disk, target: NodeId) -> Verdict {
    let limits = &view.config().limits;
    within("target_hint_bytes_max", held(disk, Some(target)).1, limits.target_hint_bytes_max)?;
    within("hint_bytes_max", held(disk, None).1, limits.hint_bytes_max)
}

fn within(limit: &str, bytes: u64, most: u64) -> Verdict {
    if bytes <= most {
        return Ok(());
    }
    Err(Violation::new(format!("a new hint makes it {bytes} bytes, and {limit} is {most}")))
}

/// The number and the bytes of the hints that an engine shows, for one target or all.
fn held(disk: &Disk, only: Option<NodeId>) -> (u64, u64) {
    let hints = disk.hints().filter(|(target, _, _)| only.is_none_or(|only| only == *target));
    hints.fold((0, 0), |(hints, bytes), (_, key, held)| {
        (hints + 1, bytes + hint_bytes(key, held.record()))
    })
}

#[cfg(test)]
mod tests {
    use super::{equal, within};

    #[test]
    fn what_is_told_is_what_is_held() {
        assert_eq!(equal((2, 300), (2, 300)), Ok(()));
        for held in [(3, 300), (2, 301), (0, 0)] {
            assert!(equal((2, 300), held).unwrap_err().text.contains("in its storage"));
        }
    }

    #[test]
    fn a_limit_may_be_met_and_not_exceeded() {
        assert_eq!(within("hint_bytes_max", 300, 300), Ok(()));
        let violation = within("hint_bytes_max", 301, 300).unwrap_err();
        assert_eq!(violation.text, "a new hint makes it 301 bytes, and hint_bytes_max is 300");
    }
}
