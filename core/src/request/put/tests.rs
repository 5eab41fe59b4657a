//! Writes by hand: over two lists, and in one zone.

use alloc::vec;
use alloc::vec::Vec;

use super::{Put, PutEnd};
use crate::quorum::Replicas;
use crate::request::{Quota, Reach, Short};

fn set(indexes: &[usize]) -> Replicas {
    indexes.iter().copied().collect()
}

/// Two of each of two lists of three.
fn quotas(lists: [&[usize]; 2]) -> Vec<Quota> {
    lists.map(|list| Quota { primaries: set(list), needed: 2, local: false }).to_vec()
}

/// A put over two lists, coordinated by the index 0 and applied there. `a1`: index 1
/// acknowledges; `f1`: it fails; `o1`: all but it and the coordinator are overdue; `s`: a
/// fallback stands in for whoever wants that first; `n`: none is left for it.
fn put(lists: [&[usize]; 2], primaries: usize, reach: Reach, words: &str) -> Put {
    let put = Put::start_in_all(primaries, quotas(lists), Some(0), reach);
    let mut put = put.expect("enough are within reach");
    put.on_applied();
    play(&mut put, words);
    put
}

/// What happens to a put, word by word: see [`put`] and [`local`].
fn play(put: &mut Put, words: &str) {
    for word in words.split_whitespace() {
        let index = word[1..].parse().unwrap_or(usize::MAX);
        match &word[..1] {
            "a" => put.on_ack(index),
            "f" => put.on_fail(index),
            "o" => put.on_patience_over(put.awaited().minus(set(&[index]))),
            "n" => put.give_up(put.wants_stand_in().expect("somebody is missing")),
            "s" | "S" => {
                let primary = put.wants_stand_in().expect("somebody is missing");
                let index = put.stand_in(primary).expect("there is room");
                if word == "S" {
                    put.note_outsider(index);
                }
            }
            _ => panic!("no such word: {word}"),
        }
    }
}

fn end(put: &mut Put) -> Option<bool> {
    put.end().map(|end| matches!(end, PutEnd::Done { .. }))
}

const OPEN: Option<bool> = None;
const DONE: Option<bool> = Some(true);
const UNKNOWN: Option<bool> = Some(false);

#[test]
fn table_of_writes_over_two_lists() {
    // One node goes and one comes; all go and others come.
    let one: [&[usize]; 2] = [&[0, 1, 2], &[0, 1, 3]];
    let all: [&[usize]; 2] = [&[0, 1, 2], &[3, 4, 5]];
    type Row<'a> = ([&'a [usize]; 2], bool, &'a str, Option<bool>);
    let table: [Row<'_>; 40] = [
        // lists, sloppy, words: how it ends
        (one, false, "a0", OPEN),
        (one, false, "a0 a1", DONE),
        (one, false, "a0 a2", OPEN),
        (one, false, "a0 a3", OPEN),
        (one, false, "a0 a2 a3", DONE),
        (one, false, "a2 a3", OPEN),
        (one, false, "a0 a2 a2 a2", OPEN),
        (one, false, "a0 f1", OPEN),
        (one, false, "a0 f1 a2", OPEN),
        (one, false, "a0 f1 a2 a3", DONE),
        (one, false, "a0 f1 f2", UNKNOWN),
        (one, false, "a0 f1 f3", UNKNOWN),
        (one, false, "a0 f2 f3", OPEN),
        (one, false, "a0 f2 f3 a1", DONE),
        (one, false, "a0 a2 a3 f1", DONE),
        (all, false, "a0 a1", OPEN),
        (all, false, "a0 a1 a2", OPEN),
        (all, false, "a0 a1 a2 a3", OPEN),
        (all, false, "a0 a1 a3 a4", DONE),
        (all, false, "a3 a4 a5", OPEN),
        (all, false, "a0 a1 a2 f3 f4", UNKNOWN),
        (all, false, "f1 f2 a3 a4 a5", UNKNOWN),
        // A stand-in counts in the lists of the primary that it stands in for: that of 6 is 1.
        (all, false, "a0 o0 s a6 a3 a4", OPEN),
        (all, true, "a0 o0 s a6", OPEN),
        (all, true, "a0 o0 s a6 a3 a4", DONE),
        (all, true, "a0 a1 o0 s a6", OPEN),
        (all, true, "a0 a1 a2 o0 s s a6", OPEN),
        (all, true, "a0 a1 a2 o0 s s a6 a7", DONE),
        (one, true, "a0 o0 s a4", DONE),
        (one, true, "a0 a1 o0 s a4", DONE),
        // It and its primary are one.
        (all, true, "a3 a4 o0 s a1 a6", OPEN),
        (all, true, "a3 a4 o0 s a1 a6 a0", DONE),
        // One that fails is not the end as long as another can be found.
        (one, true, "a0 f1 f2 f3", OPEN),
        (one, true, "a0 f1 f2 f3 s s s f4", OPEN),
        // Where no fallback is left, a primary of the other list stands in, and each for one.
        (all, true, "a0 a1 a2 f4 n f5 n a3", DONE),
        (all, true, "a0 a1 f4 n f5 n f3 n", DONE),
        (all, true, "a0 f1 n f2 n a3", OPEN),
        (all, true, "a0 f1 n f2 n a3 a4", DONE),
        (one, true, "a0 f1 n f2 n f3 n", UNKNOWN),
        (all, false, "a0 f1 n f2 n a3 a4", UNKNOWN),
    ];
    for (lists, sloppy, words, expected) in table {
        let primaries = if lists == one { 4 } else { 6 };
        let reachable = Replicas::first(primaries);
        let reach = Reach { reachable, sloppy, fallbacks: 9, ..Reach::default() };
        let mut put = put(lists, primaries, reach, words);
        assert_eq!(end(&mut put), expected, "{lists:?} {sloppy} {words}");
        assert_eq!(end(&mut put), None, "an end is announced once: {words}");
    }
}

/// A local put over three primaries, of which the first two are in the zone; two are needed. The
/// words are those of `put`, and `S`: a fallback that is not in the zone stands in.
fn local(own: Option<usize>, reach: Reach, words: &str) -> Put {
    let quota = Quota { primaries: set(&[0, 1]), needed: 2, local: true };
    let reach = Reach { outsiders: set(&[2]), ..reach };
    let mut put = Put::start_in_all(3, vec![quota], own, reach).expect("enough are there");
    put.on_applied();
    play(&mut put, words);
    put
}

#[test]
fn table_of_local_writes() {
    type Row<'a> = (bool, &'a str, Option<bool>, Option<usize>);
    let table: [Row<'_>; 25] = [
        // sloppy, words: how it ends, who wants a stand-in then
        (false, "a0", OPEN, None),
        (false, "a0 a1", DONE, None),
        (false, "a0 a2", OPEN, None),
        (false, "a0 a2 a2 a2", OPEN, None),
        (false, "a0 f1", UNKNOWN, Some(1)),
        (false, "a0 f1 a2", UNKNOWN, Some(1)),
        (false, "a0 f1 s a3", UNKNOWN, None),
        (false, "a0 f2", OPEN, None),
        (false, "a0 f2 a1", DONE, Some(2)),
        (true, "a0 a1", DONE, None),
        (true, "a0 a2", OPEN, None),
        (true, "a0 f1", OPEN, Some(1)),
        (true, "a0 f1 a2", OPEN, Some(1)),
        (true, "a0 f1 n a2", UNKNOWN, Some(1)),
        (true, "a0 f1 s a3", DONE, None),
        (true, "a0 o0 s a3", DONE, Some(2)),
        (true, "a0 f1 s f3 s a4", DONE, None),
        // Whoever is not in the zone does not count, whatever it stands in for.
        (true, "a0 f1 S a3", OPEN, Some(1)),
        (true, "a0 f1 S a3 n", UNKNOWN, None),
        (true, "a0 f1 S a3 s a4", DONE, None),
        // One that was late and the one in its place are one.
        (true, "o0 s a1 a3", OPEN, None),
        (true, "o0 s a1 a3 a0", DONE, Some(2)),
        // The others have their turn after the end.
        (true, "a0 f2", OPEN, None),
        (true, "a0 f2 a1", DONE, Some(2)),
        (true, "a0 f2 f1 s a3", DONE, Some(2)),
    ];
    for (sloppy, words, expected, wants) in table {
        let reachable = Replicas::first(3);
        let reach = Reach { reachable, sloppy, near_fallbacks: 9, ..Reach::default() };
        let mut put = local(Some(0), reach, words);
        assert_eq!((end(&mut put), put.wants_stand_in()), (expected, wants), "{sloppy} {words}");
        let anywhere = expected.is_some() || put.wants_stand_in().is_none();
        assert!(anywhere || put.wants_near(1), "{sloppy} {words}");
        assert!(expected.is_none() || !put.wants_near(1), "{sloppy} {words}");
    }
}

#[test]
fn a_fallback_of_the_zone_stands_in_for_a_primary_that_counts_and_another_for_another() {
    let reach = Reach { sloppy: true, fallbacks: 9, near_fallbacks: 9, ..Reach::default() };
    let mut near = local(None, reach, "a3 s a4");
    assert!(near.stand_ins().eq([(3, 0), (4, 1)]));
    assert_eq!((end(&mut near), near.wants_stand_in()), (DONE, Some(2)));
    let reach = Reach { own_is_outside: true, ..reach };
    let mut far = local(None, reach, "a3");
    assert!(far.stand_ins().eq([(3, 2)]));
    assert_eq!((end(&mut far), far.wants_stand_in(), far.count()), (OPEN, Some(0), (2, 0)));
    let mut far = local(None, reach, "a3 s a4 s a5");
    assert_eq!((end(&mut far), far.count()), (DONE, (2, 2)));
}

#[test]
fn a_layout_without_primaries_in_the_zone_counts_all_of_its_own() {
    // Of the new layout the primary 0 is in the zone, of the old one nobody.
    let quotas = vec![
        Quota { primaries: set(&[1, 2, 3]), needed: 2, local: false },
        Quota { primaries: set(&[0]), needed: 1, local: true },
    ];
    let outsiders = set(&[1, 2, 3]);
    let reach = Reach { reachable: Replicas::first(4), outsiders, ..Reach::default() };
    for (words, expected) in
        [("a0 a1", OPEN), ("a1 a2 a3", OPEN), ("a0 a1 a2", DONE), ("a1 a2 a0", DONE)]
    {
        let mut put = Put::start_in_all(4, quotas.clone(), Some(0), reach).expect("all");
        put.on_applied();
        words.split_whitespace().for_each(|word| put.on_ack(word[1..].parse().unwrap()));
        assert_eq!(end(&mut put), expected, "{words}");
    }
}

#[test]
fn a_local_write_is_refused_where_its_zone_is_short() {
    let quota = Quota { primaries: set(&[0, 1]), needed: 2, local: true };
    let table: [(&[usize], bool, usize, Option<usize>); 6] = [
        // within reach, sloppy, fallbacks in the zone: how many there are
        (&[0, 1], false, 0, None),
        (&[0, 2], false, 9, Some(1)),
        (&[0, 2], true, 0, Some(1)),
        (&[0, 2], true, 1, None),
        (&[2], true, 1, Some(1)),
        (&[], true, 2, None),
    ];
    for (reachable, sloppy, near_fallbacks, short) in table {
        let (reachable, outsiders) = (set(reachable), set(&[2]));
        let reach = Reach { reachable, outsiders, sloppy, ..Reach::default() };
        let reach = Reach { fallbacks: 9, near_fallbacks, ..reach };
        let put = Put::start_in_all(3, vec![quota], Some(0), reach);
        let expected = short.map(|reachable| Short { needed: 2, reachable });
        assert_eq!(put.err(), expected, "{reachable:?} {sloppy} {near_fallbacks}");
    }
}

#[test]
fn a_list_that_lost_members_needs_those_that_are_left() {
    let quotas = vec![
        Quota { primaries: set(&[0]), needed: 1, local: false },
        Quota { primaries: set(&[1, 2, 3]), needed: 2, local: false },
    ];
    let reach = Reach { reachable: Replicas::first(4), ..Reach::default() };
    let mut put = Put::start_in_all(4, quotas, Some(0), reach).expect("all are there");
    put.on_applied();
    for index in [1, 2] {
        put.on_ack(index);
        assert_eq!(end(&mut put), OPEN);
    }
    put.on_ack(0);
    assert_eq!(end(&mut put), DONE);
}

#[test]
fn one_copy_stands_in_for_one_primary() {
    let quotas = vec![
        Quota { primaries: set(&[0]), needed: 1, local: false },
        Quota { primaries: set(&[1, 2, 3]), needed: 2, local: false },
    ];
    let reach = Reach { reachable: Replicas::first(4), sloppy: true, ..Reach::default() };
    let mut put = Put::start_in_all(4, quotas, Some(0), reach).expect("all are there");
    put.on_applied();
    put.on_ack(0);
    for index in [1, 2, 3] {
        put.on_fail(index);
        put.give_up(index);
    }
    assert_eq!(end(&mut put), UNKNOWN);
}

#[test]
fn a_write_is_refused_where_one_list_is_short() {
    let lists: [&[usize]; 2] = [&[0, 1, 2], &[3, 4, 5]];
    let table: [(&[usize], bool, usize, Option<usize>); 7] = [
        // within reach, sloppy, fallbacks: how many there are of the list that is short
        (&[0, 1, 3, 4], false, 0, None),
        (&[0, 1, 2, 3], false, 9, Some(1)),
        (&[0, 3, 4, 5], false, 9, Some(1)),
        (&[0, 1, 2], false, 9, Some(0)),
        (&[0, 1, 2, 3], true, 0, None),
        (&[0], true, 0, Some(1)),
        (&[0], true, 1, None),
    ];
    for (reachable, sloppy, fallbacks, short) in table {
        let reach = Reach { reachable: set(reachable), sloppy, fallbacks, ..Reach::default() };
        let put = Put::start_in_all(6, quotas(lists), Some(0), reach);
        let expected = short.map(|reachable| Short { needed: 2, reachable });
        assert_eq!(put.err(), expected, "{reachable:?} {sloppy} {fallbacks}");
    }
}

#[test]
fn a_write_is_covered_once_each_primary_of_both_lists_has_it() {
    let lists: [&[usize]; 2] = [&[0, 1, 2], &[0, 1, 3]];
    let reach =
        Reach { reachable: Replicas::first(4), sloppy: true, fallbacks: 9, ..Reach::default() };
    let is_covered = |words| put(lists, 4, reach, words).is_covered();
    assert!(!is_covered("a0 a1 a2") && !is_covered("a0 a1 a3"));
    assert!(is_covered("a0 a1 a2 a3") && is_covered("a0 a1 a2 f3 s a4"));
    assert!(is_covered("a0 a1 a2 f3 n"));
}

#[test]
fn a_coordinator_that_is_no_primary_any_more_counts_for_the_last_one() {
    let reach =
        Reach { reachable: Replicas::first(3), fallbacks: 1, sloppy: true, ..Reach::default() };
    let mut put = Put::start(3, 2, None, reach).expect("all are within reach");
    assert_eq!((put.own(), put.stand_ins().collect()), (3, vec![(3, 2)]));
    put.on_applied();
    put.on_ack(3);
    put.on_ack(2);
    assert_eq!(end(&mut put), OPEN, "what both hold is in one place");
    put.on_ack(0);
    assert_eq!(end(&mut put), DONE);
}
