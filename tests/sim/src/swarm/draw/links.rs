//! Which links fail.

use quorate_core::time::Duration;

use super::Drawing;
use crate::network::Place;
use crate::swarm::plan::Act;

impl Drawing {
    /// Some links let nothing through.
    pub(super) fn partition(&mut self, lasts: Duration) -> Act {
        let nodes = self.config.nodes;
        let all: Vec<Place> = (0..nodes).map(Place::Node).collect();
        let one = Place::Node(self.node());
        let client = Place::Client(self.client());
        let both = |a: &[Place], b: &[Place]| -> Vec<(Place, Place)> {
            let pairs = a.iter().flat_map(|a| b.iter().map(move |b| (*a, *b)));
            pairs.filter(|(a, b)| a != b).flat_map(|(a, b)| [(a, b), (b, a)]).collect()
        };
        let links = match self.prng.below(5) {
            // Halves.
            0 => {
                let side: Vec<Place> =
                    all.iter().copied().filter(|_| self.prng.chance(1, 2)).collect();
                let rest: Vec<Place> =
                    all.iter().copied().filter(|place| !side.contains(place)).collect();
                both(&side, &rest)
            }
            // One alone.
            1 => both(&[one], &all),
            // One way only.
            2 => all.iter().filter(|place| **place != one).map(|place| (one, *place)).collect(),
            // A bridge: the ends reach the node in the middle, but not each other.
            3 => {
                let (low, high) = all.split_at(nodes / 2);
                let high: Vec<Place> = high.iter().copied().filter(|place| *place != one).collect();
                let low: Vec<Place> = low.iter().copied().filter(|place| *place != one).collect();
                both(&low, &high)
            }
            // Clients only.
            _ => {
                let some: Vec<Place> =
                    all.iter().copied().filter(|_| self.prng.chance(2, 3)).collect();
                both(&[client], &some)
            }
        };
        let flaps = if self.prng.chance(1, 4) { 1 + self.prng.below(5) as u32 } else { 0 };
        Act::Partition { links, known: self.prng.chance(1, 2), lasts, flaps }
    }

    /// One of all links.
    pub(super) fn link(&mut self) -> (Place, Place) {
        let node = Place::Node(self.node());
        let other = if self.prng.chance(1, 3) {
            Place::Client(self.client())
        } else {
            Place::Node(self.node())
        };
        if self.prng.chance(1, 2) { (node, other) } else { (other, node) }
    }
}
