//! A change of the layout comes to its end, and leaves nothing behind.

use quorate_core::ids::Key;
use quorate_core::machine::HeldAs;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};

pub(crate) const PROPERTY: Property = Property {
    name: "layouts-settle",
    definition: "At rest all whole nodes hold one and the same layout to be in force, and a whole \
                 node that is no primary of a key has no copy of it that can be read. Excused: a \
                 node that was removed, for slots of which it has what a primary lacks.",
    source: "DESIGN.md §9 (the history rule)",
};

pub(crate) struct LayoutsSettle;

impl Invariant for LayoutsSettle {
    fn at_rest(&mut self, scene: Scene<'_>, whole: &[usize]) -> Verdict {
        if !scene.facts.has_changed() {
            return Ok(());
        }
        let spans = scene.facts.spans();
        let newest = spans.values().max_by_key(|span| span.rank());
        let newest = newest.map(|span| span.head).unwrap_or_default();
        for node in whole {
            let Some(span) = spans.get(node) else { continue };
            if span.head != newest || span.is_changing() || span.read != newest.version {
                let text = format!(
                    "n{node} holds the layouts {} to {} to be in force and reads by {}, where the \
                     newest is {}",
                    span.oldest, span.head.version, span.read, newest.version
                );
                return Err(Violation::new(text).at(*node));
            }
        }
        for (name, key) in scene.facts.keys() {
            let homes = scene.facts.homes(name);
            let holds = |node: &&usize| {
                let is_damaged = scene.disks[**node].is_damaged(HeldAs::Own, name);
                let is_empty = key.memory[**node].record().is_empty();
                let is_kept = || scene.facts.keeps_slot_of(scene.disks, **node, name);
                !homes.contains(node) && !is_empty && !is_damaged && !is_kept()
            };
            if let Some(node) = whole.iter().find(holds) {
                return Err(left_behind(*node, name, &homes));
            }
        }
        Ok(())
    }
}

fn left_behind(node: usize, key: &Key, homes: &[usize]) -> Box<Violation> {
    let text = format!("n{node} holds a copy that moved away; the primaries are {homes:?}");
    Violation::new(text).at(node).of(key)
}
