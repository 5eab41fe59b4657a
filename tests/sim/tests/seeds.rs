//! Random runs, few enough for a debug build: `cargo xtask sim` runs thousands.

use quorate_sim::swarm::{Plan, run};

/// Calls of one run.
const CALLS: usize = 150;

#[test]
fn every_promise_is_kept_while_everything_fails() {
    for seed in 0..40 {
        let violation = run(&Plan::draw(seed, CALLS), None).violation;
        let replay = format!("cargo xtask sim --seed {seed} --ops {CALLS}");
        assert!(violation.is_none(), "{}\nreplay: {replay}", violation.expect("it is some"));
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_and_another_one_another() {
    let traces = || [1, 2, 3].map(|seed| run(&Plan::draw(seed, CALLS), None).trace);
    let [first, second, third] = traces();
    assert_eq!(traces(), [first, second, third]);
    assert!(first != second && second != third);
}
