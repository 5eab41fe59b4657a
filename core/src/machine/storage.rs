//! What a machine wants of its storage, and what that answers.

use alloc::vec::Vec;

use crate::causality::{Applied, ApplyRefusal, Record, RecordDigest, RecordOp};
use crate::ids::{DurableMark, Incarnation, Key, NodeId, Remembered};
use crate::merkle::{State, StateHash};
use crate::message::LayoutHistory;
use crate::ring::{Position, RingArc};
use crate::time::UnixMs;

/// An operation of the storage.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum StoreOp {
    /// Load the record, run [`Held::apply`](crate::causality::Held::apply), store it, in one
    /// critical section. Answers `Applied` and later `Durable`, or `Refused`, or `Failed`.
    ///
    /// After `Failed` as the first answer the change may have been made or not: who adds up
    /// changes of states has to scan the states around the key again. After `Applied` a `Failed`
    /// leaves the change where it is until the storage is opened again.
    Apply {
        /// The key.
        key: Key,
        /// Which of the node's copies.
        copy: HeldAs,
        /// What to apply.
        op: RecordOp,
    },
    /// Answers `Read` or `Failed`.
    Read {
        /// The key.
        key: Key,
        /// The answer is the merge of the node's own copy and its hints for these targets.
        hints: Vec<NodeId>,
    },
    /// Reads hints for one target, in the order of the engine, without those that are damaged.
    /// Answers `HintsFound` or `Failed`.
    FindHints {
        /// Whom they are for.
        target: NodeId,
        /// Begins behind the hint of this key; `None`: at the first one.
        after: Option<Key>,
        /// Ends with the hint that reaches this many bytes.
        bytes_max: usize,
    },
    /// Removes a hint unless it has changed. Answers `HintRemoved` or `Failed`.
    RemoveHint {
        /// Whom it is for.
        target: NodeId,
        /// Its key.
        key: Key,
        /// What it was when it was handed over.
        digest: RecordDigest,
    },
    /// Counts all hints, by target. Changes that are under way may be in it or not. Answers
    /// `HintsCounted` or `Failed`.
    CountHints,
    /// Reads the states of the own copies in an arc, in the order of the ring. Answers
    /// `StatesScanned` or `Failed`. A record that cannot be read is left out.
    ///
    /// The answer tells the states after all those changes whose `Applied` came before it, and
    /// after no other: whoever adds up changes can begin with it.
    ScanStates {
        /// Where.
        arc: RingArc,
        /// Begins behind this key; `None`: with the arc.
        after: Option<Key>,
        /// The most states that are read.
        count_max: usize,
    },
    /// Reads the own copies in an arc, in the order of the ring. Answers `RecordsScanned` or
    /// `Failed`. A record that cannot be read is left out.
    ScanRecords {
        /// Where.
        arc: RingArc,
        /// Begins behind this key; `None`: with the arc.
        after: Option<Key>,
        /// Ends with the record that reaches this many bytes.
        bytes_max: usize,
    },
    /// Looks for what is held of some keys. Answers `Confirmed` or `Failed`.
    ///
    /// The answer tells what is there after all operations that were asked for before this one,
    /// and comes once everything that it tells is synced: a crash changes nothing of it.
    Confirm {
        /// The keys.
        keys: Vec<Key>,
        /// Hints for these targets are looked for.
        hints: Vec<NodeId>,
    },
    /// Removes the own copy of a key unless its state is another one. Answers `Removed` or
    /// `Failed`; after the latter it may be gone or not. A crash may bring it back.
    Remove {
        /// The key.
        key: Key,
        /// The name of its state.
        state: StateHash,
    },
    /// Stores the layouts in force in the place of the former ones, once all that was applied before
    /// is synced: a mark may say that this node holds that. Answers `Durable` or `Failed`.
    SaveLayouts(LayoutHistory),
    /// Stores what is known of losses. Answers `Durable` or `Failed`.
    SaveStanding {
        /// What is known.
        standing: Standing,
        /// What others remember and is not here: they are told of it no more, and the number of this
        /// commit is greater.
        above: Vec<Remembered>,
        /// Own copies that cannot be read and are removed in the same commit; one that can be read
        /// stays.
        discard: Vec<Key>,
    },
    /// What the node remembers of other members, in the place of what it was told before. Held back
    /// until there is a commit for another reason, or a clean stop, and stored in that: it makes no
    /// commit by itself, and a crash before that one loses it. Has no answer.
    Remember(Vec<(NodeId, Remembered)>),
}

/// What the storage of a node may have lost (DESIGN.md §13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Standing {
    /// Whether data is missing that the other primaries may have.
    pub refilling: bool,
    /// When the last loss was found, by the wall clock; `None`: never.
    pub lost: Option<UnixMs>,
}

/// One life of a node, as its storage knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PastLife {
    /// Which.
    pub life: Incarnation,
    /// The number of its last commit that is here, or is known to be lost.
    pub mark: DurableMark,
    /// Whether others have told of more, and that was found out to be lost: what else they remember
    /// of it makes no older copy of what is here.
    pub is_accounted: bool,
}

/// The lives that have written to a storage, the first one first. Numbers alone would not do: a life
/// that begins with an old copy counts on from there, and reaches what others remember.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct PastLives(Vec<PastLife>);

impl PastLives {
    /// So many of the last ones are known.
    pub const MAX: usize = 64;

    /// Another one has ended.
    pub fn push(&mut self, life: PastLife) {
        if self.0.len() >= PastLives::MAX {
            self.0.remove(0);
        }
        self.0.push(life);
    }

    /// All of them that are known.
    pub fn iter(&self) -> impl Iterator<Item = &PastLife> {
        self.0.iter()
    }

    /// What is here of a life. `None`: nothing, as far as is known.
    pub fn get(&self, life: Incarnation) -> Option<&PastLife> {
        self.0.iter().rev().find(|past| past.life == life)
    }

    /// Others remember so much of a life: what is not here of it is known to be lost.
    pub fn account(&mut self, Remembered { life, mark }: Remembered) {
        match self.0.iter_mut().rev().find(|past| past.life == life) {
            Some(past) => (past.mark, past.is_accounted) = (past.mark.max(mark), true),
            None => self.push(PastLife { life, mark, is_accounted: true }),
        }
    }

    /// The greatest mark of a life that may be remembered without anything being lost.
    pub fn mark_of(&self, life: Incarnation) -> DurableMark {
        let is_full = self.0.len() >= PastLives::MAX;
        // Lives before these are not known any more.
        let before = self.0.first().filter(|_| is_full).map(|first| first.mark);
        let found = self.get(life).map(|past| past.mark);
        found.or(before).unwrap_or_default()
    }
}

/// What a storage holds when a life of its node begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The number of the last commit.
    pub mark: DurableMark,
    /// When something was last stored, by the wall clock: the commit that begins a life is none.
    pub written: UnixMs,
    /// What is known of losses.
    pub standing: Standing,
    /// The lives that have written before.
    pub past: PastLives,
    /// Lives that have ended with a clean stop, nothing having been written since by any other:
    /// their actors may be continued, unless the directory is an old copy.
    pub lives: Vec<Incarnation>,
    /// What the node remembered of other members when a commit last stored that.
    pub peers: Vec<(NodeId, Remembered)>,
}

/// One of the copies that a node may hold of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeldAs {
    /// That of a primary.
    Own,
    /// That of a fallback, for a primary that could not be reached.
    Hint {
        /// The primary.
        target: NodeId,
    },
}

/// The hints that are held for one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HintCount {
    /// Whom they are for.
    pub target: NodeId,
    /// How many there are.
    pub hints: u64,
    /// The sum of their [`hint_bytes`].
    pub bytes: u64,
    /// How many there are besides that cannot be read: they stay where they are.
    pub damaged: u64,
}

/// What a hint counts towards the limits on hints, however an engine stores it.
pub fn hint_bytes(key: &Key, record: &Record) -> u64 {
    key.as_bytes().len() as u64 + record.weight()
}

/// An answer of the storage.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum StoreOutcome {
    /// The change is in the engine's memory; `Durable` or `Failed` follows.
    Applied {
        /// What it did.
        applied: Applied,
        /// The record after it, for a [`RecordOp::Write`] only.
        record: Option<Record>,
        /// What became of the bytes of a hint; `None` for the node's own copy.
        hint: Option<HintChange>,
        /// What became of the state of the own copy; `None` for a hint.
        state: Option<StateChange>,
    },
    /// The change is synced: only this counts as an acknowledgement.
    Durable,
    /// The record refuses the change; nothing was stored.
    Refused(ApplyRefusal),
    /// The record, or `None` where there is none.
    Read {
        /// What is held.
        record: Option<Record>,
    },
    /// Some of the hints for a target.
    HintsFound {
        /// Their keys and what they hold.
        hints: Vec<(Key, Record)>,
        /// Whether there are others behind them.
        more: bool,
    },
    /// What became of a hint that was handed over.
    HintRemoved {
        /// Its [`hint_bytes`]; `None` where it has changed, and stays, or was gone before.
        bytes: Option<u64>,
    },
    /// All hints.
    HintsCounted(Vec<HintCount>),
    /// Some of the states in an arc.
    StatesScanned {
        /// Keys and states, in the order of the ring.
        states: Vec<(Key, State)>,
        /// Whether there are others behind them.
        more: bool,
    },
    /// Some of the records in an arc.
    RecordsScanned {
        /// Keys and records, in the order of the ring.
        records: Vec<(Key, Record)>,
        /// Whether there are others behind them.
        more: bool,
    },
    /// What is held of the keys that were asked for, in their order.
    Confirmed(Vec<Confirmed>),
    /// What became of an own copy that was to be removed.
    Removed {
        /// Its change; `None` where it had another state, and stays.
        state: Option<StateChange>,
    },
    /// The storage cannot say, or cannot promise. Never an absence.
    Failed(StoreError),
}

/// What is held of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Confirmed {
    /// The state of the own copy, 0 where there is none; `None`: it cannot be read.
    pub state: Option<StateHash>,
    /// Whether there is a hint, readable or not.
    pub hinted: bool,
}

/// What an operation did to the [`hint_bytes`] of a hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HintChange {
    /// Before it; `None`: there was no such hint.
    pub before: Option<u64>,
    /// After it.
    pub after: u64,
}

/// What an operation did to the state of an own copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateChange {
    /// Where the key lies.
    pub position: Position,
    /// Before it.
    pub before: State,
    /// After it.
    pub after: State,
}

/// Why the storage cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreError {
    /// The engine or the device failed.
    Io,
    /// What is stored does not decode, or does not match its checksum.
    Damaged,
    /// The engine stopped.
    Closed,
    /// There is no room; nothing was changed.
    Full,
}
