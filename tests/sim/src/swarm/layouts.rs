//! How the layout changes in a run.

use std::collections::BTreeSet;

use quorate_core::prng::Prng;
use quorate_core::time::{Duration, Instant};

use super::draw::pick;
use super::plan::{Act, FaultClass, Loses};
use crate::config::{Birth, WorldConfig};
use crate::network::{Place, up_to};

/// One run in so many changes its layout.
const RUNS: u64 = 3;

/// So many runs in three of those that can lose a node for good lose it, and remove it.
const LOSSES: u64 = 1;

/// Changes of a run, at most.
const CHANGES_MAX: u64 = 4;

/// A run with changes has so many microseconds from call to call.
const GAPS_US: [u64; 3] = [1_000, 3_000, 10_000];

/// Its nodes gossip every so many milliseconds, so that the steps of a change take about as long as
/// calls do.
const GOSSIP_MS: [u64; 4] = [20, 50, 100, 200];

/// A change takes so many rounds of gossip where nothing is in its way.
const ROUNDS: u32 = 12;

/// What a run does with its layout.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    /// What the nodes weigh, to begin with; empty: all alike.
    pub(super) weights: Vec<u32>,
    /// What they weigh after each change, and who is asked for it, when; and who is lost before.
    acts: Vec<(Instant, Act)>,
    /// For how long calls go on; `None`: for as long as without changes.
    pub(super) span: Option<Duration>,
    /// How long a change takes where nothing is in its way.
    step: Duration,
}

impl Changes {
    /// Draws the changes of a run of so many calls: nodes join, leave, and take more or less, and now
    /// and then one is lost for good and removed. Where nothing is compared nothing moves, so the
    /// layout stays.
    pub(super) fn draw(
        seed: u64,
        calls: usize,
        beginning: Instant,
        config: &mut WorldConfig,
    ) -> Changes {
        let mut prng = Prng::stream(seed, "plan of layouts");
        if !prng.chance(1, RUNS) || config.anti_entropy.bytes_per_second == 0 {
            return Changes::default();
        }
        // Slots can move to nodes that held nothing of them before.
        if config.replication <= 3 && prng.chance(2, 3) {
            config.nodes = config.nodes.max(2 * usize::from(config.replication));
        }
        // A first layout that is still to be made takes in all who are there.
        if config.birth == Birth::Layout && prng.chance(1, 2) {
            config.newcomers = 1 + prng.below(2) as usize;
            config.nodes += config.newcomers;
        }
        let (nodes, founders) = (config.nodes, config.nodes - config.newcomers);
        let least = usize::from(config.replication).min(founders);
        let weights = draw_weights(&mut prng, founders, least);
        config.gossip.interval = Duration::from_millis(pick(&mut prng, &GOSSIP_MS));
        let step = config.gossip.interval * ROUNDS;
        let span = Duration::from_micros(pick(&mut prng, &GAPS_US)) * calls as u32;
        let mut moments = draw_moments(&mut prng, beginning, span, step);
        moments.sort_unstable();
        // Everybody dials the first node.
        let can_lose = config.replication > 1 && founders > least.max(2);
        let mut lost =
            (can_lose && prng.chance(LOSSES, 3)).then(|| 1 + prng.below(founders as u64 - 1));
        let mut last: Vec<Option<u32>> = weights.iter().copied().map(Some).collect();
        last.resize(nodes, None);
        let mut gone = None;
        let mut acts = Vec::new();
        for at in moments {
            if let Some(node) = lost.take().map(|node| node as usize) {
                // Some time goes by before it is removed, perhaps with other changes.
                acts.push((at, Act::Lose { node }));
                gone = Some(node);
            }
            let rivals = if prng.chance(1, 5) { 2 } else { 1 };
            let members: Vec<usize> = (0..nodes).filter(|node| Some(*node) != gone).collect();
            for _ in 0..rivals {
                let next = draw_members(&mut prng, &last, gone, founders, least);
                let node = pick(&mut prng, &members);
                let at = at + up_to(&mut prng, step / ROUNDS);
                acts.push((at, Act::Layout { node, weights: next.clone() }));
                last = next;
            }
        }
        Changes { weights, acts, span: Some(span), step }
    }

    /// Whether there is any.
    pub(super) fn are_none(&self) -> bool {
        self.acts.is_empty()
    }

    /// A moment at which a change may be under way; `None` where there is none.
    pub(super) fn moment(&self, prng: &mut Prng) -> Option<Instant> {
        if self.acts.is_empty() {
            return None;
        }
        let (at, _) = pick(prng, &self.acts);
        Some(at + up_to(prng, self.step))
    }

    /// The changes, and what gets in their way: of those classes that the run has.
    pub(super) fn acts(
        &self,
        seed: u64,
        config: &WorldConfig,
        classes: &BTreeSet<FaultClass>,
    ) -> Vec<(Instant, Act)> {
        let mut prng = Prng::stream(seed, "troubles of layouts");
        let mut acts = self.acts.clone();
        let troubles = [
            FaultClass::Clogs,
            FaultClass::Partitions,
            FaultClass::Crashes,
            FaultClass::Pauses,
            FaultClass::HangUps,
        ];
        let troubles: Vec<FaultClass> =
            troubles.into_iter().filter(|class| classes.contains(class)).collect();
        for (at, _) in &self.acts {
            if troubles.is_empty() || prng.chance(1, 3) {
                continue;
            }
            let class = pick(&mut prng, &troubles);
            let begins = *at + up_to(&mut prng, self.step);
            let lasts = up_to(&mut prng, self.step * 2);
            let troubles = trouble(&mut prng, class, (config.nodes, config.zones), lasts);
            acts.extend(troubles.into_iter().map(|act| (begins, act)));
        }
        acts
    }
}

/// One node is late for all others, or for one of them; or it is not there.
fn trouble(
    prng: &mut Prng,
    class: FaultClass,
    (nodes, zones): (usize, usize),
    lasts: Duration,
) -> Vec<Act> {
    let node = prng.below(nodes as u64) as usize;
    let others = (0..nodes).filter(|other| *other != node);
    let met: Vec<usize> = match prng.chance(1, 2) {
        true => others.collect(),
        false => others.filter(|_| prng.chance(1, 2)).collect(),
    };
    let (one, met) = (Place::Node(node), met.into_iter().map(Place::Node));
    match class {
        FaultClass::Clogs => {
            let hears = prng.chance(1, 2);
            let link = |other| if hears { (other, one) } else { (one, other) };
            met.map(link).map(|(from, to)| Act::Clog { from, to, lasts }).collect()
        }
        FaultClass::Partitions => {
            let links = met.flat_map(|other| [(one, other), (other, one)]).collect();
            vec![Act::Partition { links, known: prng.chance(1, 2), lasts, flaps: 0 }]
        }
        FaultClass::HangUps => met.map(|other| Act::HangUp { a: one, b: other }).collect(),
        FaultClass::Pauses => vec![Act::Pause { node, lasts }],
        FaultClass::Crashes if prng.chance(1, 4) => {
            // A zone, as nodes are given to zones in turn, and all of it at once.
            let zones = zones.max(2);
            let zone = (0..nodes).filter(|other| other % zones == node % zones);
            let kept = pick(prng, &[0, 500, 1_000]);
            let crash = |node| Act::Crash {
                node,
                effects: None,
                kept,
                stops: false,
                loses: Loses::Nothing,
                lasts: lasts / 2 + up_to(prng, lasts / 2),
            };
            zone.map(crash).collect()
        }
        FaultClass::Crashes => {
            let effects = prng.chance(1, 2).then(|| 1 + prng.below(4) as u32);
            let (kept, stops) = (pick(prng, &[0, 500, 1_000]), prng.chance(1, 4));
            vec![Act::Crash { node, effects, kept, stops, loses: Loses::Nothing, lasts }]
        }
        FaultClass::Clocks
        | FaultClass::SlowDisks
        | FaultClass::DiskErrors
        | FaultClass::SyncErrors
        | FaultClass::Destruction
        | FaultClass::ClientDeaths
        | FaultClass::Bursts
        | FaultClass::Freezes
        | FaultClass::Delays
        | FaultClass::Loss
        | FaultClass::Duplicates
        | FaultClass::Reorder
        | FaultClass::Capacity
        | FaultClass::StaleClients
        | FaultClass::SmallTables => Vec::new(),
    }
}

/// When the layout changes: now and then one change comes right after the other.
fn draw_moments(
    prng: &mut Prng,
    beginning: Instant,
    span: Duration,
    step: Duration,
) -> Vec<Instant> {
    let hurried = prng.chance(1, 3);
    let first = up_to(prng, span);
    let moments = (0..1 + prng.below(CHANGES_MAX))
        .map(|_| beginning + if hurried { first + up_to(prng, step) } else { up_to(prng, span) });
    moments.collect()
}

/// What each node weighs after a change, and which are members; newcomers may come in.
fn draw_members(
    prng: &mut Prng,
    last: &[Option<u32>],
    gone: Option<usize>,
    founders: usize,
    least: usize,
) -> Vec<Option<u32>> {
    let others = last.iter().flatten().filter(|weight| **weight == 0).count();
    let mut next: Vec<Option<u32>> = match others >= least && prng.chance(1, 2) {
        // All those that hold nothing take the place of all others.
        true => last.iter().map(|weight| weight.map(|weight| u32::from(weight == 0))).collect(),
        false => draw_weights(prng, last.len(), least).into_iter().map(Some).collect(),
    };
    for (index, weight) in next.iter_mut().enumerate() {
        let is_stranger = index >= founders && last[index].is_none();
        if Some(index) == gone || is_stranger && prng.chance(1, 2) {
            *weight = None;
        } else {
            *weight = weight.or(Some(1));
        }
    }
    let mut weighing = next.iter().flatten().filter(|weight| **weight > 0).count();
    for (index, weight) in next.iter_mut().enumerate() {
        if weighing < least && Some(index) != gone && weight.is_none_or(|weight| weight == 0) {
            *weight = Some(1);
            weighing += 1;
        }
    }
    next
}

/// What each node weighs; `least` of them weigh something.
fn draw_weights(prng: &mut Prng, nodes: usize, least: usize) -> Vec<u32> {
    let mut weights: Vec<u32> = (0..nodes).map(|_| pick(prng, &[0, 0, 0, 1, 1, 2])).collect();
    while weights.iter().filter(|weight| **weight > 0).count() < least {
        let node = prng.below(nodes as u64) as usize;
        weights[node] = 1;
    }
    weights
}
