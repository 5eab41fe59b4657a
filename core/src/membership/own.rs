//! The own heartbeat, and other lives under the own id.
//!
//! A node that starts again begins with a low heartbeat, hears of its former life, and goes on
//! above that one's last heartbeat. A former life stands still; one that goes on rising long after
//! it was first heard of is another process with the same data directory, or a copy of it.

use alloc::vec::Vec;

use super::hot::rounds_to_all;
use super::member::HEARTBEAT_MAX;
use super::{Change, Membership};
use crate::ids::{DurableMark, Incarnation, Remembered};
use crate::time::{Duration, Instant, Now};

/// A former life had no higher heartbeat: above it there is room to go on rising.
const FORMER_HEARTBEAT_MAX: u64 = HEARTBEAT_MAX / 2;

/// People are told of one conflict again after so long a time.
const CONFLICT_AGAIN: Duration = Duration::from_secs(60);

/// Another life under the own id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    incarnation: Incarnation,
    /// Its highest heartbeat.
    heartbeat: u64,
    /// When it was first heard of.
    met: Instant,
    /// When its heartbeat rose.
    rose: Instant,
    /// When people were told that it is alive.
    told: Option<Instant>,
}

/// What is to be said to somebody who speaks of a life under this node's own id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfSelf {
    /// He knows the heartbeat, or has to wait for a higher one.
    Nothing,
    /// He knows an older heartbeat of this life.
    Pulse,
    /// He knows an older life.
    Info,
}

impl Membership {
    /// The heartbeat of a new round.
    pub(super) fn raise_own(&mut self, now: Now) {
        let raise_to = core::mem::take(&mut self.raise_to);
        let entry = self.own_mut();
        entry.heartbeat = (entry.heartbeat + 1).max(raise_to);
        entry.rose = now.instant;
    }

    /// The own storage has synced so much: told with the next heartbeat.
    pub(crate) fn set_own_mark(&mut self, mark: DurableMark) {
        sane_or!(MarkNotTold => return);
        let own = self.own_mut();
        own.remember(Remembered { mark, life: own.incarnation });
    }

    /// Raises the heartbeats of all others that are trusted.
    #[cfg(feature = "mutants")]
    pub(super) fn raise_others(&mut self, now: Now) {
        for entry in self.members.iter_mut() {
            if entry.id != self.own && entry.heartbeat > 0 {
                entry.heartbeat += 1;
                entry.rose = now.instant;
            }
        }
    }

    /// Somebody speaks of a life under this node's own id.
    pub(super) fn on_own_life(
        &mut self,
        now: Now,
        (incarnation, heartbeat): (Incarnation, u64),
        changes: &mut Vec<Change>,
    ) -> OfSelf {
        let own = self.own_mut();
        let (own_incarnation, own_heartbeat) = (own.incarnation, own.heartbeat);
        if incarnation == own_incarnation {
            // Only the member itself raises its heartbeat.
            self.refused += u64::from(heartbeat > own_heartbeat);
            return if heartbeat < own_heartbeat { OfSelf::Pulse } else { OfSelf::Nothing };
        }
        if heartbeat < own_heartbeat {
            return OfSelf::Info;
        }
        if heartbeat >= FORMER_HEARTBEAT_MAX {
            self.refused += 1;
            return OfSelf::Nothing;
        }
        self.on_rival(now, (incarnation, heartbeat), changes)
    }

    /// Another life has a heartbeat that is not below the own one.
    fn on_rival(
        &mut self,
        now: Now,
        (incarnation, heartbeat): (Incarnation, u64),
        changes: &mut Vec<Change>,
    ) -> OfSelf {
        let patience = self.rival_patience();
        let known = self.rival.filter(|rival| {
            rival.incarnation == incarnation && now.instant.since(rival.rose) <= patience
        });
        let Some(mut rival) = known else {
            let (met, rose, told) = (now.instant, now.instant, None);
            self.rival = Some(Rival { incarnation, heartbeat, met, rose, told });
            sane_or!(RestartStaysLow => return OfSelf::Info);
            self.own_mut().heartbeat = heartbeat + 1;
            return OfSelf::Info;
        };
        if heartbeat > rival.heartbeat {
            rival.heartbeat = heartbeat;
            rival.rose = now.instant;
            if now.instant.since(rival.met) > patience {
                self.conflicts += 1;
                if rival.told.is_none_or(|told| now.instant.since(told) >= CONFLICT_AGAIN) {
                    rival.told = Some(now.instant);
                    changes.push(Change::Conflict { node: self.own, incarnation });
                }
            }
        }
        self.rival = Some(rival);
        // Two processes would leapfrog: once it is known that they are two, one stays behind.
        if rival.told.is_none() {
            let raise_to = sane_or!(heartbeat + 1, RestartStaysLow => 0);
            self.raise_to = self.raise_to.max(raise_to);
        }
        OfSelf::Nothing
    }

    /// For so long the heartbeats of a former life, known to some here and to some there, may come
    /// in in any order.
    fn rival_patience(&self) -> Duration {
        let rounds = rounds_to_all(self.members.len()) + u64::from(self.settings.suspect_after);
        Duration::from_micros(self.interval_micros().saturating_mul(rounds))
    }

    fn own_mut(&mut self) -> &mut super::member::Entry {
        self.members.get_mut(self.own).expect("a node knows itself")
    }
}
