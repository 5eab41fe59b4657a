//! Collection: what the storage confirms, when it does, and what it removes.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};

use quorate_core::machine::Confirmed;
use quorate_core::merkle::{State, StateHash};
use quorate_core::prng::Prng;
use quorate_core::ring::RingArc;

use super::*;
use crate::storage::failure::Failure;
use crate::storage::fjall::Shared;
use crate::storage::hints::HintKey;

const LISTED: NodeId = NodeId(4);

const OTHER: NodeId = NodeId(5);

/// The state of what is not there.
const NOTHING: StateHash = StateHash(0);

impl Bench {
    fn confirm(&mut self, keys: &[&str]) -> Vec<Confirmed> {
        match self.run(confirm(keys)) {
            StoreOutcome::Confirmed(held) => held,
            other => panic!("{other:?}"),
        }
    }

    /// The state of an own copy that can be read.
    fn state(&mut self, key: &str) -> StateHash {
        self.confirm(&[key])[0].state.unwrap()
    }

    fn remove_own(&mut self, key: &str, state: StateHash) -> Option<StateChange> {
        let ticket = self.submit(remove(key, state));
        self.removed(ticket)
    }

    fn removed(&mut self, ticket: Ticket) -> Option<StateChange> {
        match &self.outcomes(ticket)[..] {
            [StoreOutcome::Removed { state }] => *state,
            other => panic!("{other:?}"),
        }
    }

    /// What became of the state of an own copy; `None`: nothing was applied or removed.
    fn change_of(&mut self, ticket: Ticket) -> Option<StateChange> {
        match &self.outcomes(ticket)[..] {
            [StoreOutcome::Applied { state, .. }, StoreOutcome::Durable] => *state,
            [StoreOutcome::Removed { state }] => *state,
            [StoreOutcome::Refused(_)] => None,
            other => panic!("{other:?}"),
        }
    }

    /// All states, counted again.
    fn scanned(&mut self) -> Vec<(Key, State)> {
        match self.run(StoreOp::ScanStates {
            arc: RingArc::ALL,
            after: None,
            count_max: usize::MAX,
        }) {
            StoreOutcome::StatesScanned { states, more: false } => states,
            other => panic!("{other:?}"),
        }
    }
}

fn confirm(keys: &[&str]) -> StoreOp {
    StoreOp::Confirm { keys: keys.iter().copied().map(name).collect(), hints: vec![LISTED] }
}

fn remove(key: &str, state: StateHash) -> StoreOp {
    StoreOp::Remove { key: name(key), state }
}

fn hint(target: NodeId, key: &str) -> StoreOp {
    put_as(HeldAs::Hint { target }, key, "hinted", 100)
}

/// The name of the state of a key after these blind puts.
fn state_of(key: &str, values: &[&str]) -> StateHash {
    sized(key, values).hash
}

/// The state itself.
fn sized(key: &str, values: &[&str]) -> State {
    let mut held = Held::new();
    for value in values {
        let StoreOp::Apply { op, .. } = put(key, value, 100) else { panic!("it is an Apply") };
        held.apply(&op).unwrap();
    }
    tree_key().sized_state(&name(key), held.record())
}

fn both(directory: &Path) -> [Bench; 2] {
    [Bench::memory(), Bench::fjall(directory)]
}

#[test]
fn a_look_tells_the_own_copies_and_the_hints_for_the_targets_that_it_names() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        bench.put("own", "1");
        bench.put("both", "1");
        for (target, key) in [(LISTED, "both"), (LISTED, "hinted"), (OTHER, "for another")] {
            let ticket = bench.submit(hint(target, key));
            assert!(is_applied_then_durable(&bench.outcomes(ticket)));
        }
        let keys = ["own", "both", "hinted", "for another", "none", "own"];
        let held = bench.confirm(&keys);
        let expected = [
            (state_of("own", &["1"]), false),
            (state_of("both", &["1"]), true),
            (NOTHING, true),
            (NOTHING, false),
            (NOTHING, false),
            (state_of("own", &["1"]), false),
        ];
        let expected = expected.map(|(state, hinted)| Confirmed { state: Some(state), hinted });
        assert_eq!(held, expected, "in the order of the question");
        assert_eq!(bench.confirm(&[]), []);
    }
}

#[test]
fn a_look_tells_what_was_asked_for_before_it_and_nothing_that_comes_after_it() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        // All of it in one turn.
        let one = bench.submit(confirm(&["a"]));
        bench.submit(put("a", "1", 100));
        let two = bench.submit(confirm(&["a"]));
        bench.submit(hint(LISTED, "a"));
        bench.submit(put("a", "2", 100));
        let three = bench.submit(confirm(&["a"]));
        let removed = bench.submit(remove("a", state_of("a", &["1", "2"])));
        let four = bench.submit(confirm(&["a"]));
        bench.submit(put("a", "3", 100));
        let mut told = |ticket| match &bench.outcomes(ticket)[..] {
            [StoreOutcome::Confirmed(held)] => (held[0].state.unwrap(), held[0].hinted),
            other => panic!("{other:?}"),
        };
        assert_eq!(told(one), (NOTHING, false));
        assert_eq!(told(two), (state_of("a", &["1"]), false));
        assert_eq!(told(three), (state_of("a", &["1", "2"]), true));
        assert_eq!(told(four), (NOTHING, true));
        assert!(bench.removed(removed).is_some());
        assert_eq!(bench.state("a"), state_of("a", &["3"]));
    }
}

#[test]
fn a_hint_that_went_in_the_same_turn_is_not_told() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let hinted = bench.submit(hint(LISTED, "a"));
        let digest = match &bench.outcomes(hinted)[0] {
            StoreOutcome::Applied { record: Some(record), .. } => record.digest(),
            other => panic!("{other:?}"),
        };
        bench.submit(StoreOp::RemoveHint { target: LISTED, key: name("a"), digest });
        assert_eq!(bench.confirm(&["a"]), [Confirmed { state: Some(NOTHING), hinted: false }]);
        assert_eq!(bench.confirm(&["a"]), [Confirmed { state: Some(NOTHING), hinted: false }]);
    }
}

#[test]
fn what_is_damaged_is_told_as_such_beside_what_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    for key in ["a", "b"] {
        bench.put(key, "1");
        let ticket = bench.submit(hint(LISTED, key));
        bench.outcomes(ticket);
    }
    assert!(bench.storage.close());
    damage(directory.path(), "records", &RecordKey::of(&name("a")).0);
    damage(directory.path(), "hints", &HintKey::of(LISTED, &name("b")).0);

    let mut bench = Bench::fjall(directory.path());
    let told = bench.confirm(&["a", "b", "c"]);
    let expected = [
        Confirmed { state: None, hinted: true },
        Confirmed { state: Some(state_of("b", &["1"])), hinted: true },
        Confirmed { state: Some(NOTHING), hinted: false },
    ];
    assert_eq!(told, expected);
    for state in [state_of("a", &["1"]), NOTHING] {
        let removed = bench.run(remove("a", state));
        assert_eq!(removed, StoreOutcome::Failed(StoreError::Damaged));
    }
    assert_eq!(bench.confirm(&["a"])[0].state, None, "it stays where it is");
}

/// Without a sync of its own nothing of these commits would be in the file.
#[test]
fn what_was_confirmed_outlives_a_killed_process() {
    for in_one_turn in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let mut bench = Bench::open(directory.path(), Durability::Periodic).unwrap();
        let tickets = [put("a", "1", 100), hint(LISTED, "b")].map(|op| {
            let ticket = bench.submit(op);
            if !in_one_turn {
                assert!(is_applied_then_durable(&bench.outcomes(ticket)));
            }
            ticket
        });
        let told = bench.confirm(&["a", "b"]);
        assert_eq!((told[0].state, told[1].hinted), (Some(state_of("a", &["1"])), true));
        let copy = killed(directory.path());
        assert_eq!(Bench::fjall(copy.path()).confirm(&["a", "b"]), told);
        if in_one_turn {
            assert!(tickets.into_iter().all(|of| is_applied_then_durable(&bench.outcomes(of))));
        }
    }
}

#[test]
fn a_look_holds_up_no_first_answer_and_a_removal_waits_for_no_sync() {
    let directory = tempfile::tempdir().unwrap();
    for durability in [Durability::Group, Durability::Periodic] {
        let mut bench = Bench::open(directory.path(), durability).unwrap();
        bench.put("gone", "1");
        let looked = bench.submit(confirm(&["a"]));
        let applied = bench.submit(put("a", "1", 100));
        let removed = bench.submit(remove("gone", state_of("gone", &["1"])));
        bench.storage.flush();
        let first = bench.answers.recv_timeout(Duration::from_secs(10)).unwrap();
        let first: Vec<Ticket> = first.into_iter().map(|(ticket, _)| ticket).collect();
        assert_eq!(first, [applied, removed], "the sync comes after these");
        let second = bench.answers.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(second.contains(&(applied, StoreOutcome::Durable)));
        let confirmed = |(ticket, outcome): &Answer| {
            *ticket == looked && matches!(outcome, StoreOutcome::Confirmed(_))
        };
        assert!(second.iter().any(confirmed), "{second:?}");
        assert!(bench.storage.close());
    }
}

/// The engine breaks down between the commit of a turn and its sync.
#[test]
fn a_look_whose_sync_fails_has_told_nothing() {
    for durability in [Durability::Group, Durability::Periodic] {
        let directory = tempfile::tempdir().unwrap();
        let shared: Arc<OnceLock<Arc<Shared>>> = Arc::default();
        let told: Arc<Mutex<Vec<Answer>>> = Arc::default();
        let (breaks, hears) = (Arc::clone(&shared), Arc::clone(&told));
        let answer: Answers = Arc::new(move |answers| {
            if matches!(answers[0].1, StoreOutcome::Applied { .. }) {
                breaks.get().unwrap().fail(Failure::Device, "a test");
            }
            hears.lock().unwrap().extend(answers);
        });
        let opened = Directory::open(directory.path()).unwrap().adopt(CLUSTER, SETTINGS).unwrap();
        let options = FjallOptions { durability, cache_bytes: 1 << 20, ..FjallOptions::default() };
        let mut storage = Storage::fjall(&opened, options, tree_key(), answer).unwrap();
        let Engine::Fjall(fjall) = &storage.engine else { panic!("it is on a disk") };
        shared.set(fjall.shared()).ok().unwrap();

        let mut answered = Vec::new();
        let ops = [put("a", "1", 100), confirm(&["a"])];
        for (ticket, op) in ops.into_iter().enumerate() {
            storage.submit(Ticket(ticket as u64), op, &mut answered);
        }
        assert!(answered.is_empty());
        assert!(!storage.close(), "its end is that of its threads");
        let failed = StoreOutcome::Failed(StoreError::Io);
        let told = told.lock().unwrap().split_off(1);
        assert_eq!(told, [(Ticket(0), failed.clone()), (Ticket(1), failed)]);
    }
}

#[test]
fn after_a_failed_sync_nothing_is_confirmed_or_removed() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    bench.storage.break_down(Health::Failed);
    for op in [confirm(&["a"]), remove("a", state_of("a", &["1"]))] {
        assert_eq!(bench.run(op), StoreOutcome::Failed(StoreError::Io));
    }
}

#[test]
fn a_record_is_removed_in_the_state_that_is_named_and_in_no_other() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        bench.put("a", "1");
        bench.put("b", "1");
        let state = bench.state("a");
        bench.put("a", "2");
        for other in [state, NOTHING, state_of("b", &["1"])] {
            assert_eq!(bench.remove_own("a", other), None);
        }
        assert_eq!(bench.values("a"), ["1", "2"]);

        let (position, before) = (Position::of(b"a"), bench.state("a"));
        let is = sized("a", &["1", "2"]);
        let change = StateChange { position, before: is, after: State::NOTHING };
        assert_eq!(bench.remove_own("a", before), Some(change));
        let read = bench.run(StoreOp::Read { key: name("a"), hints: Vec::new() });
        assert_eq!(read, StoreOutcome::Read { record: None });
        let read = bench.run(StoreOp::Read { key: name("a"), hints: vec![LISTED] });
        assert_eq!(read, StoreOutcome::Read { record: None });
        assert_eq!(bench.storage.records(), 1);
        assert_eq!(bench.scanned(), [(name("b"), sized("b", &["1"]))]);
        for gone in [before, NOTHING] {
            assert_eq!(bench.remove_own("a", gone), None, "what is not there is not removed");
        }
    }
}

#[test]
fn a_removed_record_stays_away_when_the_directory_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    bench.put("b", "1");
    let state = bench.state("a");
    assert!(bench.remove_own("a", state).is_some());
    assert!(bench.storage.close());
    let mut bench = Bench::fjall(directory.path());
    assert!(bench.values("a").is_empty());
    assert_eq!(bench.values("b"), ["1"]);
    assert_eq!(bench.state("a"), NOTHING);
}

#[test]
fn a_record_that_is_not_in_the_cache_is_removed_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    assert!(bench.storage.close());
    let mut bench = Bench::fjall(directory.path());
    assert!(bench.remove_own("a", state_of("a", &["1"])).is_some());
    assert!(bench.values("a").is_empty());
    bench.put("a", "2");
    assert_eq!(bench.values("a"), ["2"]);
}

#[test]
fn a_write_after_a_removal_begins_with_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        for in_one_turn in [true, false] {
            let key = if in_one_turn { "one turn" } else { "two turns" };
            bench.put(key, "1");
            let removed = bench.submit(remove(key, state_of(key, &["1"])));
            if !in_one_turn {
                assert!(bench.removed(removed).is_some());
            }
            let written = bench.submit(put(key, "2", 100));
            let outcomes = bench.outcomes(written);
            let (record, state) = match &outcomes[0] {
                StoreOutcome::Applied { record: Some(record), state: Some(state), .. } => {
                    (record, *state)
                }
                other => panic!("{other:?}"),
            };
            assert_eq!((state.before, state.after), (State::NOTHING, sized(key, &["2"])));
            // A state names the actors: with the right to mint of the first write it would be another.
            assert_eq!(values_of(record), ["2"]);
            assert_eq!(bench.state(key), state_of(key, &["2"]));
            assert_eq!(bench.values(key), ["2"]);
        }
        assert_eq!(bench.storage.records(), 2);
    }
}

#[test]
fn what_is_made_and_removed_in_one_turn_was_never_there() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        bench.put("b", "1");
        let written = bench.submit(put("a", "1", 100));
        let removed = bench.submit(remove("a", state_of("a", &["1"])));
        assert!(is_applied_then_durable(&bench.outcomes(written)));
        assert_eq!(bench.removed(removed).unwrap().before, sized("a", &["1"]));
        assert!(bench.values("a").is_empty());
        assert_eq!(bench.storage.records(), 1);
        assert_eq!(bench.scanned(), [(name("b"), sized("b", &["1"]))]);
    }
}

/// Puts, refusals, hints, and removals of the present or of any other state.
fn any_change(prng: &mut Prng, states: &BTreeMap<String, StateHash>) -> StoreOp {
    let key = format!("key {}", prng.below(12));
    let value = format!("{}", prng.below(30));
    match prng.below(6) {
        0 | 1 => put(&key, &value, 100),
        2 => put(&key, &value, 1),
        3 => put_as(HeldAs::Hint { target: LISTED }, &key, &value, 100),
        4 => remove(&key, NOTHING),
        _ => remove(&key, states.get(&key).copied().unwrap_or(StateHash(1))),
    }
}

#[test]
fn all_changes_and_removals_add_up_to_what_a_scan_finds() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in both(directory.path()) {
        let mut prng = Prng::new(7);
        let (mut sum, mut removed, mut kept) = (0_u128, 0, 0);
        let mut states = BTreeMap::new();
        for _ in 0..80 {
            let changes: Vec<StoreOp> =
                (0..=prng.below(8)).map(|_| any_change(&mut prng, &states)).collect();
            let removals: Vec<bool> =
                changes.iter().map(|op| matches!(op, StoreOp::Remove { .. })).collect();
            let tickets: Vec<Ticket> = changes.into_iter().map(|op| bench.submit(op)).collect();
            for (ticket, is_removal) in tickets.into_iter().zip(removals) {
                let change = bench.change_of(ticket);
                if is_removal {
                    removed += u32::from(change.is_some());
                    kept += u32::from(change.is_none());
                }
                let change = change.map_or(0, |it| it.after.hash.0.wrapping_sub(it.before.hash.0));
                sum = sum.wrapping_add(change);
            }
            let scanned = bench.scanned();
            let found =
                scanned.iter().fold(0, |sum: u128, (_, state)| sum.wrapping_add(state.hash.0));
            assert_eq!(sum, found);
            assert_eq!(bench.storage.records(), scanned.len() as u64);
            let text = |key: &Key| String::from_utf8(key.as_bytes().to_vec()).unwrap();
            states = scanned.iter().map(|(key, state)| (text(key), state.hash)).collect();
            for number in 0..12 {
                let key = format!("key {number}");
                let read = bench.run(StoreOp::Read { key: name(&key), hints: Vec::new() });
                let StoreOutcome::Read { record } = read else { panic!("{read:?}") };
                let state = record.map(|record| tree_key().state(&name(&key), &record));
                assert_eq!(state.as_ref(), states.get(&key), "a read tells what is applied");
            }
        }
        assert!(removed > 20 && kept > 20, "{removed} {kept}");
    }
}
