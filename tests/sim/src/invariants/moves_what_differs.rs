//! Comparisons move what differs, and nothing that is on its way.

use std::collections::{BTreeMap, VecDeque};

use quorate_core::ids::Key;
use quorate_core::machine::HeldAs;
use quorate_core::merkle::Branch;
use quorate_core::message::{CallId, Comparison, MergeReason, Message, Question};
use quorate_core::ring::Slot;
use quorate_core::time::{Duration, Instant};

use crate::invariants::{Invariant, Property, Scene, Verdict, Violation};
use crate::network::End;
use crate::observation::{Applied, By, Crashed, Destroyed, Removed, Sent, Stepped};

pub(crate) const PROPERTY: Property = Property {
    name: "moves-what-differs",
    definition: "A comparison moves a record only where the two stores held different records of \
                 the key at some time since the node that asks asked for the root of its slot, or \
                 shortly before: a node hears of a change when its storage answers. \
                 One that was asked for by its key, or is given to the peer, moves only where \
                 neither of the two changed it for as long as the recheck of that node (less a \
                 fifth, since clocks drift), and they differed all that time: a write on its way \
                 is no difference. Where one of the two crashed meanwhile, or the one who asks was \
                 being refilled, or had slots to fill for a new layout or to clear after it, or \
                 one cannot read the record, or could not and has removed it meanwhile, nothing \
                 is said.",
    source: "DESIGN.md §11",
};

/// Stretches of a difference that are remembered.
const STRETCHES: usize = 256;

/// Storages take no longer to tell of a change, but for what waits before it.
const LAG: Duration = Duration::from_secs(3);

/// Questions that are remembered.
const QUESTIONS: usize = 256;

#[derive(Default)]
pub(crate) struct MovesWhatDiffers {
    /// What two nodes, the one with the lower number first, held of a key.
    pairs: BTreeMap<(Key, usize, usize), Pair>,
    /// When a node asked another one for the root of a slot.
    asked: BTreeMap<(usize, usize, Slot), Asked>,
    /// Questions for whole pieces: the answer brings what was written last, too.
    rests: VecDeque<(usize, usize, CallId)>,
    /// When a node last crashed.
    crashed: BTreeMap<usize, Instant>,
    /// When a node last removed its copy of a key, since it could not read it.
    given_up: BTreeMap<(usize, Key), Instant>,
    /// When a node last waited for what it had lost, or for what moved with the layout.
    refilling: BTreeMap<usize, Instant>,
    /// How long each node waits before it looks again.
    rechecks: BTreeMap<usize, Duration>,
}

/// What two nodes held of a key.
#[derive(Default)]
struct Pair {
    /// When one of the two last changed it.
    changed: Instant,
    /// Whether they differ since.
    differ: bool,
    /// Earlier stretches in which they differed and neither changed it.
    stretches: VecDeque<(Instant, Instant)>,
}

#[derive(Clone, Copy)]
struct Asked {
    /// When the session began: the last question, or the one before it, if both may be of one.
    first: Instant,
    last: Instant,
    /// Whether the one who asked held nothing.
    empty: bool,
}

impl Invariant for MovesWhatDiffers {
    fn on_stepped(&mut self, scene: Scene<'_>, Stepped { node, view }: Stepped<'_>) -> Verdict {
        // Where slots are filled for a new layout, or given to it, nothing is left out, either.
        let moves = view.slots_to_fill() > 0 || !view.has_moved_away();
        if view.standing().refilling || moves {
            self.refilling.insert(node, scene.now);
        }
        self.rechecks.entry(node).or_insert_with(|| view.config().anti_entropy.recheck);
        Ok(())
    }

    fn on_applied(&mut self, scene: Scene<'_>, applied: Applied<'_>) -> Verdict {
        if applied.copy == HeldAs::Own && scene.facts.before() != applied.record {
            self.on_change(scene, applied.node, applied.key);
        }
        Ok(())
    }

    fn on_removed(&mut self, scene: Scene<'_>, removed: Removed<'_>) -> Verdict {
        if removed.copy == HeldAs::Own {
            self.on_change(scene, removed.node, removed.key);
        }
        Ok(())
    }

    fn on_destroyed(&mut self, scene: Scene<'_>, destroyed: Destroyed<'_>) -> Verdict {
        if destroyed.copy == HeldAs::Own {
            if destroyed.by == By::Node {
                self.given_up.insert((destroyed.node, destroyed.key.clone()), scene.now);
            }
            self.on_change(scene, destroyed.node, destroyed.key);
        }
        Ok(())
    }

    fn on_crashed(&mut self, scene: Scene<'_>, crashed: Crashed<'_>) -> Verdict {
        self.crashed.insert(crashed.node, scene.now);
        crashed.lost.iter().for_each(|key| self.on_change(scene, crashed.node, key));
        Ok(())
    }

    fn on_sent(&mut self, scene: Scene<'_>, sent: Sent<'_>) -> Verdict {
        let (Some(from), Some(to)) = (node_at(sent.from), node_at(sent.to)) else { return Ok(()) };
        match sent.message {
            Message::Compare(compare) => {
                self.on_question(scene.now, from, to, compare.call, &compare.question);
                Ok(())
            }
            Message::Compared(compared) => {
                let Comparison::Records { records, .. } = &compared.answer else { return Ok(()) };
                let whole = self.rests.contains(&(to, from, compared.call));
                records.iter().try_for_each(|(key, _)| self.check(scene, to, from, key, whole))
            }
            Message::ReplicaMerge(merge) if merge.reason == MergeReason::AntiEntropy => {
                self.check(scene, from, to, &merge.key, false)
            }
            Message::ReplicaMerge(_)
            | Message::Hello(_)
            | Message::Welcome(_)
            | Message::Reject(_)
            | Message::Unsupported(_)
            | Message::Get(_)
            | Message::Put(_)
            | Message::Reply(_)
            | Message::ReplicaRead(_)
            | Message::ReplicaRecord(_)
            | Message::ReplicaMerged(_)
            | Message::Collect(_)
            | Message::Collected(_)
            | Message::StatusRequest(_)
            | Message::StatusReply(_)
            | Message::RepairRequest(_)
            | Message::RepairReply(_)
            | Message::LayoutRequest(_)
            | Message::LayoutReply(_)
            | Message::Gossip(_) => Ok(()),
        }
    }
}

impl MovesWhatDiffers {
    /// What a node holds of a key is another record, or may be.
    fn on_change(&mut self, scene: Scene<'_>, node: usize, key: &Key) {
        // Whoever is no primary may be one later, or may have been one.
        let held = |node: usize| scene.disks[node].memory(key).filter(|held| !held.is_empty());
        for other in (0..scene.disks.len()).filter(|other| *other != node) {
            let name = (key.clone(), node.min(other), node.max(other));
            let differ = held(node) != held(other);
            self.pairs.entry(name).or_default().turn(scene.now, differ);
        }
    }

    fn on_question(
        &mut self,
        now: Instant,
        from: usize,
        to: usize,
        call: CallId,
        question: &Question,
    ) {
        match question {
            Question::Branches(branches) => {
                for branch in branches.iter().filter(|asked| asked.branch == Branch::ROOT) {
                    let empty = branch.hash == 0;
                    let asked = self.asked.entry((from, to, branch.slot));
                    let asked = asked.or_insert(Asked { first: now, last: now, empty });
                    // This may be the second look at a slot of which nothing is held.
                    let first = if asked.empty && empty { asked.last } else { now };
                    *asked = Asked { first, last: now, empty };
                }
            }
            Question::Rest { .. } => {
                self.rests.push_back((from, to, call));
                if self.rests.len() > QUESTIONS {
                    self.rests.pop_front();
                }
            }
            Question::States { .. } | Question::Records { .. } => {}
        }
    }

    /// A record moves between the one that asks and the one that is asked.
    fn check(
        &self,
        scene: Scene<'_>,
        asker: usize,
        asked: usize,
        key: &Key,
        whole: bool,
    ) -> Verdict {
        let slot = scene.layout.layout.slot_of(key.as_bytes());
        let Some(begun) = self.asked.get(&(asker, asked, slot)) else {
            let text = format!("n{asker} and n{asked} move a record of a slot without its root");
            return Err(Violation::new(text).at(asker).of(key));
        };
        let both = [asker, asked];
        let crashes = both.iter().filter_map(|node| self.crashed.get(node));
        let given_up = both.iter().filter_map(|node| self.given_up.get(&(*node, key.clone())));
        if crashes.chain(given_up).any(|at| *at >= begun.first) {
            return Ok(());
        }
        if both.iter().any(|node| scene.disks[*node].is_damaged(HeldAs::Own, key)) {
            return Ok(());
        }
        if self.refilling.get(&asker).is_some_and(|last| *last >= begun.first) {
            return Ok(());
        }
        let recheck = self.rechecks.get(&asker).copied().unwrap_or_default();
        let long = if whole { Duration::ZERO } else { recheck * 4 / 5 };
        let pair = self.pairs.get(&(key.clone(), asker.min(asked), asker.max(asked)));
        let since = Instant(begun.first.0.saturating_sub(LAG.as_micros() as u64));
        if pair.is_some_and(|pair| pair.differed(since, scene.now, long)) {
            return Ok(());
        }
        let text = format!(
            "a record moves between n{asker} and n{asked} that did not differ for {long:?} since \
             {since:?}"
        );
        Err(Violation::new(text).at(asker).of(key))
    }
}

impl Pair {
    fn turn(&mut self, now: Instant, differ: bool) {
        if self.differ {
            self.stretches.push_back((self.changed, now));
            if self.stretches.len() > STRETCHES {
                self.stretches.pop_front();
            }
        }
        (self.changed, self.differ) = (now, differ);
    }

    /// Whether there was a stretch of this length within the given time.
    fn differed(&self, since: Instant, until: Instant, long: Duration) -> bool {
        let current = self.differ.then_some((self.changed, until));
        let mut stretches = self.stretches.iter().copied().chain(current);
        stretches.any(|(begin, end)| end >= since && end.since(begin.max(since)) >= long)
    }
}

fn node_at(end: End) -> Option<usize> {
    match end {
        End::Node(node) => Some(node),
        End::Client(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::Record;
    use quorate_core::ids::Epoch;
    use quorate_core::layout::LayoutVersion;
    use quorate_core::merkle::Piece;
    use quorate_core::message::{
        BranchHash, CallId, Compare, Compared, Comparison, MergeReason, Message, Question,
        ReplicaMerge,
    };
    use quorate_core::time::Duration;

    use super::{Destroyed, HeldAs, MovesWhatDiffers};
    use crate::network::End;
    use crate::observation::{By, Observation, Sent};
    use crate::oracle::stage::Stage;

    const RECHECK: Duration = Duration::from_secs(1);

    /// Two nodes, of which the first holds a value that the other one lacks.
    fn one_lacks() -> Stage {
        let rechecks = [(0, RECHECK), (1, RECHECK)].into();
        let mut stage = Stage::new(MovesWhatDiffers { rechecks, ..MovesWhatDiffers::default() });
        let put = stage.put(1, "v", &[]);
        stage.write(0, put);
        stage
    }

    fn send(stage: &mut Stage, from: usize, to: usize, message: &Message) {
        let (from, to) = (End::Node(from), End::Node(to));
        stage.see(&Observation::Sent(Sent { from, to, message }));
    }

    fn ask(stage: &mut Stage, from: usize, to: usize, question: Question) {
        let (call, layout_version) = (CallId(5), LayoutVersion(1));
        let compare = Compare { call, layout_version, leaves: 256, question };
        send(stage, from, to, &Message::Compare(compare));
    }

    fn root(stage: &Stage) -> Piece {
        Piece::whole(stage.layout.layout.slot_of(stage.key.as_bytes()))
    }

    fn ask_for_root(stage: &mut Stage, from: usize, to: usize) {
        let Piece { slot, branch } = root(stage);
        ask(stage, from, to, Question::Branches(vec![BranchHash { slot, branch, hash: 1 }]));
    }

    fn give(stage: &mut Stage, from: usize, to: usize) {
        let (key, record) = (stage.key.clone(), stage.record(from));
        let reason = MergeReason::AntiEntropy;
        let (call, epoch) = (CallId(7), Epoch(1));
        let merge = ReplicaMerge {
            call,
            key,
            record,
            hint_for: None,
            reason,
            epoch,
            layout_version: LayoutVersion(0),
        };
        send(stage, from, to, &Message::ReplicaMerge(merge));
    }

    fn answer(stage: &mut Stage, from: usize, to: usize, record: Record) {
        let records = vec![(stage.key.clone(), record)];
        let (wants, until, epoch) = (Vec::new(), None, Epoch(1));
        let answer = Comparison::Records { records, wants, until, epoch };
        send(stage, from, to, &Message::Compared(Compared { call: CallId(5), answer }));
    }

    #[test]
    fn what_differed_for_long_moves_and_what_was_just_written_does_not() {
        for (waited, fine) in [(RECHECK, true), (RECHECK / 2, false)] {
            let mut stage = one_lacks();
            ask_for_root(&mut stage, 0, 1);
            stage.now = stage.now + waited;
            give(&mut stage, 0, 1);
            stage.expect(fine, "did not differ for");
        }
        let mut stage = one_lacks();
        ask_for_root(&mut stage, 0, 1);
        stage.now = stage.now + RECHECK / 2;
        let put = stage.put(1, "w", &[]);
        stage.write(0, put);
        stage.now = stage.now + RECHECK / 2;
        give(&mut stage, 0, 1);
        stage.expect(false, "did not differ for");
    }

    #[test]
    fn nothing_moves_between_equal_replicas() {
        let mut stage = one_lacks();
        stage.copy(0, 1);
        stage.now = stage.now + RECHECK;
        ask_for_root(&mut stage, 0, 1);
        stage.now = stage.now + RECHECK * 2;
        give(&mut stage, 0, 1);
        stage.expect(false, "did not differ for");
    }

    #[test]
    fn a_copy_that_was_removed_unread_since_the_root_was_asked_for_may_be_replaced() {
        for (by, fine) in [(By::Node, true), (By::Fault, false)] {
            let mut stage = one_lacks();
            stage.copy(0, 1);
            stage.now = stage.now + RECHECK;
            ask_for_root(&mut stage, 0, 1);
            let (key, before, after) = (stage.key.clone(), stage.record(1), Record::new());
            let (node, copy, key) = (1, HeldAs::Own, &key);
            let (before, after) = (&before, &after);
            stage.see(&Observation::Destroyed(Destroyed { node, by, copy, key, before, after }));
            give(&mut stage, 0, 1);
            stage.expect(fine, "did not differ for");
        }
    }

    #[test]
    fn a_difference_that_has_ended_since_may_move() {
        let mut stage = one_lacks();
        ask_for_root(&mut stage, 0, 1);
        stage.now = stage.now + RECHECK;
        stage.copy(0, 1);
        give(&mut stage, 0, 1);
        stage.expect(true, "");
    }

    #[test]
    fn a_piece_that_is_given_as_a_whole_brings_what_was_just_written() {
        for (whole, fine) in [(true, true), (false, false)] {
            let mut stage = one_lacks();
            ask_for_root(&mut stage, 1, 0);
            if whole {
                let piece = root(&stage);
                ask(&mut stage, 1, 0, Question::Rest { piece, after: None, bytes_max: 9 });
            }
            let record = stage.record(0);
            answer(&mut stage, 0, 1, record);
            stage.expect(fine, "did not differ for");
        }
    }

    #[test]
    fn who_moves_has_asked_for_the_root() {
        let mut stage = one_lacks();
        stage.now = stage.now + RECHECK * 2;
        give(&mut stage, 0, 1);
        stage.expect(false, "without its root");
    }
}
