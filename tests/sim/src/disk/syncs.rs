//! What was changed becomes what is kept, or is lost.

use quorate_core::ids::{DurableMark, Key, NodeId, Remembered};
use quorate_core::machine::{HeldAs, StoreError, StoreOutcome, Ticket};
use quorate_core::time::Instant;

use super::{Change, Destroyed, Disk, Entry};

/// How a sync has ended.
pub(crate) struct Ended {
    /// Who is told what.
    pub(crate) told: Vec<(Ticket, StoreOutcome)>,
    pub(crate) failed: bool,
    /// The copies that are synced.
    pub(crate) copies: Vec<(HeldAs, Key)>,
    /// Copies that could not be read and are removed.
    pub(crate) discarded: Vec<Destroyed>,
}

/// What a crash did to what was not synced.
#[derive(Default)]
pub(crate) struct Crashed {
    /// The keys that lost something.
    pub(crate) lost: Vec<Key>,
    /// How many changes were lost.
    pub(crate) changes: usize,
    /// Copies that could not be read and are removed.
    pub(crate) discarded: Vec<Destroyed>,
}

impl Disk {
    /// Begins a sync of all that is applied, unless one is under way; answers when it ends.
    pub(crate) fn begin_sync(&mut self, now: Instant) -> Option<Instant> {
        let covered = self.tail.iter().take_while(|entry| entry.applied_at <= now).count();
        if self.syncing.is_some() || self.poisoned || covered == 0 {
            return None;
        }
        self.syncing = Some(covered);
        self.begun += 1;
        self.keeping = self.to_keep.take();
        Some(now + self.latency(self.temper.sync))
    }

    /// Ends the sync under way: who is told what, and which copies it synced.
    pub(crate) fn end_sync(&mut self, now: Instant) -> Ended {
        let covered = self.syncing.take().unwrap_or(0);
        let mut ended =
            Ended { told: Vec::new(), failed: false, copies: Vec::new(), discarded: Vec::new() };
        if self.draw(self.temper.sync_fails) {
            // What became of the entries shows after a crash.
            self.poisoned = true;
            self.has_failed = true;
            let waiting = self.tail.iter_mut().filter_map(|entry| entry.ticket.take());
            let waiting = waiting.chain(self.confirms.drain(..).map(|confirm| confirm.ticket));
            let failed = |ticket| (ticket, StoreOutcome::Failed(StoreError::Io));
            return Ended { told: waiting.map(failed).collect(), failed: true, ..ended };
        }
        let entries: Vec<Entry> = self.tail.drain(..covered).collect();
        let mut above = DurableMark(0);
        for Entry { change, ticket, .. } in entries {
            ended.told.extend(ticket.map(|ticket| (ticket, StoreOutcome::Durable)));
            match change {
                Change::Copy(copy, key, held) => {
                    ended.copies.push((copy, key.clone()));
                    self.synced.set(copy, key, held);
                }
                Change::Standing(standing, heard_of, discard) => {
                    above = above.max(self.save_standing(standing, &heard_of));
                    ended.discarded.extend(self.discard(discard));
                }
                Change::Layouts(layouts) => self.layouts = Some(layouts),
            }
        }
        self.commits.add(self.wall, now, above);
        self.commits.keep(self.keeping.take());
        self.ended = self.begun;
        ended.told.extend(self.confirmed(covered));
        ended
    }

    /// Of what was not synced, each change stays with a chance of `kept` in a thousand. Answers the
    /// keys that lost something, own copies that could not be read and are removed, and how many
    /// changes were lost.
    pub(crate) fn crash(&mut self, now: Instant, kept: u32) -> Crashed {
        let mut crashed = Crashed::default();
        let mut under_way = self.syncing.take().unwrap_or(0);
        let mut is_whole = under_way > 0;
        let mut are_all_kept = true;
        for Entry { change, .. } in std::mem::take(&mut self.tail) {
            let stays = self.prng.chance(kept.into(), 1_000);
            crashed.changes += usize::from(!stays);
            are_all_kept &= stays;
            is_whole &= stays || under_way == 0;
            under_way = under_way.saturating_sub(1);
            match change {
                Change::Copy(copy, key, held) if stays => self.synced.set(copy, key, held),
                Change::Copy(_, key, _) => crashed.lost.push(key),
                Change::Standing(standing, heard_of, discard) if stays => {
                    let above = self.save_standing(standing, &heard_of);
                    self.commits.add(self.wall, now, above);
                    crashed.discarded.extend(self.discard(discard));
                }
                Change::Layouts(layouts) if are_all_kept => self.layouts = Some(layouts),
                Change::Standing(..) | Change::Layouts(_) => {}
            }
        }
        let keeping = self.forget();
        if is_whole {
            self.commits.add(self.wall, now, DurableMark(0));
            self.commits.keep(keeping);
        }
        self.confirms.clear();
        self.poisoned = false;
        self.free_at = Instant(0);
        self.memory = self.synced.clone();
        crashed
    }

    /// What the node remembers of others and is not stored is gone. Answers what the sync under way was
    /// to store.
    pub(super) fn forget(&mut self) -> Option<Vec<(NodeId, Remembered)>> {
        self.to_keep = None;
        self.keeping.take()
    }
}
