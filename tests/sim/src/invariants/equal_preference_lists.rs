//! Whoever holds the same layout finds the same replicas.

use std::ptr;
use std::sync::Arc;

use quorate_core::ids::NodeId;
use quorate_core::layout::{Layout, LayoutVersion};
use quorate_core::message::{Gossip, LayoutUpdate, Message, Reply, Welcome};
use quorate_core::ring::Slot;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{Delivered, Stepped};

pub(crate) const PROPERTY: Property = Property {
    name: "equal-preference-lists",
    definition: "All layouts of one version, of nodes and on their way, where no operator changes it, have equal \
                 preference lists for every slot: those that a naive walk finds, which looks \
                 clockwise for the first member of each zone and then for all others. The first \
                 N of them are the primaries.",
    source: "DESIGN.md §3 (preference list), §9; Dynamo §4.3, §6.2",
};

#[derive(Default)]
pub(crate) struct EqualPreferenceLists {
    /// The layouts that were looked at; they are kept, so no other takes their place in memory.
    checked: Vec<Arc<LayoutUpdate>>,
}

impl Invariant for EqualPreferenceLists {
    fn on_stepped(&mut self, scene: Scene<'_>, stepped: Stepped<'_>) -> Verdict {
        let Some(layout) = stepped.view.newest_layout() else { return Ok(()) };
        self.check(layout, scene.facts.has_changed())
            .map_err(|violation| violation.at(stepped.node))
    }

    fn on_delivered(&mut self, scene: Scene<'_>, delivered: Delivered<'_>) -> Verdict {
        let may_fork = scene.facts.has_changed();
        layouts_in(delivered.message).iter().try_for_each(|layout| self.check(layout, may_fork))
    }
}

/// The layouts that a frame carries.
pub(crate) fn layouts_in(message: &Message) -> &[Arc<LayoutUpdate>] {
    if let Message::Gossip(Gossip { layouts, .. }) = message {
        return layouts;
    }
    let (Message::Welcome(Welcome { layout: Some(layout), .. })
    | Message::Reply(Reply { layout: Some(layout), .. })) = message
    else {
        return &[];
    };
    std::slice::from_ref(layout)
}

impl EqualPreferenceLists {
    fn check(&mut self, update: &Arc<LayoutUpdate>, may_fork: bool) -> Verdict {
        if self.checked.iter().any(|known| ptr::eq(&**known, &**update)) {
            return Ok(());
        }
        let layout = &update.layout;
        let LayoutVersion(version) = layout.version();
        for slot in layout.slot_count().slots() {
            let walked = naive_walk(layout, slot);
            let listed: Vec<NodeId> = layout.preference_list(slot).collect();
            let picks = usize::from(layout.replication()).min(walked.len());
            if listed != walked || layout.primaries(slot) != &walked[..picks] {
                let text = format!(
                    "in version {version} slot {slot} has the list {listed:?} and the primaries \
                     {:?}, but walking finds {walked:?}, of which {picks} are primaries",
                    layout.primaries(slot),
                );
                return Err(Violation::new(text));
            }
        }
        // Where an operator changes layouts, two sides of a partition may make two of one version.
        let other = self.checked.iter().find(|known| known.layout.version().0 == version);
        let other = other.filter(|_| !may_fork);
        if other.is_some_and(|other| other.layout.owners() != layout.owners()) {
            let text = format!("two layouts of version {version} have different owners of slots");
            return Err(Violation::new(text));
        }
        self.checked.push(update.clone());
        Ok(())
    }
}

/// The nodes met clockwise from a slot, each once, new zones first.
fn naive_walk(layout: &Layout, slot: Slot) -> Vec<NodeId> {
    let owners = layout.owners();
    let clockwise = (0..owners.len())
        .map(|step| &layout.members()[usize::from(owners[(slot.index() + step) % owners.len()])]);
    let (mut fresh, mut others, mut zones) = (Vec::new(), Vec::new(), Vec::new());
    for member in clockwise {
        if fresh.contains(&member.id) || others.contains(&member.id) {
            continue;
        }
        if zones.contains(&&member.zone) {
            others.push(member.id);
        } else {
            zones.push(&member.zone);
            fresh.push(member.id);
        }
    }
    fresh.extend(others);
    fresh
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use quorate_core::ids::NodeId;
    use quorate_core::layout::{Layout, LayoutVersion, Member};
    use quorate_core::message::LayoutUpdate;
    use quorate_core::ring::Slot;

    use super::{EqualPreferenceLists, naive_walk};

    fn update(owners: &[u16], zones: &[&str]) -> Arc<LayoutUpdate> {
        let member = |(index, zone): (usize, &&str)| Member {
            id: NodeId(index as u64 + 1),
            label: format!("n{index}").into(),
            zone: (*zone).into(),
            weight: 1,
        };
        let members: Vec<Member> = zones.iter().enumerate().map(member).collect();
        let addresses = vec!["ws://n".into(); members.len()];
        let layout = Layout::from_parts(LayoutVersion(1), 3, members, owners.to_vec()).unwrap();
        Arc::new(LayoutUpdate { layout, addresses })
    }

    #[test]
    fn new_zones_come_first() {
        let update = update(&[0, 1, 0, 2, 3, 0, 1, 2], &["x", "x", "y", "y"]);
        let ids: Vec<u64> = naive_walk(&update.layout, Slot(0)).iter().map(|id| id.0).collect();
        assert_eq!(ids, [1, 3, 2, 4]);
        assert_eq!(EqualPreferenceLists::default().check(&update, false), Ok(()));
    }

    #[test]
    fn two_layouts_of_one_version_are_found() {
        let mut invariant = EqualPreferenceLists::default();
        let zones = ["x", "x", "x"];
        assert_eq!(invariant.check(&update(&[0, 1, 2, 0], &zones), false), Ok(()));
        assert_eq!(invariant.check(&update(&[0, 1, 2, 0], &zones), false), Ok(()));
        let violation = invariant.check(&update(&[0, 2, 1, 0], &zones), false).unwrap_err();
        assert!(violation.text.contains("different owners"), "{violation}");
    }
}
