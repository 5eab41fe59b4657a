//! What coordinators asked of nodes.

use std::sync::Arc;

use quorate_core::causality::{Context, Held, Record, RecordDigest};
use quorate_core::ids::Key;
use quorate_core::machine::HeldAs;
use quorate_core::message::{CallId, Message};

use super::Facts;
use crate::invariants::REPAIR;
use crate::network::End;
use crate::observation::Delivered;

/// What a call of a coordinator asked of a node.
pub(crate) enum Task {
    /// To say what it holds of a key.
    Read {
        key: Key,
        /// Whether it was asked as a stand-in.
        stand_in: bool,
        /// What it held each time it was asked; a frame may come twice.
        held: Vec<HeldThen>,
        /// What the coordinator has.
        digest: Option<RecordDigest>,
        /// The number of the observation of the first time.
        number: u64,
    },
    /// To hold of a key what a record knows.
    Merge { key: Key, copy: HeldAs, known: Context },
}

/// What a node held of a key.
pub(crate) struct HeldThen {
    /// Its own copy.
    pub(crate) own: Arc<Held>,
    /// Its hints, where it was asked as a stand-in.
    pub(crate) hints: Vec<Arc<Held>>,
}

impl HeldThen {
    /// All copies, the own one first.
    pub(crate) fn copies(&self) -> impl Iterator<Item = &Arc<Held>> {
        std::iter::once(&self.own).chain(&self.hints)
    }

    /// Whether there was nothing but this own copy.
    pub(crate) fn is_only(&self, own: &Arc<Held>) -> bool {
        Arc::ptr_eq(&self.own, own) && self.hints.is_empty()
    }

    /// The own copy merged with some of the hints, for each choice of them: a node that has just
    /// started does not yet know what hints it has.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record> {
        (0..1_usize << self.hints.len()).map(|chosen| {
            let mut record = self.own.record().clone();
            for (place, hint) in self.hints.iter().enumerate() {
                if chosen >> place & 1 == 1 {
                    record.merge(hint.record());
                }
            }
            record
        })
    }
}

impl Facts {
    /// What a call of a coordinator asked of a node in the life that the node has; repairs, which
    /// have no call of their own, are left out.
    pub(crate) fn task(&self, node: usize, coordinator: usize, call: CallId) -> Option<&Task> {
        self.tasks.get(&(node, coordinator, call))
    }

    pub(super) fn on_asked(&mut self, Delivered { from, to, message, .. }: Delivered<'_>) {
        let (End::Node(coordinator), End::Node(node)) = (from, to) else { return };
        if let Message::ReplicaRead(read) = message {
            let then = match self.key(&read.key) {
                Some(key) => {
                    let mut copies = key.copies_at(node).cloned();
                    let own = copies.next().unwrap_or_default();
                    HeldThen { own, hints: if read.stand_in { copies.collect() } else { vec![] } }
                }
                None => HeldThen { own: Arc::default(), hints: Vec::new() },
            };
            let first = Task::Read {
                key: read.key.clone(),
                stand_in: read.stand_in,
                held: Vec::new(),
                digest: read.digest,
                number: self.number,
            };
            let task = self.tasks.entry((node, coordinator, read.call)).or_insert(first);
            if let Task::Read { held, .. } = task {
                held.push(then);
            }
        } else if let Message::ReplicaMerge(merge) = message
            && merge.call != REPAIR
        {
            // A hint for the receiver itself has come home.
            let target = merge.hint_for.filter(|target| self.index(*target) != Some(node));
            let copy = target.map_or(HeldAs::Own, |target| HeldAs::Hint { target });
            let known = merge.record.context();
            let task = Task::Merge { key: merge.key.clone(), copy, known };
            self.tasks.insert((node, coordinator, merge.call), task);
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::Record;
    use quorate_core::ids::{Epoch, Key};
    use quorate_core::layout::LayoutVersion;
    use quorate_core::message::{CallId, MergeReason, Message, ReplicaMerge, ReplicaRead};

    use super::Task;
    use crate::invariants::{Invariant, REPAIR};
    use crate::network::End;
    use crate::observation::{Delivered, Observation};
    use crate::oracle::stage::Stage;

    struct Nothing;

    impl Invariant for Nothing {}

    fn read(key: Key) -> ReplicaRead {
        ReplicaRead { call: CallId(7), key, digest: None, stand_in: false }
    }

    fn merge(call: CallId, key: Key) -> ReplicaMerge {
        let (record, reason) = (Record::new(), MergeReason::Write);
        ReplicaMerge {
            call,
            key,
            record,
            hint_for: None,
            reason,
            epoch: Epoch(1),
            layout_version: LayoutVersion(0),
        }
    }

    fn ask(stage: &mut Stage, message: &Message) {
        let (from, to) = (End::Node(0), End::Node(1));
        stage.see(&Observation::Delivered(Delivered { from, to, message, again: false }));
    }

    #[test]
    fn a_node_forgets_what_it_was_asked_when_it_crashes() {
        let mut stage = Stage::new(Nothing);
        let key = stage.key.clone();
        ask(&mut stage, &Message::ReplicaRead(read(key.clone())));
        ask(&mut stage, &Message::ReplicaMerge(merge(CallId(8), key)));
        stage.crash(0);
        assert!(matches!(stage.facts.task(1, 0, CallId(7)), Some(Task::Read { .. })));
        assert!(matches!(stage.facts.task(1, 0, CallId(8)), Some(Task::Merge { .. })));
        stage.crash(1);
        for call in [7, 8] {
            assert!(stage.facts.task(1, 0, CallId(call)).is_none());
        }
    }

    #[test]
    fn a_repair_is_no_task_and_a_read_knows_what_was_held_at_first() {
        let mut stage = Stage::new(Nothing);
        let key = stage.key.clone();
        let repair = merge(REPAIR, key.clone());
        ask(&mut stage, &Message::ReplicaMerge(repair));
        assert!(stage.facts.task(1, 0, REPAIR).is_none());
        let read = Message::ReplicaRead(read(key));
        ask(&mut stage, &read);
        let put = stage.put(1, "v", &[]);
        stage.write(1, put);
        ask(&mut stage, &read);
        let Some(Task::Read { held, .. }) = stage.facts.task(1, 0, CallId(7)) else {
            panic!("it was asked")
        };
        assert!(held[0].own.record().is_empty());
        assert!(!held[1].own.record().is_empty());
    }
}
