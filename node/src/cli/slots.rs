//! When the replicas of each slot were compared, for `status`.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_core::ids::NodeId;
use quorate_core::layout::Layout;
use quorate_core::message::{MemberState, StatusReply};
use quorate_core::ring::Slot;
use serde_json::{Value, json};

use super::output::table;
use super::overview::{Overview, limit};
use crate::server::span;

/// A pair needs attention when it was not compared for so many intervals.
const OVERDUE_INTERVALS: u32 = 5;

/// Two primaries of a slot, the lower id first.
type Two = (NodeId, NodeId);

/// How long ago two primaries of a slot were compared; `None`: not since they started.
#[derive(Clone, Copy, Debug, Default)]
struct Age {
    compared: Option<Duration>,
    equal: Option<Duration>,
    overdue: Option<Duration>,
}

/// The comparisons of a whole cluster.
pub(super) struct Comparisons<'a> {
    seen: &'a Overview,
    ages: BTreeMap<(Slot, Two), Age>,
}

impl<'a> Comparisons<'a> {
    /// What the nodes that answered tell; of what both of two nodes tell the latest counts.
    pub(super) fn new(
        seen: &'a Overview,
        replies: impl Iterator<Item = &'a StatusReply>,
    ) -> Comparisons<'a> {
        let mut ages: BTreeMap<(Slot, Two), Age> = BTreeMap::new();
        for reply in replies {
            let interval = limit(reply, "anti_entropy_interval_ms").map(Duration::from_millis);
            let patience = interval.map(|interval| interval.saturating_mul(OVERDUE_INTERVALS));
            for pair in &reply.comparisons {
                let two = (pair.peer.min(reply.node), pair.peer.max(reply.node));
                let ago = |at: quorate_core::time::UnixMs| {
                    Duration::from_millis(reply.now.0.saturating_sub(at.0))
                };
                let (compared, equal) = (pair.compared.map(ago), pair.equal.map(ago));
                let waited = compared.unwrap_or(reply.uptime);
                let overdue = patience.is_some_and(|patience| waited > patience);
                let told = Age { compared, equal, overdue: overdue.then_some(waited) };
                let age = ages.entry((pair.slot, two)).or_insert(told);
                *age = Age {
                    compared: latest(age.compared, told.compared),
                    equal: latest(age.equal, told.equal),
                    // Where one of the two is content, so is the pair.
                    overdue: age.overdue.and_then(|one| told.overdue.map(|two| one.min(two))),
                };
            }
        }
        Comparisons { seen, ages }
    }

    /// What an operator should look after, one sentence for each two nodes. Of a node that is not
    /// up something else is told.
    pub(super) fn attention(&self) -> Vec<String> {
        let mut overdue: BTreeMap<Two, (usize, Duration)> = BTreeMap::new();
        for ((_, two), age) in &self.ages {
            if let Some(waited) = age.overdue.filter(|_| self.is_up(two.0) && self.is_up(two.1)) {
                let (slots, longest) = overdue.entry(*two).or_default();
                *slots += 1;
                *longest = waited.max(*longest);
            }
        }
        let sentence = |((one, other), (slots, longest)): (&Two, &(usize, Duration))| {
            format!(
                "nodes {} and {} have not compared {slots} slots for up to {}: try `quorate repair`",
                self.seen.label(*one),
                self.seen.label(*other),
                span(*longest)
            )
        };
        overdue.iter().map(sentence).collect()
    }

    pub(super) fn text(&self, layout: &Layout) -> String {
        let header = ["slot", "primaries", "last found equal", "needs attention"];
        let mut rows = table(&header, usize::MAX);
        for slot in layout.slot_count().slots() {
            let primaries = layout.primaries(slot).iter().map(|id| self.seen.label(*id));
            let equal = self.of(slot).map(|((one, other), age)| {
                let (one, other) = (self.seen.label(one), self.seen.label(other));
                let ago = age.equal.map_or("never".into(), |ago| format!("{} ago", span(ago)));
                format!("{one} = {other} {ago}")
            });
            let overdue = self.of(slot).filter_map(|((one, other), age)| {
                let (one, other) = (self.seen.label(one), self.seen.label(other));
                let waited = span(age.overdue?);
                Some(format!("{one} and {other} not compared for {waited}"))
            });
            rows.add_row([
                slot.to_string(),
                primaries.collect::<Vec<_>>().join(", "),
                equal.collect::<Vec<_>>().join(", "),
                overdue.collect::<Vec<_>>().join(", "),
            ]);
        }
        rows.to_string()
    }

    pub(super) fn json(&self, layout: &Layout) -> Value {
        let millis = |age: Option<Duration>| age.map(|age| age.as_millis() as u64);
        let slots = layout.slot_count().slots().map(|slot| {
            let primaries = layout.primaries(slot).iter().map(|id| self.seen.label(*id));
            let pairs = self.of(slot).map(|((one, other), age)| {
                json!({
                    "nodes": [self.seen.label(one), self.seen.label(other)],
                    "compared_ms_ago": millis(age.compared),
                    "equal_ms_ago": millis(age.equal),
                    "overdue": age.overdue.is_some(),
                })
            });
            json!({
                "slot": slot.0,
                "primaries": primaries.collect::<Vec<_>>(),
                "pairs": pairs.collect::<Vec<_>>(),
            })
        });
        slots.collect()
    }

    fn of(&self, slot: Slot) -> impl Iterator<Item = (Two, Age)> {
        let first = (slot, (NodeId(0), NodeId(0)));
        let last = (slot, (NodeId(u64::MAX), NodeId(u64::MAX)));
        self.ages.range(first..=last).map(|((_, two), age)| (*two, *age))
    }

    fn is_up(&self, id: NodeId) -> bool {
        let mut members = self.seen.status.members.iter();
        members.any(|member| member.id == id && member.state == MemberState::Up)
    }
}

fn latest(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}
