//! `quorate store` on a directory with a damaged record, as an operator sees it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Command;

use fjall::{Database, KeyspaceCreateOptions, PersistMode};
use quorate_core::causality::{
    Actor, Birth, Checksum, Counter, History, Payload, Record, Seen, Sibling,
};
use quorate_core::ids::{ClusterId, Incarnation, Key, NodeId, RequestId};
use quorate_core::ring::Position;
use quorate_core::time::UnixMs;
use quorate_node::backup::{BackupWriter, Header};
use quorate_node::storage::Settings;
use serde_json::Value;

/// A key that would turn a terminal red.
const RED: &[u8] = b"\x1b[31m";

/// What `quorate store` says: its exit code, stdout and stderr.
fn store(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    let output = command.arg("store").args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn record() -> Record {
    let payload = Payload::Value("value".into());
    let sibling = Sibling {
        checksum: Checksum::of(&payload),
        payload,
        written: UnixMs(1),
        expires: None,
        request: RequestId::default(),
    };
    let actor = Actor { node: NodeId(1), incarnation: Incarnation(1), birth: Birth(1) };
    let history = History::from_parts(Seen::new(), UnixMs(1), vec![(Counter(1), sibling)]);
    Record::from_histories([(actor, history.unwrap())]).unwrap()
}

/// A backup with some records, written by another program than `quorate`.
fn backup(keys: &[&[u8]]) -> Vec<u8> {
    let settings = Settings {
        r: 1,
        w: 1,
        strict: false,
        allow_weak: false,
        replication: Some(1),
        slots: Some(64),
    };
    let (cluster, node) = (ClusterId(7), NodeId(1));
    let header = Header { cluster, node, label: None, written_ms: 1, settings, layout: None };
    let mut writer = BackupWriter::begin(Vec::new(), &header).unwrap();
    for key in keys {
        writer.add(None, &Key::from(key.to_vec()), record()).unwrap();
    }
    writer.finish().unwrap()
}

/// Flips a bit in the middle of what a directory stores of a key.
fn damage(data: &Path, key: &[u8]) {
    let database = Database::builder(data.join("store")).open().unwrap();
    let records = database.keyspace("records", KeyspaceCreateOptions::default).unwrap();
    let place = [&Position::of(key).to_be_bytes(), key].concat();
    let mut value = records.get(&place).unwrap().expect("it is stored").to_vec();
    let middle = value.len() / 2;
    value[middle] ^= 1;
    records.insert(place, value).unwrap();
    database.persist(PersistMode::SyncAll).unwrap();
}

#[test]
fn a_damaged_record_is_named_and_left_out_of_the_backup() {
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let (first, data, second, new) = (at("first"), at("data"), at("second"), at("new"));
    std::fs::write(&first, backup(&[b"sound", RED])).unwrap();
    let (code, told, error) = store(&["import", &first, &data]);
    assert_eq!((code, &*error), (Some(0), ""));
    assert!(told.starts_with("2 records and 0 hints are imported, 2 of them"), "{told}");
    assert_eq!(store(&["verify", &data]).0, Some(0));
    damage(Path::new(&data), RED);

    let (code, told, error) = store(&["verify", &data]);
    assert_eq!((code, &*error), (Some(1), "quorate: damaged: 1"));
    assert!(told.starts_with("record \"\\x1b[31m\": "), "{told}");
    assert!(told.ends_with("1 record and 0 hints are whole"), "{told}");
    let (code, told, _) = store(&["verify", &data, "-o", "json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told["damaged"]["count"]), (Some(1), &1.into()));
    assert_eq!(told["damaged"]["named"][0]["key_base64"], "G1szMW0=");
    let (code, told, _) = store(&["inspect", &data]);
    assert!(code == Some(0) && told.contains("1 cannot be read"), "{told}");

    let (code, told, error) = store(&["export", &data, &second]);
    assert!(code == Some(1) && told.starts_with("1 record "), "{told}");
    assert!(error.contains("\\x1b[31m") && !error.contains('\x1b'), "{error}");
    assert_eq!(store(&["import", &second, &new]).0, Some(0), "what it holds is whole");
    assert_eq!(store(&["verify", &new]).0, Some(0));
    let (code, told, error) = store(&["import", &first, &data]);
    assert!(code == Some(1) && told.starts_with("1 record "), "{told}");
    assert!(error.contains("\\x1b[31m"), "what is damaged is not written over: {error}");
}
