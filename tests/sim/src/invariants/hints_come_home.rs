//! A hint stays until its target has it.

use quorate_core::causality::Dot;
use quorate_core::machine::HeldAs;
use quorate_core::message::Message;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{Applied, Removed, Sent};
use crate::oracle::{Since, known};

pub(crate) const PROPERTY: Property = Property {
    name: "hints-come-home",
    definition: "A hint is for a primary of its key, and no primary of the key keeps one; while \
                 the layout changes, primaries are those by any layout that was in force at the \
                 coordinator when its write began, as far as they are members of the newest. \
                 When a node removes a hint, its target holds synced each write that the hint \
                 knew, or did so until a fault destroyed it or it moved away; or else, once the \
                 hint window is over or the target is no primary any more, all other primaries \
                 do, by the layouts that were in force at the node at one time while the hint \
                 was on its way. At rest no whole node keeps a hint for a whole node. Actors \
                 that truncation dropped are excused.",
    source: "DESIGN.md §10",
};

pub(crate) struct HintsComeHome;

impl Invariant for HintsComeHome {
    fn on_sent(&mut self, scene: Scene<'_>, Sent { from, to, message }: Sent<'_>) -> Verdict {
        let (End::Node(from), End::Node(to)) = (from, to) else { return Ok(()) };
        let Message::ReplicaMerge(merge) = message else { return Ok(()) };
        let home = merge.hint_for.and_then(|target| scene.facts.index(target));
        let (Some(home), true) = (home, scene.facts.has_changed()) else { return Ok(()) };
        // A write goes by what was in force when it began.
        let asked = (from, &merge.key);
        let in_force = scene.facts.in_force(scene.layout, asked, Since::Number(0));
        let mut in_force = in_force.into_iter().filter(|it| it.head == merge.layout_version);
        if in_force.any(|it| it.is_holder(home) && !it.is_holder(to)) {
            return Ok(());
        }
        let text = format!(
            "n{from} has n{to} keep a hint for n{home}, but layout {} says otherwise",
            merge.layout_version,
        );
        Err(Violation::new(text).at(from).of(&merge.key))
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
        } else if !scene.facts.has_changed() && key.primaries.contains(&node) {
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
        let lists = scene.facts.takers_of_hints(scene.layout, (node, name), scene.now);
        let is_taken = |dot: &Dot| key.is_taken((name, *dot), home, &lists, scene.disks);
        let missing: Vec<Dot> = known(record).into_iter().filter(|dot| !is_taken(dot)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let text = format!(
            "n{node} removes its hint for n{home}, which has {} not synced; the primaries are \
             {lists:?}",
            scene.facts.names(missing),
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
    use quorate_core::ids::Epoch;
    use quorate_core::message::{CallId, MergeReason, Message, ReplicaMerge};

    use super::HintsComeHome;
    use crate::network::End;
    use crate::observation::{Observation, Sent};
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

    #[test]
    fn while_the_layout_changes_no_primary_of_either_layout_is_sent_a_hint() {
        for (place, fine) in [(0, false), (1, false), (2, true)] {
            let mut stage = Stage::with_nodes(7, HintsComeHome);
            let put = stage.put(1, "v", &[]);
            let newest = stage.layout_without_primaries();
            let (former, next) = (stage.primaries(), stage.primaries_by(&newest));
            let stranger = stage.stranger(&newest);
            stage.write(former[0], put);
            stage.learn(former[0], &newest);
            let merge = ReplicaMerge {
                call: CallId(7),
                key: stage.key.clone(),
                record: stage.record(former[0]),
                hint_for: Some(stage.id(former[2])),
                reason: MergeReason::Write,
                epoch: Epoch(1),
                layout_version: newest.layout.version(),
            };
            let to = [former[1], next[0], stranger][place];
            let (from, to) = (End::Node(former[0]), End::Node(to));
            let message = &Message::ReplicaMerge(merge);
            stage.see(&Observation::Sent(Sent { from, to, message }));
            stage.expect(fine, "layout 2 says otherwise");
        }
    }

    #[test]
    fn a_hint_for_a_former_primary_goes_when_all_of_the_new_ones_have_it() {
        for (reached, fine) in [(3, true), (2, false)] {
            let mut stage = Stage::with_nodes(7, HintsComeHome);
            let put = stage.put(1, "v", &[]);
            let newest = stage.layout_without_primaries();
            let (former, next) = (stage.primaries(), stage.primaries_by(&newest));
            let stranger = stage.stranger(&newest);
            stage.learn(stranger, &newest);
            stage.write(former[0], put);
            stage.hint(former[0], stranger, former[2]);
            stage.copy(former[0], former[1]);
            next[..reached].iter().for_each(|node| stage.copy(former[0], *node));
            (0..7).for_each(|node| stage.sync(node));
            stage.remove_hint(stranger, former[2]);
            stage.expect(fine, "not synced");
        }
    }
}
