//! What a disk loses that was synced: by faults, and because its node gives it up.

use quorate_core::causality::Record;
use quorate_core::ids::{DurableMark, Key, Remembered};
use quorate_core::machine::{HeldAs, Standing};
use quorate_core::time::UnixMs;

use super::commits::Commits;
use super::{Disk, Snapshot};

/// Data that was synced and is no more.
pub(crate) struct Destroyed {
    pub(crate) copy: HeldAs,
    pub(crate) key: Key,
    pub(crate) before: Record,
    pub(crate) after: Record,
}

impl Disk {
    /// Everything is gone.
    pub(crate) fn wipe(&mut self) -> Vec<Destroyed> {
        self.snapshot = None;
        self.put_in_place(Snapshot::default())
    }

    /// Keeps a copy of what is synced.
    pub(crate) fn take_snapshot(&mut self) {
        let (copies, layouts) = (self.synced.clone(), self.layouts.clone());
        self.snapshot = Some(Snapshot { copies, layouts, commits: self.commits.clone() });
    }

    /// Goes back to the copy, or to nothing where there is none.
    pub(crate) fn roll_back(&mut self) -> Vec<Destroyed> {
        self.put_in_place(self.snapshot.clone().unwrap_or_default())
    }

    /// The node sets everything aside. That it lost is only what a fault had left, and what lives
    /// took in that nobody had told of the fault: whatever else it took in it took in as its own.
    pub(crate) fn set_aside(&mut self, wall: UnixMs) -> Vec<Destroyed> {
        let left = self.left.take();
        let aside = std::mem::take(&mut self.synced);
        let commits = Commits::to_be_refilled(wall);
        self.put_in_place(Snapshot { commits, ..Snapshot::default() });
        let destroyed = aside.into_all().map(|(copy, key, held)| {
            let before = match &left {
                Some(left) => left.get(copy, &key).map(|held| held.record().clone()),
                None => Some(held.record().clone()),
            };
            Destroyed { copy, key, before: before.unwrap_or_default(), after: Record::new() }
        });
        destroyed.collect()
    }

    /// What is known of losses is saved. Answers the greatest number of a commit that others remember.
    pub(super) fn save_standing(
        &mut self,
        standing: Standing,
        heard_of: &[Remembered],
    ) -> DurableMark {
        self.is_told |= !heard_of.is_empty();
        self.commits.standing = standing;
        self.commits.account(heard_of)
    }

    /// A life begins. Where none before it has saved that a fault put another directory in place,
    /// what they took in goes the way of that directory: nothing in it tells the one from the other.
    pub(super) fn note_untold(&mut self) {
        if let Some(left) = &mut self.left
            && !self.is_told
        {
            left.clone_from(&self.synced);
        }
    }

    /// No copy of `key` that is there can be read any more.
    pub(crate) fn damage(&mut self, key: &Key) -> Vec<Destroyed> {
        let hints = self.synced.targets_of(key).map(|target| HeldAs::Hint { target });
        let hints: Vec<HeldAs> = hints.collect();
        if self.memory.get(HeldAs::Own, key).or(self.synced.get(HeldAs::Own, key)).is_some() {
            self.damaged.insert(key.clone());
        }
        if !hints.is_empty() || self.memory.targets_of(key).next().is_some() {
            self.damaged_hints.insert(key.clone());
        }
        let destroyed = std::iter::once(HeldAs::Own).chain(hints).filter_map(|copy| {
            let before = self.synced.get(copy, key)?.record().clone();
            Some(Destroyed { copy, key: key.clone(), before, after: Record::new() })
        });
        destroyed.collect()
    }

    /// Own copies that cannot be read are removed, others stay.
    pub(super) fn discard(&mut self, keys: Vec<Key>) -> Vec<Destroyed> {
        let rotten = keys.into_iter().filter(|key| self.damaged.contains(key));
        let rotten: Vec<Key> = rotten.collect();
        let discarded = rotten.into_iter().map(|key| {
            self.damaged.remove(&key);
            let before = self.synced.get(HeldAs::Own, &key).map(|held| held.record().clone());
            self.synced.set(HeldAs::Own, key.clone(), None);
            self.memory.set(HeldAs::Own, key.clone(), None);
            let before = before.unwrap_or_default();
            Destroyed { copy: HeldAs::Own, key, before, after: Record::new() }
        });
        discarded.collect()
    }

    /// Whether a copy of `key` cannot be read.
    pub(crate) fn is_damaged(&self, copy: HeldAs, key: &Key) -> bool {
        match copy {
            HeldAs::Own => self.damaged.contains(key),
            HeldAs::Hint { .. } => self.damaged_hints.contains(key),
        }
    }

    /// Whether any record cannot be read.
    pub(crate) fn has_damage(&self) -> bool {
        !self.damaged.is_empty() || !self.damaged_hints.is_empty()
    }

    /// Whether any hint cannot be read.
    pub(crate) fn has_damaged_hints(&self) -> bool {
        !self.damaged_hints.is_empty()
    }

    /// The keys of the own copies that cannot be read.
    pub(crate) fn damaged(&self) -> impl Iterator<Item = &Key> {
        self.damaged.iter()
    }

    /// Another directory takes the place of the one that is there.
    fn put_in_place(&mut self, Snapshot { copies, layouts, commits }: Snapshot) -> Vec<Destroyed> {
        self.damaged.clear();
        self.damaged_hints.clear();
        self.layouts = layouts;
        self.commits = commits;
        self.forget();
        (self.left, self.is_told) = (Some(copies.clone()), false);
        let before = std::mem::replace(&mut self.synced, copies);
        self.memory = self.synced.clone();
        self.tail.clear();
        self.syncing = None;
        self.confirms.clear();
        // A copy that had been removed may be there again.
        let back = self.synced.clone().into_all().filter_map(|(copy, key, held)| {
            let is_back = before.get(copy, &key).is_none();
            let after = held.record().clone();
            is_back.then_some(Destroyed { copy, key, before: Record::default(), after })
        });
        let back: Vec<Destroyed> = back.collect();
        let destroyed = before.into_all().filter_map(|(copy, key, held)| {
            let after = self.synced.get(copy, &key).map(|held| held.record().clone());
            let (before, after) = (held.record().clone(), after.unwrap_or_default());
            (before != after).then_some(Destroyed { copy, key, before, after })
        });
        destroyed.chain(back).collect()
    }
}
