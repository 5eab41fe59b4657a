//! What happens to the nodes of a trial while the files are put.

use serde_json::{Value, json};

use crate::cluster::Cluster;

/// What is done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// SIGKILL.
    Kill,
    /// A start on what it had stored.
    Restart,
}

/// Something that is done to a node as soon as so many puts have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) deed: Deed,
    pub(super) node: usize,
    pub(super) at: usize,
    /// Files from this number on wait until it is done.
    ahead: usize,
}

/// What a trial does to the nodes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Course {
    /// One node dies half-way.
    OneDies { victim: usize },
    /// Two nodes die one after the other and come back; once they hold all that they missed, the
    /// others die.
    HintsComeHome { victims: [usize; 2] },
}

impl Course {
    pub(super) fn steps(self, files: usize, in_flight: usize) -> Vec<Step> {
        if files == 0 {
            return Vec::new();
        }
        let deeds: Vec<(Deed, usize)> = match self {
            Course::OneDies { victim } => vec![(Deed::Kill, victim)],
            Course::HintsComeHome { victims } => victims
                .into_iter()
                .flat_map(|victim| [(Deed::Kill, victim), (Deed::Restart, victim)])
                .collect(),
        };
        let parts = deeds.len() + 1;
        let part = files / parts;
        let steps = deeds.into_iter().zip(1..).map(|((deed, node), number)| {
            let at = files * number / parts;
            // Puts go on meanwhile, but most of those of the next part come after the deed.
            let ahead = at + in_flight.min(part / 2);
            Step { deed, node, at, ahead }
        });
        steps.collect()
    }

    /// The nodes that die while files are put.
    pub(super) fn victims(self) -> Vec<usize> {
        match self {
            Course::OneDies { victim } => vec![victim],
            Course::HintsComeHome { victims } => victims.to_vec(),
        }
    }

    /// The nodes that all others leave alone in the end.
    pub(super) fn left(self) -> Vec<usize> {
        match self {
            Course::OneDies { .. } => Vec::new(),
            Course::HintsComeHome { victims } => victims.to_vec(),
        }
    }
}

impl Step {
    /// For the runner.
    pub(super) fn json(&self, cluster: &Cluster) -> Value {
        let down = match self.deed {
            Deed::Kill => Some(cluster.label(self.node)),
            Deed::Restart => None,
        };
        json!({ "at": self.at, "ahead": self.ahead, "down": down })
    }

    /// The puts from here on, in a word.
    pub(super) fn phase(&self, cluster: &Cluster) -> String {
        let label = cluster.label(self.node);
        match self.deed {
            Deed::Kill => format!("{label} killed"),
            Deed::Restart => format!("{label} restarted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_come_in_order_and_wait_for_no_put_that_waits_for_them() {
        let courses = [Course::OneDies { victim: 2 }, Course::HintsComeHome { victims: [1, 3] }];
        for (course, deeds) in courses.into_iter().zip([1, 4]) {
            assert_eq!(course.steps(0, 64), []);
            for files in 1..1_000 {
                let steps = course.steps(files, 64);
                assert_eq!(steps.len(), deeds);
                assert!(steps.iter().all(|step| step.at <= step.ahead && step.at < files));
                assert!(steps.is_sorted_by(|a, b| a.ahead <= b.at));
            }
        }
    }
}
