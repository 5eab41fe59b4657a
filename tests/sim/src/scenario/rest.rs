//! Time that passes, and the last look.

use quorate_core::time::Duration;

use super::{Client, Node, Scenario};
use crate::disk::DiskTemper;
use crate::network::Weather;

/// How long frames from before the healing may still be on their way.
const STRAGGLERS: Duration = Duration::from_secs(5);

/// Sessions that are lost are tried again.
const REFILLED_WITHIN: Duration = Duration::from_secs(120);

impl Scenario {
    /// Lets so much time pass.
    ///
    /// # Panics
    /// Where a property does not hold.
    #[track_caller]
    pub fn wait(&mut self, duration: Duration) {
        self.world.run_for(duration);
        self.check();
    }

    /// Lets so many things happen, one after the other: a frame arrives, a storage answers, a timer
    /// goes off. For faults at every moment of a request.
    ///
    /// # Panics
    /// Where a property does not hold.
    #[track_caller]
    pub fn step(&mut self, count: usize) {
        for _ in 0..count {
            self.world.step();
        }
        self.check();
    }

    /// Lets time pass, a second at least, until no request is under way and all nodes that are up
    /// and not cut off from each other are connected.
    ///
    /// # Panics
    /// Where that never happens, or a property does not hold.
    #[track_caller]
    pub fn settle(&mut self) {
        let rests = self.world.comes_to_rest();
        self.check();
        assert!(rests, "the cluster does not come to rest: {}", self.states());
    }

    /// Repairs everything and checks what must hold then: rules end and what they held is released,
    /// links are healed and calm, disks are sound, all nodes are up, all clients that live go on,
    /// and every key was read from all its primaries. Records that cannot be read are given up with
    /// the disk that they are on.
    ///
    /// # Panics
    /// Where a key cannot be read, or a property does not hold.
    #[track_caller]
    pub fn converge(&mut self, keys: &[&str]) {
        self.repair_all();
        self.wait(STRAGGLERS);
        self.settle();
        self.refill();
        for key in keys {
            let primaries = self.world.primaries(key);
            let first = Node(primaries[0]);
            self.at(first).r(u8::try_from(primaries.len()).unwrap_or(u8::MAX)).get(key);
        }
        self.settle();
        let all: Vec<usize> = self.nodes().into_iter().map(|node| node.0).collect();
        self.world.check_at_rest(&all);
        self.check();
        for key in keys {
            self.expect(key).agree();
        }
    }

    /// Waits until every node that has lost something is refilled.
    fn refill(&mut self) {
        let is_refilled = |s: &Scenario| {
            s.nodes().into_iter().all(|node| s.counter(node, "slots_refilling") == 0)
        };
        self.wait_until(REFILLED_WITHIN, is_refilled);
    }

    fn repair_all(&mut self) {
        for rule in std::mem::take(&mut self.rules) {
            self.release(rule);
        }
        self.world.heal();
        self.world.unclog();
        self.world.set_weather_everywhere(Weather::default());
        for node in self.nodes() {
            self.disk(node, |disk| *disk = DiskTemper::default());
            self.world.defuse(node.0);
            self.world.resume(node.0);
            let (damaged, poisoned) =
                (self.world.has_damaged_disk(node.0), self.world.has_poisoned_disk(node.0));
            if damaged || poisoned {
                self.world.crash(node.0);
            }
            if damaged {
                self.world.wipe(node.0);
            }
            if self.world.node(node.0).is_none() {
                self.world.restart(node.0);
            }
        }
        for Client(client) in (0..self.world.client_count()).map(Client) {
            self.world.thaw(client);
        }
    }

    /// Panics with the first property that did not hold.
    #[track_caller]
    pub(super) fn check(&self) {
        if let Some(violation) = self.world.violation() {
            panic!("{violation}");
        }
    }
}
