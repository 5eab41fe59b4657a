//! The first layout is what the founder was told to make, and is never lost.

use std::ptr;
use std::sync::Arc;

use quorate_core::layout::{LayoutVersion, Member};
use quorate_core::message::LayoutUpdate;

use crate::invariants::equal_preference_lists::layouts_in;
use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{Sent, Stepped};

pub(crate) const PROPERTY: Property = Property {
    name: "first-layout-is-kept",
    definition: "The layout of version 1 has all members for whom its founder was told to wait. A \
                 frame with it is sent only after the disk of some node held it. At rest it is on \
                 the disk of each node of `whole`. Within thirty seconds after the faults are \
                 healed these nodes know it.",
    source: "DESIGN.md §9; ARCHITECTURE.md (one founder)",
};

/// The version of what the founder makes.
const FIRST: LayoutVersion = LayoutVersion(1);

#[derive(Default)]
pub(crate) struct FirstLayoutIsKept {
    /// The layout that was looked at last; it is kept, so no other takes its place in memory.
    checked: Option<Arc<LayoutUpdate>>,
    /// Whether a disk has held it.
    was_saved: bool,
}

impl Invariant for FirstLayoutIsKept {
    fn on_stepped(&mut self, scene: Scene<'_>, stepped: Stepped<'_>) -> Verdict {
        let Some(layout) = stepped.view.layout() else { return Ok(()) };
        if self.checked.as_ref().is_some_and(|known| ptr::eq(&**known, &**layout)) {
            return Ok(());
        }
        self.checked = Some(layout.clone());
        complete(layout, scene.layout).map_err(|violation| violation.at(stepped.node))
    }

    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        let told = layouts_in(sent.message);
        if self.was_saved || told.iter().all(|layout| layout.layout.version() != FIRST) {
            return Ok(());
        }
        self.was_saved = scene.disks.iter().any(|disk| disk.layouts().is_some());
        if self.was_saved {
            return Ok(());
        }
        Err(Violation::new(format!("{:?} sends a layout that no disk has held", sent.from)))
    }

    fn at_rest(&mut self, scene: Scene<'_>, whole: &[usize]) -> Verdict {
        if scene.layout.layout.version() != FIRST {
            return Ok(());
        }
        let lacks = |node: &&usize| scene.disks[**node].layouts().is_none();
        match whole.iter().find(lacks) {
            None => Ok(()),
            Some(node) => {
                let text = "at rest its disk holds no layout: it would forget it with a crash";
                Err(Violation::new(text).at(*node))
            }
        }
    }
}

/// Whether a first layout has the members that it should have.
fn complete(layout: &LayoutUpdate, wanted: &LayoutUpdate) -> Verdict {
    let ids = |members: &[Member]| members.iter().map(|member| member.id).collect::<Vec<_>>();
    let (has, wanted) = (ids(layout.layout.members()), ids(wanted.layout.members()));
    if layout.layout.version() != FIRST || has == wanted {
        return Ok(());
    }
    let text = format!("the first layout has the members {has:?}, it should have {wanted:?}");
    Err(Violation::new(text))
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::NodeId;
    use quorate_core::layout::{Layout, LayoutVersion, Member};
    use quorate_core::message::LayoutUpdate;

    use super::complete;

    fn update(version: u64, members: u64) -> LayoutUpdate {
        let member = |id: u64| Member {
            id: NodeId(id),
            label: format!("n{id}").into(),
            zone: "z".into(),
            weight: 1,
        };
        let addresses = vec!["ws://n".into(); members as usize];
        let members = (1..=members).map(member).collect();
        let layout = Layout::from_parts(LayoutVersion(version), 2, members, vec![0, 1, 0, 1]);
        LayoutUpdate { layout: layout.unwrap(), addresses }
    }

    #[test]
    fn a_first_layout_without_somebody_is_found() {
        assert_eq!(complete(&update(1, 3), &update(1, 3)), Ok(()));
        assert_eq!(complete(&update(2, 2), &update(1, 3)), Ok(()), "somebody left");
        let text = complete(&update(1, 2), &update(1, 3)).unwrap_err().text;
        assert!(text.contains("should have"), "{text}");
    }
}
