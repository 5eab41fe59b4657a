//! Rare states: that marks mean what they say, and that random runs meet them.

use quorate_core::client::ErrorCode;
use quorate_sim::scenario::{Frames, Scenario, ms, secs};
use quorate_sim::swarm::{Plan, run};
use quorate_sim::{Mark, Marks};

fn reached(s: &Scenario) -> Vec<Mark> {
    s.world().marks().list().filter(|(_, count)| *count > 0).map(|(mark, _)| mark).collect()
}

fn count(s: &Scenario, mark: Mark) -> u64 {
    s.world().marks().count(mark)
}

#[test]
fn a_calm_world_is_nothing_special() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    let put = s.by(alice).put("k", "v");
    s.by(alice).get("k");
    s.by(alice).with(&put).delete("k");
    s.settle();
    assert_eq!(reached(&s), []);
}

#[test]
fn three_records_in_one_read() {
    let mut s = Scenario::cluster(5).timeout(ms(100)).build();
    let primaries = s.primaries::<3>("k");
    let lost = s.lose(Frames::merges());
    for node in primaries {
        s.at(node).try_put("k", &format!("at {node}")).unknown(ErrorCode::Timeout);
    }
    assert_eq!(reached(&s), [Mark::UnknownAtDeadline]);
    s.release(lost);
    s.at(primaries[0]).get("k");
    s.settle();
    s.at(primaries[0]).get("k");
    assert_eq!(
        reached(&s),
        [
            Mark::ReadMeetsThreeRecords,
            Mark::OwnRecordStale,
            Mark::ThreeSiblings,
            Mark::UnknownAtDeadline,
        ]
    );
    assert_eq!(count(&s, Mark::ReadMeetsThreeRecords), 1);
}

#[test]
fn a_retry_that_is_known() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    s.at(a).as_request(1).put("k", "v");
    s.at(a).as_request(1).put("k", "v");
    assert_eq!(reached(&s), [Mark::RetryGetsFirstAnswer]);
    s.at(b).as_request(1).put("k", "v");
    assert_eq!(
        [Mark::RetryElsewhere, Mark::RetryFindsFirstDot].map(|mark| count(&s, mark)),
        [1, 1]
    );
    assert_eq!(count(&s, Mark::RetryGetsFirstAnswer), 1);
    assert_eq!(count(&s, Mark::TwoDotsForOneRequest), 0);
}

#[test]
fn a_retry_at_a_coordinator_that_knows_nothing_of_the_first_try() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    let lost = s.lose(Frames::merges());
    s.at(a).as_request(1).try_put("k", "v").unknown(ErrorCode::Timeout);
    s.release(lost);
    s.at(b).as_request(1).put("k", "v");
    let all = [Mark::RetryElsewhere, Mark::TwoDotsForOneRequest, Mark::UnknownAtDeadline];
    assert_eq!(reached(&s), all);
}

#[test]
fn a_passed_on_request_and_the_death_of_its_primary() {
    let mut s = Scenario::cluster(5).build();
    let ([a, ..], [d, _]) = (s.primaries::<3>("k"), s.fallbacks("k"));
    let put = s.at(d).put("k", "v");
    assert_eq!(reached(&s), [Mark::PassedOn]);
    s.pause(a);
    let get = s.at(d).start_get("k");
    s.crash(a);
    assert_eq!(s.finish(get).context(), put.context());
    assert_eq!(reached(&s), [Mark::PassedOn, Mark::PassedOnTwice]);
}

#[test]
fn a_coordinator_that_dies_before_it_answers() {
    let mut s = Scenario::cluster(5).disks(|disk| disk.sync = ms(100)).build();
    let alice = s.client();
    let [a, ..] = s.primaries::<3>("k");
    s.by(alice).get("k");
    let put = s.by(alice).start_put("k", "v");
    s.wait(ms(20));
    s.crash(a);
    s.finish(put);
    for mark in [Mark::CrashBetweenAppliedAndDurable, Mark::CoordinatorDies, Mark::RetryElsewhere] {
        assert!(reached(&s).contains(&mark), "{mark:?} is not in {:?}", reached(&s));
    }
}

#[test]
fn both_sides_of_a_partition_acknowledge_where_one_copy_is_enough() {
    let mut s = Scenario::cluster(5).r(3).w(1).build();
    let [a, b, _] = s.primaries("k");
    s.at(a).put("k", "before");
    s.settle();
    s.cut_off(&[a]);
    s.wait(secs(1));
    s.at(a).put("k", "here");
    assert_eq!(count(&s, Mark::BothSidesAcknowledge), 0);
    s.at(b).put("k", "there");
    assert_eq!(count(&s, Mark::BothSidesAcknowledge), 1);
    s.heal();
    s.settle();
    s.at(b).put("k", "after");
    assert_eq!(count(&s, Mark::BothSidesAcknowledge), 1);
}

#[test]
fn disks_that_lost_what_they_held() {
    let mut s = Scenario::cluster(5).build();
    let [a, b, _] = s.primaries("k");
    let one = s.at(a).put("k", "one");
    s.settle();
    s.snapshot(a);
    let two = s.at(a).with(&one).put("k", "two");
    s.settle();
    s.crash(a);
    s.roll_back(a);
    s.restart(a);
    s.settle();
    s.crash(b);
    s.wipe(b);
    s.restart(b);
    s.settle();
    s.at(a).with(&two).put("k", "three");
    s.settle();
    let expected = [
        Mark::RolledBackNodeWrites,
        Mark::ComparisonBrings,
        Mark::WipedNodeRefilled,
        Mark::LossFound,
        Mark::Refilled,
        Mark::BornBesideOlder,
    ];
    assert_eq!(reached(&s), expected);
}

#[test]
fn machines_that_stood_still() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    let [a, ..] = s.nodes()[..] else { panic!("five nodes") };
    s.settle();
    let put = s.by(alice).start_put("k", "v");
    s.freeze(alice);
    s.wait(secs(6));
    assert_eq!(reached(&s), []);
    s.thaw(alice);
    let _ = s.try_finish(put);
    assert_eq!(count(&s, Mark::EndedAtThaw), 1);
    s.pause(a);
    s.wait(secs(6));
    s.resume(a);
    assert_eq!(count(&s, Mark::PausedPastTimeout), 1);
}

#[test]
fn deletes_without_a_context() {
    let mut s = Scenario::cluster(5).build();
    let alice = s.client();
    s.by(alice).delete("k");
    assert_eq!(reached(&s), [Mark::BlindDeleteFindsNothing]);
    s.by(alice).put("k", "v");
    s.by(alice).delete("k");
    assert_eq!(count(&s, Mark::BlindDeleteFindsNothing), 1);
    let delete = s.by(alice).start_delete("k");
    let put = s.by(alice).start_put("k", "w");
    s.finish(delete);
    s.finish(put);
    assert_eq!(count(&s, Mark::BlindDeleteRacesPut), 1);
}

#[test]
fn calls_taken_back_and_layouts_corrected() {
    let mut s = Scenario::cluster(5).build();
    let bob = s.stale_client();
    s.by(bob).get("k");
    assert!(reached(&s).contains(&Mark::LayoutCorrected));
    let put = s.by(bob).start_put("k", "v");
    s.cancel(&put);
    assert_eq!(count(&s, Mark::TakenBack), 1);
}

/// Marks of some runs together, and in how many of them each was met.
fn survey(seeds: u64, calls: usize) -> Vec<(Mark, u64, u64)> {
    let mut marks = Marks::default();
    let mut runs = vec![0; Mark::ALL.len()];
    for seed in 0..seeds {
        let report = run(&Plan::draw(seed, calls), None);
        for ((_, count), runs) in report.marks.list().zip(&mut runs) {
            *runs += u64::from(count > 0);
        }
        marks.merge(&report.marks);
    }
    let list = marks.list().zip(runs);
    list.map(|((mark, count), runs)| (mark, count, runs)).collect()
}

#[test]
fn a_few_random_runs_meet_most_rare_states() {
    let survey = survey(40, 200);
    let never: Vec<&str> =
        survey.iter().filter(|(_, count, _)| *count == 0).map(|(mark, _, _)| mark.name()).collect();
    assert!(never.len() <= Mark::ALL.len() / 5, "never met: {never:#?}");
}

#[test]
fn equal_runs_have_equal_marks() {
    let plan = Plan::draw(3, 200);
    assert_eq!(run(&plan, None).marks, run(&plan, None).marks);
}
