//! A directory in which nothing was stored for long may be a copy of which others know more.

use quorate_core::ids::{DurableMark, Incarnation, Remembered};
use quorate_core::machine::{Effect, Found};
use quorate_core::message::{FailureCode, Message};
use quorate_core::time::UnixMs;

use super::machines::{self, ALICE, replies};
use super::{DAY_MS, FORMER, Replica, found, is_lost};

#[test]
fn an_old_copy_takes_no_part_and_is_set_aside_as_soon_as_it_is_known_for_one() {
    let old = Found { written: UnixMs(machines::now(0).unix.0 - DAY_MS / 2), ..found(9) };
    let mut replica = Replica::new(old.clone());
    let put = replica.alone.put(&replica.key.clone(), "v", 1);
    let effects = replica.alone.frame(ALICE, Message::Put(put));
    let [reply] = &replies(&effects)[..] else { panic!("{effects:?}") };
    assert_eq!(reply.result.as_ref().unwrap_err().code, FailureCode::NotReady);
    assert!(!replica.votes());
    let effects = replica.told(2, FORMER, 10);
    assert_eq!(is_lost(&effects), Some(true));
    assert!(effects.contains(&Effect::StartOver));

    let mut replica = Replica::new(old.clone());
    replica.told(2, FORMER, 9);
    assert!(replica.votes(), "it was away for long, and is no old copy");

    let mut replica = Replica::of(5, old);
    replica.greeted(2);
    assert!(!replica.votes(), "node 2 may have forgotten");
    replica.greeted(3);
    assert!(replica.votes(), "half of the others remember nothing");
}

#[test]
fn more_that_is_remembered_of_a_life_that_is_accounted_for_makes_no_old_copy() {
    // A life that is known from others alone, and one that has written here and was told of more.
    for accounted in [Incarnation(78), FORMER] {
        let mut found = found(9);
        found.past.account(Remembered { mark: DurableMark(29), life: accounted });
        found.written = UnixMs(machines::now(0).unix.0 - DAY_MS / 2);
        let mut replica = Replica::new(Found { mark: DurableMark(30), ..found });
        let effects = replica.told(2, accounted, 34);
        assert_eq!(is_lost(&effects), Some(false));
        assert!(!effects.contains(&Effect::StartOver));
        assert!(!replica.votes());
    }
}
