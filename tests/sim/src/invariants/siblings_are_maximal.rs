//! What stands was not overwritten, and what was not overwritten stands.

use quorate_core::causality::{Context, Dot};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::oracle::{Carried, known, knows};

pub(crate) const PROPERTY: Property = Property {
    name: "siblings-are-maximal",
    definition: "No sibling of a stored or sent record had been shown to the writer of another \
                 one, unless truncation dropped its actor somewhere. At rest, what stands in a \
                 record is exactly what it knows less what the writes that it knows had been \
                 shown; keys with truncated records are excused from this half.",
    source: "DESIGN.md §3 (sibling), §6 (merge)",
};

pub(crate) struct SiblingsAreMaximal;

impl Invariant for SiblingsAreMaximal {
    fn on_carried(&mut self, scene: Scene<'_>, carried: Carried<'_>) -> Verdict {
        let Some(key) = scene.facts.key(carried.key) else { return Ok(()) };
        let siblings = || carried.record.siblings().map(|(dot, _)| dot);
        if siblings().nth(1).is_none() {
            return Ok(());
        }
        let shown: Vec<(Dot, &Context)> = siblings()
            .filter_map(|dot| Some((dot, &key.writes.get(&dot)?.context)))
            .filter(|(_, context)| !context.is_empty())
            .collect();
        let doubtful = |dot: &Dot| key.covered.covers(*dot) && !key.truncated.contains(&dot.actor);
        for dot in siblings().filter(doubtful) {
            let Some((over, _)) = shown.iter().find(|(_, context)| context.covers(dot)) else {
                continue;
            };
            let text = format!(
                "the record that n{} {} has both {} and {} as siblings, but the writer of the \
                 latter had been shown the former",
                carried.node,
                if carried.stored { "stored" } else { "sent" },
                scene.facts.name(dot),
                scene.facts.name(*over),
            );
            return Err(Violation::new(text).at(carried.node).of(carried.key));
        }
        Ok(())
    }

    fn at_rest(&mut self, scene: Scene<'_>, whole: &[usize]) -> Verdict {
        for (name, key) in scene.facts.keys().filter(|(_, key)| key.truncated.is_empty()) {
            let homes = scene.facts.homes(name);
            for node in homes.into_iter().filter(|node| whole.contains(node)) {
                let record = key.memory[node].record();
                let mut covered = Context::new();
                for (_, fact) in key.writes.iter().filter(|(dot, _)| knows(record, **dot)) {
                    covered.merge(&fact.context);
                }
                let live: Vec<_> = record.siblings().map(|(dot, _)| dot).collect();
                let mut expected = known(record);
                expected.retain(|dot| !covered.covers(*dot));
                if live == expected {
                    continue;
                }
                let text = format!(
                    "{} stand at n{node}, but what it knows less what the writes among it had \
                     been shown is {}",
                    scene.facts.names(live),
                    scene.facts.names(expected),
                );
                return Err(Violation::new(text).at(node).of(name));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::SiblingsAreMaximal;
    use crate::oracle::stage::Stage;

    #[test]
    fn concurrent_writes_stand_side_by_side_and_chained_ones_do_not() {
        let mut stage = Stage::new(SiblingsAreMaximal);
        let one = stage.put(1, "v", &[]);
        let first = stage.write(0, one);
        let other = stage.put(2, "w", &[]);
        stage.write(0, other);
        stage.copy(0, 1);
        let over = stage.put(1, "x", &[first]);
        let second = stage.write(0, over);
        stage.copy(0, 1);
        stage.copy(0, 2);
        stage.rest();
        stage.expect(true, "");
        stage.wipe(2);
        stage.forge(2, &[], &[(first, "v"), (second, "x")]);
        stage.expect(false, "had been shown the former");
    }

    #[test]
    fn at_rest_nothing_is_superseded_without_its_overwriter() {
        let mut stage = Stage::new(SiblingsAreMaximal);
        let put = stage.put(1, "v", &[]);
        let first = stage.write(0, put);
        stage.forge(0, &[first], &[]);
        stage.rest();
        stage.expect(false, "nothing stand at n0");
    }
}
