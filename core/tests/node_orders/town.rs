//! Members and newcomers that are connected, and an operator who asks any of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use quorate_core::ids::{Key, NodeId};
use quorate_core::layout::{LayoutVersion, Member, PlanSettings, plan_first};
use quorate_core::machine::Event;
use quorate_core::message::{
    CallId, LayoutAnswer, LayoutOrder, LayoutReport, LayoutRequest, LayoutUpdate, Message,
    PastLayout, Staging, Target,
};
use quorate_core::node::{ChangeSettings, GossipSettings, NodeConfig};
use quorate_core::ring::SlotCount;
use quorate_core::time::Duration;

use crate::world::{World, key, record, settings};

pub(crate) const KEYS: u64 = 60;
pub(crate) const SLOTS: u32 = 16;

/// What nobody looks at is committed after so long.
pub(crate) const QUIET_MS: u64 = 4_000;

/// Long enough for gossip to reach everyone.
pub(crate) const A_WHILE_MS: u64 = 3_000;

/// A node that is down has been found so by then.
pub(crate) const DOWN_MS: u64 = 30_000;

/// A change is over by then.
pub(crate) const CHANGE_MS: u64 = 120_000;

pub(crate) const BY_HAND: ChangeSettings =
    ChangeSettings { join: false, leave: false, quiet: Duration::from_millis(QUIET_MS) };
pub(crate) const JOINS: ChangeSettings = ChangeSettings { join: true, ..BY_HAND };
pub(crate) const LEAVES: ChangeSettings = ChangeSettings { leave: true, ..BY_HAND };

pub(crate) fn member(id: u64, weight: u32) -> Member {
    Member { id: NodeId(id), label: format!("n{id}").into(), zone: "z".into(), weight }
}

pub(crate) fn target(id: u64, weight: u32) -> (NodeId, Target) {
    (NodeId(id), Target::Member(member(id, weight)))
}

pub(crate) struct Town {
    pub(crate) world: World,
    calls: u64,
}

impl Town {
    /// The first so many nodes are members, and hold what they are to hold; the others have heard
    /// of nothing yet. All are connected.
    pub(crate) fn new(members: u64, settings: &[ChangeSettings]) -> Town {
        Town::with_slots(SLOTS, members, settings)
    }

    pub(crate) fn with_slots(slots: u32, members: u64, changes: &[ChangeSettings]) -> Town {
        Town::of(houses(slots, members, changes))
    }

    /// Nobody but the members is connected.
    pub(crate) fn apart(members: u64, changes: &[ChangeSettings]) -> Town {
        let mut town = Town { world: houses(SLOTS, members, changes), calls: 0 };
        for one in 1..=members {
            (one + 1..=members).for_each(|other| town.world.connect(one, other));
        }
        town.world.pass(A_WHILE_MS);
        town
    }

    pub(crate) fn of(world: World) -> Town {
        let mut town = Town { world, calls: 0 };
        town.world.connect_all();
        town.world.pass(A_WHILE_MS);
        town
    }

    /// The answer of a node to an operator.
    pub(crate) fn order(&mut self, at: u64, order: LayoutOrder) -> Result<LayoutAnswer, String> {
        self.calls += 1;
        let call = CallId(self.calls);
        self.world.ask(at, Message::LayoutRequest(LayoutRequest { call, order }));
        let [reply] = &std::mem::take(&mut self.world.told)[..] else { panic!("one answer") };
        assert_eq!(reply.call, call);
        reply.result.clone()
    }

    pub(crate) fn stage(&mut self, at: u64, targets: &[(NodeId, Target)]) -> Staging {
        match self.order(at, LayoutOrder::Stage(targets.to_vec())) {
            Ok(LayoutAnswer::Staged(staging)) => staging,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn revert(&mut self, at: u64) -> Staging {
        match self.order(at, LayoutOrder::Revert) {
            Ok(LayoutAnswer::Staged(staging)) => staging,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn commit(&mut self, at: u64, staging: Staging) -> Result<u64, String> {
        match self.order(at, LayoutOrder::Commit(staging))? {
            LayoutAnswer::Committed(version) => Ok(version.0),
            other => panic!("{other:?}"),
        }
    }

    /// Stages, looks and commits at one node, and waits until all have heard of it.
    pub(crate) fn change(&mut self, at: u64, targets: &[(NodeId, Target)]) -> u64 {
        let staging = self.stage(at, targets);
        let version = self.commit(at, staging).expect("what was just looked at");
        self.world.pass(A_WHILE_MS);
        version
    }

    pub(crate) fn report(&mut self, at: u64) -> LayoutReport {
        match self.order(at, LayoutOrder::Show) {
            Ok(LayoutAnswer::Report(report)) => report,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn past(&mut self, at: u64) -> Vec<PastLayout> {
        match self.order(at, LayoutOrder::History) {
            Ok(LayoutAnswer::Past(past)) => past,
            other => panic!("{other:?}"),
        }
    }

    /// What each node holds to be staged, but for those that say that nothing is.
    pub(crate) fn staged(&mut self) -> BTreeMap<u64, Vec<(NodeId, Target)>> {
        let ids: Vec<u64> = self.world.houses.keys().copied().collect();
        let mut staged = BTreeMap::new();
        for id in ids {
            let staging = self.report(id).staging;
            let changes = staging.effective();
            let changes: Vec<_> =
                changes.map(|change| (change.node, change.target.clone())).collect();
            if !changes.is_empty() {
                staged.insert(id, changes);
            }
        }
        staged
    }

    /// The newest layout that each node has heard of.
    pub(crate) fn versions(&self) -> Vec<u64> {
        let houses = self.world.houses.values();
        houses.map(|house| house.node.view().layouts().head.version.0).collect()
    }

    pub(crate) fn version(&self, id: u64) -> LayoutVersion {
        self.world.houses[&id].node.view().layouts().head.version
    }

    /// The members of the newest layout, with their weights, as one node knows it.
    pub(crate) fn weights(&self, at: u64) -> Vec<(u64, u32)> {
        let view = self.world.houses[&at].node.view();
        let members = view.newest_layout().expect("there is one").layout.members();
        members.iter().map(|member| (member.id.0, member.weight)).collect()
    }

    pub(crate) fn events(&self, id: u64, wanted: impl Fn(&Event) -> bool) -> usize {
        self.world.houses[&id].events.iter().filter(|event| wanted(event)).count()
    }

    /// Nobody hears of a node any more, and it of nobody.
    pub(crate) fn cut_off(&mut self, id: u64) {
        let others: Vec<u64> = self.others(id);
        others.iter().for_each(|other| self.world.disconnect(id, *other));
    }

    /// They hear of each other again.
    pub(crate) fn reconnect(&mut self, id: u64) {
        let others: Vec<u64> = self.others(id);
        others.iter().for_each(|other| self.world.connect(id.min(*other), id.max(*other)));
    }

    /// It ends, and begins another life.
    pub(crate) fn restart(&mut self, id: u64) {
        self.world.restart(id, 1_000 + id);
        self.reconnect(id);
        self.world.pass(A_WHILE_MS);
    }

    fn others(&self, id: u64) -> Vec<u64> {
        self.world.houses.keys().copied().filter(|other| *other != id).collect()
    }
}

pub(crate) fn first_layout(slots: u32, members: u64) -> Arc<LayoutUpdate> {
    let settings = PlanSettings { slots: SlotCount::new(slots).unwrap(), replication: 3 };
    let layout = plan_first(settings, (1..=members).map(|id| member(id, 1)).collect()).unwrap();
    let addresses = (1..=members).map(|id| format!("ws://{id}").into()).collect();
    Arc::new(LayoutUpdate { layout, addresses })
}

fn houses(slots: u32, members: u64, changes: &[ChangeSettings]) -> World {
    let first = first_layout(slots, members);
    let held = |id: u64| {
        let lies_there = |key: &Key| {
            let slot = first.layout.slot_of(key.as_bytes());
            id <= members && first.layout.is_primary(slot, NodeId(id))
        };
        (0..KEYS).map(key).filter(lies_there).map(|key| (key, record(1))).collect()
    };
    let stores = (1..=changes.len() as u64).map(held).collect();
    let configure = |config: NodeConfig| NodeConfig {
        anti_entropy: settings(16),
        gossip: GossipSettings::default(),
        layouts: config.layouts.filter(|_| config.id.0 <= members),
        changes: changes[config.id.0 as usize - 1],
        ..config
    };
    World::of(first, stores, 7, configure)
}
