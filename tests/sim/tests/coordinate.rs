//! Reads whose quorum the client runs itself find the same as those that a node coordinates.

use bytes::Bytes;
use quorate_core::client::{CallOptions, Coordinate};
use quorate_core::limits::Limits;
use quorate_core::node::AntiEntropySettings;
use quorate_core::prng::Prng;
use quorate_core::time::Duration;
use quorate_sim::{Ended, World, WorldConfig};

/// Histories that are compared, unless the variable `QUORATE_HISTORIES` names another number.
const HISTORIES: u64 = 200;

const NODES: usize = 5;

const CLIENTS: usize = 2;

const KEYS: [&str; 3] = ["a", "b", "c"];

/// What happens in both worlds, one after the other.
#[derive(Clone, Copy, Debug)]
enum Step {
    Get {
        client: usize,
        key: &'static str,
    },
    /// With the context of the client's last read of the key, or blind.
    Put {
        client: usize,
        key: &'static str,
        blind: bool,
    },
    Delete {
        client: usize,
        key: &'static str,
        blind: bool,
    },
    Crash(usize),
    Restart(usize),
    Wait(Duration),
}

/// At most one node is down at a time, and only primaries count, so every quorum of reads meets every
/// quorum of writes: there is one right answer, though a node that came back keeps its old copies.
fn draw(seed: u64) -> Vec<Step> {
    let mut prng = Prng::stream(seed, "histories");
    let mut down = None;
    let mut steps = Vec::new();
    for _ in 0..prng.below(20) + 10 {
        let client = prng.below(CLIENTS as u64) as usize;
        let key = KEYS[prng.below(KEYS.len() as u64) as usize];
        let blind = prng.chance(1, 2);
        match prng.below(12) {
            0..5 => steps.push(Step::Get { client, key }),
            5..8 => steps.push(Step::Put { client, key, blind }),
            8 => steps.push(Step::Delete { client, key, blind }),
            9 => steps.push(Step::Wait(Duration::from_millis(prng.below(3_000)))),
            _ => match down.take() {
                None => {
                    let node = prng.below(NODES as u64) as usize;
                    // What is under way to it arrives before.
                    steps.extend([Step::Wait(Duration::from_secs(1)), Step::Crash(node)]);
                    down = Some(node);
                }
                // The clients find it again.
                Some(node) => {
                    steps.extend([Step::Restart(node), Step::Wait(Duration::from_secs(3))]);
                }
            },
        }
    }
    steps.extend(KEYS.map(|key| Step::Get { client: 0, key }));
    steps
}

/// What each step told the client who took it.
fn carry_out(steps: &[Step], seed: u64, coordinate: Coordinate) -> Vec<String> {
    let mut world = World::new(WorldConfig {
        nodes: NODES,
        seed,
        coordinate,
        strict: true,
        // Neither hints nor comparisons bring a copy up to date.
        limits: Limits { hint_bytes_max: 0, target_hint_bytes_max: 0, ..Limits::default() },
        anti_entropy: AntiEntropySettings { bytes_per_second: 0, ..Default::default() },
        ..WorldConfig::default()
    });
    for _ in 0..CLIENTS {
        world.add_client();
    }
    let mut shown = vec![[const { Bytes::new() }; KEYS.len()]; CLIENTS];
    let place = |key: &str| KEYS.iter().position(|known| *known == key).expect("a key of KEYS");
    let mut told = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let mut context = |client: usize, key: &str, blind: bool| match blind {
            true => Bytes::new(),
            false => std::mem::take(&mut shown[client][place(key)]),
        };
        match *step {
            Step::Get { client, key } => {
                let call = world.get(client, key);
                let ended = world.finish(client, call);
                if let Ok(found) = &ended {
                    shown[client][place(key)] = found.context();
                }
                told.push(in_words(&ended, |found| {
                    format!("{:?} beside {} deletes", found.texts(), found.entry().tombstones)
                }));
            }
            Step::Put { client, key, blind } => {
                let (context, value) = (context(client, key, blind), format!("value {number}"));
                let options = CallOptions::default();
                let call = world.put_with(client, key, &value, context, options);
                told.push(in_words(&world.finish(client, call), |_| "written".into()));
            }
            Step::Delete { client, key, blind } => {
                let context = context(client, key, blind);
                let call = world.delete(client, key, context);
                told.push(in_words(&world.finish(client, call), |_| "deleted".into()));
            }
            Step::Crash(node) => world.crash(node),
            Step::Restart(node) => world.restart(node),
            Step::Wait(time) => world.run_for(time),
        }
    }
    assert_eq!(world.violation().map(ToString::to_string), None, "seed {seed}, {coordinate:?}");
    told
}

fn in_words(ended: &Ended, done: impl Fn(&quorate_sim::Finished) -> String) -> String {
    match ended {
        Ok(finished) => done(finished),
        Err(error) => format!("{:?}", error.code),
    }
}

#[test]
fn clients_find_by_themselves_what_nodes_find_for_them() {
    let wanted = std::env::var("QUORATE_HISTORIES").ok();
    let histories = wanted.map_or(HISTORIES, |number| number.parse().expect("a number"));
    let mut reads = 0;
    for seed in 0..histories {
        let steps = draw(seed);
        reads += steps.iter().filter(|step| matches!(step, Step::Get { .. })).count();
        let [node, client] =
            [Coordinate::Node, Coordinate::Client].map(|it| carry_out(&steps, seed, it));
        assert_eq!(node, client, "seed {seed}: {steps:?}");
    }
    println!("{reads} reads of {histories} histories");
}
