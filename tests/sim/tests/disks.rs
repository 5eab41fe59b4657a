//! Disks that are slow, full, damaged, or fail to sync.

use quorate_core::client::ErrorCode;
use quorate_core::machine::{Event, StoreError};
use quorate_sim::scenario::{Scenario, ms, secs};

#[test]
fn a_put_is_not_acknowledged_before_a_quorum_has_synced_it() {
    let mut s = Scenario::cluster(5).disks(|disk| disk.sync = ms(50)).build();
    let [a, ..] = s.primaries::<3>("k");
    assert!(s.at(a).put("k", "v").took() >= ms(50));
    // Whoever crashes now, two of three have it.
    s.nodes().into_iter().for_each(|node| s.crash(node));
    s.expect("k").at_least(2).siblings(["v"]);
}

#[test]
fn a_replica_that_cannot_read_its_disk_is_not_taken_for_empty() {
    let mut s = Scenario::cluster(5).strict().build();
    let alice = s.client();
    let [a, b, _] = s.primaries("k");
    s.by(alice).put("k", "v");
    s.settle();
    s.damage(a, "k");
    assert_eq!(s.by(alice).get("k").texts(), ["v"]);
    s.damage(b, "k");
    let refused = s.by(alice).try_get("k").refused(ErrorCode::QuorumUnavailable);
    assert_eq!((refused.acked(), refused.needed()), (1, 2));
    s.converge(&["k"]);
    s.expect("k").siblings(["v"]);
}

#[test]
fn a_coordinator_with_a_damaged_record_refuses_and_another_one_takes_the_write() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    let [a, b, c] = s.primaries("k");
    let first = s.by(alice).put("k", "v");
    s.damage(a, "k");
    assert_eq!(s.by(alice).with(&first).put("k", "w").attempts(), 2);
    s.expect("k").among(&[b, c]).siblings(["w"]);

    let mut s = Scenario::cluster(5).build();
    let [a, _, _] = s.primaries("k");
    let first = s.at(a).put("k", "v");
    s.damage(a, "k");
    s.at(a).with(&first).try_put("k", "w").refused(ErrorCode::Storage);
}

#[test]
fn a_failed_sync_is_no_acknowledgement() {
    let mut s = Scenario::cluster(5).strict().build();
    let [a, b, c] = s.primaries("k");
    s.disk(b, |disk| disk.sync_fails = 1_000);
    assert!(
        !s.at(a)
            .w(3)
            .r(1)
            .try_put("k", "v")
            .unknown(ErrorCode::QuorumUnavailable)
            .answered()
            .contains(&b)
    );
    // The request ended with the failure; the sync of the third one may come after that.
    s.settle();
    s.disk(c, |disk| disk.sync_fails = 1_000);
    let unknown = s.at(a).try_put("k", "w").unknown(ErrorCode::QuorumUnavailable);
    assert_eq!((unknown.acked(), unknown.needed()), (1, 2));
    s.expect("k").at(b).on_disk().nothing();
    s.expect("k").at(c).on_disk().siblings(["v"]);
    s.converge(&["k"]);
    s.expect("k").siblings(["v", "w"]);
}

#[test]
fn a_failed_sync_at_the_coordinator_leaves_the_write_to_the_others() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    s.disk(a, |disk| disk.sync_fails = 1_000);
    let done = s.at(a).put("k", "v");
    let others = done.answered().len() + done.receipt().fallbacks.len();
    assert!(!done.answered().contains(&a) && others == 2);
    s.settle();
    s.expect("k").among(&[b, c]).on_disk().siblings(["v"]);
    // Its engine takes no more changes until it is opened again.
    s.at(a).try_put("k", "w").unknown(ErrorCode::Storage);
    assert!(s.told(a).contains(&Event::StorageFailed(StoreError::Closed)));
    s.converge(&["k"]);
    s.expect("k").siblings(["v"]);
}

#[test]
fn a_full_disk_refuses_writes_and_still_serves_reads() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    let [a, b, c] = s.primaries("k");
    let first = s.by(alice).put("k", "v");
    s.disk(a, |disk| disk.full = true);
    s.at(a).with(&first).try_put("k", "w").refused(ErrorCode::StorageFull);
    assert_eq!(s.at(a).get("k").texts(), ["v"]);
    s.by(alice).with(&first).put("k", "w");
    s.settle();
    s.expect("k").among(&[b, c]).siblings(["w"]);
    s.expect("k").at(a).siblings(["v"]);
    s.converge(&["k"]);
    s.expect("k").siblings(["w"]);
}

#[test]
fn two_full_disks_leave_no_quorum() {
    let mut s = Scenario::cluster(5).strict().build();
    let [a, b, c] = s.primaries("k");
    [b, c].into_iter().for_each(|node| s.disk(node, |disk| disk.full = true));
    let unknown = s.at(a).try_put("k", "v").unknown(ErrorCode::QuorumUnavailable);
    assert_eq!((unknown.acked(), unknown.needed()), (1, 2));
    s.expect("k").among(&[b, c]).nothing();
}

#[test]
fn one_slow_disk_slows_nobody() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, c] = s.primaries("k");
    s.disk(c, |disk| disk.slowness = 1_000);
    let put = s.at(a).put("k", "v");
    assert!(put.took() < ms(20) && !put.answered().contains(&c));
    assert!(s.at(b).get("k").took() < ms(20));
    s.wait(secs(2));
    s.expect("k").on_disk().siblings(["v"]);
}

#[test]
fn many_puts_share_a_sync() {
    let mut s = Scenario::cluster(5).disks(|disk| disk.sync = ms(100)).build();
    let [a, ..] = s.primaries::<3>("k");
    let puts: Vec<_> = (0..50).map(|n| s.at(a).start_put("k", &n.to_string())).collect();
    for put in puts {
        assert!(s.finish(put).took() < ms(350), "a sync under way, then one for all");
    }
}
