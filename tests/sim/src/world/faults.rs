//! What may go wrong.

use quorate_core::ids::{Key, Text};
use quorate_core::layout::{Layout, LayoutVersion, PlanSettings, plan_first};
use quorate_core::message::LayoutUpdate;
use quorate_core::time::Duration;
use std::sync::Arc;

use super::rules::Sentence;
use super::{Passing, RuleId, World, member};
use crate::config::{Birth, FOUNDER};
use crate::detail::Detail;
use crate::disk::{Destroyed, DiskTemper};
use crate::marks::Mark;
use crate::network::{End, Place, Weather};
use crate::observation::{
    self, By, CallerGone, CallerThawed, Crashed, Observation, Replaced, Resumed, Stopped,
};

/// Chance in a thousand that a change which is not synced survives a crash.
const TAIL_KEPT: u32 = 0;

impl World {
    /// Ends a node as by `kill -9`: what is not synced is lost.
    pub fn crash(&mut self, node: usize) {
        self.crash_keeping(node, TAIL_KEPT);
    }

    /// Asks a node to stop. That is a clean stop where all that it wrote is synced and nothing has
    /// failed in its life, and a crash otherwise.
    pub fn stop(&mut self, node: usize) {
        let slot = &self.nodes[node];
        let Some(machine) = slot.node.as_ref() else { return };
        let lives = machine.view().lives();
        let wall = slot.clock.read(self.now).unix;
        let may_save = slot.paused.is_none() && !machine.view().holds_back();
        let is_clean = may_save && self.disks[node].close(self.now, wall, lives);
        self.observe(&Observation::Stopped(Stopped { node, is_clean }));
        self.crash(node);
    }

    /// A node sets its disk aside and begins another life with an empty one.
    pub(super) fn start_over(&mut self, node: usize) {
        self.crash(node);
        let wall = self.nodes[node].clock.read(self.now).unix;
        let destroyed = self.disks[node].set_aside(wall);
        self.replaced(node, By::Node, &destroyed);
        self.start(node);
    }

    /// The same, but each change that is not synced survives with a chance of `kept` in a thousand.
    pub fn crash_keeping(&mut self, node: usize, kept: u32) {
        if self.nodes[node].node.take().is_none() {
            return;
        }
        let untold = self.config.birth == Birth::OneSeed && node == FOUNDER;
        let untold = untold && !self.layout_is_known();
        let slot = &mut self.nodes[node];
        slot.life += 1;
        slot.wake = None;
        slot.fuse = None;
        let parked = slot.paused.take();
        self.watch.add(Mark::FounderDiesFirst, untold);
        let unsynced = self.disks[node].unsynced();
        let crashed = self.disks[node].crash(self.now, kept);
        self.watch.add(Mark::CrashBetweenAppliedAndDurable, unsynced > 0);
        let is_torn = (1..unsynced).contains(&crashed.changes);
        self.watch.add(Mark::CrashTearsTheTail, is_torn);
        self.observe(&Observation::Crashed(Crashed { node, lost: &crashed.lost }));
        self.mourn(node, By::Node, &crashed.discarded);
        for connection in self.network.of(|end| end.is_node(node)) {
            self.close(connection, |end| !end.is_node(node));
        }
        // Dials of others, and news for a later life, outlast it.
        for event in parked.map(|(_, parked)| parked).unwrap_or_default() {
            self.push(self.now, event);
        }
    }

    /// A node crashes as soon as it has carried out `effects` more effects; `kept` as with
    /// [`crash_keeping`](World::crash_keeping).
    pub fn crash_after(&mut self, node: usize, effects: u32, kept: u32) {
        self.nodes[node].fuse = Some((effects, kept));
    }

    /// A crash that waits for its moment is called off.
    pub fn defuse(&mut self, node: usize) {
        self.nodes[node].fuse = None;
    }

    /// Starts a node that is down, as a new incarnation on the disk that it left.
    pub fn restart(&mut self, node: usize) {
        assert!(self.nodes[node].node.is_none(), "node {node} is up");
        self.start(node);
    }

    /// Stops a node as by SIGSTOP: everything waits, its timers, too.
    pub fn pause(&mut self, node: usize) {
        let slot = &mut self.nodes[node];
        if slot.node.is_some() && slot.paused.is_none() {
            slot.paused = Some((self.now, Vec::new()));
            self.observe_detail(&Detail::Paused { node });
        }
    }

    /// Lets a paused node go on.
    pub fn resume(&mut self, node: usize) {
        let Some((since, parked)) = self.nodes[node].paused.take() else { return };
        self.observe(&Observation::Resumed(Resumed { node, since }));
        for event in parked {
            self.push(self.now, event);
        }
    }

    /// Lets the wall clock of a node jump.
    pub fn jump_clock(&mut self, node: usize, by_ms: i64) {
        self.nodes[node].clock.jump(by_ms);
    }

    /// Lets the wall clock of a node run faster by so many millionths, or slower.
    pub fn drift_clock(&mut self, node: usize, ppm: i64) {
        self.nodes[node].clock.drift_from(self.now, ppm);
    }

    /// Empties the disk of a node that is down.
    pub fn wipe(&mut self, node: usize) {
        assert!(self.nodes[node].node.is_none(), "node {node} is up");
        let destroyed = self.disks[node].wipe();
        self.replaced(node, By::Fault, &destroyed);
    }

    /// Keeps a copy of what a node has synced, for [`roll_back`](World::roll_back).
    pub fn take_snapshot(&mut self, node: usize) {
        self.disks[node].take_snapshot();
    }

    /// Takes the disk of a node that is down back to the last copy; without one, to nothing.
    pub fn roll_back(&mut self, node: usize) {
        assert!(self.nodes[node].node.is_none(), "node {node} is up");
        let destroyed = self.disks[node].roll_back();
        self.replaced(node, By::Fault, &destroyed);
    }

    /// From here on a node cannot read or change any of its copies of a key: it may discard its own.
    pub fn damage(&mut self, node: usize, key: &str) {
        let key = Key::from(key.as_bytes().to_vec());
        let destroyed = self.disks[node].damage(&key);
        self.mourn(node, By::Fault, &destroyed);
    }

    fn replaced(&mut self, node: usize, by: By, destroyed: &[Destroyed]) {
        let committed_at = self.disks[node].committed_at();
        self.observe(&Observation::Replaced(Replaced { node, by, committed_at }));
        self.mourn(node, by, destroyed);
    }

    pub(super) fn mourn(&mut self, node: usize, by: By, destroyed: &[Destroyed]) {
        for Destroyed { copy, key, before, after } in destroyed {
            let copy = *copy;
            let seen = observation::Destroyed { node, by, copy, key, before, after };
            self.observe(&Observation::Destroyed(seen));
        }
    }

    /// The condition of the disk of a node.
    pub fn disk_temper(&self, node: usize) -> DiskTemper {
        self.disks[node].temper()
    }

    /// Sets the condition of the disk of a node.
    pub fn set_disk_temper(&mut self, node: usize, temper: DiskTemper) {
        self.disks[node].set_temper(temper);
    }

    /// Cuts all ways between the nodes of `side` and the others, and their connections; clients
    /// reach everyone.
    pub fn partition(&mut self, side: &[usize]) {
        for a in side {
            for b in (0..self.nodes.len()).filter(|b| !side.contains(b)) {
                self.cut(Place::Node(*a), Place::Node(b));
                self.cut(Place::Node(b), Place::Node(*a));
                if let Some(connection) = self.network.between(End::Node(*a), End::Node(b)) {
                    self.close(connection, |_| true);
                }
            }
        }
    }

    /// Nothing gets from `from` to `to` any more; connections stay, and nobody is told.
    pub fn cut(&mut self, from: Place, to: Place) {
        self.network.set_cut(from, to, true);
        self.watch.on_cut(from, to, self.now);
    }

    /// Ends all partitions and cuts.
    pub fn heal(&mut self) {
        self.network.heal();
        self.watch.on_healed();
    }

    /// Nothing that is sent from `from` to `to` arrives for so long; then everything does.
    pub fn clog(&mut self, from: Place, to: Place, duration: Duration) {
        self.network.clog(from, to, self.now + duration);
    }

    /// Ends all clogs.
    pub fn unclog(&mut self) {
        self.network.unclog();
    }

    /// Breaks the connections between two places; what is on its way is lost.
    pub fn hang_up(&mut self, a: Place, b: Place) {
        for connection in self.network.of(|end| end.place() == a) {
            let ends = self.network.ends(connection);
            if ends.is_some_and(|(one, other)| [one.place(), other.place()].contains(&b)) {
                self.close(connection, |_| true);
            }
        }
    }

    /// Sets the weather of a directed link.
    pub fn set_weather(&mut self, from: Place, to: Place, weather: Weather) {
        self.network.set_weather(from, to, weather);
    }

    /// Sets the weather of all links.
    pub fn set_weather_everywhere(&mut self, weather: Weather) {
        self.network.set_weather_everywhere(weather);
    }

    /// Holds every frame for which `matches` holds, until it is [released](World::release).
    pub fn hold(&mut self, matches: impl FnMut(&Passing<'_>) -> bool + Send + 'static) -> RuleId {
        self.add_rule(Sentence::Hold, matches)
    }

    /// Keeps a copy of every frame for which `matches` holds, to be [sent](World::release) again.
    pub fn copy(&mut self, matches: impl FnMut(&Passing<'_>) -> bool + Send + 'static) -> RuleId {
        self.add_rule(Sentence::Copy, matches)
    }

    /// Loses every frame for which `matches` holds.
    pub fn lose(&mut self, matches: impl FnMut(&Passing<'_>) -> bool + Send + 'static) -> RuleId {
        self.add_rule(Sentence::Lose, matches)
    }

    /// Every frame for which `matches` holds travels longer.
    pub fn delay(
        &mut self,
        longer: Duration,
        matches: impl FnMut(&Passing<'_>) -> bool + Send + 'static,
    ) -> RuleId {
        self.add_rule(Sentence::Delay(longer), matches)
    }

    /// A client vanishes: its connections break, its calls never end.
    pub fn kill_client(&mut self, client: usize) {
        let slot = &mut self.clients[client];
        if slot.dead {
            return;
        }
        slot.dead = true;
        self.endings += 1;
        slot.fuse = None;
        slot.wake = None;
        slot.frozen = None;
        self.observe(&Observation::CallerGone(CallerGone { client }));
        for connection in self.network.of(|end| end.place() == Place::Client(client)) {
            self.close(connection, |end| end.place() != Place::Client(client));
        }
    }

    /// A client vanishes as soon as it has carried out `effects` more effects.
    pub fn kill_client_after(&mut self, client: usize, effects: u32) {
        self.clients[client].fuse = Some(effects);
    }

    /// Stops a client as a browser stops a tab: its timers and what it receives wait.
    pub fn freeze(&mut self, client: usize) {
        let slot = &mut self.clients[client];
        if !slot.dead && slot.frozen.is_none() {
            slot.frozen = Some((self.now, Vec::new()));
            self.observe_detail(&Detail::Frozen { client });
        }
    }

    /// Lets a frozen client go on.
    pub fn thaw(&mut self, client: usize) {
        let Some((since, parked)) = self.clients[client].frozen.take() else { return };
        self.observe(&Observation::CallerThawed(CallerThawed { client, since }));
        for event in parked {
            self.push(self.now, event);
        }
    }

    /// The layout as it might have been before the current one: as if the last node had not been
    /// there, so that other nodes are primaries.
    pub(super) fn old_layout(&self) -> Option<Arc<LayoutUpdate>> {
        let LayoutUpdate { layout, addresses } = &*self.layout;
        let fewer = layout.members().len().checked_sub(1).filter(|fewer| *fewer > 0)?;
        let members = (0..fewer).map(|index| member(index, &self.config)).collect();
        let settings =
            PlanSettings { slots: layout.slot_count(), replication: layout.replication() };
        let old = plan_first(settings, members).ok()?;
        let older = layout.version().0.checked_sub(1).filter(|older| *older > 0)?;
        let older = LayoutVersion(older);
        let old = Layout::from_parts(
            older,
            old.replication(),
            old.members().to_vec(),
            old.owners().to_vec(),
        );
        let addresses: Vec<Text> = addresses[..fewer].to_vec();
        Some(Arc::new(LayoutUpdate { layout: old.ok()?, addresses }))
    }
}
