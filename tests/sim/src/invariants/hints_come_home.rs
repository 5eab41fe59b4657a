//! A hint stays until its target has it.

use quorate_core::causality::Dot;
use quorate_core::machine::HeldAs;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{Applied, Removed};
use crate::oracle::known;

pub(crate) const PROPERTY: Property = Property {
    name: "hints-come-home",
    definition: "A hint is for a primary of its key, and no primary of the key keeps one. When a \
                 node removes a hint, its target holds synced all that the hint knew, or did so \
                 until a fault destroyed it; or else, once the hint window is over, each other \
                 primary of the key does. At rest no whole node keeps a hint for a whole node. \
                 Actors that truncation dropped are excused.",
    source: "DESIGN.md §10",
};

pub(crate) struct HintsComeHome;

impl Invariant for HintsComeHome {
    fn outlives_layouts(&self) -> bool {
        false
    }

    fn on_applied(&mut self, scene: Scene<'_>, applied: Applied<'_>) -> Verdict {
        let Applied { node, copy: HeldAs::Hint { target }, key: name, .. } = applied else {
            return Ok(());
        };
        let (Some(key), Some(home)) = (scene.facts.key(name), scene.facts.index(target)) else {
            return Ok(());
        };
        let text = if !key.primaries.contains(&home) {
            format!("n{node} keeps a hint for n{home}, which is no primary: {:?}", key.primaries)
        } else if key.primaries.contains(&node) {
            format!("n{node} keeps a hint for n{home}, but is a primary: {:?}", key.primaries)
        } else {
            return Ok(());
        };
        Err(Violation::new(text).at(node).of(name))
    }

    fn on_removed(&mut self, scene: Scene<'_>, removed: Removed<'_>) -> Verdict {
        let Removed { node, copy: HeldAs::Hint { target }, key: name, record } = removed else {
            return Ok(());
        };
        let (Some(key), Some(home)) = (scene.facts.key(name), scene.facts.index(target)) else {
            return Ok(());
        };
        let dots = known(record);
        let lacks = |at: usize| -> Vec<Dot> {
            let lacks = |dot: &&Dot| !key.held_durably(name, scene.disks, at, **dot);
            dots.iter().filter(lacks).copied().collect()
        };
        let missing = lacks(home);
        let mut others = key.primaries.iter().copied().filter(|other| *other != home).peekable();
        if missing.is_empty() || others.peek().is_some() && others.all(|at| lacks(at).is_empty()) {
            return Ok(());
        }
        let text = format!(
            "n{node} removes its hint for n{home}, which has {} not synced; the primaries are {:?}",
            scene.facts.names(missing),
            key.primaries,
        );
        Err(Violation::new(text).at(node).of(name))
    }

    fn at_rest(&mut self, scene: Scene<'_>, whole: &[usize]) -> Verdict {
        for node in whole.iter().copied() {
            for (target, key, _) in scene.disks[node].hints() {
                if let Some(home) = scene.facts.index(target).filter(|home| whole.contains(home)) {
                    let text = format!("n{node} still keeps a hint for n{home}");
                    return Err(Violation::new(text).at(node).of(key));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::HintsComeHome;
    use crate::oracle::stage::Stage;

    /// Four nodes, and one of them that is no primary.
    fn at_home() -> (Stage, usize, Vec<usize>) {
        let stage = Stage::with_nodes(4, HintsComeHome);
        let primaries = stage.primaries();
        let fallback = (0..4).find(|node| !primaries.contains(node)).unwrap();
        (stage, fallback, primaries)
    }

    #[test]
    fn a_hint_goes_when_its_target_has_it_synced() {
        for (copied, synced, fine) in
            [(true, true, true), (true, false, false), (false, false, false)]
        {
            let (mut stage, fallback, primaries) = at_home();
            let [writer, home, _] = primaries[..] else { panic!("three primaries") };
            let put = stage.put(1, "v", &[]);
            stage.write(writer, put);
            stage.hint(writer, fallback, home);
            stage.sync(fallback);
            if copied {
                stage.copy(writer, home);
            }
            if synced {
                stage.sync(home);
            }
            stage.remove_hint(fallback, home);
            stage.expect(fine, "not synced");
        }
    }

    #[test]
    fn a_hint_for_one_who_stays_away_goes_when_all_others_have_it() {
        for (reached, fine) in [(2, true), (1, false)] {
            let (mut stage, fallback, primaries) = at_home();
            let put = stage.put(1, "v", &[]);
            stage.write(primaries[0], put);
            stage.hint(primaries[0], fallback, primaries[2]);
            stage.copy(primaries[0], primaries[1]);
            primaries[..reached].iter().for_each(|node| stage.sync(*node));
            stage.remove_hint(fallback, primaries[2]);
            stage.expect(fine, "not synced");
        }
    }

    #[test]
    fn hints_are_kept_by_fallbacks_for_primaries() {
        let (mut stage, _, primaries) = at_home();
        let put = stage.put(1, "v", &[]);
        stage.write(primaries[0], put);
        stage.hint(primaries[0], primaries[1], primaries[2]);
        stage.expect(false, "but is a primary");
        let (mut stage, fallback, primaries) = at_home();
        let put = stage.put(1, "v", &[]);
        stage.write(primaries[0], put);
        stage.hint(primaries[0], fallback, fallback);
        stage.expect(false, "which is no primary");
    }

    #[test]
    fn at_rest_no_hint_is_left_for_a_whole_node() {
        // The stage is whole but for its last node.
        for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            let (mut stage, _, _) = at_home();
            stage.turn_to(key);
            let primaries = stage.primaries();
            let fallback = (0..4).find(|node| !primaries.contains(node)).unwrap();
            let put = stage.put(1, "v", &[]);
            stage.write(primaries[0], put);
            stage.hint(primaries[0], fallback, primaries[1]);
            stage.rest();
            stage.expect(fallback == 3 || primaries[1] == 3, "still keeps a hint");
        }
    }
}
