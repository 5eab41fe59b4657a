//! One random run: calls and faults, then healing, then the last look.

use bytes::Bytes;
use quorate_core::causality::{Context, Payload};
use quorate_core::client::CallOptions;
use quorate_core::ids::Key;
use quorate_core::message::{Answer, CallId, QuorumChoice};
use quorate_core::prng::Prng;
use quorate_core::time::{Duration, Instant};
use quorate_sim::{World, WorldConfig};

use crate::history::{Action, History, Op, Seen};

const CLIENTS: usize = 3;
const KEYS: [&str; 3] = ["hot", "warm", "cold"];
const ACTIONS: usize = 70;

/// What is wrong at the moment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    Down(usize),
    /// Down, and its disk is emptied.
    Wiped(usize, Instant),
    /// A record cannot be read.
    Damaged(usize),
    Partition,
}

struct Open {
    client: usize,
    call: CallId,
    key: &'static str,
    action: Action,
    quorum: QuorumChoice,
    started: Instant,
}

struct Run {
    world: World,
    prng: Prng,
    fault: Fault,
    /// Whether disks may be emptied; where not, R and W vary.
    wipes: bool,
    open: Vec<Open>,
    /// Contexts that clients were told, by key.
    contexts: Vec<Vec<Bytes>>,
    history: History,
}

/// Runs the seed.
pub(crate) fn run(seed: u64) -> History {
    let mut prng = Prng::stream(seed, "random");
    let mut pick = |choices: [u64; 4]| Duration::from_micros(choices[prng.below(4) as usize]);
    let timeout = pick([150_000, 400_000, 1_000_000, 3_000_000]);
    let config = WorldConfig {
        nodes: 3 + (seed % 3) as usize,
        seed,
        delay_max: pick([500, 2_000, 10_000, 40_000]),
        sync: pick([100, 1_000, 10_000, 60_000]),
        apply: pick([10, 100, 1_000, 5_000]),
        timeout,
        ..WorldConfig::default()
    };
    let mut world = World::new(config);
    (0..CLIENTS).for_each(|_| assert!(world.add_client() < CLIENTS));
    let mut run = Run {
        world,
        fault: Fault::None,
        wipes: prng.chance(1, 2),
        prng,
        open: Vec::new(),
        contexts: KEYS.map(|_| Vec::new()).into(),
        history: History { timeout, ..History::default() },
    };
    for _ in 0..ACTIONS {
        run.act();
    }
    run.end_fault();
    run.settle();
    run.read_through_every_primary();
    run.look();
    run.history
}

impl Run {
    fn act(&mut self) {
        match self.prng.below(20) {
            0..13 => self.call(),
            13..18 => {
                let pause = [300, 3_000, 30_000, 300_000][self.prng.below(4) as usize];
                self.world.run_for(Duration::from_micros(self.prng.below(pause)));
            }
            _ if self.fault == Fault::None => self.begin_fault(),
            _ => self.end_fault(),
        }
        self.collect();
        self.scan();
    }

    fn call(&mut self) {
        let client = self.prng.below(CLIENTS as u64) as usize;
        let index = (self.prng.below(5) / 2) as usize;
        let key = KEYS[index];
        let quorum = if self.wipes {
            QuorumChoice { r: 2, w: 2 }
        } else {
            let choices = [(2, 2), (2, 2), (1, 3), (3, 1)];
            let (r, w) = choices[self.prng.below(4) as usize];
            QuorumChoice { r, w }
        };
        let options = CallOptions { quorum, ..CallOptions::default() };
        let started = self.world.now();
        let (call, action) = match self.prng.below(10) {
            0..3 => (self.world.get_with(client, key, options), Action::Get),
            kind => {
                let token = self.context(index, kind);
                let given = context(key, &token);
                if kind == 9 {
                    let quorum = QuorumChoice { r: 2, w: 2 };
                    let call = self.world.delete(client, key, token);
                    let action = Action::Delete { given };
                    self.open.push(Open { client, call, key, action, quorum, started });
                    return;
                }
                let text = format!("{key}:{}", self.history.ops.len() + self.open.len());
                let call = self.world.put_with(client, key, &text, token, options);
                (call, Action::Put { text, given })
            }
        };
        self.open.push(Open { client, call, key, action, quorum, started });
    }

    /// None, the newest, or any that somebody was told: clients hand contexts around.
    fn context(&mut self, key: usize, kind: u64) -> Bytes {
        let known = &self.contexts[key];
        if known.is_empty() || kind < 5 || (kind == 9 && self.prng.chance(1, 2)) {
            return Bytes::new();
        }
        let back = if kind == 8 { self.prng.below(known.len() as u64) as usize } else { 0 };
        known[known.len() - 1 - back].clone()
    }

    fn begin_fault(&mut self) {
        let nodes = self.world.layout().layout.members().len() as u64;
        let node = self.prng.below(nodes) as usize;
        self.fault = match self.prng.below(if self.wipes { 5 } else { 3 }) {
            0 | 1 => {
                self.world.crash(node);
                Fault::Down(node)
            }
            2 => {
                let other = self.prng.below(nodes) as usize;
                self.world.partition(&[node, other]);
                Fault::Partition
            }
            3 => {
                self.world.damage(node, KEYS[self.prng.below(3) as usize]);
                Fault::Damaged(node)
            }
            _ => {
                self.world.crash(node);
                self.wipe(node)
            }
        };
    }

    fn end_fault(&mut self) {
        match self.fault {
            Fault::None => {}
            Fault::Down(node) => self.world.restart(node),
            Fault::Partition => self.world.heal(),
            Fault::Damaged(node) => {
                self.world.crash(node);
                self.fault = self.wipe(node);
                return self.end_fault();
            }
            Fault::Wiped(node, since) => {
                self.world.restart(node);
                // A write that the emptied disk had acknowledged may not be answered yet.
                self.settle();
                self.read_through_every_primary();
                self.history.wiped.push((since, self.world.now()));
            }
        }
        self.fault = Fault::None;
    }

    fn wipe(&mut self, node: usize) -> Fault {
        self.scan();
        self.world.wipe(node);
        Fault::Wiped(node, self.world.now())
    }

    fn settle(&mut self) {
        self.world.settle();
        self.collect();
        self.scan();
        assert!(self.open.is_empty(), "a call has not ended");
    }

    fn read_through_every_primary(&mut self) {
        for key in KEYS {
            for node in self.world.primaries(key) {
                let reply = self.world.get_at(node, key);
                assert!(reply.result.is_ok(), "nothing is wrong any more: {:?}", reply.result);
                self.world.settle();
            }
        }
    }

    /// Notes the calls that have ended.
    fn collect(&mut self) {
        for open in std::mem::take(&mut self.open) {
            let Some(ended) = self.world.ended(open.client, open.call) else {
                self.open.push(open);
                continue;
            };
            let result = ended.map(|finished| {
                let token = finished.context();
                let index = KEYS.iter().position(|key| *key == open.key).expect("one of them");
                self.contexts[index].push(token.clone());
                let texts = match &finished.0.answer {
                    Answer::Entry(_) => finished.texts(),
                    Answer::Written(_) => Vec::new(),
                };
                let once = finished.0.attempts == 1 && finished.0.direct;
                Seen { context: context(open.key, &token), texts, once }
            });
            let ended = self.world.ended_at(open.client, open.call).expect("it has");
            self.history.ops.push(Op {
                key: open.key.to_owned(),
                action: open.action,
                r: open.quorum.r,
                w: open.quorum.w,
                started: open.started,
                ended,
                result,
            });
        }
    }

    /// Notes all dots on all disks; one dot has one content for ever.
    fn scan(&mut self) {
        for node in 0..self.world.layout().layout.members().len() {
            for key in KEYS {
                for (dot, sibling) in self.world.record(node, key).siblings() {
                    let content = (sibling.payload.clone(), sibling.request);
                    let name = (key.to_owned(), dot);
                    let known = self.history.dots.entry(name).or_insert(content.clone());
                    assert_eq!(*known, content, "{dot:?} of {key} has two contents");
                }
            }
        }
    }

    /// Notes what is left, which is the same everywhere.
    fn look(&mut self) {
        for key in KEYS {
            let primaries = self.world.primaries(key);
            let record = self.world.record(primaries[0], key);
            for node in primaries {
                assert_eq!(self.world.record(node, key), record, "{key} at node {node}");
            }
            let live = record.siblings().map(|(dot, _)| dot).collect();
            self.history.last.insert(key.to_owned(), (live, record.context()));
            // What stands is what a reader is shown.
            let node = self.world.primaries(key)[0];
            let Ok(Answer::Entry(entry)) = self.world.get_at(node, key).result else {
                panic!("no entry");
            };
            for (_, sibling) in record.siblings() {
                let Payload::Value(value) = &sibling.payload else { continue };
                assert!(entry.values.iter().any(|shown| shown.payload == *value));
            }
        }
    }
}

fn context(key: &str, token: &[u8]) -> Context {
    Context::from_token(&Key::from(key.as_bytes().to_vec()), token).expect("a token of the core")
}
