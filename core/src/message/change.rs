//! What operators ask for to change the layout, and what they are told (DESIGN.md §9).

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use super::{CallId, LayoutId, LayoutUpdate, MarksOf, STAGED_MAX, Staging, Target};
use crate::ids::NodeId;
use crate::layout::{Layout, LayoutVersion, Member, PlanError};
use crate::limits::MEMBER_TEXT_BYTES_MAX;
use crate::ring::Slot;
use crate::time::UnixMs;

/// How many layouts a node remembers the making of.
pub const PAST_LAYOUTS_MAX: usize = 32;

/// Asks a node about the layouts in force, or to change what is staged.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct LayoutRequest {
    /// Names the request.
    pub call: CallId,
    /// What is asked for.
    pub order: LayoutOrder,
}

/// What is asked of a node.
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum LayoutOrder {
    /// How far the layouts in force are.
    Show,
    /// How much the node holds of each slot.
    Measure,
    /// How the layouts came about.
    History,
    /// Says of nodes what they are to be. Nothing happens before it is committed.
    Stage(Vec<(NodeId, Target)>),
    /// Takes back all that is staged.
    Revert,
    /// Puts in force what is staged, if it is this.
    Commit(Staging),
}

/// The answer to a [`LayoutRequest`].
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct LayoutReply {
    /// The request's.
    pub call: CallId,
    /// The answer, or for people why nothing has changed.
    pub result: Result<LayoutAnswer, String>,
}

/// What a node answers to a [`LayoutOrder`].
#[derive(Clone, Debug, PartialEq, Hash)]
pub enum LayoutAnswer {
    /// To [`LayoutOrder::Show`].
    Report(LayoutReport),
    /// To [`LayoutOrder::Measure`]: the slots of which anything is held.
    Figures(Vec<SlotFigures>),
    /// To [`LayoutOrder::History`], the oldest first.
    Past(Vec<PastLayout>),
    /// To [`LayoutOrder::Stage`] and [`LayoutOrder::Revert`]: what is staged by now.
    Staged(Staging),
    /// To [`LayoutOrder::Commit`]: what is in force by now.
    Committed(LayoutVersion),
}

/// How far one node is with the layouts in force.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct LayoutReport {
    /// The oldest first; none as long as the cluster has none.
    pub live: Vec<Arc<LayoutUpdate>>,
    /// The one that reads go by.
    pub read: LayoutVersion,
    /// How far members are, as far as the node knows.
    pub marks: Vec<MarksOf>,
    /// What is staged.
    pub staging: Staging,
    /// Slots that the node has yet to fill, and whom it has yet to compare them with.
    pub to_fill: Vec<SlotWaits>,
    /// Slots that it holds and others shall, and who has yet to be found to hold all of it.
    pub to_give: Vec<SlotWaits>,
    /// Hints that it holds for others.
    pub hints: u64,
}

/// A slot that waits for nodes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SlotWaits {
    /// The slot.
    pub slot: Slot,
    /// The nodes.
    pub peers: Vec<NodeId>,
}

/// How much a node holds of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SlotFigures {
    /// The slot.
    pub slot: Slot,
    /// Keys.
    pub records: u64,
    /// Bytes of keys and records, as they travel.
    pub bytes: u64,
}

/// What a layout changed, as one node remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PastLayout {
    /// The layout.
    pub id: LayoutId,
    /// When the node heard of it.
    pub at: UnixMs,
    /// Members that the layout before did not have.
    pub joined: Vec<Member>,
    /// Members of the layout before that it does not have.
    pub left: Vec<Member>,
    /// Members with another label, zone or weight than before: as they are since.
    pub changed: Vec<Member>,
    /// Slots that changed their owner.
    pub slots_moved: u32,
}

impl PastLayout {
    /// What `next` changes; `None`: it is the first one.
    pub fn between(at: UnixMs, previous: Option<&Layout>, next: &LayoutUpdate) -> PastLayout {
        let id = LayoutId::of(next);
        let next = &next.layout;
        let Some(previous) = previous else {
            let joined = next.members().to_vec();
            return PastLayout {
                id,
                at,
                joined,
                left: Vec::new(),
                changed: Vec::new(),
                slots_moved: 0,
            };
        };
        let among = |layout: &Layout, of: &Layout| -> Vec<Member> {
            let members = of.members().iter();
            members.filter(|member| layout.member(member.id).is_none()).cloned().collect()
        };
        let differs =
            |member: &&Member| previous.member(member.id).is_some_and(|before| before != *member);
        let owners = next.slot_count().slots();
        PastLayout {
            id,
            at,
            joined: among(previous, next),
            left: among(next, previous),
            changed: next.members().iter().filter(differs).cloned().collect(),
            slots_moved: owners.filter(|slot| previous.owner(*slot) != next.owner(*slot)).count()
                as u32,
        }
    }
}

/// Why a layout does not come into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeRefusal {
    /// The cluster has no layout yet.
    NoLayout,
    /// The node has not heard of the others since it started, so it may not know the newest one.
    NotReady,
    /// It was planned from another one than the newest.
    Outdated {
        /// The newest.
        newest: LayoutVersion,
    },
    /// As many are in force as can be.
    TooMany {
        /// The oldest: some member has yet to be through with it.
        oldest: LayoutVersion,
    },
    /// The members make no plan.
    Plan(PlanError),
    /// Nobody has heard of a member.
    Unknown {
        /// The member.
        node: NodeId,
    },
    /// Nobody has staged anything that the newest layout is not.
    NothingStaged,
    /// Something else is staged than what was looked at.
    StagedMeanwhile,
    /// More nodes would be staged than can be at one time.
    TooManyStaged,
    /// What is said of a node makes no member: its label or zone is too long.
    BadMember {
        /// The node.
        node: NodeId,
    },
    /// R and W of this node are not possible with this N.
    Quorum {
        /// N.
        replication: u8,
    },
}

impl fmt::Display for ChangeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeRefusal::NoLayout => f.write_str("the cluster has no layout yet: found it first"),
            ChangeRefusal::NotReady => f.write_str(
                "this node has not heard of the others yet: try again in a moment, or ask another",
            ),
            ChangeRefusal::Outdated { newest } => write!(
                f,
                "layout {newest} is in force by now: look at the plan from that one, and commit it"
            ),
            ChangeRefusal::TooMany { oldest } => write!(
                f,
                "too many changes are under way, since layout {oldest} is still in use: wait for \
                 the members that are not through with it, or remove those that are dead"
            ),
            ChangeRefusal::Plan(error) => error.fmt(f),
            ChangeRefusal::Unknown { node } => write!(
                f,
                "nobody has heard of {node}: start it with a member of the cluster as its seed"
            ),
            ChangeRefusal::NothingStaged => f.write_str(
                "nothing is staged: say first which nodes join, leave or change, then commit",
            ),
            ChangeRefusal::StagedMeanwhile => f.write_str(
                "something else is staged by now: look at the plan again, and commit that",
            ),
            ChangeRefusal::TooManyStaged => write!(
                f,
                "more than {STAGED_MAX} nodes would be staged: commit some of them before the others"
            ),
            ChangeRefusal::BadMember { node } => write!(
                f,
                "the label or the zone of {node} is too long: at most {MEMBER_TEXT_BYTES_MAX} bytes each"
            ),
            ChangeRefusal::Quorum { replication } => {
                write!(f, "R and W of this node do not fit N={replication}: start it with others")
            }
        }
    }
}

impl core::error::Error for ChangeRefusal {}
