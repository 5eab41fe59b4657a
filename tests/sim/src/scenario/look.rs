//! What one may look at.

use quorate_core::machine::Event;
use quorate_core::time::Instant;

use super::{Client, Node, Scenario};
use crate::world::World;

impl Scenario {
    /// All nodes, in the order of their numbers.
    pub fn nodes(&self) -> Vec<Node> {
        (0..self.world.node_count()).map(Node).collect()
    }

    /// The primaries of a key, in the order of its preference list.
    ///
    /// # Panics
    /// Where there are more or fewer than are asked for.
    #[track_caller]
    pub fn primaries<const COUNT: usize>(&self, key: &str) -> [Node; COUNT] {
        exactly("primaries", key, self.world.primaries(key))
    }

    /// The fallbacks of a key, in the order of its preference list.
    ///
    /// # Panics
    /// Where there are more or fewer than are asked for.
    #[track_caller]
    pub fn fallbacks<const COUNT: usize>(&self, key: &str) -> [Node; COUNT] {
        exactly("fallbacks", key, self.world.fallbacks(key))
    }

    /// The primaries of a key by the layout that a client holds; none while it holds none.
    pub fn believes(&self, client: Client, key: &str) -> Vec<Node> {
        let Some(held) = self.world.client(client.0).view().layout() else { return Vec::new() };
        let slot = held.layout.slot_of(key.as_bytes());
        held.layout.primaries(slot).iter().map(|id| Node::of(*id)).collect()
    }

    /// What a node told people, in all its lives.
    pub fn told(&self, node: Node) -> &[Event] {
        self.world.events(node.0)
    }

    /// The replicas that coordinators said to be stale in a key and repaired, once for each time;
    /// sorted.
    pub fn repaired(&self, key: &str) -> Vec<Node> {
        let told = self.nodes().into_iter().flat_map(|node| self.told(node));
        let repaired = told.filter_map(|event| {
            let Event::Repaired { key: of, node } = event else { return None };
            (of.as_bytes() == key.as_bytes()).then_some(*node)
        });
        let mut repaired: Vec<Node> = repaired.map(Node::of).collect();
        repaired.sort();
        repaired
    }

    /// What a node has counted since it started.
    ///
    /// # Panics
    /// Where the node is down or has no such counter.
    #[track_caller]
    pub fn counter(&self, node: Node, name: &str) -> u64 {
        let Some(machine) = self.world.node(node.0) else {
            panic!("{node} is down: it has no counter {name:?}");
        };
        let counters = machine.view().counters();
        match counters.iter().find(|(known, _)| *known == name) {
            Some((_, count)) => *count,
            None => {
                let known: Vec<&str> = counters.into_iter().map(|(known, _)| known).collect();
                panic!("there is no counter {name:?}, only {known:?}");
            }
        }
    }

    /// The time since the world began.
    pub fn now(&self) -> Instant {
        self.world.now()
    }

    /// What lies below.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// What lies below, for what a scenario has no word for.
    pub fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    #[track_caller]
    pub(super) fn expect_up(&self, node: Node, to: &str) {
        assert!(self.world.node(node.0).is_some(), "{node} cannot {to}: it is down");
    }

    #[track_caller]
    pub(super) fn expect_down(&self, node: Node, verb: &str) {
        assert!(
            self.world.node(node.0).is_none(),
            "cannot {verb} {node}: it is up, crash it first"
        );
    }

    /// Nodes and clients that are not as they should be, in words.
    pub(super) fn states(&self) -> String {
        let world = &self.world;
        let node = |node: &Node| match world.node(node.0) {
            None => Some(format!("{node} is down")),
            Some(_) if world.is_paused(node.0) => Some(format!("{node} is paused")),
            Some(machine) => match machine.view().requests_under_way() {
                0 => None,
                count => Some(format!("{node} has {count} requests under way")),
            },
        };
        let client = |client: Client| match client.0 {
            index if world.is_dead(index) => Some(format!("{client} is dead")),
            index if world.is_frozen(index) => Some(format!("{client} is frozen")),
            index => match world.client(index).view().calls_under_way() {
                0 => None,
                count => Some(format!("{client} has {count} calls under way")),
            },
        };
        let clients = (0..world.client_count()).map(Client).filter_map(client);
        let states: Vec<String> = self.nodes().iter().filter_map(node).chain(clients).collect();
        if states.is_empty() { "all are up and idle".to_owned() } else { states.join(", ") }
    }
}

#[track_caller]
fn exactly<const COUNT: usize>(what: &str, key: &str, found: Vec<usize>) -> [Node; COUNT] {
    let found: Vec<Node> = found.into_iter().map(Node).collect();
    match found[..].try_into() {
        Ok(nodes) => nodes,
        Err(_) => panic!("key {key:?} has {} {what}, {found:?}, not {COUNT}", found.len()),
    }
}
