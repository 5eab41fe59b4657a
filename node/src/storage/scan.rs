//! Pages of what lies in an arc of the ring, as both engines give them.

use std::ops::Bound;

use quorate_core::causality::Record;
use quorate_core::ids::Key;
use quorate_core::machine::{StoreError, StoreOutcome, hint_bytes};
use quorate_core::merkle::State;
use quorate_core::ring::{Position, RingArc};

/// Something found in an engine; `None`: it is there, but cannot be read.
pub(super) type Found<T> = Result<Option<T>, StoreError>;

/// A part of what was looked for.
pub(super) struct Page<T> {
    pub(super) found: Vec<T>,
    /// Whether there is something behind it.
    pub(super) more: bool,
    /// What was left out since it cannot be read.
    unreadable: u64,
}

/// What is found, up to the item with which the sum of all `size`s reaches `size_max`. What cannot
/// be read stays where it is.
pub(super) fn page<T>(
    items: impl Iterator<Item = Found<T>>,
    size: impl Fn(&T) -> u64,
    size_max: usize,
) -> Result<Page<T>, StoreError> {
    let mut page = Page { found: Vec::new(), more: false, unreadable: 0 };
    let mut reached = 0;
    for item in items {
        if !page.found.is_empty() && reached >= size_max as u64 {
            page.more = true;
            break;
        }
        match item? {
            Some(item) => {
                reached += size(&item);
                page.found.push(item);
            }
            None => page.unreadable += 1,
        }
    }
    Ok(page)
}

impl<T> Page<T> {
    fn tell(&self) {
        let Page { unreadable, .. } = self;
        if *unreadable > 0 {
            tracing::error!(unreadable, "damaged records on this disk were left out of a scan");
        }
    }
}

/// The answer to `ScanStates`.
pub(super) fn states(
    states: impl Iterator<Item = Found<(Key, State)>>,
    count_max: usize,
) -> StoreOutcome {
    match page(states, |_| 1, count_max) {
        Ok(page) => {
            page.tell();
            StoreOutcome::StatesScanned { states: page.found, more: page.more }
        }
        Err(error) => StoreOutcome::Failed(error),
    }
}

/// The answer to `ScanRecords`.
pub(super) fn records(
    records: impl Iterator<Item = Found<(Key, Record)>>,
    bytes_max: usize,
) -> StoreOutcome {
    match page(records, |(key, record)| hint_bytes(key, record), bytes_max) {
        Ok(page) => {
            page.tell();
            StoreOutcome::RecordsScanned { records: page.found, more: page.more }
        }
        Err(error) => StoreOutcome::Failed(error),
    }
}

/// The places from the beginning of an arc, or from behind a key, to the end of the arc; `None`
/// where there are none between.
pub(super) fn range<Place: Ord>(
    arc: RingArc,
    after: Option<Place>,
    first_at: impl Fn(Position) -> Place,
) -> Option<(Bound<Place>, Bound<Place>)> {
    let first = first_at(arc.first);
    let behind = arc.last.0.checked_add(1).map(|next| first_at(Position(next)));
    let start = match after {
        Some(after) if after >= first => Bound::Excluded(after),
        Some(_) | None => Bound::Included(first),
    };
    if let (Bound::Included(start) | Bound::Excluded(start), Some(behind)) = (&start, &behind)
        && start >= behind
    {
        return None;
    }
    Some((start, behind.map_or(Bound::Unbounded, Bound::Excluded)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_range_is_the_piece_of_the_arc_that_lies_behind_the_key() {
        let places: BTreeSet<u128> = (0..20).chain([u128::MAX - 1, u128::MAX]).collect();
        let ends = [0, 1, 5, 6, 19, 20, u128::MAX - 1, u128::MAX];
        for (first, last) in ends.iter().flat_map(|first| ends.map(|last| (*first, last))) {
            for after in [None].into_iter().chain(ends.map(Some)) {
                let arc = RingArc { first: Position(first), last: Position(last) };
                let naive = |place: &u128| {
                    arc.contains(Position(*place)) && after.is_none_or(|after| *place > after)
                };
                let found = range(arc, after, |position| position.0)
                    .map_or(Vec::new(), |range| places.range(range).copied().collect());
                let expected: Vec<u128> = places.iter().copied().filter(naive).collect();
                assert_eq!(found, expected, "{first}..={last} behind {after:?}");
            }
        }
    }
}
