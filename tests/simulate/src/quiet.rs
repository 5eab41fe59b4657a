//! Runs of plans, whose panics are violations and no noise on the terminal.

use std::cell::{Cell, RefCell};
use std::panic;

use quorate_sim::LogFilter;
#[cfg(feature = "mutants")]
use quorate_sim::stories::Story;
use quorate_sim::swarm::{self, Plan, Report};

thread_local! {
    static RUNS: Cell<bool> = const { Cell::new(false) };
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics of runs silent, once for the process. Other panics are told as ever.
pub(crate) fn install() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if RUNS.get() {
            let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
            PLACE.replace(place);
        } else {
            usual(info);
        }
    }));
}

/// Tells a story; whether it came to a bad end.
#[cfg(feature = "mutants")]
pub(crate) fn fails(story: Story) -> bool {
    RUNS.set(true);
    let outcome = panic::catch_unwind(story.tell);
    RUNS.set(false);
    outcome.is_err()
}

/// Runs a plan. A violation that is a panic says where it panicked.
pub(crate) fn run(plan: &Plan, log: Option<LogFilter>) -> Report {
    RUNS.set(true);
    PLACE.replace(None);
    let mut report = swarm::run(plan, log);
    RUNS.set(false);
    if let (Some(violation), Some(place)) = (&mut report.violation, PLACE.take()) {
        violation.text = format!("{} ({place})", violation.text);
    }
    report
}
