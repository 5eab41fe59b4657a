//! After the healing, without a read: comparisons make all replicas equal, and then move nothing.

use quorate_core::time::Duration;

use super::Run;

/// Beyond the rounds: sessions that were lost are tried again, and slots that are compared with
/// somebody else wait their turn.
const SLACK: Duration = Duration::from_secs(60);

/// Rounds within which all replicas are equal.
const ROUNDS: u32 = 3;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(200);

const PROPERTY: &str = "replicas-converge";

impl Run<'_> {
    /// All replicas come to hold the same, and then a further round moves no record.
    pub(super) fn wait_for_comparisons(&mut self, whole: &[usize]) {
        let settings = self.plan.config.anti_entropy;
        // A wait varies by a quarter of the interval.
        let round = settings.interval + settings.interval / 4 + settings.recheck;
        let until = self.world.now() + round * ROUNDS + SLACK;
        while !self.is_over() {
            let Some(text) = self.world.first_difference(whole) else { break };
            if self.world.now() >= until {
                let text = format!("{ROUNDS} rounds after the healing {text}");
                self.world.fail(PROPERTY, &text);
            }
            self.run_until(self.world.now() + LOOK_EVERY);
        }
        // What was different a moment ago may be on its way still.
        self.run_until(self.world.now() + settings.recheck + Duration::from_secs(2));
        let moved = self.world.records_moved(whole);
        self.run_until(self.world.now() + round);
        let more = self.world.records_moved(whole).saturating_sub(moved);
        if more > 0 && !self.is_over() {
            let text =
                format!("a round of comparisons between equal replicas moves {more} records");
            self.world.fail(PROPERTY, &text);
        }
        self.rest();
    }
}
