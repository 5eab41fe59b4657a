//! Answers to finished writes, kept for retries: a retry gets the first answer again.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use crate::ids::{Key, NodeId, RequestId};
use crate::message::{Receipt, Written};

/// The last `limit` answers, by request.
///
/// Invariant: `order` holds exactly the keys of `answers`, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    limit: usize,
    answers: BTreeMap<RequestId, Box<Kept>>,
    order: VecDeque<RequestId>,
}

#[derive(Clone, Debug)]
struct Kept {
    key: Key,
    written: Written,
    /// Names the copies that stood behind it.
    receipt: Receipt,
}

impl Answers {
    pub(crate) fn new(limit: usize) -> Answers {
        Answers { limit, answers: BTreeMap::new(), order: VecDeque::new() }
    }

    /// Keeps an answer; the oldest one gives way.
    pub(crate) fn keep(
        &mut self,
        request: RequestId,
        key: Key,
        written: Written,
        receipt: Receipt,
    ) {
        if request == RequestId::default() || self.limit == 0 {
            return;
        }
        if self.answers.insert(request, Box::new(Kept { key, written, receipt })).is_some() {
            return;
        }
        self.order.push_back(request);
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }

    /// The answer to an earlier try of the same write to the same key, if as many copies as are
    /// `needed` stood behind it. Those of nodes that count do; those of fallbacks where the request is
    /// `sloppy`, and what they stood in for counts, too.
    pub(crate) fn find(
        &self,
        request: RequestId,
        key: &Key,
        (needed, sloppy): (usize, bool),
        counts: impl Fn(NodeId) -> bool,
    ) -> Option<(Written, Receipt)> {
        let kept = self.answers.get(&request)?;
        let Receipt { primaries, fallbacks, .. } = &kept.receipt;
        let stood_in = fallbacks.iter().filter(|it| sloppy && counts(it.node));
        let served = primaries.iter().copied().chain(stood_in.map(|it| it.primary));
        let mut served: Vec<NodeId> = served.filter(|node| counts(*node)).collect();
        served.sort_unstable();
        served.dedup();
        let copies = served.len();
        let stands = kept.key == *key && copies >= needed;
        stands.then(|| (kept.written.clone(), kept.receipt.clone()))
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::Answers;
    use crate::ids::{Key, NodeId, RequestId};
    use crate::layout::LayoutVersion;
    use crate::message::{Receipt, StandIn, Written};

    #[test]
    fn the_oldest_answer_gives_way() {
        let mut answers = Answers::new(2);
        let written = Written { context: Bytes::new(), siblings: 1 };
        let receipt = Receipt {
            coordinator: NodeId(1),
            primaries: [NodeId(1), NodeId(2)].into(),
            repaired: [].into(),
            needed: 2,
            layout_version: LayoutVersion(1),
            fallbacks: [StandIn { node: NodeId(4), primary: NodeId(3) }].into(),
            zone: None,
        };
        let request = |sequence| RequestId { client: 1, sequence };
        let all = |_| true;
        for sequence in 1..=3 {
            answers.keep(request(sequence), Key::from("k"), written.clone(), receipt.clone());
        }
        assert_eq!(answers.len(), 2);
        assert_eq!(answers.find(request(1), &Key::from("k"), (2, true), all), None);
        assert_eq!(
            answers.find(request(3), &Key::from("k"), (2, true), all),
            Some((written.clone(), receipt.clone()))
        );
        assert_eq!(
            answers.find(request(3), &Key::from("k"), (3, true), all),
            Some((written, receipt))
        );
        assert_eq!(answers.find(request(3), &Key::from("k"), (3, false), all), None);
        // A local retry counts the copies of its zone.
        for (zone, copies) in [([1, 2, 4], 2), ([1, 3, 4], 2), ([1, 3, 5], 1), ([5, 6, 7], 0)] {
            let counts = |node: NodeId| zone.contains(&node.0);
            let find = |needed| answers.find(request(3), &Key::from("k"), (needed, true), counts);
            assert!(find(copies).is_some() && find(copies + 1).is_none(), "{zone:?}");
        }
        assert_eq!(answers.find(request(3), &Key::from("other"), (2, true), all), None);
    }
}
