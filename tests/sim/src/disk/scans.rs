//! What lies in an arc of the ring, page by page.

use quorate_core::causality::{Held, Record};
use quorate_core::ids::Key;
use quorate_core::machine::{HeldAs, StateChange, StoreError, StoreOutcome, hint_bytes};
use quorate_core::merkle::State;
use quorate_core::ring::{Position, RingArc};

use super::Disk;

/// The state of an own copy before a change.
pub(super) struct StateBefore {
    position: Position,
    state: State,
}

impl Disk {
    /// What the state of a copy is, if it is the node's own.
    pub(super) fn state_before(
        &self,
        copy: HeldAs,
        key: &Key,
        record: &Record,
    ) -> Option<StateBefore> {
        match copy {
            HeldAs::Own => {
                let position = Position::of(key.as_bytes());
                Some(StateBefore { position, state: self.tree_key.sized_state(key, record) })
            }
            HeldAs::Hint { .. } => None,
        }
    }

    /// What became of it; `after` is the record unless that is what it was.
    pub(super) fn state_change(
        &self,
        before: StateBefore,
        key: &Key,
        after: Option<&Record>,
    ) -> StateChange {
        let StateBefore { position, state: before } = before;
        let after = after.map_or(before, |record| self.tree_key.sized_state(key, record));
        StateChange { position, before, after }
    }

    /// States in the order of (position, key).
    pub(super) fn scan_states(
        &mut self,
        arc: RingArc,
        after: Option<&Key>,
        count_max: usize,
    ) -> StoreOutcome {
        let state = |disk: &Disk, key: &Key, held: &Held| {
            (disk.tree_key.sized_state(key, held.record()), 1)
        };
        match self.scan(arc, after, count_max as u64, state) {
            Some((states, more)) => StoreOutcome::StatesScanned { states, more },
            None => StoreOutcome::Failed(StoreError::Io),
        }
    }

    /// Records in the order of (position, key).
    pub(super) fn scan_records(
        &mut self,
        arc: RingArc,
        after: Option<&Key>,
        bytes_max: usize,
    ) -> StoreOutcome {
        let record = |_: &Disk, key: &Key, held: &Held| {
            (held.record().clone(), hint_bytes(key, held.record()))
        };
        match self.scan(arc, after, bytes_max as u64, record) {
            Some((records, more)) => StoreOutcome::RecordsScanned { records, more },
            None => StoreOutcome::Failed(StoreError::Io),
        }
    }

    /// What `take` makes of the own copies, up to that with which the sizes that it tells reach
    /// `size_max`, and whether there are others behind them. Damaged ones are left out.
    fn scan<T>(
        &mut self,
        arc: RingArc,
        after: Option<&Key>,
        size_max: u64,
        take: impl Fn(&Disk, &Key, &Held) -> (T, u64),
    ) -> Option<(Vec<(Key, T)>, bool)> {
        if self.draw(self.temper.read_fails) {
            return None;
        }
        let (mut taken, mut size) = (Vec::new(), 0);
        for (key, held) in self.memory.own_in(arc, after) {
            if size >= size_max && !taken.is_empty() {
                return Some((taken, true));
            }
            if !self.damaged.contains(key) {
                let (item, adds) = take(self, key, held);
                size += adds;
                taken.push((key.clone(), item));
            }
        }
        Some((taken, false))
    }
}
