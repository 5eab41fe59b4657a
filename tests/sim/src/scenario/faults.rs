//! What may go wrong.

use quorate_core::time::Duration;

use super::{Client, Node, Scenario};
use crate::disk::DiskTemper;
use crate::network::{Place, Weather};

/// The network.
impl Scenario {
    /// Nothing gets from one of these sides to the other, and their connections break. Whoever
    /// stands on neither side reaches both.
    ///
    /// # Panics
    /// Where somebody stands on both sides.
    #[track_caller]
    pub fn partition(
        &mut self,
        one: &[impl Into<Place> + Copy],
        other: &[impl Into<Place> + Copy],
    ) {
        for a in one.iter().map(|place| (*place).into()) {
            for b in other.iter().map(|place| (*place).into()) {
                assert!(a != b, "{a} stands on both sides of a partition");
                self.world.cut(a, b);
                self.world.cut(b, a);
                self.world.hang_up(a, b);
            }
        }
    }

    /// Parts these nodes from all others, as [`partition`](Scenario::partition); clients reach
    /// everyone.
    pub fn cut_off(&mut self, nodes: &[Node]) {
        let others: Vec<Node> =
            self.nodes().into_iter().filter(|node| !nodes.contains(node)).collect();
        self.partition(nodes, &others);
    }

    /// Nothing gets from `from` to `to` any more; connections stay, and nobody is told.
    pub fn cut_one_way(&mut self, from: impl Into<Place>, to: impl Into<Place>) {
        self.world.cut(from.into(), to.into());
    }

    /// Ends all partitions and cuts. Nodes find each other again within a second or so.
    pub fn heal(&mut self) {
        self.world.heal();
    }

    /// Nothing that is sent from `from` to `to` arrives for so long; then everything does.
    pub fn clog(&mut self, from: impl Into<Place>, to: impl Into<Place>, lasts: Duration) {
        self.world.clog(from.into(), to.into(), lasts);
    }

    /// Breaks the connections between two places; what is on its way is lost.
    pub fn hang_up(&mut self, a: impl Into<Place>, b: impl Into<Place>) {
        self.world.hang_up(a.into(), b.into());
    }

    /// The weather of one directed link.
    pub fn weather(&mut self, from: impl Into<Place>, to: impl Into<Place>, weather: Weather) {
        self.world.set_weather(from.into(), to.into(), weather);
    }

    /// The weather of all links.
    pub fn weather_everywhere(&mut self, weather: Weather) {
        self.world.set_weather_everywhere(weather);
    }
}

/// Nodes.
impl Scenario {
    /// Ends a node as by `kill -9`: what is not synced is lost. The others see its connections
    /// break.
    ///
    /// # Panics
    /// Where it is down.
    #[track_caller]
    pub fn crash(&mut self, node: Node) {
        self.crash_keeping(node, 0);
    }

    /// The same, but each change that is not synced survives with a chance of `kept` in a thousand.
    ///
    /// # Panics
    /// Where it is down.
    #[track_caller]
    pub fn crash_keeping(&mut self, node: Node, kept: u32) {
        self.expect_up(node, "crash");
        self.world.crash_keeping(node.0, kept);
    }

    /// A node crashes as soon as it has carried out `effects` more effects: frames sent, storage
    /// asked, people told.
    ///
    /// # Panics
    /// Where it is down.
    #[track_caller]
    pub fn crash_after(&mut self, node: Node, effects: u32) {
        self.expect_up(node, "crash");
        self.world.crash_after(node.0, effects, 0);
    }

    /// Asks a node to stop: a clean stop where all is synced and nothing has failed.
    ///
    /// # Panics
    /// Where it is down.
    #[track_caller]
    pub fn stop(&mut self, node: Node) {
        self.expect_up(node, "stop");
        self.world.stop(node.0);
    }

    /// Starts a node that is down, as a new incarnation on the disk that it left.
    ///
    /// # Panics
    /// Where it is up.
    #[track_caller]
    pub fn restart(&mut self, node: Node) {
        self.expect_down(node, "restart");
        self.world.restart(node.0);
    }

    /// Stops a node as by SIGSTOP: everything waits, its timers, too. Its connections stay.
    ///
    /// # Panics
    /// Where it is down.
    #[track_caller]
    pub fn pause(&mut self, node: Node) {
        self.expect_up(node, "pause");
        self.world.pause(node.0);
    }

    /// Lets a paused node go on: all that waited comes at once.
    ///
    /// # Panics
    /// Where it is not paused.
    #[track_caller]
    pub fn resume(&mut self, node: Node) {
        assert!(self.world.is_paused(node.0), "{node} cannot go on: it is not paused");
        self.world.resume(node.0);
    }

    /// Lets the wall clock of a node jump by so many milliseconds, forth or back.
    pub fn jump_clock(&mut self, node: Node, by_ms: i64) {
        self.world.jump_clock(node.0, by_ms);
    }

    /// Lets the wall clock of a node run faster by so many millionths, or slower.
    pub fn drift_clock(&mut self, node: Node, ppm: i64) {
        self.world.drift_clock(node.0, ppm);
    }
}

/// Disks.
impl Scenario {
    /// Changes the temper of the disk of a node.
    ///
    /// ```
    /// use quorate_core::client::ErrorCode;
    /// use quorate_sim::scenario::Scenario;
    ///
    /// let mut s = Scenario::cluster(5).build();
    /// let [a, _, _] = s.primaries("k");
    /// s.disk(a, |disk| disk.full = true);
    /// s.at(a).try_put("k", "v").refused(ErrorCode::StorageFull);
    /// ```
    pub fn disk(&mut self, node: Node, change: impl FnOnce(&mut DiskTemper)) {
        let mut temper = self.world.disk_temper(node.0);
        change(&mut temper);
        self.world.set_disk_temper(node.0, temper);
    }

    /// Empties the disk of a node that is down.
    ///
    /// # Panics
    /// Where it is up.
    #[track_caller]
    pub fn wipe(&mut self, node: Node) {
        self.expect_down(node, "wipe");
        self.world.wipe(node.0);
    }

    /// Keeps a copy of what a node has synced, for [`roll_back`](Scenario::roll_back).
    pub fn snapshot(&mut self, node: Node) {
        self.world.take_snapshot(node.0);
    }

    /// Takes the disk of a node that is down back to its last snapshot; without one, to nothing.
    ///
    /// # Panics
    /// Where it is up.
    #[track_caller]
    pub fn roll_back(&mut self, node: Node) {
        self.expect_down(node, "roll back");
        self.world.roll_back(node.0);
    }

    /// From here on a node can neither read nor change its record of a key: it may discard it.
    pub fn damage(&mut self, node: Node, key: &str) {
        self.world.damage(node.0, key);
    }
}

/// Clients.
impl Scenario {
    /// Stops a client as a browser stops a tab: its timers and what it receives wait.
    pub fn freeze(&mut self, client: Client) {
        self.world.freeze(client.0);
    }

    /// Lets a frozen client go on.
    ///
    /// # Panics
    /// Where it is not frozen.
    #[track_caller]
    pub fn thaw(&mut self, client: Client) {
        assert!(self.world.is_frozen(client.0), "{client} cannot go on: it is not frozen");
        self.world.thaw(client.0);
    }

    /// A client vanishes: its connections break, its requests never end.
    pub fn kill(&mut self, client: Client) {
        self.world.kill_client(client.0);
    }

    /// A client vanishes as soon as it has carried out `effects` more effects: dials, frames, ends
    /// of its requests.
    pub fn kill_after(&mut self, client: Client, effects: u32) {
        self.world.kill_client_after(client.0, effects);
    }
}
