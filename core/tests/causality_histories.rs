//! Causality against a brute-force history.
//!
//! Random clients write through random coordinators; records travel late, twice and out of order;
//! disks go back in time or are emptied; copies are handed over, removed and received again. The
//! oracle keeps explicit sets of writes: a copy is the set of writes that reached it, a write is
//! the set of writes that its writer had been shown, and a sibling is a write of the copy that no
//! other write of the copy had been shown.
//!
//! Above 500 lines so that the world and its oracle are read side by side.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use proptest::sample::Index;
use quorate_core::causality::{
    Actor, Applied, Birth, Checksum, Context, Counter, Dot, Held, Payload, Record, RecordOp, Seen,
    Write,
};
use quorate_core::ids::{Incarnation, Key, NodeId, RequestId};
use quorate_core::time::{Duration, UnixMs};

const COPIES: usize = 3;
const CLIENTS: usize = 3;
const KEY: &str = "k";

/// The place of a write in [`World::writes`].
type WriteIndex = usize;
type Writes = BTreeSet<WriteIndex>;

#[derive(Clone, Copy, Debug)]
enum Knowledge {
    /// No context at all.
    Blind,
    /// What earlier puts of the client were answered with, and nothing that it read.
    Chained,
    /// What the client last read.
    Read,
    /// Both.
    All,
}

#[derive(Clone, Debug)]
enum Step {
    Put {
        client: usize,
        at: usize,
        knowledge: Knowledge,
    },
    /// An earlier put is sent again, to any coordinator.
    Retry {
        put: Index,
        at: usize,
    },
    Read {
        client: usize,
        at: [usize; 2],
    },
    Merge {
        from: usize,
        into: usize,
    },
    /// A copy receives what some copy was at any earlier moment.
    Late {
        moment: Index,
        into: usize,
    },
    /// A disk goes back to an earlier moment of its own: a new incarnation.
    RollBack {
        copy: usize,
        moment: Index,
    },
    /// A disk is emptied: a new incarnation.
    Empty {
        copy: usize,
    },
    /// A copy was handed over and is removed; the incarnation goes on.
    Remove {
        copy: usize,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    let knowledge = prop_oneof![
        Just(Knowledge::Blind),
        Just(Knowledge::Chained),
        Just(Knowledge::Read),
        Just(Knowledge::All),
    ];
    let index = any::<Index>;
    prop_oneof![
        10 => (0..CLIENTS, 0..COPIES, knowledge)
            .prop_map(|(client, at, knowledge)| Step::Put { client, at, knowledge }),
        1 => (index(), 0..COPIES).prop_map(|(put, at)| Step::Retry { put, at }),
        5 => (0..CLIENTS, [0..COPIES, 0..COPIES]).prop_map(|(client, at)| Step::Read { client, at }),
        5 => (0..COPIES, 0..COPIES).prop_map(|(from, into)| Step::Merge { from, into }),
        4 => (index(), 0..COPIES).prop_map(|(moment, into)| Step::Late { moment, into }),
        1 => (0..COPIES, index()).prop_map(|(copy, moment)| Step::RollBack { copy, moment }),
        1 => (0..COPIES).prop_map(|copy| Step::Empty { copy }),
        2 => (0..COPIES).prop_map(|copy| Step::Remove { copy }),
    ]
}

/// What a client was shown: as it holds it, and as the oracle knows it.
#[derive(Clone, Debug, Default)]
struct Shown {
    context: Context,
    writes: Writes,
}

#[derive(Clone, Debug, Default)]
struct Client {
    chained: Shown,
    read: Shown,
    puts: u64,
}

/// One copy of the key: as its disk holds it, and as the oracle knows it.
#[derive(Clone, Debug)]
struct Copy {
    node: NodeId,
    incarnation: Incarnation,
    births: u64,
    held: Held,
    writes: Writes,
}

struct Written {
    dot: Dot,
    /// Everything that its writer had been shown.
    shown: Writes,
    put: Put,
}

#[derive(Clone)]
struct Put {
    request: RequestId,
    shown: Shown,
}

#[derive(Default)]
struct World {
    copies: Vec<Copy>,
    clients: Vec<Client>,
    writes: Vec<Written>,
    minted: BTreeMap<Dot, WriteIndex>,
    puts: Vec<Put>,
    moments: Vec<(usize, Held, Writes)>,
    incarnations: u32,
    clock: u64,
    /// Whether writes drop actors: then a copy may know less than the oracle.
    truncating: bool,
}

impl World {
    fn new(truncating: bool) -> World {
        let mut world = World { truncating, ..World::default() };
        world.clients = vec![Client::default(); CLIENTS];
        for node in 0..COPIES {
            let incarnation = world.next_incarnation();
            let node = NodeId(node as u64 + 1);
            let (held, writes) = (Held::new(), Writes::new());
            world.copies.push(Copy { node, incarnation, births: 0, held, writes });
        }
        world
    }

    fn next_incarnation(&mut self) -> Incarnation {
        self.incarnations += 1;
        // Random ones have no order.
        Incarnation(self.incarnations.wrapping_mul(0x9e37_79b9))
    }

    fn take(&mut self, step: &Step) {
        self.clock += 1;
        match step {
            Step::Put { client, at, knowledge } => self.put(*client, *at, *knowledge),
            Step::Retry { put, at } => {
                if !self.puts.is_empty() {
                    let put = self.puts[put.index(self.puts.len())].clone();
                    self.write(*at, &put);
                }
            }
            Step::Read { client, at } => self.read(*client, *at),
            Step::Merge { from, into } => {
                let Copy { held, writes, .. } = self.copies[*from].clone();
                self.merge(*into, held.record(), &writes);
            }
            Step::Late { moment, into } => {
                if !self.moments.is_empty() {
                    let moment = moment.index(self.moments.len());
                    let (_, held, writes) = self.moments[moment].clone();
                    self.merge(*into, held.record(), &writes);
                }
            }
            Step::RollBack { copy, moment } => {
                let own: Vec<(Held, Writes)> = self
                    .moments
                    .iter()
                    .filter(|(of, _, _)| of == copy)
                    .map(|(_, held, writes)| (held.clone(), writes.clone()))
                    .collect();
                if !own.is_empty() {
                    self.replace(*copy, own[moment.index(own.len())].clone());
                    self.restart(*copy);
                }
            }
            Step::Empty { copy } => {
                self.replace(*copy, Default::default());
                self.restart(*copy);
            }
            Step::Remove { copy } => self.replace(*copy, Default::default()),
        }
    }

    fn put(&mut self, client: usize, at: usize, knowledge: Knowledge) {
        let writer = &mut self.clients[client];
        writer.puts += 1;
        let request = RequestId { client: client as u64 + 1, sequence: writer.puts };
        let shown = match knowledge {
            Knowledge::Blind => Shown::default(),
            Knowledge::Chained => writer.chained.clone(),
            Knowledge::Read => writer.read.clone(),
            Knowledge::All => {
                let mut shown = writer.read.clone();
                shown.context.merge(&writer.chained.context);
                shown.writes.extend(&writer.chained.writes);
                shown
            }
        };
        let put = Put { request, shown };
        let dot = self.write(at, &put);
        self.puts.push(put.clone());

        // A put answers with the writer's own context and the new dot.
        let index = self.minted[&dot];
        let chained = &mut self.clients[client].chained;
        *chained = put.shown;
        chained.context.insert(dot);
        chained.writes.insert(index);
    }

    fn write(&mut self, at: usize, put: &Put) -> Dot {
        let first = self.first_try(at, put);
        let (actors_kept, actor_age_min) = match self.truncating {
            true => (2, Duration::ZERO),
            false => (usize::MAX, Duration::MAX),
        };
        let copy = &mut self.copies[at];
        let payload = Payload::Value(value_of(put.request));
        let write = Write {
            context: through_token(&put.shown.context),
            checksum: Checksum::of(&payload),
            payload,
            written: UnixMs(self.clock),
            expires: None,
            request: put.request,
            newborn: Actor {
                node: copy.node,
                incarnation: copy.incarnation,
                birth: Birth(copy.births + 1),
            },
            continued: [].into(),
            siblings_max: usize::MAX,
            record_bytes_max: usize::MAX,
            actors_kept,
            actor_age_min,
        };
        let applied = copy.held.apply(&RecordOp::Write(write)).expect("nothing to refuse");
        copy.births += u64::from(applied.newborn);
        let dot = applied.dot.expect("a write has a dot");
        if applied.changed {
            // Truncation may bring the first try back to life, but never hides it.
            assert_eq!(first, None, "a retry got a second dot");
            let index = self.writes.len();
            let twice = self.minted.insert(dot, index);
            assert_eq!(twice, None, "{dot:?} was minted twice");
            self.writes.push(Written { dot, shown: put.shown.writes.clone(), put: put.clone() });
            self.copies[at].writes.insert(index);
        } else {
            assert_eq!(applied, Applied { dot: Some(dot), ..Applied::default() });
            assert!(first == Some(dot) || self.truncating, "{dot:?} answers no retry");
            assert_eq!(self.writes[self.minted[&dot]].put.request, put.request);
        }
        self.check(at);
        dot
    }

    /// The standing write of the same request that this copy knows.
    fn first_try(&self, at: usize, put: &Put) -> Option<Dot> {
        let copy = &self.copies[at];
        self.standing(&copy.writes)
            .into_iter()
            .map(|index| &self.writes[index])
            .filter(|written| written.put.request == put.request)
            .map(|written| written.dot)
            .min()
    }

    fn read(&mut self, client: usize, at: [usize; 2]) {
        let mut record = Record::new();
        let mut writes = Writes::new();
        for copy in at.map(|copy| &self.copies[copy]) {
            record.merge(copy.held.record());
            writes.extend(&copy.writes);
        }
        let context = record.context();
        let shown = match self.truncating {
            true => dots(&context).iter().map(|dot| self.minted[dot]).collect(),
            false => self.known(&writes),
        };
        self.clients[client].read = Shown { context, writes: shown };
    }

    fn merge(&mut self, into: usize, record: &Record, writes: &Writes) {
        let copy = &mut self.copies[into];
        let before = copy.held.clone();
        let op = RecordOp::Merge(record.clone());
        let applied = copy.held.apply(&op).expect("all bytes are intact");
        assert_eq!(applied.changed, copy.held != before);
        assert!(copy.held.record().descends(record));
        assert_eq!(copy.held.own(), before.own());
        copy.writes.extend(writes);
        self.check(into);
    }

    fn replace(&mut self, copy: usize, (held, writes): (Held, Writes)) {
        let copy = &mut self.copies[copy];
        (copy.held, copy.writes) = (held, writes);
    }

    fn restart(&mut self, copy: usize) {
        self.copies[copy].incarnation = self.next_incarnation();
        self.copies[copy].births = 0;
    }

    fn superseded(&self, writes: &Writes) -> Writes {
        writes.iter().flat_map(|index| &self.writes[*index].shown).copied().collect()
    }

    fn standing(&self, writes: &Writes) -> Writes {
        writes - &self.superseded(writes)
    }

    fn known(&self, writes: &Writes) -> Writes {
        writes | &self.superseded(writes)
    }

    fn dots_of(&self, writes: &Writes) -> BTreeSet<Dot> {
        writes.iter().map(|index| self.writes[*index].dot).collect()
    }

    fn check(&mut self, copy: usize) {
        let Copy { held, writes, .. } = &self.copies[copy];
        held.check_invariants();
        self.check_record(held.record(), writes);
        self.moments.push((copy, held.clone(), writes.clone()));
    }

    fn check_record(&self, record: &Record, writes: &Writes) {
        let live: BTreeSet<Dot> = record.siblings().map(|(dot, _)| dot).collect();
        let superseded: BTreeSet<Dot> = record
            .histories()
            .flat_map(|(actor, history)| dots_of_actor(actor, history.superseded()))
            .collect();
        let may_be_superseded = self.dots_of(&self.superseded(writes));
        let must_stand = self.dots_of(&self.standing(writes));
        if self.truncating {
            assert!(superseded.is_subset(&may_be_superseded), "superseded by someone not shown it");
            assert!(live.is_superset(&must_stand), "a write was lost");
        } else {
            assert_eq!(superseded, may_be_superseded, "superseded: ours, the oracle's");
            assert_eq!(live, must_stand, "siblings: ours, the oracle's");
            assert_eq!(dots(&record.context()), self.dots_of(&self.known(writes)));
        }
        for (dot, sibling) in record.siblings() {
            let request = self.writes[self.minted[&dot]].put.request;
            assert_eq!(sibling.request, request);
            assert_eq!(sibling.payload, Payload::Value(value_of(request)));
        }
        let requests: BTreeSet<RequestId> =
            record.siblings().map(|(_, sibling)| sibling.request).collect();
        assert_eq!(record.sibling_count(), requests.len());
    }

    /// The records of all copies, merged in any order, hold the maximal writes.
    fn heal(&self) {
        let merged = |order: &mut dyn Iterator<Item = &Copy>| {
            let mut record = Record::new();
            for copy in order {
                record.merge(copy.held.record());
            }
            record
        };
        let forth = merged(&mut self.copies.iter());
        let back = merged(&mut self.copies.iter().rev());
        assert_eq!(forth, back, "replicas do not converge");
        let writes = self.copies.iter().flat_map(|copy| &copy.writes).copied().collect();
        self.check_record(&forth, &writes);
    }
}

fn value_of(request: RequestId) -> Bytes {
    Bytes::from(format!("{} of {}", request.sequence, request.client))
}

fn through_token(context: &Context) -> Context {
    let key = Key::from(KEY);
    Context::from_token(&key, &context.to_token(&key)).expect("our own token")
}

fn dots(context: &Context) -> BTreeSet<Dot> {
    context.iter().flat_map(|(actor, seen)| dots_of_actor(actor, seen)).collect()
}

fn dots_of_actor(actor: Actor, seen: &Seen) -> impl Iterator<Item = Dot> {
    let counters = (1..=seen.upto()).chain(seen.also().to_vec());
    counters.map(move |counter| Dot { actor, counter: Counter(counter) })
}

fn run(truncating: bool, steps: &[Step]) {
    let mut world = World::new(truncating);
    for step in steps {
        world.take(step);
    }
    world.heal();
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 4_096,
        ..ProptestConfig::default()
    })]

    #[test]
    fn siblings_are_the_writes_that_nobody_shown_them_overwrote(
        steps in prop::collection::vec(any_step(), 1..64),
    ) {
        run(false, &steps);
    }

    #[test]
    fn truncation_brings_siblings_back_but_loses_none(
        steps in prop::collection::vec(any_step(), 1..64),
    ) {
        run(true, &steps);
    }
}
