//! Drawing a plan from a seed.

mod founding;
mod links;
mod settings;

use std::collections::BTreeSet;

use quorate_core::message::QuorumChoice;
use quorate_core::prng::Prng;
use quorate_core::time::{Duration, Instant};

use settings::{be_sloppy, config, draw_coordinate};

use super::collection::draw_collection;
use super::comparisons::draw_comparisons;
use super::expiry::Expiry;
use super::layouts::Changes;
use super::plan::{Act, Ailment, FaultClass, KEYS, Kind, Loses, Outcast, Plan, Shown, Step};
use crate::config::{Birth, WorldConfig};
use crate::disk::DiskTemper;
use crate::network::up_to;

/// When the first step may come: the nodes have found each other.
const BEGINNING: Instant = Instant(2_000_000);

/// When the calls may begin of nodes that know one seed: before or after they have met.
const BEGINNINGS_MS: [u64; 4] = [100, 500, 1_500, 2_500];

impl Plan {
    /// The plan of a seed, with so many calls.
    pub fn draw(seed: u64, calls: usize) -> Plan {
        let mut drawing = Drawing::new(seed, calls);
        let faults = if drawing.troubles().is_empty() { 0 } else { calls / 16 };
        let mut acts: Vec<(Instant, Act)> = Vec::new();
        for _ in 0..calls {
            let at = drawing.moment();
            let act = drawing.call();
            acts.push((at, act));
        }
        for _ in 0..faults {
            let at = drawing.moment();
            let class = drawing.trouble();
            let faults = drawing.faults(at, class);
            acts.extend(faults.into_iter().map(|(at, act)| (at, drawing.prolong(act))));
        }
        acts.extend(drawing.troubled_founding());
        acts.extend(drawing.changes.acts(seed, &drawing.config, &drawing.classes));
        acts.sort_by_key(|(at, _)| *at);
        let steps = acts.into_iter().enumerate();
        let steps = steps.map(|(number, (at, act))| Step { number, at, act }).collect();
        drawing.plan(steps)
    }
}

struct Drawing {
    seed: u64,
    prng: Prng,
    /// Decides about sloppy quorums and what goes with them.
    sloppiness: Prng,
    /// Decides how the nodes come to know each other, and what disturbs them.
    founding: Prng,
    /// Decides which nodes stop cleanly, and what else goes with losses.
    losses: Prng,
    /// Decides when all other nodes go down with one that loses something.
    blackouts: Prng,
    /// Decides which values expire, and when.
    expiry: Expiry,
    /// How the layout changes.
    changes: Changes,
    /// Decides what comes while it does.
    dense: Prng,
    config: WorldConfig,
    beginning: Instant,
    awaits_layout: bool,
    classes: BTreeSet<FaultClass>,
    clients: Vec<bool>,
    keys: usize,
    /// How long the calls go on.
    span: Duration,
    /// Whether calls ask for quorums of their own.
    own_quorums: bool,
    /// Of ten calls, how many are reads.
    gets: u64,
    /// Of ten writes, how many are blind.
    blind: u64,
    /// Disks that may still be destroyed.
    destructions: u32,
    padding: usize,
}

impl Drawing {
    fn new(seed: u64, calls: usize) -> Drawing {
        let mut prng = Prng::stream(seed, "plan");
        let chosen = FaultClass::ALL.iter().copied().filter(|_| prng.chance(1, 2));
        let mut classes: BTreeSet<FaultClass> = chosen.collect();
        let mut founding = Prng::stream(seed, "plan of the founding");
        let (mut beginning, mut awaits_layout) = (BEGINNING, false);
        let mut birth = Birth::Layout;
        if founding.chance(1, 4) {
            birth = Birth::OneSeed;
            // There is no layout before the first one.
            classes.remove(&FaultClass::StaleClients);
            let later = Duration::from_millis(pick(&mut founding, &BEGINNINGS_MS));
            (beginning, awaits_layout) = (Instant(0) + later, founding.chance(3, 4));
        }
        let gap_us = pick(&mut prng, &[300, 1_000, 3_000, 10_000, 50_000]);
        let mut config = WorldConfig { birth, ..config(seed, &mut prng, &classes) };
        let mut sloppiness = Prng::stream(seed, "plan of fallbacks");
        be_sloppy(&mut sloppiness, &mut config, classes.contains(&FaultClass::SmallTables));
        config.anti_entropy = draw_comparisons(seed);
        config.collection = draw_collection(seed);
        config.coordinate = draw_coordinate(seed);
        let changes = Changes::draw(seed, calls, beginning, &mut config);
        config.weights.clone_from(&changes.weights);
        let clients = 1 + prng.below(5) as usize;
        let is_stale =
            |prng: &mut Prng| classes.contains(&FaultClass::StaleClients) && prng.chance(1, 2);
        Drawing {
            seed,
            clients: (0..clients).map(|_| is_stale(&mut prng)).collect(),
            keys: pick(&mut prng, &[1, 2, 3, 5, 8]),
            span: changes.span.unwrap_or(Duration::from_micros(gap_us * calls as u64)),
            own_quorums: prng.chance(1, 3),
            gets: 1 + prng.below(6),
            blind: prng.below(6),
            destructions: 1 + prng.below(4) as u32,
            padding: if prng.chance(1, 16) { prng.below(1_500) as usize } else { 0 },
            config,
            classes,
            sloppiness,
            founding,
            beginning,
            awaits_layout,
            expiry: Expiry::new(seed),
            changes,
            dense: Prng::stream(seed, "moments of layouts"),
            losses: Prng::stream(seed, "plan of losses"),
            blackouts: Prng::stream(seed, "plan of blackouts"),
            prng,
        }
    }

    fn plan(mut self, steps: Vec<Step>) -> Plan {
        let ailments = [Ailment::Down, Ailment::Paused, Ailment::CutOff];
        // A quorum must be left of every key.
        let spare = self.config.replication >= 3 && !self.classes.is_empty();
        // A change waits for all members.
        let stays = self.changes.are_none();
        let outcast = (spare && self.prng.chance(1, 2) && stays)
            .then(|| Outcast { node: self.node(), ailment: pick(&mut self.prng, &ailments) });
        Plan {
            seed: self.seed,
            config: self.config,
            clients: self.clients,
            classes: self.classes,
            beginning: self.beginning,
            awaits_layout: self.awaits_layout,
            steps,
            outcast,
            padding: self.padding,
        }
    }

    /// Some moment of the run, one in two of them while the layout changes.
    fn moment(&mut self) -> Instant {
        let any = self.beginning + up_to(&mut self.prng, self.span);
        let changing = self.changes.moment(&mut self.dense);
        changing.filter(|_| self.dense.chance(1, 2)).unwrap_or(any)
    }

    fn call(&mut self) -> Act {
        let client = self.client();
        let key = self.key();
        let choices = quorums(self.config.replication);
        let quorum = if self.own_quorums {
            let (r, w) = pick(&mut self.prng, &choices);
            QuorumChoice { r, w }
        } else {
            QuorumChoice::default()
        };
        let kind = if self.prng.below(10) < self.gets {
            self.read()
        } else {
            let shown = if self.prng.below(10) < self.blind {
                Shown::Nothing
            } else {
                match self.prng.below(6) {
                    0 => Shown::Older(self.prng.below(20) as usize),
                    1 | 2 => Shown::Own,
                    _ => Shown::Newest,
                }
            };
            if self.prng.chance(1, 6) { Kind::Delete(shown) } else { Kind::Put(shown) }
        };
        let ttl = self.expiry.ttl(kind, self.span);
        Act::Call { client, key, kind, quorum, ttl }
    }

    /// A read, now and then one of a session.
    fn read(&mut self) -> Kind {
        if self.sloppiness.chance(1, 8) {
            let shown = [Shown::Newest, Shown::Own, Shown::Older(1)];
            Kind::Session(pick(&mut self.sloppiness, &shown))
        } else {
            Kind::Get
        }
    }

    /// Some outages last long, so that much is kept for those who are away.
    fn prolong(&mut self, act: Act) -> Act {
        if !self.sloppiness.chance(1, 5) {
            return act;
        }
        let long = self.span / 4 + up_to(&mut self.sloppiness, self.span / 2);
        match act {
            Act::Crash { .. } | Act::Pause { .. } | Act::Partition { .. } => act.lasting(long),
            Act::Call { .. }
            | Act::Burst { .. }
            | Act::Cancel { .. }
            | Act::Layout { .. }
            | Act::Lose { .. }
            | Act::Snapshot { .. }
            | Act::Rot { .. }
            | Act::Clock { .. }
            | Act::Disk { .. }
            | Act::Clog { .. }
            | Act::HangUp { .. }
            | Act::KillClient { .. }
            | Act::Freeze { .. } => act,
        }
    }

    /// The classes whose faults are steps.
    fn troubles(&self) -> Vec<FaultClass> {
        self.classes.iter().copied().filter(|class| class.is_step()).collect()
    }

    fn trouble(&mut self) -> FaultClass {
        let troubles = self.troubles();
        pick(&mut self.prng, &troubles)
    }

    /// One fault, or several that belong together.
    fn faults(&mut self, at: Instant, class: FaultClass) -> Vec<(Instant, Act)> {
        let step = self.span / 20;
        match class {
            FaultClass::Crashes if self.prng.chance(1, 6) => {
                // Each life gives birth to actors of its own.
                let node = self.node();
                let crash = |nth: u32| {
                    let short = self.lasts().min(step / 2);
                    (at + step * nth, self.crash(node, Loses::Nothing, short))
                };
                (0..4).map(crash).collect()
            }
            FaultClass::Destruction => self.destruction(at, step),
            FaultClass::Clogs
            | FaultClass::HangUps
            | FaultClass::Partitions
            | FaultClass::Crashes
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
            | FaultClass::SmallTables => {
                self.fault(class).map(|act| (at, act)).into_iter().collect()
            }
        }
    }

    fn fault(&mut self, class: FaultClass) -> Option<Act> {
        let (node, client) = (self.node(), self.client());
        let lasts = self.lasts();
        Some(match class {
            FaultClass::Clogs => {
                let (from, to) = self.link();
                Act::Clog { from, to, lasts }
            }
            FaultClass::HangUps => {
                let (a, b) = self.link();
                Act::HangUp { a, b }
            }
            FaultClass::Partitions => self.partition(lasts),
            FaultClass::Crashes => self.crash(node, Loses::Nothing, lasts),
            FaultClass::Pauses if self.prng.chance(1, 3) => Act::Pause {
                node,
                lasts: self.config.timeout + up_to(&mut self.prng, self.config.timeout),
            },
            FaultClass::Pauses => Act::Pause { node, lasts },
            FaultClass::Clocks => {
                let hours = [0, 1, -1, 3, -3, 10, -10];
                let jump_ms = pick(&mut self.prng, &hours) * 3_600_000
                    + self.prng.below(10_000) as i64
                    - 5_000;
                let ppm = self.prng.below(200_001) as i64 - 100_000;
                Act::Clock { node, jump_ms, ppm }
            }
            FaultClass::SlowDisks => {
                let slowness = pick(&mut self.prng, &[3, 10, 100]);
                let temper = DiskTemper { slowness, ..self.config.disk };
                Act::Disk { node, temper, lasts }
            }
            FaultClass::DiskErrors => {
                let temper = match self.prng.below(3) {
                    0 => DiskTemper { full: true, ..self.config.disk },
                    1 => DiskTemper { read_fails: 500, ..self.config.disk },
                    _ => DiskTemper { write_fails: 500, ..self.config.disk },
                };
                Act::Disk { node, temper, lasts }
            }
            FaultClass::SyncErrors => Act::Disk {
                node,
                temper: DiskTemper { sync_fails: 500, ..self.config.disk },
                lasts,
            },
            FaultClass::Bursts => {
                let puts = 1 + self.prng.below(5) as usize;
                Act::Burst { node, key: self.key(), puts }
            }
            FaultClass::ClientDeaths => {
                Act::KillClient { client, effects: self.prng.below(4) as u32 }
            }
            FaultClass::Freezes if self.prng.chance(1, 3) => Act::Cancel { client },
            FaultClass::Freezes => Act::Freeze { client, lasts },
            FaultClass::Destruction
            | FaultClass::Delays
            | FaultClass::Loss
            | FaultClass::Duplicates
            | FaultClass::Reorder
            | FaultClass::Capacity
            | FaultClass::StaleClients
            | FaultClass::SmallTables => return None,
        })
    }

    fn crash(&mut self, node: usize, loses: Loses, lasts: Duration) -> Act {
        let effects = self.prng.chance(1, 2).then(|| 1 + self.prng.below(4) as u32);
        let kept = pick(&mut self.prng, &[0, 500, 500, 1_000]);
        let stops = self.losses.chance(1, 3);
        Act::Crash { node, effects, kept, stops, loses, lasts }
    }

    fn destruction(&mut self, at: Instant, step: Duration) -> Vec<(Instant, Act)> {
        let Some(left) = self.destructions.checked_sub(1) else { return Vec::new() };
        self.destructions = left;
        let (node, lasts) = (self.node(), self.lasts());
        match self.prng.below(3) {
            0 => vec![(at, self.crash(node, Loses::Everything, lasts))],
            1 => {
                let back = self.crash(node, Loses::SinceSnapshot, lasts.min(step));
                self.roll_back(at, step, back)
            }
            _ => {
                let key = self.key();
                vec![(at, Act::Rot { node, key, lasts })]
            }
        }
    }

    /// A snapshot, perhaps of a node that has stopped, perhaps some restarts, and the way back.
    fn roll_back(&mut self, at: Instant, step: Duration, back: Act) -> Vec<(Instant, Act)> {
        let Act::Crash { node, effects, kept, loses, lasts, .. } = back else { return Vec::new() };
        let blink = Duration::from_millis(1);
        let stop = Act::Crash {
            node,
            effects: None,
            kept,
            stops: true,
            loses: Loses::Nothing,
            lasts: blink * 2,
        };
        let mut acts = Vec::new();
        let mut at = at;
        if self.losses.chance(1, 2) {
            acts.push((at, stop.clone()));
            at = at + blink;
        }
        acts.push((at, Act::Snapshot { node }));
        // Its life goes on from the snapshot for long, or for a moment.
        let longer = pick(&mut self.losses, &[step, step * 4, step / 4]);
        if self.losses.chance(1, 3) {
            acts.push((at + longer / 2, stop.clone()));
        }
        let stops = self.losses.chance(1, 2);
        let effects = effects.filter(|_| !stops);
        acts.push((at + longer, Act::Crash { node, effects, kept, stops, loses, lasts }));
        if self.blackouts.chance(1, 3) {
            acts.extend(self.blackout(node, at + longer, lasts));
        }
        if self.losses.chance(1, 2) {
            // The next life ends soon.
            acts.push((at + longer + lasts + up_to(&mut self.losses, step / 2), stop));
        }
        acts
    }

    /// All other nodes go down together with one, and come back before it or after it.
    fn blackout(&mut self, but: usize, at: Instant, lasts: Duration) -> Vec<(Instant, Act)> {
        let others = (0..self.config.nodes).filter(|node| *node != but);
        let stops = self.blackouts.chance(1, 2);
        let kept = pick(&mut self.blackouts, &[0, 500, 1_000]);
        let act = |node: usize| {
            let lasts = lasts / 2 + up_to(&mut self.blackouts, lasts);
            let (effects, loses) = (None, Loses::Nothing);
            (at, Act::Crash { node, effects, kept, stops, loses, lasts })
        };
        others.map(act).collect()
    }

    /// How long a fault lasts: from a blink to a part of the run, or a timeout and more.
    fn lasts(&mut self) -> Duration {
        let longest = match self.prng.below(8) {
            0 | 1 => Duration::from_millis(5),
            2..5 => self.span / 40,
            5 | 6 => self.span / 10,
            _ => self.config.timeout * 2,
        };
        up_to(&mut self.prng, longest)
    }

    /// Half of the time the first key, a quarter of it the second, and so on.
    fn key(&mut self) -> usize {
        (self.prng.next_u64().trailing_zeros() as usize).min(self.keys - 1)
    }

    fn node(&mut self) -> usize {
        self.prng.below(self.config.nodes as u64) as usize
    }

    fn client(&mut self) -> usize {
        self.prng.below(self.clients.len() as u64) as usize
    }
}

/// The choices of R and W with R + W > N.
fn quorums(n: u8) -> Vec<(u8, u8)> {
    let majority = n / 2 + 1;
    vec![(majority, majority), (majority, majority), (1, n), (n, 1)]
}

/// One of several.
pub(super) fn pick<T: Clone>(prng: &mut Prng, choices: &[T]) -> T {
    choices[prng.below(choices.len() as u64) as usize].clone()
}

const _: () = assert!(KEYS.len() >= 8, "as many keys as a plan may ask for");
