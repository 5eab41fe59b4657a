//! The vectors in `tests/vectors/frames.json`: the bytes of every kind of frame, and what a reader
//! that was generated from `core/proto/quorate.proto` finds in them.
//!
//! Derived from the messages below: the bytes by the encoder, the JSON by a writer of its own that
//! knows nothing of the encoder. `QUORATE_BLESS=1` writes the file.

#[path = "codec/between_nodes.rs"]
mod between_nodes;
#[path = "codec/change.rs"]
mod change;
#[path = "codec/change_json.rs"]
mod change_json;
#[path = "codec/collection.rs"]
mod collection;
#[path = "codec/collection_json.rs"]
mod collection_json;
#[path = "codec/examples.rs"]
mod examples;
#[path = "codec/exchange.rs"]
mod exchange;
#[path = "codec/exchange_json.rs"]
mod exchange_json;
#[path = "codec/gossip_json.rs"]
mod gossip_json;
#[path = "codec/json.rs"]
mod json;
#[path = "codec/status_json.rs"]
mod status_json;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use quorate_core::codec::{decode, encode, frames};
use quorate_core::limits::FRAME_BYTES_MAX;
use quorate_core::message::Message;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use examples::examples;
use json::json;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Vector {
    name: String,
    /// The frame with its length in front.
    frame_hex: String,
    /// The frame as protobufjs reads it.
    json: Value,
    /// What stands for it in this version, where that is not the same: a field was left out that
    /// this version always writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_as: Option<Value>,
}

// ---- the file

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("ASCII"));
    digits.map(|pair| u8::from_str_radix(pair, 16).expect("hexadecimal digits")).collect()
}

fn derived() -> Vec<Vector> {
    let vector = |(name, message): (String, Message)| {
        let mut frame = Vec::new();
        encode(&message, &mut frame);
        Vector { name, frame_hex: hex(&frame), json: json(&message), read_as: None }
    };
    examples().into_iter().map(vector).collect()
}

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

const FRAMES: &str = "tests/vectors/frames.json";

static STORED: LazyLock<Vec<Vector>> = LazyLock::new(|| {
    if std::env::var_os("QUORATE_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&derived()).expect("plain data");
        fs::write(repository(FRAMES), text + "\n").expect("the vectors can be written");
    }
    stored(FRAMES)
});

fn stored(path: &str) -> Vec<Vector> {
    let text = fs::read_to_string(repository(path)).expect("part of the repository");
    serde_json::from_str(&text).expect("the vectors have the shape of `Vector`")
}

/// The message of a vector; nothing may stand behind its frame.
fn decoded(vector: &Vector) -> Message {
    let mut frames = frames(unhex(&vector.frame_hex).into(), FRAME_BYTES_MAX);
    let frame = frames.next().expect("one frame").expect("whole");
    assert_eq!(frames.next(), None, "{}", vector.name);
    decode(frame).unwrap_or_else(|error| panic!("{}: {error}", vector.name))
}

#[test]
fn the_codec_does_what_the_vectors_say() {
    let derived = derived();
    for (stored, derived) in STORED.iter().zip(&derived) {
        assert_eq!(stored, derived);
    }
    assert_eq!(STORED.len(), derived.len());
}

#[test]
fn the_vectors_decode_to_the_examples() {
    assert_eq!(STORED.len(), examples().len());
    for (vector, (name, message)) in STORED.iter().zip(examples()) {
        assert_eq!(vector.name, name);
        assert_eq!(decoded(vector), message, "{name}");
    }
}

/// A reader that knows more finds in them what was written, and nothing besides: what it would
/// write itself are the same bytes, or more where it always says what was left out.
#[test]
fn frames_of_the_former_version_are_read_as_they_were_meant() {
    let former = stored("tests/vectors/frames-former.json");
    assert!(former.len() > 60, "{} frames of the former version", former.len());
    for vector in &former {
        let message = decoded(vector);
        let meant = vector.read_as.as_ref().unwrap_or(&vector.json);
        assert_eq!(json(&message), *meant, "{}", vector.name);
        let mut frame = Vec::new();
        encode(&message, &mut frame);
        let is_same = hex(&frame) == vector.frame_hex;
        assert_eq!(is_same, vector.read_as.is_none(), "{}", vector.name);
    }
    let differ = former.iter().filter(|vector| vector.read_as.is_some());
    let differ: Vec<&str> = differ.map(|vector| vector.name.as_str()).collect();
    assert_eq!(differ, ["status reply, full"]);
}

#[test]
fn names_are_unique() {
    let names: BTreeSet<String> = examples().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), examples().len());
}

/// The published schema is the checklist: all but `Held`, which stays on its disk.
#[test]
fn every_field_and_every_code_of_the_schema_has_an_example() {
    let mut found = BTreeSet::new();
    for vector in STORED.iter() {
        collect(&vector.json, &mut found);
    }
    let schema = fs::read_to_string(repository("core/proto/quorate.proto")).unwrap();
    let mut checked = 0;
    for line in schema.lines().map(|line| line.split("//").next().unwrap_or("").trim()) {
        let Some((left, number)) = line.strip_suffix(';').and_then(|line| line.split_once(" = "))
        else {
            continue;
        };
        let name = left.rsplit(' ').next().unwrap_or(left);
        // A code of number 0 is the default value: it is left out.
        if number == "0" || ["syntax", "own"].contains(&name) {
            continue;
        }
        let camel = if name.contains(char::is_uppercase) { name.to_owned() } else { camel(name) };
        assert!(found.contains(&camel), "{name} is in no example");
        checked += 1;
    }
    assert!(checked > 100, "{checked} fields and codes in the schema");
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
}

fn collect(json: &Value, found: &mut BTreeSet<String>) {
    if let Some(fields) = json.as_object() {
        found.extend(fields.keys().cloned());
        fields.values().for_each(|value| collect(value, found));
    }
    json.as_array().into_iter().flatten().for_each(|value| collect(value, found));
    found.extend(json.as_str().map(str::to_owned));
}
