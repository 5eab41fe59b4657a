//! How requests end.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use quorate_core::causality::RecordDigest;
use quorate_core::message::{
    Answer, Entry, EntryValue, Failure, Outcome, Receipt, Reply, StandIn, Written,
};
use quorate_core::time::Duration;

use crate::strategies::{
    FAILURE_CODES, blob, call, checksum, layout_update, layout_version, node, nodes, number, small,
    unix, zone,
};

pub(crate) fn reply() -> impl Strategy<Value = Reply> {
    let result = prop_oneof![
        entry().prop_map(|entry| Ok(Answer::Entry(entry))),
        (blob(), small())
            .prop_map(|(context, siblings)| Ok(Answer::Written(Written { context, siblings }))),
        failure().prop_map(Err),
    ];
    let layout = option::of(layout_update());
    let passed_on_by = option::of(node());
    let receipt = option::of(receipt());
    let copy = option::of(any::<u128>().prop_map(RecordDigest));
    (call(), layout_version(), layout, receipt, passed_on_by, nodes(), result, copy).prop_map(
        |(call, layout_version, layout, receipt, passed_on_by, down, result, copy)| Reply {
            call,
            layout_version,
            layout: layout.map(Arc::new),
            receipt,
            passed_on_by,
            down,
            result,
            copy,
        },
    )
}

fn entry() -> impl Strategy<Value = Entry> {
    let value = (blob(), checksum(), unix(), option::of(unix())).prop_map(
        |(payload, checksum, written, expires)| EntryValue { payload, checksum, written, expires },
    );
    (vec(value, 0..50), small(), blob()).prop_map(|(values, tombstones, context)| Entry {
        values,
        tombstones,
        context,
    })
}

fn failure() -> impl Strategy<Value = Failure> {
    let outcome = select(&[Outcome::None, Outcome::Unknown]);
    (select(&FAILURE_CODES), outcome, small(), small(), number(), number(), small()).prop_map(
        |(code, outcome, needed, acked, limit, actual, retry_after_ms)| Failure {
            code,
            outcome,
            needed,
            acked,
            limit,
            actual,
            retry_after: Duration::from_millis(retry_after_ms.into()),
        },
    )
}

fn receipt() -> impl Strategy<Value = Receipt> {
    let stand_in = (node(), node()).prop_map(|(node, primary)| StandIn { node, primary });
    let fallbacks = vec(stand_in, 0..20);
    (node(), nodes(), nodes(), any::<u8>(), layout_version(), fallbacks, zone()).prop_map(
        |(coordinator, primaries, repaired, needed, layout_version, fallbacks, zone)| Receipt {
            coordinator,
            primaries,
            repaired,
            needed,
            layout_version,
            fallbacks,
            zone,
        },
    )
}
