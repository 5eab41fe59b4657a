//! Records are a lattice: what merging and comparing promise for any records at all.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use proptest::prelude::*;
use quorate_core::causality::{
    Actor, Birth, Checksum, Counter, Dot, History, Outline, Payload, Record, Seen, Sibling,
};
use quorate_core::ids::{Incarnation, NodeId, RequestId};
use quorate_core::time::UnixMs;

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases: 1_024, ..ProptestConfig::default() }
}

fn any_sibling() -> impl Strategy<Value = Sibling> {
    (0..4_u8, 0..4_u64, prop::option::of(5..7_u64), 0..3_u64, prop::bool::weighted(0.1)).prop_map(
        |(value, written, expires, request, damaged)| {
            let payload = match value {
                0 => Payload::Tombstone,
                _ => Payload::Value(Bytes::from(vec![value])),
            };
            let sum = Checksum::of(&payload).0;
            Sibling {
                checksum: Checksum(if damaged { !sum } else { sum }),
                payload,
                written: UnixMs(written),
                expires: expires.map(UnixMs),
                request: RequestId { client: u64::from(request > 0), sequence: request },
            }
        },
    )
}

fn any_history() -> impl Strategy<Value = History> {
    (
        prop::collection::btree_set(1..7_u64, 0..5),
        0..5_u64,
        prop::collection::btree_map(1..7_u64, any_sibling(), 0..5),
    )
        .prop_filter_map("an empty history", |(superseded, at, live)| {
            let mut seen = Seen::new();
            for counter in superseded {
                seen.insert(Counter(counter));
            }
            let live = live
                .into_iter()
                .map(|(counter, sibling)| (Counter(counter), sibling))
                .filter(|(counter, _)| !seen.contains(*counter))
                .collect();
            History::from_parts(seen, UnixMs(at), live)
        })
}

fn any_record() -> impl Strategy<Value = Record> {
    prop::collection::btree_map(0..4_u64, any_history(), 0..4).prop_map(|histories| {
        let actor =
            |node| Actor { node: NodeId(node), incarnation: Incarnation(1), birth: Birth(1) };
        Record::from_histories(histories.into_iter().map(|(node, history)| (actor(node), history)))
            .expect("distinct actors with valid histories")
    })
}

fn without_requests(record: &Record) -> Record {
    let histories = record.histories().map(|(actor, history)| {
        let live = history.live().iter().map(|(counter, sibling)| {
            (*counter, Sibling { request: RequestId::default(), ..sibling.clone() })
        });
        let parts = History::from_parts(history.superseded().clone(), history.at(), live.collect());
        (actor, parts.expect("the same counters"))
    });
    Record::from_histories(histories).expect("the same actors")
}

/// The same dots, each with the one content that no damage has touched.
fn undamaged(record: &Record) -> Record {
    let histories = record.histories().map(|(actor, history)| {
        let live = history.live().iter().map(|(counter, _)| {
            let payload = Payload::Value(Bytes::from(vec![actor.node.0 as u8, counter.0 as u8]));
            let sibling = Sibling {
                checksum: Checksum::of(&payload),
                payload,
                written: UnixMs(counter.0),
                expires: None,
                request: RequestId { client: actor.node.0 + 1, sequence: counter.0 },
            };
            (*counter, sibling)
        });
        let parts = History::from_parts(history.superseded().clone(), history.at(), live.collect());
        (actor, parts.expect("the same counters"))
    });
    Record::from_histories(histories).expect("the same actors")
}

fn merged(left: &Record, right: &Record) -> Record {
    let mut merged = left.clone();
    merged.merge(right);
    merged.check_invariants();
    merged
}

fn superseded(record: &Record) -> BTreeSet<Dot> {
    record
        .histories()
        .flat_map(|(actor, history)| {
            (1..9)
                .map(Counter)
                .filter(|counter| history.superseded().contains(*counter))
                .map(move |counter| Dot { actor, counter })
        })
        .collect()
}

fn live(record: &Record) -> BTreeSet<Dot> {
    record.siblings().map(|(dot, _)| dot).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn merge_is_commutative(a in any_record(), b in any_record()) {
        prop_assert_eq!(merged(&a, &b), merged(&b, &a));
    }

    #[test]
    fn merge_is_associative(a in any_record(), b in any_record(), c in any_record()) {
        prop_assert_eq!(merged(&merged(&a, &b), &c), merged(&a, &merged(&b, &c)));
    }

    #[test]
    fn merge_is_idempotent(a in any_record(), b in any_record()) {
        prop_assert_eq!(merged(&a, &a), a.clone());
        let once = merged(&a, &b);
        prop_assert_eq!(merged(&once, &b), once);
    }

    #[test]
    fn merge_says_whether_anything_changed(a in any_record(), b in any_record()) {
        let mut ours = a.clone();
        let changed = ours.merge(&b);
        prop_assert_eq!(changed, ours != a);
    }

    /// The definition of DESIGN.md §6 over explicit sets of dots.
    #[test]
    fn merge_is_the_union_of_live_less_the_union_of_superseded(a in any_record(), b in any_record()) {
        let both = merged(&a, &b);
        let gone: BTreeSet<Dot> = superseded(&a).union(&superseded(&b)).copied().collect();
        let stand: BTreeSet<Dot> =
            live(&a).union(&live(&b)).copied().filter(|dot| !gone.contains(dot)).collect();
        prop_assert_eq!(superseded(&both), gone);
        prop_assert_eq!(live(&both), stand);
    }

    /// Likewise; content and clocks do not count.
    #[test]
    fn records_are_ordered_by_what_a_merge_would_add(a in any_record(), b in any_record()) {
        let facts = |record: &Record| (superseded(record), live(record));
        let adds_nothing = |ours: &Record, theirs: &Record| facts(&merged(ours, theirs)) == facts(ours);
        let (left, right) = (adds_nothing(&a, &b), adds_nothing(&b, &a));
        prop_assert_eq!(a.descends(&b), left);
        prop_assert_eq!(a.dominates(&b), left && !right);
        prop_assert_eq!(a.concurrent(&b), !left && !right);
        prop_assert!(merged(&a, &b).descends(&a));
    }

    #[test]
    fn a_context_is_what_is_superseded_and_what_is_live(a in any_record(), b in any_record()) {
        let context = a.context();
        let known: BTreeSet<Dot> = superseded(&a).union(&live(&a)).copied().collect();
        let probe = known.iter().chain(&superseded(&b)).chain(&live(&b)).copied().collect::<Vec<_>>();
        for dot in probe {
            prop_assert_eq!(context.covers(dot), known.contains(&dot));
        }
        prop_assert_eq!(a.covers(&b.context()), context.descends(&b.context()));
        prop_assert!(a.covers(&context));
    }

    #[test]
    fn an_outline_tells_whether_a_merge_would_change_anything(a in any_record(), b in any_record()) {
        let (a, b) = (undamaged(&a), undamaged(&b));
        // Two that were drawn alone seldom descend from each other.
        let both = merged(&a, &b);
        for (ours, theirs) in [(&a, &b), (&both, &a), (&a, &both), (&both, &both)] {
            let changes = ours.clone().merge(theirs);
            prop_assert_eq!(ours.outline().takes_nothing_from(theirs), !changes);
            prop_assert_eq!(ours.takes_nothing_from(&theirs.outline()), !changes);
        }
    }

    #[test]
    fn an_outline_is_made_of_its_histories(a in any_record()) {
        let outline = a.outline();
        let histories = || outline.histories().map(|(actor, history)| (actor, history.clone()));
        prop_assert_eq!(Outline::from_histories(histories()), Some(outline.clone()));
        let known: Vec<Dot> = outline
            .histories()
            .flat_map(|(actor, history)| {
                history.live.iter().map(move |counter| Dot { actor, counter: *counter })
            })
            .collect();
        prop_assert_eq!(known, live(&a).into_iter().collect::<Vec<_>>());
        if let Some(first) = histories().next() {
            prop_assert_eq!(Outline::from_histories(histories().chain([first])), None);
        }
    }

    #[test]
    fn contexts_merge_like_sets(a in any_record(), b in any_record()) {
        let mut both = a.context();
        let grew = both.merge(&b.context());
        prop_assert_eq!(grew, both != a.context());
        prop_assert_eq!(&both, &merged(&a, &b).context());
        prop_assert!(both.descends(&a.context()) && both.descends(&b.context()));
    }

    #[test]
    fn of_two_contents_under_one_dot_an_intact_one_stays(a in any_record(), b in any_record()) {
        let ours: BTreeMap<Dot, &Sibling> = a.siblings().collect();
        let both = merged(&a, &b);
        for (dot, theirs) in b.siblings() {
            let Some(ours) = ours.get(&dot) else { continue };
            let kept = both.siblings().find(|(kept, _)| *kept == dot).map(|(_, sibling)| sibling);
            let kept = kept.expect("live on both sides");
            prop_assert!(kept == *ours || kept == theirs);
            prop_assert_eq!(kept.is_intact(), ours.is_intact() || theirs.is_intact());
        }
    }

    #[test]
    fn every_sibling_is_shown_by_one_value(a in any_record()) {
        let values = a.values();
        prop_assert_eq!(values.len(), a.sibling_count());
        prop_assert!(values.is_sorted_by(|a, b| a.written >= b.written));
        let same = |a: &Sibling, b: &Sibling| {
            let bytes = (a.checksum, &a.payload) == (b.checksum, &b.payload);
            bytes || (a.request == b.request && a.request != RequestId::default())
        };
        for (_, sibling) in a.siblings() {
            prop_assert!(values.iter().any(|value| same(value, sibling)));
        }
        for (index, value) in values.iter().enumerate() {
            prop_assert!(!values[..index].iter().any(|other| same(other, value)));
        }
    }

    /// Of equal bytes the last to expire counts: a value is not gone while one of its copies lives.
    #[test]
    fn equal_bytes_live_as_long_as_the_last_of_them(a in any_record(), now in 4..8_u64) {
        let record = without_requests(&a);
        let alive = |siblings: &[&Sibling]| -> BTreeSet<Bytes> {
            siblings.iter().filter_map(|sibling| sibling.value_at(UnixMs(now)).cloned()).collect()
        };
        let all: Vec<&Sibling> = record.siblings().map(|(_, sibling)| sibling).collect();
        prop_assert_eq!(alive(&record.values()), alive(&all));
    }

    #[test]
    fn histories_rebuild_their_record(a in any_record()) {
        let parts = a.histories().map(|(actor, history)| (actor, history.clone()));
        prop_assert_eq!(Record::from_histories(parts), Some(a));
    }
}

#[test]
fn histories_that_break_the_invariant_are_refused() {
    let sibling = || Sibling {
        payload: Payload::Tombstone,
        checksum: Checksum(0),
        written: UnixMs(1),
        expires: None,
        request: RequestId::default(),
    };
    let upto = |upto| Seen::from_parts(upto, Vec::new()).expect("an unbroken run is canonical");
    let live = |counters: &[u64]| -> Vec<(Counter, Sibling)> {
        counters.iter().map(|counter| (Counter(*counter), sibling())).collect()
    };
    assert!(History::from_parts(upto(2), UnixMs(0), live(&[3, 5])).is_some());
    for (why, superseded, counters) in [
        ("nothing", 0, &[][..]),
        ("a live counter that is superseded", 2, &[2][..]),
        ("descending", 2, &[4, 3][..]),
        ("twice the same", 2, &[3, 3][..]),
        ("zero", 0, &[0, 1][..]),
    ] {
        assert_eq!(History::from_parts(upto(superseded), UnixMs(0), live(counters)), None, "{why}");
    }
    let actor = Actor { node: NodeId(1), incarnation: Incarnation(1), birth: Birth(1) };
    let history = History::from_parts(upto(1), UnixMs(0), Vec::new()).expect("valid");
    assert_eq!(Record::from_histories([(actor, history.clone()), (actor, history)]), None);
    assert_eq!(Record::from_histories([(actor, History::default())]), None);
}
