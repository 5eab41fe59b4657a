//! After the healing: who is there is held for up, who is not for down.

use quorate_core::membership::MemberView;
use quorate_core::message::MemberState;
use quorate_core::time::Duration;

use super::Run;

/// Within this time all who are there have heard of each other: the longest wait between two dials
/// of somebody who was away, and some rounds of gossip.
const UP_WITHIN: Duration = Duration::from_secs(30);

/// Within this time somebody who is gone is down for all: links that were bad have taught patience.
const DOWN_WITHIN: Duration = Duration::from_secs(200);

const PROPERTY: &str = "detection-is-right";

impl Run<'_> {
    /// What nodes hold each other for comes to be right.
    pub(super) fn wait_for_verdicts(&mut self, whole: &[usize]) {
        let begun = self.world.now();
        while !self.is_over() {
            let waited = self.world.now().since(begun);
            let wrong = self.first_held_for_other(whole, whole, MemberState::Up);
            if let Some(text) = wrong.clone().filter(|_| waited >= UP_WITHIN) {
                self.world.fail(PROPERTY, &text);
            }
            let outcast: Vec<usize> = self.outcast.iter().map(|outcast| outcast.node).collect();
            let gone = self.first_held_for_other(whole, &outcast, MemberState::Down);
            if wrong.is_none() && gone.is_none() {
                return;
            }
            if let Some(text) = gone.filter(|_| waited >= DOWN_WITHIN) {
                self.world.fail(PROPERTY, &text);
            }
            self.run_until(self.world.now() + Duration::from_millis(500));
        }
    }

    fn first_held_for_other(
        &self,
        nodes: &[usize],
        members: &[usize],
        state: MemberState,
    ) -> Option<String> {
        let pairs =
            nodes.iter().flat_map(|node| members.iter().map(move |member| (*node, *member)));
        pairs.into_iter().find_map(|(node, member)| {
            let held = self.world.member(node, member);
            let is_right = held.as_ref().is_some_and(|held| held.state == state);
            (!is_right).then(|| {
                format!(
                    "n{member} is {state:?}, but n{node} holds it for {held:?}; the others: {}",
                    self.views(nodes, member)
                )
            })
        })
    }

    /// What some nodes know of a member, in short.
    fn views(&self, nodes: &[usize], member: usize) -> String {
        let views = nodes.iter().filter_map(|node| {
            let MemberView { info, state, witnesses, .. } = self.world.member(*node, member)?;
            let (life, heartbeat) = (info.incarnation.0, info.heartbeat);
            Some(format!("n{node}: {state:?} {life}/{heartbeat} {witnesses:?}"))
        });
        views.collect::<Vec<_>>().join(", ")
    }
}
