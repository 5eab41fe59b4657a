//! What one node's disk holds for a key: the record, and the right to go on minting dots in it.
//!
//! Invariant: the own actor was born here, by a write to this very copy, and the copy has held all
//! of the actor's writes since. So the counter after the greatest one in the record is free.
//!
//! That the record names an actor of this node is not enough: a copy that was handed over, removed
//! and received again from a late message may be older than the last dot that was minted. The own
//! actor therefore stands beside the record and leaves with it, and no merge brings it back.

use super::{
    Actor, Applied, ApplyRefusal, Checksum, Counter, Dot, Record, RecordOp, Sibling, Write,
};
use crate::ids::RequestId;

/// The actor that this copy may go on using.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Own {
    /// Born by a write to this copy.
    pub actor: Actor,
}

/// A record as one node holds it. The own actor is never sent nor copied to another place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    record: Record,
    /// Invariant: the record has a history of this actor.
    own: Option<Own>,
}

impl Held {
    /// What is held of a key that was never stored.
    pub fn new() -> Held {
        Held::default()
    }

    /// What was stored. An own actor that the record does not know cannot be continued and is left
    /// out.
    pub fn from_parts(record: Record, own: Option<Own>) -> Held {
        let own = own.filter(|own| record.history(own.actor).is_some());
        Held { record, own }
    }

    /// The record: what other replicas may be sent.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The actor that this copy may go on using.
    pub fn own(&self) -> Option<Own> {
        self.own
    }

    /// The record, without the right to mint.
    pub fn into_record(self) -> Record {
        self.record
    }

    /// Carries out one operation, or refuses it and leaves everything as it was.
    pub fn apply(&mut self, op: &RecordOp) -> Result<Applied, ApplyRefusal> {
        match op {
            RecordOp::Write(write) => self.write(write),
            RecordOp::Merge(record) => self.merge(record),
        }
    }

    /// Panics where an invariant is broken.
    pub fn check_invariants(&self) {
        self.record.check_invariants();
        if let Some(own) = self.own {
            assert!(self.record.history(own.actor).is_some(), "the own actor has no history");
        }
    }

    fn merge(&mut self, record: &Record) -> Result<Applied, ApplyRefusal> {
        if self.record.would_take_damage(record) {
            return Err(ApplyRefusal::Checksum);
        }
        sane_or!(MergeOverwrites => *self = Held::from_parts(Record::new(), None));
        Ok(Applied { changed: self.record.merge(record), ..Applied::default() })
    }

    fn write(&mut self, write: &Write) -> Result<Applied, ApplyRefusal> {
        sane_or!(
            let write,
            LastWriterWins => &super::wrong::over_all(write, &self.record),
            DeleteCoversUnseen => &super::wrong::delete_all(write, &self.record),
        );
        if Checksum::of(&write.payload) != write.checksum {
            return Err(ApplyRefusal::Checksum);
        }
        if let Some(first) = self.first_try(write) {
            return Ok(Applied { dot: Some(first), ..Applied::default() });
        }
        let dot = self.next_dot(write)?;
        let sibling = Sibling {
            payload: write.payload.clone(),
            checksum: write.checksum,
            written: write.written,
            expires: write.expires,
            request: write.request,
        };
        let (count, bytes) = self.record.standing_after(&write.context, dot, &sibling);
        if sane_or!(count > write.siblings_max, SiblingsUnlimited => false) {
            return Err(ApplyRefusal::Siblings { count, max: write.siblings_max });
        }
        if count > 1 && bytes > write.record_bytes_max {
            return Err(ApplyRefusal::Bytes { bytes, max: write.record_bytes_max });
        }
        self.record.update(&write.context, dot, sibling);
        let own = Some(Own { actor: dot.actor });
        let newborn = self.own != own;
        self.own = own;
        // The own actor has a live sibling, so it stays.
        let truncated = self.record.truncate(write.written, write.actors_kept, write.actor_age_min);
        Ok(Applied { changed: true, dot: Some(dot), newborn, truncated })
    }

    /// The dot that the same request was given, here or at another coordinator whose record came
    /// here since, where its sibling stands.
    fn first_try(&self, write: &Write) -> Option<Dot> {
        if sane_or!(write.request == RequestId::default(), RetryIgnored => true) {
            return None;
        }
        self.record
            .siblings()
            .find(|(_, sibling)| sibling.request == write.request)
            .map(|(dot, _)| dot)
    }

    fn next_dot(&self, write: &Write) -> Result<Dot, ApplyRefusal> {
        if let Some(dot) = self.continued(write) {
            return Ok(dot);
        }
        let actor = write.newborn;
        let known = self.record.history(actor).is_some() || write.context.seen(actor).is_some();
        if known {
            return Err(ApplyRefusal::ActorTaken { actor });
        }
        Ok(Dot { actor, counter: Counter(1) })
    }

    /// The next dot of the own actor, unless the actor is of a life that has ended, is used up, or is
    /// claimed to have written more than it did: such a context would supersede the new write.
    fn continued(&self, write: &Write) -> Option<Dot> {
        let actor = self.own?.actor;
        let newborn = write.newborn;
        let life = actor.incarnation;
        let lives = life == newborn.incarnation || write.continued.contains(&life);
        sane_or!(let lives, IncarnationIgnored => true);
        let running = actor.node == newborn.node && lives;
        let max = self.record.counter_max(actor)?;
        let claimed = write.context.seen(actor).map_or(Counter(0), |seen| seen.max());
        if !running || claimed > max {
            return None;
        }
        max.0.checked_add(1).map(|counter| Dot { actor, counter: Counter(counter) })
    }
}
