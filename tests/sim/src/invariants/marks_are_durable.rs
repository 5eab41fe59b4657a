//! What a node says of its commits is so.

use std::collections::BTreeMap;

use quorate_core::ids::DurableMark;
use quorate_core::message::Message;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{Replaced, Sent, Started, Stepped};

pub(crate) const PROPERTY: Property = Property {
    name: "marks-are-durable",
    definition: "The durable mark that a node says of itself is no greater than the number of its \
                 last synced commit. Once a peer has spoken and while no loss is unsaved, it is the \
                 last one that its storage told it of. What a life finds is no less than what any \
                 life of that directory has ever said.",
    source: "DESIGN.md §13 (durable mark)",
};

#[derive(Default)]
pub(crate) struct MarksAreDurable {
    /// The greatest mark that each node said while it had the directory that it has.
    said: BTreeMap<usize, DurableMark>,
}

impl Invariant for MarksAreDurable {
    fn on_sent(&mut self, scene: Scene<'_>, Sent { from, message, .. }: Sent<'_>) -> Verdict {
        let (End::Node(node), Message::Gossip(gossip)) = (from, message) else { return Ok(()) };
        let id = scene.facts.id(node);
        let pulses = gossip.pulses.iter().map(|pulse| (pulse.id, pulse.remembered.mark));
        let infos = gossip.members.iter().map(|info| (info.id, info.remembered.mark));
        let synced = scene.disks[node].mark();
        for (_, mark) in pulses.chain(infos).filter(|(of, _)| *of == id) {
            if mark > synced {
                let (mark, synced) = (mark.0, synced.0);
                let text = format!("n{node} says that it has {mark} commits and has {synced}");
                return Err(Violation::new(text).at(node));
            }
            let said = self.said.entry(node).or_default();
            *said = mark.max(*said);
        }
        Ok(())
    }

    fn on_stepped(&mut self, scene: Scene<'_>, Stepped { node, view }: Stepped<'_>) -> Verdict {
        let Some(to_tell) = view.mark_to_tell() else { return Ok(()) };
        let told = scene.disks[node].marked();
        let says = view.remembered_mark(view.config().id);
        if to_tell == told && says == told {
            return Ok(());
        }
        let (says, told) = (says.0, told.0);
        let text = format!("n{node} says that it has {says} commits, and was told of {told}");
        Err(Violation::new(text).at(node))
    }

    fn on_replaced(&mut self, _: Scene<'_>, Replaced { node, .. }: Replaced) -> Verdict {
        self.said.remove(&node);
        Ok(())
    }

    fn on_started(&mut self, _: Scene<'_>, started: Started<'_>) -> Verdict {
        let Started { node, found, .. } = started;
        match self.said.get(&node).filter(|said| **said > found.mark) {
            Some(said) => {
                let (said, found) = (said.0, found.mark.0);
                let text = format!("n{node} finds {found} commits, and had said {said}");
                Err(Violation::new(text).at(node))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::MarksAreDurable;
    use crate::oracle::stage::Stage;

    /// A node with two commits: the start and a write; it was told of the first one.
    fn stage() -> Stage {
        let mut stage = Stage::new(MarksAreDurable::default());
        stage.start_node(0);
        assert_eq!(stage.disks[0].tell_mark().map(|mark| mark.0), Some(1));
        let put = stage.put(1, "v", &[]);
        stage.write(0, put);
        stage.sync(0);
        stage
    }

    #[test]
    fn no_more_is_said_than_is_synced() {
        for (mark, fine) in [(0, true), (1, true), (2, true), (3, false)] {
            let mut stage = stage();
            stage.tell_mark(0, mark);
            stage.expect(fine, "and has 2");
        }
    }

    #[test]
    fn what_was_said_is_found_unless_another_directory_is_there() {
        let mut stage = stage();
        stage.disks[0].take_snapshot();
        stage.tell_mark(0, 2);
        stage.crash(0);
        stage.start_node(0);
        stage.tell_mark(0, 3);
        stage.crash(0);
        stage.disks[0].roll_back();
        stage.start_node(0);
        stage.expect(false, "finds 2 commits, and had said 3");

        let mut stage = self::stage();
        stage.tell_mark(0, 2);
        stage.wipe(0);
        stage.start_node(0);
        stage.expect(true, "");
    }
}
