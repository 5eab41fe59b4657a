//! What is compared is what is stored.

use quorate_core::merkle::{Forest, Piece};
use quorate_core::node::NodeView;
use quorate_core::ring::Position;

use crate::disk::Disk;
use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::Stepped;

pub(crate) const PROPERTY: Property = Property {
    name: "trees-match-the-store",
    definition: "The trees of a node take no more than 16 bytes for each leaf of each slot of the \
                 ring. While it has trees, and its storage has told the outcome of all that it \
                 was asked for, the tree of each slot is the one that its own copies in memory \
                 make: looked at after every sixty-fourth step of that kind. Disks with records \
                 that cannot be read are left out: nobody can count those.",
    source: "DESIGN.md §11",
};

/// Trees are worked out to be compared.
const EVERY: u32 = 64;

/// Bytes of a leaf.
const LEAF_BYTES: usize = size_of::<u128>();

#[derive(Default)]
pub(crate) struct TreesMatchTheStore {
    steps: u32,
}

impl Invariant for TreesMatchTheStore {
    fn on_stepped(&mut self, scene: Scene<'_>, stepped: Stepped<'_>) -> Verdict {
        let Stepped { node, view } = stepped;
        let disk = &scene.disks[node];
        if view.storage_operations_under_way() > 0 {
            return Ok(());
        }
        let Some(trees) = view.trees().filter(|_| !disk.has_damage()) else { return Ok(()) };
        self.steps = self.steps.wrapping_add(1);
        if !self.steps.is_multiple_of(EVERY) {
            return Ok(());
        }
        check(trees, &counted(view, trees, disk)).map_err(|violation| violation.at(node))
    }
}

/// The trees of what a disk holds.
fn counted(view: NodeView<'_>, trees: &Forest, disk: &Disk) -> Forest {
    let mut counted = Forest::new(view.config().tree_key(), trees.slots(), trees.leaves());
    for key in disk.keys() {
        if let Some(record) = disk.memory(key) {
            let (position, state) = (Position::of(key.as_bytes()), counted.state(key, record));
            counted.change(position, Default::default(), state);
        }
    }
    counted
}

fn check(trees: &Forest, counted: &Forest) -> Verdict {
    let most = trees.slots().get() as usize * trees.leaves().get() as usize * LEAF_BYTES;
    if trees.bytes() > most {
        let text = format!("trees take {} bytes, where {most} is the most", trees.bytes());
        return Err(Violation::new(text));
    }
    let differs = |piece: &Piece| trees.hash(*piece) != counted.hash(*piece);
    match trees.slots().slots().map(Piece::whole).find(differs) {
        None => Ok(()),
        Some(Piece { slot, .. }) => {
            let text = format!("the tree of {slot:?} is not that of what is stored of it");
            Err(Violation::new(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::ClusterId;
    use quorate_core::merkle::{Forest, LeafCount, StateHash, TreeKey};
    use quorate_core::ring::{Position, SlotCount};

    use super::check;

    #[test]
    fn a_tree_that_lacks_a_change_is_not_that_of_the_store() {
        let key = TreeKey::derive(ClusterId(1), &[]);
        let slots = SlotCount::new(16).unwrap();
        let mut trees = Forest::new(key, slots, LeafCount::DEFAULT);
        let mut counted = trees.clone();
        counted.change(Position::of(b"k"), StateHash(0), StateHash(7));
        let text = check(&trees, &counted).unwrap_err().text;
        assert!(text.contains("is not that of what is stored"), "{text}");
        trees.change(Position::of(b"k"), StateHash(0), StateHash(5));
        assert!(check(&trees, &counted).is_err());
        trees.change(Position::of(b"k"), StateHash(5), StateHash(7));
        assert_eq!(check(&trees, &counted), Ok(()));
    }
}
