//! Healing and the last look: whatever stays broken, the others serve, agree, and have kept every
//! promise.

use std::cmp::Reverse;

use bytes::Bytes;
use quorate_core::client::{CallError, CallOptions, Coordinate, ErrorCode};
use quorate_core::message::QuorumChoice;
use quorate_core::node::Fanout;
use quorate_core::time::Duration;

use super::{End, Open, Run};
use crate::disk::DiskTemper;
use crate::network::{Place, Weather};
use crate::observation::Asked;
use crate::swarm::plan::{Act, Ailment, FaultClass, KEYS, Outcast, Plan};

/// How long frames from before the healing may still be on their way.
const STRAGGLERS: Duration = Duration::from_secs(5);

/// Hints for nodes that are there are handed over within this time.
const HINTS_AT_HOME: Duration = Duration::from_secs(120);

/// How long a coordinator listens for late replicas of a read that is answered.
const LISTENING: Duration = Duration::from_millis(600);

impl Run<'_> {
    /// Repairs everything but the outcast.
    pub(super) fn heal(&mut self) {
        while let Some(Reverse((_, index))) = self.ends.pop() {
            // What ends early ends as it would have; what would begin again does not.
            let end = self.begun[index].clone();
            if !matches!(end, End::CutAgain { .. }) {
                self.end(end);
            }
        }
        self.world.heal();
        self.world.unclog();
        self.world.set_weather_everywhere(Weather::default());
        for node in self.whole_and_outcast() {
            self.world.set_disk_temper(node, DiskTemper::default());
            self.world.resume(node);
            self.world.defuse(node);
            let overfull = self.world.disk_backlog(node) > Duration::from_secs(1);
            if self.world.has_damaged_disk(node) {
                self.reopen(node);
            } else if overfull || self.world.has_poisoned_disk(node) {
                self.world.crash(node);
            }
            if self.world.node(node).is_none() {
                self.world.restart(node);
            }
        }
        // Without the founder, or without one of those whom it waits for, there never is a layout.
        self.wait_for_layout(&self.whole(), 1);
        let Some(Outcast { node, ailment }) = self.outcast else { return };
        match ailment {
            Ailment::Down => self.world.crash(node),
            Ailment::Paused => self.world.pause(node),
            Ailment::CutOff => {
                let others = (0..self.plan.config.nodes).map(Place::Node);
                let clients = (0..self.world.client_count() + 1).map(Place::Client);
                for other in others.chain(clients).filter(|other| *other != Place::Node(node)) {
                    self.world.cut(Place::Node(node), other);
                    self.world.cut(other, Place::Node(node));
                    self.world.hang_up(Place::Node(node), other);
                }
            }
        }
    }

    /// Repairs the outcast, too: others wait for what it has.
    pub(super) fn heal_outcast(&mut self) {
        let Some(Outcast { node, ailment }) = self.outcast.take() else { return };
        match ailment {
            Ailment::Down => self.world.restart(node),
            Ailment::Paused => self.world.resume(node),
            Ailment::CutOff => self.world.heal(),
        }
    }

    /// The nodes that are not outcast serve, hold the same, and have kept every promise.
    pub(super) fn last_look(&mut self) {
        let whole = self.whole();
        self.wait_for_layout(&whole, whole.len());
        self.run_until(self.world.now() + STRAGGLERS);
        self.rest();
        if self.plan.steps.iter().any(|step| matches!(step.act, Act::Layout { .. })) {
            self.wait_for_layouts(&whole);
        }
        self.wait_for_refills(&whole);
        let whole = self.whole();
        self.wait_for_hints(&whole);
        self.wait_for_verdicts(&whole);
        let reader = self.world.add_client();
        let compares = self.plan.config.anti_entropy.bytes_per_second > 0;
        if compares {
            self.wait_for_comparisons(&whole);
        }
        let majority = self.plan.config.replication / 2 + 1;
        let quorum = QuorumChoice { r: majority, w: majority };
        // Where nothing is compared, the first read repairs, and the second one finds nothing to
        // repair.
        for round in 0..if compares { 0 } else { 2 } {
            for key in 0..KEYS.len() {
                let quorum = QuorumChoice { r: self.asked_at_once(key, &whole), ..quorum };
                self.serve(reader, key, Asked::Get, quorum);
                // A coordinator with small tables listens for few late replicas at a time.
                self.run_until(self.world.now() + LISTENING);
            }
            if round == 0 {
                self.rest();
            }
        }
        self.rest();
        if !self.is_over() {
            self.world.check_at_rest(&whole);
        }
        for key in 0..KEYS.len() {
            if compares {
                // What is written last follows everything that stands.
                self.serve(reader, key, Asked::Get, quorum);
            }
            let context = self.told[key].last().map(|(_, context)| context.clone());
            let value = Bytes::from_static(b"the last one");
            let put = Asked::Put { value, context: context.unwrap_or_default() };
            self.serve(reader, key, put, quorum);
        }
    }

    /// The nodes that are not outcast.
    fn whole(&self) -> Vec<usize> {
        let outcast = self.outcast.map(|outcast| outcast.node);
        let nodes = self.whole_and_outcast().into_iter();
        nodes.filter(|node| Some(*node) != outcast).collect()
    }

    /// The nodes that are not lost for good.
    fn whole_and_outcast(&self) -> Vec<usize> {
        (0..self.plan.config.nodes).filter(|node| Some(*node) != self.lost).collect()
    }

    /// R for a read that compares all primaries that are there: where as many are asked as are
    /// needed, that is all of them.
    fn asked_at_once(&self, key: usize, whole: &[usize]) -> u8 {
        let n = self.plan.config.replication;
        match (self.plan.config.fanout, self.plan.config.coordinate) {
            (Fanout::All, Coordinate::Node) => n / 2 + 1,
            (Fanout::Quorum, _) | (_, Coordinate::Client) => {
                let primaries = self.world.primaries(Plan::key(key));
                primaries.iter().filter(|node| whole.contains(node)).count() as u8
            }
        }
    }

    /// What is kept for those who are there comes home.
    fn wait_for_hints(&mut self, whole: &[usize]) {
        let until = self.world.now() + HINTS_AT_HOME;
        while !self.is_over() && self.world.hints_within(whole) > 0 {
            if self.world.now() >= until {
                self.world.fail("hints-come-home", "hints for nodes that are there stay away");
            }
            self.run_until(self.world.now() + Duration::from_millis(100));
        }
    }

    pub(super) fn rest(&mut self) {
        let until = self.world.now() + self.plan.config.timeout + Duration::from_secs(60);
        self.run_until(self.world.now() + Duration::from_secs(1));
        while !self.is_over() && !self.world.is_settled() {
            if self.world.now() >= until {
                self.world.fail("comes-to-rest", "a minute after the last call requests are open");
            }
            self.run_until(self.world.now() + Duration::from_millis(100));
        }
    }

    /// A call that must succeed.
    fn serve(&mut self, client: usize, key: usize, asked: Asked, quorum: QuorumChoice) {
        if self.is_over() {
            return;
        }
        // Long enough to try another node after one that keeps silent.
        let timeout = Some(Duration::from_secs(10));
        let options = CallOptions { quorum, receipt: true, timeout, ..CallOptions::default() };
        let writes = match asked {
            Asked::Get | Asked::Session { .. } => false,
            Asked::Put { .. } | Asked::Delete { .. } => true,
        };
        let call = self.world.call(client, Plan::key(key), asked, options);
        self.open.push(Open { client, call, key, writes });
        let until = self.world.now() + Duration::from_secs(11);
        while !self.is_over() && self.world.ended(client, call).is_none() {
            if self.world.now() >= until {
                self.world.fail("serves-after-healing", "a call after the healing never ends");
            }
            self.run_until(self.world.now() + Duration::from_millis(1));
        }
        let failed = self.world.ended(client, call).and_then(Result::err);
        let tight = self.plan.classes.contains(&FaultClass::SmallTables);
        let by_table = |error: &CallError| {
            tight && matches!(error.code, ErrorCode::BadContext | ErrorCode::TooManySiblings)
        };
        if let Some(error) = failed.filter(|error| !by_table(error)) {
            let text = format!("a call for {:?} after the healing fails: {error}", Plan::key(key));
            self.world.fail("serves-after-healing", &text);
        }
        self.collect();
    }
}
