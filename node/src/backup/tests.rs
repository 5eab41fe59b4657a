//! A backup is whole or refused, and says what the documentation says.

use quorate_core::causality::{
    Actor, Birth, Checksum, Context, Counter, Held, History, Own, Payload, Record, Seen, Sibling,
};
use quorate_core::codec;
use quorate_core::ids::{ClusterId, Incarnation, Key, NodeId, RequestId};
use quorate_core::time::UnixMs;

use super::section::{Chain, Kind};
use super::*;
use crate::storage::tests::SETTINGS;

fn header() -> Header {
    let member = |id, label: &str| MemberOutline {
        id: NodeId(id),
        label: label.into(),
        zone: "east".into(),
        weight: 2,
        address: "ws://127.0.0.1:7101".into(),
    };
    Header {
        cluster: ClusterId(u64::MAX),
        node: NodeId(1),
        label: Some("n1".into()),
        written_ms: 1_000,
        settings: SETTINGS,
        layout: Some(LayoutOutline {
            version: 1,
            replication: 3,
            slots: 64,
            members: vec![member(1, "n1"), member(2, "n2")],
        }),
    }
}

const ACTOR: Actor = Actor { node: NodeId(1), incarnation: Incarnation(2), birth: Birth(3) };

fn record(payloads: &[Payload]) -> Record {
    let sibling = |payload: &Payload| Sibling {
        payload: payload.clone(),
        checksum: Checksum::of(payload),
        written: UnixMs(5),
        expires: None,
        request: RequestId::default(),
    };
    let live = payloads.iter().zip(1..).map(|(it, counter)| (Counter(counter), sibling(it)));
    let history = History::from_parts(Seen::new(), UnixMs(5), live.collect()).unwrap();
    Record::from_histories([(ACTOR, history)]).unwrap()
}

fn value(text: &'static str) -> Payload {
    Payload::Value(text.into())
}

fn entries() -> Vec<Entry> {
    let key = |bytes: &[u8]| Key::from(bytes.to_vec());
    let record_of = |name: &[u8], payloads: &[Payload]| Entry::Record {
        key: key(name),
        record: record(payloads),
    };
    let target = NodeId(9);
    vec![
        record_of(b"a", &[value("1")]),
        record_of(b"b\n\xff", &[value("1"), Payload::Tombstone, value("")]),
        Entry::Hint { target, key: key(b"a"), record: record(&[value("2")]) },
    ]
}

fn written(entries: &[Entry]) -> Vec<u8> {
    let mut writer = BackupWriter::begin(Vec::new(), &header()).unwrap();
    for entry in entries {
        match entry.clone() {
            Entry::Record { key, record } => writer.add(None, &key, record).unwrap(),
            Entry::Hint { target, key, record } => writer.add(Some(target), &key, record).unwrap(),
        }
    }
    writer.finish().unwrap()
}

/// All that a whole backup holds, or what came before the damage.
fn read(bytes: &[u8]) -> Result<(Header, Vec<Entry>), (Vec<Entry>, BackupError)> {
    let (mut reader, header) = BackupReader::open(bytes).map_err(|error| (Vec::new(), error))?;
    let mut found = Vec::new();
    loop {
        match reader.read() {
            Ok(Some(entry)) => found.push(entry),
            Ok(None) => return Ok((header, found)),
            Err(error) => return Err((found, error)),
        }
    }
}

/// Where each section of a backup begins, and where the last one ends.
fn bounds(bytes: &[u8]) -> Vec<usize> {
    let mut bounds = vec![10];
    while *bounds.last().unwrap() < bytes.len() {
        let at = *bounds.last().unwrap();
        let length = u32::from_be_bytes(bytes[at + 1..at + 5].try_into().unwrap());
        bounds.push(at + 5 + length as usize + 8);
    }
    bounds
}

#[test]
fn what_was_written_is_read() {
    let (told, found) = read(&written(&entries())).unwrap();
    assert_eq!((told, found), (header(), entries()));
    assert_eq!(read(&written(&[])).unwrap(), (header(), Vec::new()));
}

#[test]
fn a_backup_with_any_bit_flipped_is_refused_and_nothing_else_is_read_from_it() {
    let whole = written(&entries());
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << bit;
            let (found, error) = read(&damaged).expect_err("it is damaged");
            assert!(entries().starts_with(&found), "{found:?}");
            assert!(error.at <= at as u64, "bit {bit} of byte {at}: {error}");
        }
    }
}

#[test]
fn a_backup_that_is_cut_off_anywhere_is_refused() {
    let whole = written(&entries());
    for length in 0..whole.len() {
        let (found, error) = read(&whole[..length]).expect_err("it is cut off");
        assert!(matches!(error.problem, Problem::Truncated), "{length}: {error}");
        assert!(entries().starts_with(&found), "{found:?}");
    }
    let longer = [&whole[..], b"\0"].concat();
    let (found, error) = read(&longer).expect_err("something follows");
    assert!(matches!(error.problem, Problem::BehindEnd), "{error}");
    assert_eq!((found, error.at), (entries(), whole.len() as u64));
}

#[test]
fn sections_that_are_missing_doubled_or_moved_are_refused() {
    let whole = written(&entries());
    let bounds = bounds(&whole);
    let sections: Vec<&[u8]> = bounds.windows(2).map(|two| &whole[two[0]..two[1]]).collect();
    let of = |sections: &[&[u8]]| [&whole[..10], &sections.concat()].concat();
    assert_eq!(of(&sections), whole);
    for at in 0..sections.len() {
        let mut missing = sections.clone();
        missing.remove(at);
        assert!(read(&of(&missing)).is_err(), "without {at}");
        let mut doubled = sections.clone();
        doubled.insert(at, sections[at]);
        assert!(read(&of(&doubled)).is_err(), "twice {at}");
        let mut moved = sections.clone();
        moved.swap(at, (at + 1) % sections.len());
        assert!(read(&of(&moved)).is_err(), "moved {at}");
    }
}

#[test]
fn what_is_no_backup_and_what_is_of_another_version_is_told_as_that() {
    let problem = |bytes: &[u8]| read(bytes).unwrap_err().1.problem;
    assert!(matches!(problem(b"PK\x03\x04 and a lot more"), Problem::NoBackup));
    let mut newer = written(&[]);
    newer[9] = 2;
    assert!(matches!(problem(&newer), Problem::Version(2)));
}

/// A section that nobody wrote who keeps to the format, with the right checksum and the right end.
fn forged(kind: Kind, body: &[u8]) -> Vec<u8> {
    let whole = written(&[]);
    let bounds = bounds(&whole);
    let mut chain = Chain::begin(&whole[..10]);
    let with_room = |section: &[u8]| [&[0; 8][..], section].concat();
    chain.go_on(&mut with_room(&whole[bounds[0]..bounds[1] - 8]));
    let mut bytes = whole[..bounds[1]].to_vec();
    let end = [1u64.to_be_bytes(), 0u64.to_be_bytes()].concat();
    for (kind, body) in [(kind, body), (Kind::End, &end)] {
        let head = [&[kind as u8][..], &(body.len() as u32).to_be_bytes()].concat();
        let section = [&head, body].concat();
        let checksum = chain.go_on(&mut with_room(&section));
        bytes.extend([&section[..], &checksum.to_be_bytes()].concat());
    }
    bytes
}

#[test]
fn what_no_program_should_write_is_refused_under_a_right_checksum() {
    let body = |key: &[u8], held: &Held| {
        [&(key.len() as u32).to_be_bytes(), key, &codec::encode_held(held)].concat()
    };
    let whole = record(&[value("1")]);
    let held = Held::from_parts(whole.clone(), None);
    let (_, found) = read(&forged(Kind::Record, &body(b"a", &held))).unwrap();
    assert_eq!(found, [Entry::Record { key: "a".into(), record: whole.clone() }]);

    let mint = Held::from_parts(whole, Some(Own { actor: ACTOR }));
    let sibling = Sibling {
        payload: value("1"),
        checksum: Checksum(1),
        written: UnixMs(1),
        expires: None,
        request: RequestId::default(),
    };
    let history = History::from_parts(Seen::new(), UnixMs(1), vec![(Counter(1), sibling)]);
    let wrong = Record::from_histories([(ACTOR, history.unwrap())]).unwrap();
    let wrong = Held::from_parts(wrong, None);
    for (kind, body, what) in [
        (Kind::Record, body(b"a", &mint), "the right to mint"),
        (Kind::Record, body(b"a", &wrong), "a value does not match"),
        (Kind::Record, body(b"", &held), "empty"),
        (Kind::Record, body(b"a", &held)[..10].to_vec(), "does not decode"),
        (Kind::Record, 9u32.to_be_bytes().to_vec(), "too short"),
        (Kind::Hint, vec![0; 7], "too short"),
        (Kind::End, vec![0; 15], "number of entries"),
        (Kind::Header, b"{}".to_vec(), "second header"),
    ] {
        let (found, error) = read(&forged(kind, &body)).unwrap_err();
        assert!(found.is_empty() && error.to_string().contains(what), "{what}: {error}");
    }
}

/// Reads a backup as the documentation of the format says, with nothing of this program but its
/// hash function and the message in a value.
#[test]
fn a_backup_can_be_read_by_its_documentation() {
    let whole = written(&entries());
    let xxh64 = |bytes: &[u8]| Checksum::of_value(bytes).0.to_be_bytes();
    let take = |at: &mut usize, count: usize| {
        *at += count;
        &whole[*at - count..*at]
    };
    let number = |bytes: &[u8]| bytes.iter().fold(0u64, |all, byte| all << 8 | u64::from(*byte));
    let at = &mut 0;
    let preamble = take(at, 10);
    assert_eq!(preamble, b"\x89\x51\x52\x54\x42\x0d\x0a\x1a\x00\x01");
    let mut before = xxh64(preamble);
    let mut found = Vec::new();
    loop {
        let start = *at;
        let kind = take(at, 1)[0];
        let length = number(take(at, 4)) as usize;
        let body = take(at, length);
        before = xxh64(&[&before, &whole[start..*at]].concat());
        assert_eq!(take(at, 8), before);
        let mut entry = body;
        let mut part = |count: usize| entry.split_off(..count).unwrap();
        match kind {
            1 => {
                let header: serde_json::Value = serde_json::from_slice(body).unwrap();
                assert_eq!(header["cluster"], "ffffffffffffffff");
                assert_eq!(header["layout"]["members"][1]["id"], "0000000000000002");
            }
            2 | 3 => {
                let target = if kind == 3 { number(part(8)) } else { 0 };
                let key_bytes = number(part(4)) as usize;
                let key = part(key_bytes).to_vec();
                assert_eq!(entry[0], 1);
                let (sealed, checksum) = entry.split_at(entry.len() - 8);
                let reversed: Vec<u8> = checksum.iter().rev().copied().collect();
                assert_eq!(reversed, xxh64(sealed));
                found.push((target, key));
            }
            4 => {
                assert_eq!((number(part(8)), number(part(8))), (2, 1));
                break;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(*at, whole.len());
    let keys = [(0, b"a".to_vec()), (0, b"b\n\xff".to_vec()), (9, b"a".to_vec())];
    assert_eq!(found, keys);
}

#[test]
fn the_context_of_a_record_is_as_it_was() {
    let mut record = record(&[value("1"), value("2")]);
    let history = History::from_parts(Seen::from_parts(7, vec![9]).unwrap(), UnixMs(1), vec![]);
    let other = Actor { node: NodeId(2), ..ACTOR };
    record.merge(&Record::from_histories([(other, history.unwrap())]).unwrap());
    assert_ne!(record.context(), Context::new());
    let entry = Entry::Record { key: "a".into(), record };
    assert_eq!(read(&written(std::slice::from_ref(&entry))).unwrap().1, [entry]);
}
