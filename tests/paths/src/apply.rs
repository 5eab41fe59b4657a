//! What the storage of a node does to a record.

use std::hint::black_box;

use quorate_core::causality::{Context, Held, RecordOp};

use crate::{Step, samples};

/// The first write of a key.
pub(crate) fn blind() -> Box<dyn FnMut() -> Step> {
    apply(Held::new(), RecordOp::Write(samples::write(1, Context::new(), 1)))
}

/// A write that covers the value that stands.
pub(crate) fn overwrite() -> Box<dyn FnMut() -> Step> {
    let held = samples::held(0);
    let write = samples::write(2, held.record().context(), 9);
    apply(held, RecordOp::Write(write))
}

/// What another replica took in, and this one has not.
pub(crate) fn merge() -> Box<dyn FnMut() -> Step> {
    let mut other = samples::held(0);
    let standing = Held::from_parts(other.record().clone(), None);
    let write = samples::write(2, other.record().context(), 9);
    other.apply(&RecordOp::Write(write)).expect("a write");
    apply(standing, RecordOp::Merge(other.into_record()))
}

/// Two copies with three values each, one of which both have.
pub(crate) fn merge_siblings() -> Box<dyn FnMut() -> Step> {
    let (mut one, mut other) = (samples::held(1), samples::held(1));
    one.apply(&RecordOp::Write(samples::write(7, Context::new(), 21))).expect("a write");
    other.apply(&RecordOp::Write(samples::write(8, Context::new(), 22))).expect("a write");
    let (one, other) = (one.into_record(), other.into_record());
    Box::new(move || {
        let (mut one, other) = (one.clone(), other.clone());
        Box::new(move || {
            assert!(one.merge(&other), "each has what the other lacks");
            black_box((one, other));
        })
    })
}

pub(crate) fn digest() -> Box<dyn FnMut() -> Step> {
    let record = samples::record();
    Box::new(move || {
        let record = record.clone();
        Box::new(move || {
            black_box(record.digest());
        })
    })
}

fn apply(held: Held, op: RecordOp) -> Box<dyn FnMut() -> Step> {
    Box::new(move || {
        let (mut held, op) = (held.clone(), op.clone());
        Box::new(move || {
            let applied = held.apply(&op).expect("it is taken");
            assert!(applied.changed, "it is news");
            black_box(held);
        })
    })
}
