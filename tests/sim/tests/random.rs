//! Random runs against an oracle: clients on hot keys while nodes crash, lose their disks and are
//! cut off, one at a time. A run that fails prints the seed that replays it:
//! `SEED=17 cargo test -p quorate-sim --test random`.

#[path = "random/history.rs"]
mod history;
#[path = "random/oracle.rs"]
mod oracle;
#[path = "random/run.rs"]
mod run;

/// Runs of one test.
const SEEDS: u64 = 200;

#[test]
fn whatever_fails_one_at_a_time_the_promises_hold() {
    if let Some(seed) = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        let history = run::run(seed);
        eprintln!("{history:#?}");
        return oracle::check(&history);
    }
    let mut counts = oracle::Counts::default();
    for seed in 0..SEEDS {
        let checked = std::panic::catch_unwind(|| {
            let history = run::run(seed);
            oracle::check(&history);
            oracle::count(&history)
        });
        match checked {
            Ok(one) => counts.add(one),
            Err(panic) => {
                eprintln!("replay: SEED={seed} cargo test -p quorate-sim --test random");
                std::panic::resume_unwind(panic);
            }
        }
    }
    // The runs are of use only while they see enough of everything.
    println!("{counts:?}");
    assert!(counts.acknowledged > 1_000 && counts.read > 1_000, "{counts:?}");
    assert!(counts.unknown > 20 && counts.refused > 20, "{counts:?}");
    assert!(counts.retried > 20 && counts.siblings > 100, "{counts:?}");
}
