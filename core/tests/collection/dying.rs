//! Since when a record is dead.

use quorate_core::causality::{Context, Held, Payload, Record, RecordOp};
use quorate_core::time::UnixMs;

use crate::cluster::of_one;
use crate::machines::{now, value, write};

fn at(millis: u64) -> UnixMs {
    now(millis).unix
}

fn merged(one: &Record, other: &Record) -> Record {
    let mut held = Held::from_parts(one.clone(), None);
    held.apply(&RecordOp::Merge(other.clone())).unwrap();
    held.into_record()
}

#[test]
fn a_record_is_dead_since_the_last_of_its_siblings_died() {
    let tombstone = |written| of_one(Payload::Tombstone, written, None);
    let expiring = |written, expires| of_one(value("v"), written, Some(expires));
    // Of another actor, and written before all others.
    let old = write(&mut Held::new(), 2, Payload::Tombstone, &Context::new());
    let old_value = write(&mut Held::new(), 2, value("w"), &Context::new());
    for (record, looked_at, since) in [
        (Record::new(), 100, None),
        (tombstone(7), 100, Some(7)),
        (tombstone(7), 0, Some(7)),
        (of_one(value("v"), 7, None), 100, None),
        (expiring(7, 50), 49, None),
        (expiring(7, 50), 50, Some(50)),
        (expiring(7, 50), 100, Some(50)),
        // It was over before it was written.
        (expiring(60, 50), 100, Some(60)),
        (merged(&tombstone(7), &old), 100, Some(7)),
        (merged(&expiring(7, 50), &old), 49, None),
        (merged(&expiring(7, 50), &old), 100, Some(50)),
        (merged(&tombstone(7), &old_value), 100, None),
        (merged(&expiring(7, 50), &old_value), 100, None),
    ] {
        assert_eq!(record.dead_since(at(looked_at)), since.map(at), "{record:?} at {looked_at}");
    }
}

#[test]
fn a_write_that_left_nothing_but_its_history_counts() {
    // The tombstone is older than the value that somebody else overwrote with it.
    let late = of_one(value("v"), 40, None);
    let mut held = Held::from_parts(late.clone(), None);
    let dead = write(&mut held, 2, Payload::Tombstone, &late.context());
    assert_eq!(dead.dead_since(at(100)), Some(at(40)));
}
