//! The vectors in `tests/vectors/causality.json`: examples step by step, tokens, checksums.
//!
//! They are derived from the inputs below and compared with the file; `QUORATE_BLESS=1` writes the
//! file. The expectations of the worked example of DESIGN.md §6 are also asserted here by hand, so
//! a wrong file cannot be blessed.
//!
//! Above 500 lines so that the shape of the file and all that derives it stand together.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use quorate_core::causality::{
    Actor, Birth, Checksum, Context, Counter, Dot, Held, Payload, Record, RecordOp, Seen,
    TokenError, Write,
};
use quorate_core::ids::{Incarnation, Key, NodeId, RequestId};
use quorate_core::time::{Duration, UnixMs};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vectors {
    about: Vec<String>,
    nodes: BTreeMap<String, Node>,
    examples: Vec<Example>,
    tokens: Vec<Token>,
    refused_tokens: Vec<RefusedToken>,
    checksums: Vec<ValueChecksum>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Node {
    node: String,
    incarnation: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Example {
    name: String,
    key_hex: String,
    steps: Vec<Step>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Step {
    action: Action,
    expect: Expect,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// A put of the bytes of `name` through the node `at`, with the context that the read or
    /// write named by `context_of` gave; a blind one without.
    Write { name: String, at: String, context_of: Option<String> },
    /// The node `into` merges the record of the node `from`.
    Merge { from: String, into: String },
    /// The records of the nodes `at` are merged for a reader.
    Read { name: String, at: Vec<String> },
}

/// Of a write or a merge: the record of the node that took it. Of a read: what is read.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Expect {
    /// The dot of a write.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    dot: Option<DotText>,
    /// The values, in the order of their dots.
    siblings: Vec<String>,
    context: Vec<ActorSeen>,
    token_hex: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct DotText {
    node: String,
    incarnation: u32,
    birth: u64,
    counter: u64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ActorSeen {
    node: String,
    incarnation: u32,
    birth: u64,
    upto: u64,
    also: Vec<u64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Token {
    key_hex: String,
    actors: Vec<ActorSeen>,
    token_hex: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct RefusedToken {
    why: String,
    key_hex: String,
    token_hex: String,
    error: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct ValueChecksum {
    value_hex: String,
    checksum_hex: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits")).collect()
}

fn key(key_hex: &str) -> Key {
    Key::from(unhex(key_hex))
}

fn spell_out(context: &Context) -> Vec<ActorSeen> {
    let spell_out = |(actor, seen): (Actor, &Seen)| ActorSeen {
        node: actor.node.to_string(),
        incarnation: actor.incarnation.0,
        birth: actor.birth.0,
        upto: seen.upto(),
        also: seen.also().to_vec(),
    };
    context.iter().map(spell_out).collect()
}

fn context_of(actors: &[ActorSeen]) -> Context {
    let mut context = Context::new();
    for ActorSeen { node, incarnation, birth, upto, also } in actors {
        let actor = Actor {
            node: node.parse().expect("16 digits"),
            incarnation: Incarnation(*incarnation),
            birth: Birth(*birth),
        };
        let seen = Seen::from_parts(*upto, also.clone()).expect("canonical parts");
        context.insert_seen(actor, seen);
    }
    context
}

/// Carries out an example and answers what is to be expected of each step.
fn play(key: &Key, nodes: &BTreeMap<String, Node>, actions: &[Action]) -> Vec<Expect> {
    let mut held: BTreeMap<&str, Held> = BTreeMap::new();
    let mut births = 0;
    let mut contexts: BTreeMap<&str, Context> = BTreeMap::new();
    let mut expected = Vec::new();
    for action in actions {
        let mut dot = None;
        let record = match action {
            Action::Write { name, at, context_of } => {
                let node = &nodes[at];
                let mut context =
                    context_of.as_deref().map_or(Context::new(), |of| contexts[of].clone());
                let payload = Payload::Value(Bytes::copy_from_slice(name.as_bytes()));
                let op = RecordOp::Write(Write {
                    context: context.clone(),
                    checksum: Checksum::of(&payload),
                    payload,
                    written: UnixMs(1),
                    expires: None,
                    request: RequestId::default(),
                    newborn: Actor {
                        node: node.node.parse().expect("16 digits"),
                        incarnation: Incarnation(node.incarnation),
                        birth: Birth(births + 1),
                    },
                    continued: [].into(),
                    siblings_max: 100,
                    record_bytes_max: usize::MAX,
                    actors_kept: 10,
                    actor_age_min: Duration::MAX,
                });
                let held = held.entry(at).or_default();
                let applied = held.apply(&op).expect("the write is in order");
                births += u64::from(applied.newborn);
                let minted = applied.dot.expect("a write has a dot");
                context.insert(minted);
                contexts.insert(name, context);
                dot = Some(minted);
                held.record().clone()
            }
            Action::Merge { from, into } => {
                let sent = held[from.as_str()].record().clone();
                let held = held.entry(into).or_default();
                held.apply(&RecordOp::Merge(sent)).expect("an intact record");
                held.record().clone()
            }
            Action::Read { name, at } => {
                let mut record = Record::new();
                for node in at {
                    record.merge(held[node.as_str()].record());
                }
                contexts.insert(name, record.context());
                record
            }
        };
        expected.push(expect(key, dot, &record));
    }
    expected
}

fn expect(key: &Key, dot: Option<Dot>, record: &Record) -> Expect {
    let spell_out_dot = |Dot { actor, counter: Counter(counter) }| DotText {
        node: actor.node.to_string(),
        incarnation: actor.incarnation.0,
        birth: actor.birth.0,
        counter,
    };
    let values = record.siblings().filter_map(|(_, sibling)| sibling.value_at(UnixMs(1)));
    Expect {
        dot: dot.map(spell_out_dot),
        siblings: values.map(|value| String::from_utf8_lossy(value).into_owned()).collect(),
        context: spell_out(&record.context()),
        token_hex: hex(&record.context().to_token(key)),
    }
}

fn nodes() -> BTreeMap<String, Node> {
    let node = |name: &str, node, incarnation| {
        (name.to_owned(), Node { node: NodeId(node).to_string(), incarnation })
    };
    BTreeMap::from([
        node("A", 0x0a00_0000_0000_0001, 11),
        node("B", 0x0b00_0000_0000_0002, 4_000_000_000),
        node("C", 0xfc00_0000_0000_0003, 33),
    ])
}

fn write(name: &str, at: &str, context_of: &str) -> Action {
    let context_of = (!context_of.is_empty()).then(|| context_of.to_owned());
    Action::Write { name: name.to_owned(), at: at.to_owned(), context_of }
}

fn merge(from: &str, into: &str) -> Action {
    Action::Merge { from: from.to_owned(), into: into.to_owned() }
}

fn read(name: &str, at: &[&str]) -> Action {
    let at = at.iter().map(|&node| node.to_owned()).collect();
    Action::Read { name: name.to_owned(), at }
}

fn worked_example() -> Vec<Action> {
    vec![
        write("E1", "A", ""),
        write("E2", "A", "E1"),
        merge("A", "B"),
        merge("A", "C"),
        read("before the partition", &["B", "C"]),
        write("E3", "B", "before the partition"),
        write("E4", "C", "before the partition"),
        read("after healing", &["B", "C"]),
        write("E5", "A", "after healing"),
        merge("B", "A"),
        merge("C", "A"),
        merge("A", "B"),
    ]
}

fn shared_coordinator() -> Vec<Action> {
    vec![
        write("old", "A", ""),
        write("left 1", "A", "old"),
        write("right 1", "A", "old"),
        write("left 2", "A", "left 1"),
        write("right 2", "A", "right 1"),
        read("both", &["A"]),
        write("merged", "A", "both"),
    ]
}

fn tokens() -> Vec<Token> {
    // Numbers stay below 2^53, so JSON readers of every language hold them exactly.
    const GREAT: u64 = (1 << 53) - 1;
    let seen = |node: u64, incarnation, birth, upto, also: &[u64]| ActorSeen {
        node: NodeId(node).to_string(),
        incarnation,
        birth,
        upto,
        also: also.to_vec(),
    };
    let token = |key_text: &str, actors: Vec<ActorSeen>| {
        let token = context_of(&actors).to_token(&Key::from(key_text.as_bytes().to_vec()));
        Token { key_hex: hex(key_text.as_bytes()), actors, token_hex: hex(&token) }
    };
    vec![
        token("cart", vec![]),
        token("cart", vec![seen(1, 1, 1, 1, &[])]),
        token("other", vec![seen(1, 1, 1, 1, &[])]),
        token("cart", vec![seen(1, 1, 1, 0, &[2])]),
        token("cart", vec![seen(1, 1, 1, 127, &[129, 130, 300])]),
        token("caf\u{e9}", vec![seen(u64::MAX, u32::MAX, GREAT, 128, &[GREAT])]),
        token(
            "cart",
            vec![
                seen(0x0123_4567_89ab_cdef, 2, 1, 5, &[]),
                seen(0x0123_4567_89ab_cdef, 2, 300, 1, &[3]),
                seen(0x0123_4567_89ab_cdef, 3, 1, 1, &[]),
                seen(0xfedc_ba98_7654_3210, 1, 0, 70_000, &[]),
            ],
        ),
    ]
}

fn refused_tokens() -> Vec<RefusedToken> {
    let good = Key::from("cart");
    let mut context = Context::new();
    let actor = Actor { node: NodeId(1), incarnation: Incarnation(1), birth: Birth(1) };
    context.insert(Dot { actor, counter: Counter(1) });
    let token = context.to_token(&good);
    let changed = |index: usize, byte: u8| {
        let mut token = token.to_vec();
        token[index] = byte;
        token
    };
    let longer = [token.as_ref(), &[0]].concat();
    let cases = [
        ("of another key", "trac", token.to_vec()),
        ("of an unknown version", "cart", changed(0, 2)),
        ("a counter was raised", "cart", changed(15, 2)),
        ("longer", "cart", longer),
        ("cut", "cart", token[..8].to_vec()),
    ];
    let refused = |(why, key_text, token): (&str, &'static str, Vec<u8>)| {
        let error = Context::from_token(&Key::from(key_text), &token);
        RefusedToken {
            why: why.to_owned(),
            key_hex: hex(key_text.as_bytes()),
            token_hex: hex(&token),
            error: name_of(error.expect_err("a token to refuse")).to_owned(),
        }
    };
    cases.into_iter().map(refused).collect()
}

fn name_of(error: TokenError) -> &'static str {
    match error {
        TokenError::Truncated { .. } => "truncated",
        TokenError::Version { .. } => "version",
        TokenError::Checksum => "checksum",
        TokenError::Malformed => "malformed",
        other => panic!("{other:?} needs a name in the vectors"),
    }
}

fn checksums() -> Vec<ValueChecksum> {
    let bytes_of_each_value: Vec<u8> = (0..=255).collect();
    [&b""[..], b"a", b"abc", b"The quick brown fox jumps over the lazy dog", &bytes_of_each_value]
        .map(|value| ValueChecksum {
            value_hex: hex(value),
            checksum_hex: Checksum::of_value(value).to_string(),
        })
        .into()
}

fn derived() -> Vectors {
    let example = |name: &str, actions: Vec<Action>| {
        let key_hex = hex(b"cart");
        let expected = play(&key(&key_hex), &nodes(), &actions);
        let steps = actions.into_iter().zip(expected);
        let steps = steps.map(|(action, expect)| Step { action, expect }).collect();
        Example { name: name.to_owned(), key_hex, steps }
    };
    let about = [
        "Versions (DESIGN.md, section 6). Written by QUORATE_BLESS=1 cargo test -p quorate-core \
         --test causality_vectors.",
        "examples: each node holds one record of the key; a write is answered with its own context \
         and its dot; expect describes the record of the node after the step, or what was read. An \
         actor is born where a node writes for the first time; births count over the example.",
        "Node ids and checksums are 16 hexadecimal digits, big-endian; a value is the UTF-8 of its \
         name.",
        "tokens: the context with these actors has this token under this key. refused_tokens: \
         these have none. checksums: XXH64 with seed 0.",
    ];
    Vectors {
        about: about.map(str::to_owned).into(),
        nodes: nodes(),
        examples: vec![
            example("worked example: a partition and its repair", worked_example()),
            example("two writers chain their contexts at one node", shared_coordinator()),
        ],
        tokens: tokens(),
        refused_tokens: refused_tokens(),
        checksums: checksums(),
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/causality.json")
}

fn stored() -> Vectors {
    let text = fs::read_to_string(file()).expect("the vectors are part of the repository");
    serde_json::from_str(&text).expect("the vectors have the shape of `Vectors`")
}

#[test]
fn the_code_does_what_the_vectors_say() {
    let derived = derived();
    if std::env::var_os("QUORATE_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&derived).expect("plain data");
        fs::write(file(), text + "\n").expect("the vectors can be written");
    }
    let stored = stored();
    for example in &stored.examples {
        let actions: Vec<Action> = example.steps.iter().map(|step| step.action.clone()).collect();
        let played = play(&key(&example.key_hex), &stored.nodes, &actions);
        for (step, played) in example.steps.iter().zip(played) {
            assert_eq!(step.expect, played, "{}: {:?}", example.name, step.action);
        }
    }
    for token in &stored.tokens {
        let read = Context::from_token(&key(&token.key_hex), &unhex(&token.token_hex));
        assert_eq!(read, Ok(context_of(&token.actors)));
    }
    for token in &stored.refused_tokens {
        let read = Context::from_token(&key(&token.key_hex), &unhex(&token.token_hex));
        assert_eq!(read.map_err(name_of), Err(token.error.as_str()), "{}", token.why);
    }
    assert_eq!(stored, derived, "run with QUORATE_BLESS=1 if the change is wanted");
}

/// The text of DESIGN.md §6, with A, B and C for the actors.
#[test]
fn the_worked_example_ends_as_the_design_says() {
    let nodes = nodes();
    let played = play(&Key::from("cart"), &nodes, &worked_example());
    let name =
        |id: &str| nodes.iter().find(|(_, node)| node.node == id).map(|(name, _)| name.as_str());
    let clocks: Vec<String> = played
        .iter()
        .map(|expect| {
            let clock = expect.context.iter().map(|seen| {
                assert!(seen.also.is_empty());
                format!("[{},{}]", name(&seen.node).expect("one of the nodes"), seen.upto)
            });
            format!("{} {}", expect.siblings.join("+"), clock.collect::<Vec<_>>().concat())
        })
        .collect();
    assert_eq!(
        clocks,
        [
            "E1 [A,1]",
            "E2 [A,2]",
            "E2 [A,2]",
            "E2 [A,2]",
            "E2 [A,2]",
            "E3 [A,2][B,1]",
            "E4 [A,2][C,1]",
            "E3+E4 [A,2][B,1][C,1]",
            "E5 [A,3][B,1][C,1]",
            "E5 [A,3][B,1][C,1]",
            "E5 [A,3][B,1][C,1]",
            "E5 [A,3][B,1][C,1]",
        ]
    );
}

/// Values published with the reference implementation of XXH64.
#[test]
fn checksums_are_those_of_the_reference_implementation() {
    assert_eq!(Checksum::of_value(b"").to_string(), "ef46db3751d8e999");
    assert_eq!(Checksum::of_value(b"a").to_string(), "d24ec4f1a98c6e5b");
    assert_eq!(Checksum::of_value(b"abc").to_string(), "44bc2cf5ad770999");
    assert_eq!(Checksum::of(&Payload::Tombstone), Checksum(0));
}
