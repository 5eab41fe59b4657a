//! Waiting for the first layout, where the nodes have to make it.

use quorate_core::time::{Duration, Instant};

use super::Run;

/// Calls do not wait for longer: faults may keep the nodes apart until they are healed.
const AWAITED: Duration = Duration::from_secs(30);

/// Within this time all who are there know a layout: the longest wait between two dials of somebody
/// who was away, and some rounds of gossip.
const KNOWN_WITHIN: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

const PROPERTY: &str = "first-layout-is-kept";

impl Run<'_> {
    /// How much later than planned that comes which is planned for `at`.
    pub(super) fn late_at(&mut self, at: Instant) -> Duration {
        if let Some(late) = self.late.filter(|_| at >= self.plan.beginning) {
            return late;
        }
        if at < self.plan.beginning {
            return Duration::ZERO;
        }
        self.pass_until(self.plan.beginning);
        let until = self.plan.beginning + AWAITED;
        while self.plan.awaits_layout && !self.is_over() && self.world.now() < until {
            if self.world.layout_is_known() {
                break;
            }
            self.pass_until(self.world.now() + LOOK_EVERY);
        }
        *self.late.insert(self.world.now().since(self.plan.beginning))
    }

    /// Of these nodes so many come to know a layout.
    pub(super) fn wait_for_layout(&mut self, nodes: &[usize], enough: usize) {
        let until = self.world.now() + KNOWN_WITHIN;
        while !self.is_over() {
            let know = nodes.iter().filter(|node| self.world.knows_layout(**node)).count();
            if know >= enough {
                return;
            }
            if self.world.now() >= until {
                let text = format!("{know} of {} nodes know a layout after healing", nodes.len());
                self.world.fail(PROPERTY, &text);
            }
            self.run_until(self.world.now() + LOOK_EVERY);
        }
    }
}
