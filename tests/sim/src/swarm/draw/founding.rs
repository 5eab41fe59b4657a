//! Troubles of nodes that know one seed, while they meet and make the first layout.

use quorate_core::time::{Duration, Instant};

use super::{Drawing, pick};
use crate::config::{Birth, FOUNDER};
use crate::network::up_to;
use crate::swarm::plan::{Act, FaultClass, Loses};

/// Most faults before the beginning.
const FAULTS_MAX: u64 = 6;

/// The longest time that such a fault may last: from less than a dial to some rounds of gossip.
const LASTS_MAX: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(8),
];

impl Drawing {
    /// The faults before the beginning, of the same classes as those after it.
    pub(super) fn troubled_founding(&mut self) -> Vec<(Instant, Act)> {
        let troubles = self.troubles();
        if self.config.birth == Birth::Layout || troubles.is_empty() {
            return Vec::new();
        }
        let mut acts = Vec::new();
        for _ in 0..self.founding.below(FAULTS_MAX + 1) {
            let at = Instant(0) + up_to(&mut self.founding, self.beginning.since(Instant(0)));
            let class = pick(&mut self.founding, &troubles);
            let longest = pick(&mut self.founding, &LASTS_MAX);
            let lasts = up_to(&mut self.founding, longest);
            let act = self.founding_fault(class);
            acts.extend(act.map(|act| (at, act.lasting(lasts))));
        }
        acts
    }

    /// A fault; of those that strike a node, half strike the founder.
    fn founding_fault(&mut self, class: FaultClass) -> Option<Act> {
        let at_founder = self.founding.chance(1, 2);
        let node = if at_founder { FOUNDER } else { self.node() };
        let act = match class {
            FaultClass::Crashes => Some(self.crash(node, Loses::Nothing, Duration::ZERO)),
            FaultClass::Destruction => {
                self.destructions = self.destructions.checked_sub(1)?;
                Some(self.crash(node, Loses::Everything, Duration::ZERO))
            }
            FaultClass::Clogs
            | FaultClass::HangUps
            | FaultClass::Partitions
            | FaultClass::Pauses
            | FaultClass::Clocks
            | FaultClass::SlowDisks
            | FaultClass::DiskErrors
            | FaultClass::SyncErrors
            | FaultClass::ClientDeaths
            | FaultClass::Bursts
            | FaultClass::Freezes
            | FaultClass::Delays
            | FaultClass::Loss
            | FaultClass::Duplicates
            | FaultClass::Reorder
            | FaultClass::Capacity
            | FaultClass::StaleClients
            | FaultClass::SmallTables => self.fault(class),
        };
        act.map(|act| if at_founder { act.at_node(FOUNDER) } else { act })
    }
}
