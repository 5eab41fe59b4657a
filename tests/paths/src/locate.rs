//! From a key to the nodes that are asked.

use std::hint::black_box;

use crate::{Step, samples};

/// Key, MD5, slot, primaries and the two fallbacks behind them, for a new key at each step.
pub(crate) fn preference_list(nodes: u16, slots: u32) -> Box<dyn FnMut() -> Step> {
    let update = samples::layout(nodes, slots);
    let mut number = 0;
    Box::new(move || {
        number += 1;
        let (update, key) = (update.clone(), samples::key(number));
        Box::new(move || {
            let slot = update.layout.slot_of(black_box(key.as_bytes()));
            black_box(update.layout.primaries(slot));
            update.layout.preference_list(slot).skip(3).take(2).for_each(|node| {
                black_box(node);
            });
        })
    })
}
