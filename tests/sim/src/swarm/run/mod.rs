//! Carrying out a plan: faults and calls, then healing, then the last look.

mod comparing;
mod detection;
mod founding;
mod healing;
mod layouts;
mod refilling;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use quorate_core::causality::Checksum;
use quorate_core::client::CallOptions;
use quorate_core::ids::{Key, RequestId};
use quorate_core::layout::LayoutVersion;
use quorate_core::message::{
    Answer, CallId, Change, Message, Outcome, Put, QuorumChoice, RequestHead, Strictness,
};
use quorate_core::time::{Duration, Instant};

use super::plan::{Act, Kind, Loses, Outcast, Plan, Shown};
use super::report::{Calls, Report};
use crate::config::Birth;
use crate::invariants::Violation;
use crate::network::Place;
use crate::observation::Asked;
use crate::sight::{Recorder, Sight, Watched};
use crate::trace::LogFilter;
use crate::world::World;

/// Events that a run may take for each of its calls, and in any case: more is no progress.
const EVENTS_PER_CALL: u64 = 2_000;
const EVENTS_AT_LEAST: u64 = 2_000_000;

/// Runs a plan; with a log of what passes the filter, if one is given.
///
/// An assertion of a machine that fails is a violation like any other.
pub fn run(plan: &Plan, log: Option<LogFilter>) -> Report {
    let keep_log = |world: &mut World| {
        if let Some(filter) = log {
            world.keep_log(filter);
        }
    };
    Run::new(plan, keep_log).come_to_an_end().0
}

/// Runs a plan while somebody watches, and keeps so many happenings, the last ones.
pub fn run_watched(plan: &Plan, happenings_max: usize) -> (Report, Watched) {
    let sight = Sight::recording(Recorder::new(happenings_max));
    let (report, mut world) = Run::new(plan, |world| world.watch(sight)).come_to_an_end();
    (report, world.take_sight().map(|sight| sight.into_watched()).unwrap_or_default())
}

struct Run<'a> {
    plan: &'a Plan,
    world: World,
    /// The client that stands at each place of the plan: those that vanish are replaced.
    clients: Vec<usize>,
    open: Vec<Open>,
    /// The endings that the world had counted when they were last looked through.
    collected: u64,
    /// Contexts that somebody was told, by key and in their order, with who was told.
    told: Vec<Vec<(usize, Bytes)>>,
    /// What ends faults, by time and then by the order in which they began.
    ends: BinaryHeap<Reverse<(Instant, usize)>>,
    begun: Vec<End>,
    /// Links that are cut, each as often as by a partition that lasts.
    cuts: Vec<(Place, Place)>,
    calls: Calls,
    /// What stays broken after the healing.
    outcast: Option<Outcast>,
    /// The node that is lost for good.
    lost: Option<usize>,
    /// Calls of clients of another make.
    unnamed: u64,
    /// Events above which the run is taken for endless.
    events_max: u64,
    /// How much later than planned all comes that follows the beginning; `None` before it.
    late: Option<Duration>,
}

/// A call under way.
struct Open {
    client: usize,
    call: CallId,
    key: usize,
    writes: bool,
}

/// What ends a fault.
#[derive(Clone)]
enum End {
    Restart { node: usize, loses: Loses, kept: u32 },
    Reopen { node: usize },
    Resume { node: usize },
    Calm { node: usize },
    Heal { links: Vec<(Place, Place)> },
    CutAgain { links: Vec<(Place, Place)>, known: bool },
    Thaw { client: usize },
}

impl<'a> Run<'a> {
    /// The beginning; `prepare` is given the world before it has any clients.
    fn new(plan: &'a Plan, prepare: impl FnOnce(&mut World)) -> Run<'a> {
        let mut world = match plan.config.birth {
            Birth::Layout => World::new(plan.config.clone()),
            Birth::OneSeed => World::begin(plan.config.clone()),
        };
        prepare(&mut world);
        let mut run = Run {
            plan,
            world,
            clients: Vec::new(),
            open: Vec::new(),
            collected: 0,
            told: super::plan::KEYS.map(|_| Vec::new()).into(),
            ends: BinaryHeap::new(),
            begun: Vec::new(),
            cuts: Vec::new(),
            calls: Calls::default(),
            outcast: plan.outcast,
            lost: None,
            unnamed: 0,
            events_max: EVENTS_AT_LEAST + EVENTS_PER_CALL * plan.steps.len() as u64,
            late: None,
        };
        for stale in &plan.clients {
            let client = if *stale { run.world.add_stale_client() } else { run.world.add_client() };
            run.clients.push(client);
        }
        run
    }

    fn come_to_an_end(mut self) -> (Report, World) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.carry_out()));
        let panicked = outcome.err().map(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Violation { at: self.world.now(), ..*Violation::of_machine(text.unwrap_or_default()) }
        });
        let Run { plan, mut world, calls, .. } = self;
        let report = Report {
            seed: plan.seed,
            trace: world.trace_hash(),
            events: world.events_taken(),
            simulated: world.now().since(Instant(0)),
            calls,
            marks: world.marks().clone(),
            violation: panicked.or_else(|| world.violation().cloned()),
            log: world.take_log(),
        };
        (report, world)
    }

    fn carry_out(&mut self) {
        for step in &self.plan.steps {
            let late = self.late_at(step.at);
            self.pass_until(step.at + late);
            if self.is_over() {
                return;
            }
            if !matches!(step.act, Act::Call { .. }) {
                self.world.note(|| format!("step {}: {}", step.number, step.act));
            }
            self.act(&step.act);
        }
        self.heal();
        self.last_look();
    }

    /// Lets time pass until `until`; faults end in the meantime.
    fn pass_until(&mut self, until: Instant) {
        while let Some(Reverse((at, index))) = self.ends.peek().copied() {
            if at > until {
                break;
            }
            self.ends.pop();
            self.run_until(at);
            let end = self.begun[index].clone();
            self.end(end);
        }
        self.run_until(until);
    }

    fn run_until(&mut self, until: Instant) {
        while !self.is_over() && self.world.step_until(until) {}
        self.collect();
    }

    fn is_over(&mut self) -> bool {
        if self.world.events_taken() > self.events_max {
            self.world.fail("comes-to-rest", "the machines never stop sending");
        }
        self.world.violation().is_some()
    }

    fn act(&mut self, act: &Act) {
        let now = self.world.now();
        match act {
            Act::Call { client, key, kind, quorum, ttl } => {
                self.call(*client, *key, *kind, (*quorum, *ttl));
            }
            Act::Burst { node, key, puts } => self.burst(*node, *key, *puts),
            // Before there is a layout there is nothing to be removed from.
            Act::Lose { node } if self.world.is_founded() => {
                self.world.crash(*node);
                self.world.wipe(*node);
                self.lost = Some(*node);
            }
            Act::Lose { .. } => {}
            Act::Layout { node, weights } => self.change_layout(*node, weights),
            Act::Cancel { client } => {
                let client = self.clients[*client];
                let last = self.open.iter().rev().find(|open| open.client == client);
                let last = last.map(|open| (open.client, open.call));
                if let Some((client, call)) = last.filter(|_| !self.world.is_frozen(client)) {
                    self.world.cancel(client, call);
                }
            }
            Act::Crash { node, effects, kept, stops, loses, lasts } => {
                match effects {
                    _ if *stops => self.world.stop(*node),
                    Some(effects) => self.world.crash_after(*node, *effects, *kept),
                    None => self.world.crash_keeping(*node, *kept),
                }
                let end = End::Restart { node: *node, loses: *loses, kept: *kept };
                self.end_at(now + *lasts, end);
            }
            Act::Snapshot { node } => self.world.take_snapshot(*node),
            Act::Rot { node, key, lasts } => {
                self.world.damage(*node, Plan::key(*key));
                self.end_at(now + *lasts, End::Reopen { node: *node });
            }
            Act::Pause { node, lasts } => {
                self.world.pause(*node);
                self.end_at(now + *lasts, End::Resume { node: *node });
            }
            Act::Clock { node, jump_ms, ppm } => {
                self.world.jump_clock(*node, *jump_ms);
                self.world.drift_clock(*node, *ppm);
            }
            Act::Disk { node, temper, lasts } => {
                self.world.set_disk_temper(*node, *temper);
                self.end_at(now + *lasts, End::Calm { node: *node });
            }
            Act::Partition { links, known, lasts, flaps } => {
                self.cut(links, *known);
                let pieces = 2 * flaps + 1;
                for piece in 1..=pieces {
                    let at = now + *lasts * piece / pieces;
                    let links = links.clone();
                    let end = if piece % 2 == 1 {
                        End::Heal { links }
                    } else {
                        End::CutAgain { links, known: *known }
                    };
                    self.end_at(at, end);
                }
            }
            Act::Clog { from, to, lasts } => self.world.clog(*from, *to, *lasts),
            Act::HangUp { a, b } => self.world.hang_up(*a, *b),
            Act::KillClient { client, effects } => {
                self.world.kill_client_after(self.clients[*client], *effects);
            }
            Act::Freeze { client, lasts } => {
                let client = self.clients[*client];
                self.world.freeze(client);
                self.end_at(now + *lasts, End::Thaw { client });
            }
        }
    }

    fn end_at(&mut self, at: Instant, end: End) {
        self.begun.push(end);
        self.ends.push(Reverse((at, self.begun.len() - 1)));
    }

    fn end(&mut self, end: End) {
        match end {
            End::Restart { node, .. } | End::Reopen { node } | End::Calm { node }
                if self.lost == Some(node) => {}
            End::Restart { node, loses, kept } => {
                // It may not have come to its end yet, or be back from another crash.
                self.world.crash_keeping(node, kept);
                match loses {
                    Loses::Nothing => {}
                    Loses::Everything => self.world.wipe(node),
                    Loses::SinceSnapshot => self.world.roll_back(node),
                }
                self.world.restart(node);
            }
            End::Reopen { node } => self.reopen(node),
            End::Resume { node } => self.world.resume(node),
            End::Calm { node } => {
                self.world.set_disk_temper(node, self.plan.config.disk);
                if self.world.has_poisoned_disk(node) {
                    self.world.crash(node);
                    self.world.restart(node);
                }
            }
            End::Heal { links } => self.heal_links(&links),
            End::CutAgain { links, known } => self.cut(&links, known),
            End::Thaw { client } => self.world.thaw(client),
        }
    }

    fn cut(&mut self, links: &[(Place, Place)], known: bool) {
        for (from, to) in links {
            self.world.cut(*from, *to);
            if known {
                self.world.hang_up(*from, *to);
            }
        }
        self.cuts.extend(links);
    }

    fn heal_links(&mut self, links: &[(Place, Place)]) {
        for link in links {
            if let Some(index) = self.cuts.iter().position(|cut| cut == link) {
                self.cuts.swap_remove(index);
            }
        }
        self.world.heal();
        for (from, to) in self.cuts.clone() {
            self.world.cut(from, to);
        }
    }

    fn call(
        &mut self,
        place: usize,
        key: usize,
        kind: Kind,
        (quorum, ttl): (QuorumChoice, Option<Duration>),
    ) {
        if self.world.is_dead(self.clients[place]) {
            self.clients[place] = self.world.add_client();
        }
        let client = self.clients[place];
        if self.world.is_frozen(client) {
            return;
        }
        let asked = match kind {
            Kind::Get => Asked::Get,
            Kind::Session(shown) => {
                let context = self.context(client, key, shown);
                if context.is_empty() { Asked::Get } else { Asked::Session { context } }
            }
            Kind::Put(shown) => {
                let mut value = format!("{}:{}", Plan::key(key), self.world.now().0);
                value.push_str(&".".repeat(self.plan.padding));
                Asked::Put { value: value.into(), context: self.context(client, key, shown) }
            }
            Kind::Delete(shown) => Asked::Delete { context: self.context(client, key, shown) },
        };
        let writes = matches!(kind, Kind::Put(_) | Kind::Delete(_));
        let options = CallOptions { quorum, receipt: true, ttl, ..CallOptions::default() };
        let call = self.world.call(client, Plan::key(key), asked, options);
        self.open.push(Open { client, call, key, writes });
        self.collect();
    }

    fn burst(&mut self, node: usize, key: usize, puts: usize) {
        if self.world.node(node).is_none() {
            return;
        }
        for _ in 0..puts {
            let head = self.unnamed_head(Plan::key(key).into());
            let value = Bytes::from(format!("{}:unnamed {}", Plan::key(key), self.unnamed));
            let put = Put {
                head,
                context: Bytes::new(),
                request: RequestId::default(),
                change: Change::Value {
                    checksum: Checksum::of_value(&value),
                    payload: value,
                    ttl: None,
                },
            };
            // Each node sees one connection of theirs.
            self.world.hand(node, node as u64, Message::Put(put));
        }
    }

    /// The head of a request of a client of another make.
    fn unnamed_head(&mut self, key: Key) -> RequestHead {
        self.unnamed += 1;
        RequestHead {
            call: CallId(self.unnamed),
            key,
            quorum: QuorumChoice::default(),
            strictness: Strictness::Configured,
            budget: self.plan.config.timeout,
            layout_version: LayoutVersion(0),
            passed_on: false,
            receipt: true,
            zone: None,
        }
    }

    fn context(&self, client: usize, key: usize, shown: Shown) -> Bytes {
        let told = &self.told[key];
        let found = match shown {
            Shown::Nothing => None,
            Shown::Newest => told.last(),
            Shown::Own => told.iter().rev().find(|(who, _)| *who == client),
            Shown::Older(back) => told.len().checked_sub(1 + back).map(|index| &told[index]),
        };
        found.map(|(_, context)| context.clone()).unwrap_or_default()
    }

    /// Notes the calls that have ended.
    fn collect(&mut self) {
        if self.world.endings() == self.collected {
            return;
        }
        self.collected = self.world.endings();
        let Run { world, open, told, calls, .. } = self;
        open.retain(|open| {
            let Some(ended) = world.ended(open.client, open.call) else {
                let orphaned = world.is_dead(open.client);
                calls.orphaned += u64::from(orphaned);
                return !orphaned;
            };
            match ended {
                Ok(finished) => {
                    told[open.key].push((open.client, finished.context()));
                    match &finished.0.answer {
                        Answer::Entry(_) => calls.read += 1,
                        Answer::Written(_) => calls.written += 1,
                    }
                }
                Err(error) if open.writes && error.outcome == Outcome::Unknown => {
                    calls.unknown += 1
                }
                Err(_) => calls.refused += 1,
            }
            false
        });
    }
}
