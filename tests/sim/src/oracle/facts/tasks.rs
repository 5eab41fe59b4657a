//! What coordinators asked of nodes.

use std::sync::Arc;

use quorate_core::causality::{Context, Held};
use quorate_core::ids::Key;
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
        /// What it held when it was asked first.
        held: Arc<Held>,
        /// The number of the observation of that.
        number: u64,
    },
    /// To hold of a key what a record knows.
    Merge { key: Key, known: Context },
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
            let held = self.key(&read.key).map(|key| key.memory[node].clone()).unwrap_or_default();
            let task = Task::Read { key: read.key.clone(), held, number: self.number };
            self.tasks.entry((node, coordinator, read.call)).or_insert(task);
        } else if let Message::ReplicaMerge(merge) = message
            && merge.call != REPAIR
        {
            let task = Task::Merge { key: merge.key.clone(), known: merge.record.context() };
            self.tasks.insert((node, coordinator, merge.call), task);
        }
    }
}

#[cfg(test)]
mod tests {
    use quorate_core::causality::Record;
    use quorate_core::message::{CallId, Message, ReplicaMerge, ReplicaRead};

    use super::Task;
    use crate::invariants::{Invariant, REPAIR};
    use crate::network::End;
    use crate::observation::{Delivered, Observation};
    use crate::oracle::stage::Stage;

    struct Nothing;

    impl Invariant for Nothing {}

    fn ask(stage: &mut Stage, message: &Message) {
        let (from, to) = (End::Node(0), End::Node(1));
        stage.see(&Observation::Delivered(Delivered { from, to, message, again: false }));
    }

    #[test]
    fn a_node_forgets_what_it_was_asked_when_it_crashes() {
        let mut stage = Stage::new(Nothing);
        let (key, record) = (stage.key.clone(), Record::new());
        ask(&mut stage, &Message::ReplicaRead(ReplicaRead { call: CallId(7), key: key.clone() }));
        ask(&mut stage, &Message::ReplicaMerge(ReplicaMerge { call: CallId(8), key, record }));
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
        let (key, record) = (stage.key.clone(), Record::new());
        let repair = ReplicaMerge { call: REPAIR, key: key.clone(), record };
        ask(&mut stage, &Message::ReplicaMerge(repair));
        assert!(stage.facts.task(1, 0, REPAIR).is_none());
        let read = Message::ReplicaRead(ReplicaRead { call: CallId(7), key });
        ask(&mut stage, &read);
        let put = stage.put(1, "v", &[]);
        stage.write(1, put);
        ask(&mut stage, &read);
        let Some(Task::Read { held, .. }) = stage.facts.task(1, 0, CallId(7)) else {
            panic!("it was asked")
        };
        assert!(held.record().is_empty());
    }
}
