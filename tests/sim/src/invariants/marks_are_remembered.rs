//! What a node was told of the commits of others it tells them, through all its lives.

use std::collections::{BTreeMap, BTreeSet};

use quorate_core::ids::{DurableMark, NodeId, Remembered};
use quorate_core::message::{Gossip, LayoutId, Message};
use quorate_core::time::Instant;

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{Crashed, Delivered, Replaced, Sent, Started, Stepped, Stopped};

pub(crate) const PROPERTY: Property = Property {
    name: "marks-are-remembered",
    definition: "Wherever a node that knows a layout speaks of another member of the newest one, it \
                 tells no lower durable mark of it than its life found or was told. A life finds no \
                 lower one than the lives before it were told before a round of gossip, where a \
                 sync that ended well was begun after that round, or a clean stop came after it. \
                 Excused: what was told before another directory took the place of the node's own, \
                 and what a directory holds that was left for half the grace time by its node's \
                 clock.",
    source: "DESIGN.md §13 (peers remember a higher mark); core/src/membership/memory.rs",
};

/// The greatest mark of each other node.
type Marks = BTreeMap<NodeId, DurableMark>;

#[derive(Default)]
pub(crate) struct MarksAreRemembered {
    nodes: BTreeMap<usize, Teller>,
}

/// What a node has to tell.
#[derive(Default)]
struct Teller {
    /// What its life found or was told.
    known: Marks,
    /// What was known at a round of gossip, and how many syncs had begun then.
    waiting: Vec<(u64, Marks)>,
    /// What a later sync or a clean stop has stored of that.
    stored: Marks,
    knows_layout: bool,
    /// The newest layout that it knows, and its members. Of others nothing is remembered.
    newest: LayoutId,
    members: BTreeSet<NodeId>,
    /// When its next round of gossip is due.
    next_round: Option<Instant>,
}

impl Teller {
    /// Others are members than before.
    fn on_members(&mut self, members: BTreeSet<NodeId>) {
        let waiting = self.waiting.iter_mut().map(|(_, marks)| marks);
        for marks in waiting.chain([&mut self.known, &mut self.stored]) {
            marks.retain(|id, _| members.contains(id));
        }
        self.members = members;
    }

    /// A sync has ended well: this one and all before it.
    fn on_sync(&mut self, last: u64) {
        while self.waiting.first().is_some_and(|(begun, _)| *begun < last) {
            let (_, marks) = self.waiting.remove(0);
            raise(&mut self.stored, marks);
        }
    }

    /// A round of gossip has run after so many syncs had begun.
    fn on_round(&mut self, begun: u64) {
        self.waiting.retain(|(then, _)| *then != begun);
        self.waiting.push((begun, self.known.clone()));
    }
}

impl Invariant for MarksAreRemembered {
    fn on_delivered(&mut self, scene: Scene<'_>, delivered: Delivered<'_>) -> Verdict {
        let Delivered { from: End::Node(_), to: End::Node(node), message, .. } = delivered else {
            return Ok(());
        };
        let Message::Gossip(gossip) = message else { return Ok(()) };
        let teller = self.nodes.entry(node).or_default();
        if teller.knows_layout {
            let told = of_others(scene, node, gossip);
            let told: Vec<_> = told.filter(|(id, _)| teller.members.contains(id)).collect();
            raise(&mut teller.known, told);
        }
        Ok(())
    }

    fn on_sent(&mut self, scene: Scene<'_>, Sent { from, message, .. }: Sent<'_>) -> Verdict {
        let (End::Node(node), Message::Gossip(gossip)) = (from, message) else { return Ok(()) };
        let Some(teller) = self.nodes.get(&node).filter(|teller| teller.knows_layout) else {
            return Ok(());
        };
        for (id, told) in of_others(scene, node, gossip) {
            expect(node, id, told, &teller.known, "tells")?;
        }
        // Whoever is asked about a member has to be told what is known of it.
        let Some((first, last)) = gossip.asks else { return Ok(()) };
        let named = |id: &NodeId| gossip.pulses.iter().any(|pulse| pulse.id == *id);
        match teller.known.range(first..=last).find(|(id, _)| !named(id)) {
            Some((id, _)) => expect(node, *id, DurableMark(0), &teller.known, "tells"),
            None => Ok(()),
        }
    }

    fn on_stepped(&mut self, scene: Scene<'_>, Stepped { node, view }: Stepped<'_>) -> Verdict {
        let teller = self.nodes.entry(node).or_default();
        teller.knows_layout |= view.layout().is_some();
        let newest = view.layouts().head;
        if teller.newest != newest
            && let Some(update) = view.newest_layout()
        {
            teller.newest = newest;
            teller.on_members(update.layout.members().iter().map(|member| member.id).collect());
        }
        let next = view.membership().next_wake();
        let former = std::mem::replace(&mut teller.next_round, next);
        if former.is_some() && former < next && teller.knows_layout {
            let disk = &scene.disks[node];
            teller.on_sync(disk.last_sync());
            teller.on_round(disk.syncs_begun());
        }
        Ok(())
    }

    fn on_stopped(&mut self, _: Scene<'_>, Stopped { node, is_clean }: Stopped) -> Verdict {
        if is_clean {
            self.nodes.entry(node).or_default().on_sync(u64::MAX);
        }
        Ok(())
    }

    fn on_crashed(&mut self, scene: Scene<'_>, Crashed { node, .. }: Crashed<'_>) -> Verdict {
        let teller = self.nodes.entry(node).or_default();
        teller.on_sync(scene.disks[node].last_sync());
        let stored = std::mem::take(&mut teller.stored);
        let (newest, members) = (teller.newest, std::mem::take(&mut teller.members));
        *teller = Teller { stored, newest, members, ..Teller::default() };
        Ok(())
    }

    fn on_replaced(&mut self, _: Scene<'_>, Replaced { node, .. }: Replaced) -> Verdict {
        self.nodes.remove(&node);
        Ok(())
    }

    fn on_started(&mut self, scene: Scene<'_>, started: Started<'_>) -> Verdict {
        let Started { node, found, wall, .. } = started;
        let teller = self.nodes.entry(node).or_default();
        if wall.since(found.written) >= scene.facts.grace / 2 {
            *teller = Teller::default();
            return Ok(());
        }
        let Teller { known, members, .. } = teller;
        let found = found.peers.iter().map(|(id, told)| (*id, told.mark));
        raise(known, found.filter(|(id, _)| members.is_empty() || members.contains(id)));
        for id in teller.stored.keys() {
            let found = teller.known.get(id).copied().unwrap_or_default();
            expect(node, *id, found, &teller.stored, "finds")?;
        }
        Ok(())
    }
}

fn raise(marks: &mut Marks, told: impl IntoIterator<Item = (NodeId, DurableMark)>) {
    for (id, mark) in told.into_iter().filter(|(_, mark)| *mark > DurableMark(0)) {
        let known = marks.entry(id).or_default();
        *known = mark.max(*known);
    }
}

/// What a message says of the members of the layout, but for the node itself.
fn of_others<'a>(
    scene: Scene<'a>,
    node: usize,
    gossip: &'a Gossip,
) -> impl Iterator<Item = (NodeId, DurableMark)> + 'a {
    let pulses = gossip.pulses.iter().map(|pulse| (pulse.id, pulse.remembered));
    let infos = gossip.members.iter().map(|info| (info.id, info.remembered));
    let told = pulses.chain(infos).map(|(id, Remembered { mark, .. })| (id, mark));
    told.filter(move |(id, _)| scene.facts.index(*id).is_some_and(|index| index != node))
}

fn expect(node: usize, id: NodeId, told: DurableMark, known: &Marks, verb: &str) -> Verdict {
    let known = known.get(&id).copied().unwrap_or_default();
    if told >= known {
        return Ok(());
    }
    let (told, known) = (told.0, known.0);
    let text = format!("n{node} {verb} mark {told} of node {id}, and was told of {known}");
    Err(Violation::new(text).at(node))
}

#[cfg(test)]
mod tests {
    use quorate_core::time::{Duration, UnixMs};

    use super::MarksAreRemembered;
    use crate::observation::{Observation, Stopped};
    use crate::oracle::stage::Stage;

    /// A node that has heard of seven commits of another one, and whose sync ended after its next
    /// round if it `keeps` that.
    fn stage(keeps: bool) -> Stage {
        let mut stage = Stage::new(MarksAreRemembered::default());
        stage.facts.grace = Duration::from_secs(100);
        stage.start_node(0);
        stage.step_round(0, 1);
        stage.hear(0, 1, 7);
        if keeps {
            stage.step_round(0, 2);
        }
        let put = stage.put(1, "v", &[]);
        stage.write(0, put);
        stage.sync(0);
        if !keeps {
            stage.step_round(0, 2);
        }
        stage
    }

    #[test]
    fn a_life_tells_what_it_was_told() {
        for (mark, fine) in [(6, false), (7, true), (8, true)] {
            let mut stage = stage(false);
            stage.say_of(0, 1, mark);
            stage.expect(fine, "of 7");
        }
        let mut stage = stage(false);
        stage.ask_naming_nobody(0);
        stage.expect(false, "n0 tells mark 0");
    }

    #[test]
    fn what_a_round_has_seen_is_stored_by_a_clean_stop() {
        for (is_clean, fine) in [(true, false), (false, true)] {
            let mut stage = stage(false);
            stage.see(&Observation::Stopped(Stopped { node: 0, is_clean }));
            stage.crash(0);
            stage.start_finding(0, 1, None);
            stage.expect(fine, "n0 finds mark 0");
        }
    }

    #[test]
    fn the_next_life_finds_what_was_stored_and_no_other() {
        for (keeps, found, fine) in [
            (false, None, true),
            (true, None, false),
            (true, Some(6), false),
            (true, Some(7), true),
        ] {
            let mut stage = stage(keeps);
            stage.crash(0);
            stage.start_finding(0, 1, found);
            stage.expect(fine, "n0 finds mark");
            if fine && let Some(found) = found {
                stage.step_round(0, 3);
                stage.say_of(0, 1, found - 1);
                stage.expect(false, "n0 tells mark 6");
            }
        }
    }

    #[test]
    fn nothing_is_asked_of_a_directory_that_was_left_for_long() {
        for (seconds, fine) in [(49, false), (50, true)] {
            let mut stage = stage(true);
            stage.crash(0);
            stage.wall = UnixMs(stage.wall.0 + seconds * 1_000);
            stage.start_finding(0, 1, None);
            stage.expect(fine, "n0 finds mark 0");
        }
    }

    #[test]
    fn nothing_is_asked_of_a_directory_that_took_the_place_of_another() {
        let mut stage = stage(true);
        stage.wipe(0);
        stage.start_finding(0, 1, None);
        stage.expect(true, "");
    }
}
