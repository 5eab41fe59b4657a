//! Whoever is gone is found down, on the word of those who waited long enough, and nobody else.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::ids::NodeId;
use quorate_core::machine::Event;
use quorate_core::node::GossipSettings;
use quorate_core::time::{Duration, Instant};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::observation::{Resumed, Started, Stepped, Told};

pub(crate) const PROPERTY: Property = Property {
    name: "detection-is-right",
    definition: "A node that has just started, or has just gone on after it stood still for \
                 several intervals of gossip, suspects nobody. A node finds a member down on \
                 the word of at least two distinct witnesses (one, where it knows of two members \
                 at most), each of which suspected the member itself. After the healing, within \
                 a bound, whole nodes hold each other for up and one that is not repaired for \
                 down.",
    source: "DESIGN.md §8",
};

#[derive(Default)]
pub(crate) struct DetectionIsRight {
    /// Who suspected whom, ever.
    suspected: BTreeSet<(usize, NodeId)>,
    /// When each node began to hear of others, again.
    listens: BTreeMap<usize, Instant>,
    /// A verdict that was told in the present step, and on whose word.
    verdict: Option<(usize, NodeId, Vec<NodeId>)>,
}

impl Invariant for DetectionIsRight {
    fn on_started(&mut self, scene: Scene<'_>, Started { node, .. }: Started<'_>) -> Verdict {
        self.listens.insert(node, scene.now);
        Ok(())
    }

    fn on_resumed(&mut self, scene: Scene<'_>, Resumed { node, since }: Resumed) -> Verdict {
        if scene.now.since(since) >= long_pause(scene.facts.gossip) {
            self.listens.insert(node, scene.now);
        }
        Ok(())
    }

    fn on_told(&mut self, scene: Scene<'_>, Told { node, event }: Told<'_>) -> Verdict {
        if let Event::MemberSuspected(suspect) = event {
            self.suspected.insert((node, *suspect));
            let listens = self.listens.get(&node).map(|since| scene.now.since(*since));
            if let Some(listens) =
                listens.filter(|listens| *listens < patience_min(scene.facts.gossip))
            {
                let text = format!("n{node} suspects {suspect}, but has listened for {listens:?}");
                return Err(Violation::new(text).at(node));
            }
        } else if let Event::MemberDown { node: down, witnesses } = event {
            for witness in witnesses {
                let index = scene.facts.index(*witness);
                if !index.is_some_and(|index| self.suspected.contains(&(index, *down))) {
                    let text =
                        format!("n{node} finds {down} down, but {witness} says no such thing");
                    return Err(Violation::new(text).at(node));
                }
            }
            self.verdict = Some((node, *down, witnesses.clone()));
        }
        Ok(())
    }

    fn on_stepped(&mut self, _: Scene<'_>, Stepped { node, view }: Stepped<'_>) -> Verdict {
        match self.verdict.take() {
            Some((by, down, witnesses)) if by == node => {
                enough(view.membership().count(), by, down, &witnesses)
            }
            Some(_) | None => Ok(()),
        }
    }
}

fn enough(members: usize, by: usize, down: NodeId, witnesses: &[NodeId]) -> Verdict {
    let distinct: BTreeSet<&NodeId> = witnesses.iter().collect();
    if distinct.len() >= if members <= 2 { 1 } else { 2 } {
        return Ok(());
    }
    let text =
        format!("n{by} finds {down} down, of {members} members, on the word of {distinct:?}");
    Err(Violation::new(text).at(by))
}

/// Nobody is suspected sooner than this, by whatever clock.
fn patience_min(GossipSettings { interval, suspect_after, .. }: GossipSettings) -> Duration {
    interval * suspect_after * 4 / 5
}

/// A node that stood still for so long knows that it did.
fn long_pause(gossip: GossipSettings) -> Duration {
    gossip.interval * 5
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::NodeId;
    use quorate_core::machine::Event;
    use quorate_core::node::GossipSettings;
    use quorate_core::time::Duration;

    use super::{DetectionIsRight, enough, long_pause, patience_min};
    use crate::observation::{Observation, Resumed, Told};
    use crate::oracle::stage::Stage;

    fn tell(stage: &mut Stage, node: usize, event: Event) {
        stage.see(&Observation::Told(Told { node, event: &event }));
    }

    #[test]
    fn who_stood_still_for_long_has_to_listen_before_it_suspects() {
        let tick = Duration::from_millis(1);
        let gossip = GossipSettings::default();
        let (long_pause, patience_min) = (long_pause(gossip), patience_min(gossip));
        let table = [
            (long_pause, patience_min - tick, false),
            (long_pause, patience_min, true),
            (long_pause - tick, tick, true),
        ];
        for (paused, listened, fine) in table {
            let mut stage = Stage::new(DetectionIsRight::default());
            let since = stage.now;
            stage.now = stage.now + paused;
            stage.see(&Observation::Resumed(Resumed { node: 0, since }));
            stage.now = stage.now + listened;
            tell(&mut stage, 0, Event::MemberSuspected(NodeId(2)));
            stage.expect(fine, "but has listened for");
        }
    }

    #[test]
    fn witnesses_are_those_who_suspect() {
        for (by, fine) in [(1, true), (0, false)] {
            let mut stage = Stage::new(DetectionIsRight::default());
            tell(&mut stage, by, Event::MemberSuspected(NodeId(3)));
            let witnesses = vec![NodeId(2)];
            tell(&mut stage, 0, Event::MemberDown { node: NodeId(3), witnesses });
            stage.expect(fine, "says no such thing");
        }
    }

    #[test]
    fn two_witnesses_are_enough_and_one_of_two_members() {
        let [a, b] = [NodeId(1), NodeId(2)];
        assert!(enough(3, 0, NodeId(3), &[a, b]).is_ok());
        assert!(enough(3, 0, NodeId(3), &[a, a]).is_err());
        assert!(enough(3, 0, NodeId(3), &[a]).is_err());
        assert!(enough(2, 0, NodeId(3), &[a]).is_ok());
        assert!(enough(2, 0, NodeId(3), &[]).is_err());
    }
}
