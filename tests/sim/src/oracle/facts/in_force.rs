//! What a node held to be in force when it decided something.

use quorate_core::ids::{Key, RequestId};
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{LayoutId, LayoutSpan, LayoutUpdate};
use quorate_core::time::{Duration, Instant};

use super::Facts;

/// A node waits no longer for those who are to take a hint, whatever its clock.
const TAKEN_WITHIN: Duration = Duration::from_secs(6);

/// What a node held to be in force for some time.
#[derive(Clone, Debug)]
pub(super) struct Stretch {
    pub(super) span: LayoutSpan,
    pub(super) live: Vec<LayoutId>,
    /// The last observation of that time, and when that was; `None`: it still does.
    pub(super) ended: Option<(u64, Instant)>,
}

/// The primaries of a key by the layouts that a node held to be in force at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InForce {
    /// The newest.
    pub(crate) head: LayoutVersion,
    /// The one that reads went by.
    pub(crate) read: LayoutVersion,
    /// The primaries by that.
    pub(crate) readers: Vec<usize>,
    /// The primaries by each, but for those who are no members of the newest.
    pub(crate) lists: Vec<Vec<usize>>,
    /// The primaries by any.
    pub(crate) primaries: Vec<usize>,
}

impl InForce {
    /// Whether a node is to hold what is written.
    pub(crate) fn is_holder(&self, node: usize) -> bool {
        self.lists.iter().any(|list| list.contains(&node))
    }

    /// Those who are to hold what is written, each once.
    pub(crate) fn holders(&self) -> Vec<usize> {
        each_once(self.lists.iter().flatten())
    }
}

/// From when on something may have been decided.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Since {
    /// An observation of that number.
    Number(u64),
    /// A moment.
    Moment(Instant),
    /// The step of a node that is under way, or was last.
    Step,
}

impl Facts {
    /// What a node held to be in force at some time since then, as it concerns a key: one of these
    /// it went by. Before it knew of any layout that was the one of the world.
    pub(crate) fn in_force(
        &self,
        world: &LayoutUpdate,
        (node, key): (usize, &Key),
        since: Since,
    ) -> Vec<InForce> {
        let stretches = self.layouts.stretches(node);
        if !self.has_changed() || stretches.is_empty() {
            let version = world.layout.version();
            let ids = world.layout.primaries(world.layout.slot_of(key.as_bytes())).iter();
            let list: Vec<usize> = ids.filter_map(|id| self.index(*id)).collect();
            return vec![InForce {
                head: version,
                read: version,
                readers: list.clone(),
                lists: vec![list.clone()],
                primaries: list,
            }];
        }
        let step = self.layouts.step;
        let lasted = |stretch: &&Stretch| match (stretch.ended, since) {
            (None, _) => true,
            (Some((number, _)), Since::Number(since)) => number >= since,
            (Some((_, at)), Since::Moment(since)) => at >= since,
            (Some((number, _)), Since::Step) => number >= step,
        };
        let stretches = stretches.iter().filter(lasted);
        stretches.map(|stretch| self.in_stretch(stretch, key)).collect()
    }

    /// Who is to take a hint that a node removes now, but for its target: one of these lists.
    pub(crate) fn takers_of_hints(
        &self,
        world: &LayoutUpdate,
        (node, key): (usize, &Key),
        now: Instant,
    ) -> Vec<Vec<usize>> {
        let since = Instant(now.0.saturating_sub(TAKEN_WITHIN.as_micros() as u64));
        let in_force = self.in_force(world, (node, key), Since::Moment(since));
        in_force.iter().map(InForce::holders).collect()
    }

    /// The beginning of the first call that may have led to a request; `otherwise` where none is
    /// known.
    pub(crate) fn first_try(&self, request: RequestId, otherwise: u64) -> u64 {
        self.tries(request).map(|op| op.began).min().unwrap_or(otherwise)
    }

    fn in_stretch(&self, Stretch { span, live, .. }: &Stretch, key: &Key) -> InForce {
        let by = |id: &LayoutId| self.primaries_in(*id, key).unwrap_or_default();
        let reads = live.iter().find(|id| id.version == span.read);
        let all: Vec<Vec<usize>> = live.iter().map(by).collect();
        let primaries = each_once(all.iter().flatten());
        let is_left = |node: &usize| self.is_member_of(span.head, *node);
        let lists = all.into_iter().map(|list| list.into_iter().filter(is_left).collect());
        InForce {
            head: span.head.version,
            read: span.read,
            readers: reads.map(by).unwrap_or_default(),
            lists: lists.collect(),
            primaries,
        }
    }
}

fn each_once<'a>(nodes: impl Iterator<Item = &'a usize>) -> Vec<usize> {
    let mut once = Vec::new();
    for node in nodes {
        if !once.contains(node) {
            once.push(*node);
        }
    }
    once
}
