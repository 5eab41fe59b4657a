//! Hints and members, and waiting for them.

use quorate_core::message::MemberState;
use quorate_core::time::Duration;

use super::{Node, Scenario};

/// Between two looks at what is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

impl Scenario {
    /// How many hints `keeper` holds for `target`; nodes that are down hold what is on their disks.
    ///
    /// ```
    /// use quorate_sim::scenario::{Scenario, secs};
    ///
    /// let mut s = Scenario::cluster(5).build();
    /// let ([a, b, _], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    /// s.crash(b);
    /// s.settle();
    /// assert_eq!(s.at(a).w(3).put("k", "v").stand_ins(), [(d, b)]);
    /// assert_eq!(s.hints(d, b), 1);
    /// s.restart(b);
    /// s.wait_until(secs(10), |s| s.all_hints() == 0);
    /// s.expect("k").at(b).siblings(["v"]);
    /// ```
    pub fn hints(&self, keeper: Node, target: Node) -> usize {
        self.world().hints(keeper.0, target.0)
    }

    /// How many hints there are, for anybody.
    pub fn all_hints(&self) -> usize {
        let all: Vec<usize> = self.nodes().into_iter().map(|node| node.0).collect();
        self.world().hints_within(&all)
    }

    /// What `by` holds `member` for; `None` where `by` is down or has never heard of it.
    pub fn state(&self, by: Node, member: Node) -> Option<MemberState> {
        self.world().member_state(by.0, member.0)
    }

    /// Lets time pass until something is so; answers how long that took.
    ///
    /// # Panics
    /// Where it is not so within that time.
    #[track_caller]
    pub fn wait_until(&mut self, within: Duration, is_so: impl Fn(&Scenario) -> bool) -> Duration {
        let begun = self.now();
        while !is_so(self) {
            let passed = self.now().since(begun);
            assert!(passed < within, "that is not so after {passed:?}");
            self.wait(LOOK_EVERY);
        }
        self.now().since(begun)
    }
}
