//! Only a member raises its heartbeat, and nobody goes back behind what was said.

use std::collections::BTreeMap;

use quorate_core::ids::{Incarnation, NodeId};
use quorate_core::machine::Event;
use quorate_core::message::{Gossip, Message};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{Delivered, Sent, Started, Told};

pub(crate) const PROPERTY: Property = Property {
    name: "heartbeats-are-ones-own",
    definition: "Gossip names no heartbeat of a life that is higher than the highest which that \
                 life itself has sent. What a node says of a member's heartbeat never falls \
                 while the node lives. What a node asks after it was told of a former life of \
                 its own names a heartbeat above that one's, unless it found a conflict.",
    source: "DESIGN.md §8; core/src/membership/own.rs",
};

#[derive(Default)]
pub(crate) struct HeartbeatsAreOnesOwn {
    /// The highest heartbeat that each life sent of itself.
    own: BTreeMap<(NodeId, Incarnation), u64>,
    /// The last heartbeat that each node, in its present life, sent of each member.
    said: BTreeMap<(usize, NodeId), u64>,
    /// The highest heartbeat of another life that each node was told of; 0 after a conflict.
    former: BTreeMap<usize, u64>,
    /// The incarnation in which each node sends.
    lives: BTreeMap<usize, Incarnation>,
}

impl Invariant for HeartbeatsAreOnesOwn {
    fn on_started(&mut self, _: Scene<'_>, Started { node, .. }: Started<'_>) -> Verdict {
        self.said.retain(|(teller, _), _| *teller != node);
        self.former.remove(&node);
        self.lives.remove(&node);
        Ok(())
    }

    fn on_told(&mut self, _: Scene<'_>, Told { node, event }: Told<'_>) -> Verdict {
        if let Event::IdentityConflict { .. } = event {
            self.former.insert(node, 0);
        }
        Ok(())
    }

    fn on_delivered(&mut self, scene: Scene<'_>, delivered: Delivered<'_>) -> Verdict {
        if let Delivered { to: End::Node(to), message: Message::Gossip(gossip), .. } = delivered {
            let life = self.lives.get(&to);
            let others = claims(gossip).filter(|(id, incarnation, _)| {
                // Before it has sent anything, all that is told of it is of a former life.
                scene.facts.index(*id) == Some(to) && life != Some(incarnation)
            });
            if let Some(highest) = others.map(|(_, _, heartbeat)| heartbeat).max() {
                let former = self.former.entry(to).or_default();
                *former = highest.max(*former);
            }
        }
        Ok(())
    }

    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        let Sent { from: End::Node(from), message: Message::Gossip(gossip), .. } = sent else {
            return Ok(());
        };
        let is_own = |id: NodeId| scene.facts.index(id) == Some(from);
        for (id, incarnation, heartbeat) in claims(gossip) {
            if is_own(id) {
                self.lives.insert(from, incarnation);
                let highest = self.own.entry((id, incarnation)).or_default();
                *highest = heartbeat.max(*highest);
            }
        }
        for (id, incarnation, heartbeat) in claims(gossip) {
            let highest = self.own.get(&(id, incarnation)).copied().unwrap_or(0);
            let before = self.said.insert((from, id), heartbeat).unwrap_or(0);
            let former = self.former.get(&from).copied().unwrap_or(0);
            let who = scene.facts.index(id).map_or_else(|| format!("{id}"), |at| format!("n{at}"));
            let text = if heartbeat > highest {
                format!("n{from} tells of heartbeat {heartbeat} of {who}, which has {highest}")
            } else if heartbeat < before {
                format!("n{from} tells of heartbeat {heartbeat} of {who} after {before}")
            } else if is_own(id) && gossip.asks.is_some() && heartbeat <= former {
                format!("n{from} asks with heartbeat {heartbeat}, its former life had {former}")
            } else {
                continue;
            };
            return Err(Violation::new(text).at(from));
        }
        Ok(())
    }
}

/// Members of which a message names a heartbeat.
fn claims(gossip: &Gossip) -> impl Iterator<Item = (NodeId, Incarnation, u64)> {
    let pulses = gossip.pulses.iter().map(|pulse| (pulse.id, pulse.incarnation, pulse.heartbeat));
    let members = gossip.members.iter().map(|info| (info.id, info.incarnation, info.heartbeat));
    pulses.chain(members).filter(|(_, _, heartbeat)| *heartbeat > 0)
}

#[cfg(test)]
mod tests {
    use quorate_core::ids::{Incarnation, NodeId};
    use quorate_core::message::{Gossip, Message, Pulse};

    use super::HeartbeatsAreOnesOwn;
    use crate::network::End;
    use crate::observation::{Delivered, Observation, Sent};
    use crate::oracle::stage::Stage;

    const ALL: (NodeId, NodeId) = (NodeId(0), NodeId(u64::MAX));

    /// (member, incarnation, heartbeat)
    fn gossip(claims: &[(usize, u32, u64)]) -> Message {
        let pulse = |(node, incarnation, heartbeat): &(usize, u32, u64)| Pulse {
            id: NodeId(*node as u64 + 1),
            incarnation: Incarnation(*incarnation),
            heartbeat: *heartbeat,
            witnesses: Vec::new(),
            remembered: Default::default(),
        };
        Message::Gossip(Gossip {
            asks: Some(ALL),
            pulses: claims.iter().map(pulse).collect(),
            members: Vec::new(),
            wanted: Vec::new(),
            ..Gossip::default()
        })
    }

    fn tell(stage: &mut Stage, from: usize, to: usize, claims: &[(usize, u32, u64)]) {
        let (from, to, message) = (End::Node(from), End::Node(to), &gossip(claims));
        stage.see(&Observation::Sent(Sent { from, to, message }));
        stage.see(&Observation::Delivered(Delivered { from, to, message, again: false }));
    }

    #[test]
    fn nobody_knows_a_heartbeat_before_the_member_itself() {
        for (heartbeat, fine) in [(4, true), (5, true), (6, false)] {
            let mut stage = Stage::new(HeartbeatsAreOnesOwn::default());
            tell(&mut stage, 0, 1, &[(0, 1, 5)]);
            tell(&mut stage, 1, 2, &[(0, 1, heartbeat)]);
            stage.expect(fine, "which has 5");
        }
    }

    #[test]
    fn what_is_said_never_falls_before_the_node_starts_again() {
        for starts in [false, true] {
            let mut stage = Stage::new(HeartbeatsAreOnesOwn::default());
            tell(&mut stage, 0, 1, &[(0, 1, 5)]);
            tell(&mut stage, 1, 2, &[(0, 1, 5)]);
            if starts {
                stage.start_node(1);
            }
            tell(&mut stage, 1, 2, &[(0, 1, 4)]);
            stage.expect(starts, "after 5");
        }
    }

    #[test]
    fn a_new_life_goes_on_above_the_former_one() {
        for (heartbeat, fine) in [(1, false), (5, false), (6, true)] {
            let mut stage = Stage::new(HeartbeatsAreOnesOwn::default());
            tell(&mut stage, 0, 1, &[(0, 1, 5)]);
            stage.start_node(0);
            tell(&mut stage, 1, 0, &[(0, 1, 5)]);
            tell(&mut stage, 0, 1, &[(0, 2, heartbeat)]);
            stage.expect(fine, "its former life had 5");
        }
    }
}
