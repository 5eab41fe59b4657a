//! What is expected of the stores.

use std::collections::BTreeSet;

use quorate_core::causality::{Dot, Payload, Record};

use super::{Node, Scenario};
use crate::world::World;

/// Says what some nodes should hold of a key: which nodes first, then what.
///
/// Unless said otherwise, all primaries of the key are meant, and what their engines show, synced
/// or not. Nothing is asked of the nodes and no time passes.
pub struct Expect<'a> {
    world: &'a World,
    key: String,
    nodes: Vec<Node>,
    on_disk: bool,
    /// How many of the nodes suffice; `None`: all of them.
    suffice: Option<usize>,
}

impl Scenario {
    /// Begins to say what is held of a key.
    ///
    /// ```
    /// use quorate_sim::scenario::Scenario;
    ///
    /// let mut s = Scenario::cluster(5).build();
    /// let [a, b, _] = s.primaries("k");
    /// s.at(a).put("k", "v");
    /// s.expect("k").at_least(2).on_disk().siblings(["v"]);
    /// s.settle();
    /// s.expect("k").siblings(["v"]).agree();
    /// s.expect("k").at(b).tombstones(0);
    /// ```
    #[must_use = "say what is expected"]
    pub fn expect(&self, key: &str) -> Expect<'_> {
        let nodes = self.world.primaries(key).into_iter().map(Node).collect();
        Expect { world: &self.world, key: key.to_owned(), nodes, on_disk: false, suffice: None }
    }
}

/// Which nodes.
impl Expect<'_> {
    /// At this node.
    #[must_use = "say what is expected"]
    pub fn at(mut self, node: Node) -> Self {
        self.nodes = vec![node];
        self
    }

    /// At each of these nodes.
    #[must_use = "say what is expected"]
    pub fn among(mut self, nodes: &[Node]) -> Self {
        self.nodes = nodes.to_vec();
        self
    }

    /// At all nodes, primaries or not.
    #[must_use = "say what is expected"]
    pub fn everywhere(mut self) -> Self {
        self.nodes = (0..self.world.node_count()).map(Node).collect();
        self
    }

    /// At so many of the nodes, or more.
    #[must_use = "say what is expected"]
    pub fn at_least(mut self, count: usize) -> Self {
        self.suffice = Some(count);
        self
    }

    /// Only what is synced: what a crash leaves.
    #[must_use = "say what is expected"]
    pub fn on_disk(mut self) -> Self {
        self.on_disk = true;
        self
    }
}

/// What.
impl Expect<'_> {
    /// These values stand and no others, in whatever order; tombstones are not looked at.
    ///
    /// # Panics
    /// Where it is not so.
    #[track_caller]
    pub fn siblings<T: AsRef<str>>(self, texts: impl IntoIterator<Item = T>) -> Self {
        let mut wanted: Vec<String> =
            texts.into_iter().map(|text| text.as_ref().to_owned()).collect();
        wanted.sort();
        self.check(&format!("the siblings {wanted:?}"), |record| values(record) == wanted)
    }

    /// So many distinct tombstones stand: 1 after any number of deletes that nobody has seen.
    ///
    /// # Panics
    /// Where it is not so.
    #[track_caller]
    pub fn tombstones(self, count: usize) -> Self {
        self.check(&format!("{count} tombstones"), |record| tombstones(record) == count)
    }

    /// A tombstone stands, and no value.
    ///
    /// # Panics
    /// Where it is not so.
    #[track_caller]
    pub fn deleted(self) -> Self {
        self.check("a tombstone and no value", |record| {
            tombstones(record) > 0 && values(record).is_empty()
        })
    }

    /// The key was never stored.
    ///
    /// # Panics
    /// Where it was.
    #[track_caller]
    pub fn nothing(self) -> Self {
        self.check("nothing", Record::is_empty)
    }

    /// The writes with these names stand, and no others.
    ///
    /// # Panics
    /// Where it is not so.
    #[track_caller]
    pub fn dots(self, dots: impl IntoIterator<Item = Dot>) -> Self {
        let wanted: BTreeSet<Dot> = dots.into_iter().collect();
        self.check(&format!("the dots {}", names(&wanted)), |record| live(record) == wanted)
    }

    /// The write with this name stands, or is known to be superseded.
    ///
    /// # Panics
    /// Where it is unknown.
    #[track_caller]
    pub fn knows(self, dot: Dot) -> Self {
        let wanted = names(&BTreeSet::from([dot]));
        self.check(&format!("to know {wanted}"), |record| record.context().covers(dot))
    }

    /// So many actors have a history.
    ///
    /// # Panics
    /// Where it is not so.
    #[track_caller]
    pub fn actors(self, count: usize) -> Self {
        self.check(&format!("{count} actors"), |record| record.actors() == count)
    }

    /// The records of all the nodes are equal.
    ///
    /// # Panics
    /// Where they are not.
    #[track_caller]
    pub fn agree(self) -> Self {
        let first = self.nodes.first().map(|node| self.record(*node)).unwrap_or_default();
        self.check("the same everywhere", |record| *record == first)
    }

    #[track_caller]
    fn check(self, wanted: &str, holds: impl Fn(&Record) -> bool) -> Self {
        let holding = self.nodes.iter().filter(|node| holds(&self.record(**node))).count();
        let needed = self.suffice.unwrap_or(self.nodes.len());
        if holding >= needed {
            return self;
        }
        let place = if self.on_disk { "on disk" } else { "in memory" };
        let found: Vec<String> = self.nodes.iter().map(|node| self.found(*node)).collect();
        panic!(
            "key {:?}, {place}: expected {wanted} at {needed} of {:?}, found it at {holding}\n  {}",
            self.key,
            self.nodes,
            found.join("\n  "),
        );
    }

    fn record(&self, node: Node) -> Record {
        if self.on_disk {
            self.world.synced(node.0, &self.key)
        } else {
            self.world.record(node.0, &self.key)
        }
    }

    /// What a node holds, in words.
    fn found(&self, node: Node) -> String {
        let record = self.record(node);
        let (values, tombstones, live) = (values(&record), tombstones(&record), live(&record));
        let down = if self.world.node(node.0).is_none() { " (down)" } else { "" };
        if record.is_empty() {
            return format!("{node}{down}: nothing");
        }
        let actors = record.actors();
        format!(
            "{node}{down}: {values:?}, {tombstones} tombstones; dots {}; {actors} actors",
            names(&live)
        )
    }
}

/// The distinct values, sorted.
fn values(record: &Record) -> Vec<String> {
    let texts = record.values().into_iter().filter_map(|sibling| match &sibling.payload {
        Payload::Value(value) => Some(String::from_utf8_lossy(value).into_owned()),
        Payload::Tombstone => None,
    });
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts
}

fn tombstones(record: &Record) -> usize {
    let values = record.values().into_iter();
    values.filter(|sibling| sibling.payload == Payload::Tombstone).count()
}

fn live(record: &Record) -> BTreeSet<Dot> {
    record.siblings().map(|(dot, _)| dot).collect()
}

/// Dots, short enough to compare: node, birth and counter, and the incarnation.
fn names(dots: &BTreeSet<Dot>) -> String {
    let name = |dot: &Dot| {
        let Dot { actor, counter } = dot;
        let (node, life, birth) = (Node::of(actor.node), actor.incarnation.0, actor.birth.0);
        format!("{node}.{life:x}.{birth}:{}", counter.0)
    };
    let names: Vec<String> = dots.iter().map(name).collect();
    format!("[{}]", names.join(" "))
}
