//! The language of the scenarios itself: what does not hold is told in full sentences.

use std::panic::{AssertUnwindSafe, catch_unwind};

use quorate_core::client::ErrorCode;
use quorate_sim::scenario::{Frames, Scenario, ms};

/// What somebody reads whose scenario fails here.
fn panic_of<T>(fail: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(fail)).err().expect("it does not hold");
    panic.downcast_ref::<String>().cloned().expect("a sentence with something in it")
}

fn cluster() -> Scenario {
    Scenario::cluster(5).strict().build()
}

#[test]
fn an_expectation_of_a_store_names_key_nodes_expected_and_found() {
    let mut s = cluster();
    let [a, b, c] = s.primaries("k");
    s.lose(Frames::merges().to(c));
    let dot = s.at(a).put("k", "milk").dot();
    s.settle();
    let text = panic_of(|| {
        s.expect("k").siblings(["eggs", "bread"]);
    });
    let head = r#"key "k", in memory: expected the siblings ["bread", "eggs"] at 3 of"#;
    assert!(text.starts_with(head), "{text}");
    assert!(text.contains(&format!("{a}: [\"milk\"], 0 tombstones; dots [{a}.")), "{text}");
    assert!(text.contains(&format!("{c}: nothing")), "{text}");
    s.expect("k").at_least(2).siblings(["milk"]).dots([dot]);
    for text in [
        panic_of(|| s.expect("k").nothing()),
        panic_of(|| s.expect("k").agree()),
        panic_of(|| s.expect("k").siblings(["milk"])),
        panic_of(|| s.expect("k").at_least(3).knows(dot)),
        panic_of(|| s.expect("k").at(b).deleted()),
        panic_of(|| s.expect("k").at(b).tombstones(1)),
        panic_of(|| s.expect("k").at(b).dots([])),
        panic_of(|| s.expect("k").at(b).actors(2)),
        panic_of(|| s.expect("k").everywhere().siblings(["milk"])),
    ] {
        assert!(text.contains("expected"), "{text}");
    }
}

#[test]
fn an_outcome_that_was_not_expected_is_told_in_full() {
    let mut s = cluster();
    let [a, b, c] = s.primaries("k");
    s.crash(b);
    s.crash(c);
    s.settle();
    let text = panic_of(|| s.at(a).put("k", "v"));
    let head = format!(r#"expected success, but blind put "k" = "v" at {a} failed as QUORUM_"#);
    assert!(text.starts_with(&head) && text.ends_with("[acked 1, needed 2, limit 0, actual 0]"));
    let text = panic_of(|| s.at(a).try_put("k", "v").unknown(ErrorCode::QuorumUnavailable));
    assert!(text.starts_with("expected QUORUM_UNAVAILABLE (the write may have happened), but"));
    s.restart(b);
    s.settle();
    let text = panic_of(|| s.at(a).try_put("k", "v").refused(ErrorCode::Timeout));
    assert!(text.contains("was acknowledged with 1 siblings by ["), "{text}");
    let text = panic_of(|| s.at(a).get("k").dot());
    assert_eq!(text, format!(r#"get "k" at {a} is a read: it has no dot"#));
}

#[test]
fn a_request_that_never_ends_names_who_is_missing() {
    let mut s = cluster();
    let [a, ..] = s.primaries::<3>("k");
    let put = s.at(a).start_put("k", "v");
    s.crash(a);
    let text = panic_of(|| s.finish(put));
    assert_eq!(text, format!(r#"blind put "k" = "v" at {a} never ends; {a} is down"#));
    let text = panic_of(|| s.at(a).get("k"));
    assert_eq!(text, format!("{a} cannot take a request: it is down"));
}

#[test]
fn faults_that_cannot_be_say_why() {
    let mut s = cluster();
    let [a, ..] = s.primaries::<3>("k");
    assert!(panic_of(|| s.restart(a)).contains("it is up, crash it first"));
    assert!(panic_of(|| s.wipe(a)).contains("it is up, crash it first"));
    assert!(panic_of(|| s.resume(a)).contains("is not paused"));
    assert!(panic_of(|| s.partition(&[a], &[a])).contains("on both sides"));
    assert!(panic_of(|| s.primaries::<2>("k")).contains("3 primaries"));
    assert!(panic_of(|| s.counter(a, "gest")).contains("\"gets\""));
    assert!(panic_of(|| Frames::acknowledgements().of("k")).contains("do not carry"));
    let alice = s.client();
    let text = panic_of(|| s.by(alice).as_request(1).put("k", "v"));
    assert_eq!(
        text,
        "c0 is a real client and names its writes itself: this is for requests at a node"
    );
}

#[test]
fn a_property_that_does_not_hold_ends_the_scenario() {
    let broken = || {
        let mut s = cluster();
        s.world_mut().fail("a-property", "it does not hold");
        s
    };
    for text in [
        panic_of(|| broken().settle()),
        panic_of(|| broken().wait(ms(1))),
        panic_of(|| broken().converge(&["k"])),
        panic_of(|| drop(broken())),
    ] {
        assert!(text.starts_with("a-property at 2.000000 s: it does not hold"), "{text}");
    }
}
