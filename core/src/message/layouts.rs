//! The layouts that are in force at one time, and how far each member is with them (DESIGN.md §9).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::{LayoutUpdate, PastLayout};
use crate::ids::NodeId;
use crate::layout::LayoutVersion;

/// The most layouts that are in force at one time: a change is refused where it would be one more.
pub const LIVE_LAYOUTS_MAX: usize = 8;

/// Which layout. Which of two with one version wins, made on two sides of a partition, see
/// [`LayoutSpan::rank`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayoutId {
    /// Its number; 0: none.
    pub version: LayoutVersion,
    /// Its digest.
    pub hash: u128,
}

impl LayoutId {
    /// That of a layout.
    pub fn of(update: &LayoutUpdate) -> LayoutId {
        LayoutId { version: update.layout.version(), hash: update.layout.hash() }
    }
}

/// How far a node is with the layouts in force. Each mark is the newest version of which it holds;
/// 0: of none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Marks {
    /// All its writes reach a quorum of the primaries of this version.
    pub ack: LayoutVersion,
    /// It holds all that it must hold in this version and in those before it.
    pub sync: LayoutVersion,
    /// It knows that all members have synced, and reads from nothing older.
    pub sync_ack: LayoutVersion,
}

impl Marks {
    /// All three alike.
    pub fn all(version: LayoutVersion) -> Marks {
        Marks { ack: version, sync: version, sync_ack: version }
    }

    /// The greater of each.
    #[must_use]
    pub fn max(self, other: Marks) -> Marks {
        Marks {
            ack: self.ack.max(other.ack),
            sync: self.sync.max(other.sync),
            sync_ack: self.sync_ack.max(other.sync_ack),
        }
    }

    /// The lesser of each.
    #[must_use]
    pub fn min(self, other: Marks) -> Marks {
        Marks {
            ack: self.ack.min(other.ack),
            sync: self.sync.min(other.sync),
            sync_ack: self.sync_ack.min(other.sync_ack),
        }
    }

    /// The lesser of each mark and `most`.
    #[must_use]
    pub fn at_most(self, most: LayoutVersion) -> Marks {
        self.min(Marks::all(most))
    }
}

/// The marks of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MarksOf {
    /// The member.
    pub node: NodeId,
    /// The newest layout that it knew. Marks say nothing to whoever does not know that layout.
    pub head: LayoutId,
    /// How far it was.
    pub marks: Marks,
}

/// Which layouts a node holds to be in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LayoutSpan {
    /// The newest one.
    pub head: LayoutId,
    /// The oldest one.
    pub oldest: LayoutVersion,
    /// The newest one to which all members have synced: reads go by it.
    pub read: LayoutVersion,
}

impl LayoutSpan {
    /// Whether a change is under way.
    pub fn is_changing(&self) -> bool {
        self.oldest < self.head.version
    }

    /// The layouts of the greater rank win. The newer version goes before all else; then one that
    /// was settled where it came from, since what it took the place of is gone there; then the
    /// greater hash.
    pub fn rank(&self) -> (LayoutVersion, bool, u128) {
        (self.head.version, !self.is_changing(), self.head.hash)
    }

    /// Whether whoever holds these to be in force takes others in their place.
    pub fn gives_way_to(&self, others: &LayoutSpan) -> bool {
        self.head != others.head && self.rank() < others.rank()
    }
}

/// The layouts in force, and how far one node is with them: what it keeps on its disk.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct LayoutHistory {
    /// Invariant: not empty, no more than [`LIVE_LAYOUTS_MAX`], versions ascend, and all have one Q
    /// and one N.
    live: Vec<Arc<LayoutUpdate>>,
    marks: Marks,
    /// How they came about, as far as the node knows, the oldest first.
    past: Vec<PastLayout>,
}

impl LayoutHistory {
    /// The layouts in force, the oldest first, and the marks of the node that keeps them. Marks
    /// beyond the newest layout are taken for that one's.
    ///
    /// # Errors
    /// Layouts that cannot be in force at one time.
    pub fn new(
        live: Vec<Arc<LayoutUpdate>>,
        marks: Marks,
    ) -> Result<LayoutHistory, LayoutHistoryError> {
        let (Some(first), Some(last)) = (live.first(), live.last()) else {
            return Err(LayoutHistoryError::Empty);
        };
        if live.len() > LIVE_LAYOUTS_MAX {
            return Err(LayoutHistoryError::TooMany { layouts: live.len() });
        }
        let version = |update: &Arc<LayoutUpdate>| update.layout.version();
        if !live.is_sorted_by(|one, next| version(one) < version(next)) {
            return Err(LayoutHistoryError::Unordered);
        }
        let shape =
            |update: &LayoutUpdate| (update.layout.slot_count(), update.layout.replication());
        if live.iter().any(|update| shape(update) != shape(first)) {
            return Err(LayoutHistoryError::Shapes);
        }
        let marks = marks.at_most(version(last));
        Ok(LayoutHistory { live, marks, past: Vec::new() })
    }

    /// A layout with which everyone is done, such as the first one of a cluster.
    pub fn settled(update: Arc<LayoutUpdate>) -> LayoutHistory {
        let marks = Marks::all(update.layout.version());
        LayoutHistory { live: Vec::from([update]), marks, past: Vec::new() }
    }

    /// The layouts in force, the oldest first. There is at least one.
    pub fn live(&self) -> &[Arc<LayoutUpdate>] {
        &self.live
    }

    /// The newest layout.
    pub fn head(&self) -> &Arc<LayoutUpdate> {
        self.live.last().expect("one layout is in force")
    }

    /// How far the node is.
    pub fn marks(&self) -> Marks {
        self.marks
    }

    /// The same, with what the node knows of how they came about, the oldest first.
    #[must_use]
    pub fn with_past(self, past: Vec<PastLayout>) -> LayoutHistory {
        LayoutHistory { past, ..self }
    }

    /// How they came about, as far as the node knows, the oldest first.
    pub fn past(&self) -> &[PastLayout] {
        &self.past
    }
}

impl From<Arc<LayoutUpdate>> for LayoutHistory {
    fn from(update: Arc<LayoutUpdate>) -> LayoutHistory {
        LayoutHistory::settled(update)
    }
}

/// Layouts that cannot be in force at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutHistoryError {
    /// There are none.
    Empty,
    /// More than [`LIVE_LAYOUTS_MAX`].
    TooMany {
        /// How many there are.
        layouts: usize,
    },
    /// Versions do not ascend.
    Unordered,
    /// They differ in Q or N.
    Shapes,
}

impl fmt::Display for LayoutHistoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayoutHistoryError::Empty => f.write_str("no layout is in force: name at least one"),
            LayoutHistoryError::TooMany { layouts } => {
                write!(f, "{layouts} layouts are in force: there are at most {LIVE_LAYOUTS_MAX}")
            }
            LayoutHistoryError::Unordered => {
                f.write_str("the layouts in force are not ordered by their versions")
            }
            LayoutHistoryError::Shapes => {
                f.write_str("the layouts in force differ in the number of slots or replicas")
            }
        }
    }
}

impl core::error::Error for LayoutHistoryError {}
