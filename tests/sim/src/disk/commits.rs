//! What a storage knows of its commits, beside the data (DESIGN.md §13).
//!
//! A sync is one commit. Its number is durable with it, so that of the last sync is what is found
//! after a crash: one more only where the crash keeps all of the sync that was under way.

use quorate_core::ids::{DurableMark, Incarnation, NodeId, Remembered};
use quorate_core::machine::{Found, PastLife, PastLives, Standing};
use quorate_core::time::{Instant, UnixMs};

use super::Disk;

/// What is synced together with the data.
#[derive(Clone, Debug, Default)]
pub(super) struct Commits {
    /// The number of the last one.
    pub(super) mark: DurableMark,
    /// When it was made, by the clock of the node.
    written: UnixMs,
    /// The same by that of the world.
    pub(super) at: Instant,
    pub(super) standing: Standing,
    /// The lives that have written before.
    past: PastLives,
    /// The one that writes.
    life: Option<Incarnation>,
    /// What a clean stop stored, and nothing was written since.
    lives: Vec<Incarnation>,
    /// What the node remembers of others.
    peers: Vec<(NodeId, Remembered)>,
}

impl Commits {
    /// Those of a storage that was set aside: it is to be refilled.
    pub(super) fn to_be_refilled(wall: UnixMs) -> Commits {
        let standing = Standing { refilling: true, lost: Some(wall) };
        Commits { standing, ..Commits::default() }
    }

    /// One more, with a number above one that others have heard of.
    pub(super) fn add(&mut self, wall: UnixMs, at: Instant, above: DurableMark) {
        self.mark = DurableMark(self.mark.max(above).0 + 1);
        (self.written, self.at) = (wall, at);
        self.lives.clear();
    }
}

impl Commits {
    /// What others remember is accounted for: it is here, or known to be lost. Answers the greatest
    /// number of it.
    pub(super) fn account(&mut self, above: &[Remembered]) -> DurableMark {
        for told in above {
            self.past.account(*told);
        }
        above.iter().map(|told| told.mark).max().unwrap_or_default()
    }

    /// The last commit stores what the node remembers of others, if that is news.
    pub(super) fn keep(&mut self, peers: Option<Vec<(NodeId, Remembered)>>) {
        if let Some(peers) = peers {
            self.peers = peers;
        }
    }
}

impl Disk {
    /// A life begins, which is a commit: what it finds.
    pub(crate) fn open(&mut self, now: Instant, wall: UnixMs, life: Incarnation) -> Found {
        self.note_untold();
        let Commits { mark, written, standing, lives, peers, .. } = self.commits.clone();
        if let Some(life) = self.commits.life.replace(life) {
            self.commits.past.push(PastLife { life, mark, is_accounted: false });
        }
        let past = self.commits.past.clone();
        self.commits.add(wall, now, DurableMark(0));
        if mark > DurableMark(0) {
            // That it was opened makes nothing younger.
            self.commits.written = written;
        }
        self.marked = DurableMark(0);
        self.has_failed = false;
        Found { mark, written, standing, past, lives, peers }
    }

    /// The life that runs ends with a clean stop, if all is synced and nothing has failed.
    pub(crate) fn close(&mut self, now: Instant, wall: UnixMs, lives: Vec<Incarnation>) -> bool {
        let is_clean = self.tail.is_empty() && !self.has_failed;
        if is_clean {
            self.commits.add(wall, now, DurableMark(0));
            self.commits.lives = lives;
            self.commits.keep(self.to_keep.take());
        }
        is_clean
    }

    /// The life that writes, or wrote last.
    #[cfg(test)]
    pub(crate) fn life(&self) -> Option<Incarnation> {
        self.commits.life
    }

    /// How many syncs were ever begun.
    pub(crate) fn syncs_begun(&self) -> u64 {
        self.begun
    }

    /// Which of them was the last that ended well, the first one being 1.
    pub(crate) fn last_sync(&self) -> u64 {
        self.ended
    }

    /// The number of the last commit, if the node was not told of it; it is told so now.
    pub(crate) fn tell_mark(&mut self) -> Option<DurableMark> {
        let news = Some(self.commits.mark).filter(|mark| *mark > self.marked);
        self.marked = self.commits.mark;
        news
    }

    /// The number of the last commit.
    pub(crate) fn mark(&self) -> DurableMark {
        self.commits.mark
    }

    /// The last number that the node was told of in this life.
    pub(crate) fn marked(&self) -> DurableMark {
        self.marked
    }

    /// When the last commit was made.
    pub(crate) fn committed_at(&self) -> Instant {
        self.commits.at
    }
}
