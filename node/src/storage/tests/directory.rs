//! What a directory knows of its node, its cluster and the layout, and what it refuses.

use quorate_core::layout::{Member, PlanSettings, plan_first};
use quorate_core::message::{LayoutHistory, LayoutUpdate};
use quorate_core::ring::SlotCount;

use super::*;
use crate::storage::offline::Contents;

/// The first layout of a cluster with so many nodes.
fn layout(members: u64) -> LayoutHistory {
    let member = |id| Member { id: NodeId(id), label: "a".into(), zone: "".into(), weight: 1 };
    let settings = PlanSettings { slots: SlotCount::new(64).unwrap(), replication: 3 };
    let layout = plan_first(settings, (1..=members).map(member).collect()).unwrap();
    let addresses = (1..=members).map(|id| format!("ws://127.0.0.1:{id}").into()).collect();
    Arc::new(LayoutUpdate { layout, addresses }).into()
}

#[test]
fn a_new_directory_has_an_id_of_its_own_and_keeps_it() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = Directory::open(one.path()).unwrap().node();
    assert_ne!(Directory::open(two.path()).unwrap().node(), node);

    let directory = Directory::open(one.path()).unwrap();
    assert_eq!(directory.node(), node);
    assert_eq!((directory.identity(), directory.settings()), (None, None));
    assert!(directory.layout().is_none());
    let adopted = directory.adopt(CLUSTER, SETTINGS).unwrap();
    assert_eq!(adopted.identity(), Identity { cluster: CLUSTER, node });
}

#[test]
fn a_directory_knows_its_cluster_after_the_process_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let adopted = Directory::open(directory.path()).unwrap().adopt(CLUSTER, SETTINGS).unwrap();
    let copy = killed(directory.path());
    let found = Directory::open(copy.path()).unwrap();
    assert_eq!(found.identity(), Some(adopted.identity()));
    assert_eq!(found.settings(), Some(SETTINGS));
}

#[test]
fn a_directory_of_another_cluster_is_refused_and_unchanged() {
    let directory = tempfile::tempdir().unwrap();
    assert!(Bench::fjall(directory.path()).storage.close());
    let found = Directory::open(directory.path()).unwrap().identity().unwrap();
    let other = ClusterId(8);
    match Directory::open(directory.path()).unwrap().adopt(other, Settings { r: 1, ..SETTINGS }) {
        Err(OpenError::Foreign { found: told, wanted, .. }) => {
            assert_eq!((told, wanted), (found, other));
        }
        other => panic!("{other:?}"),
    }
    let directory = Directory::open(directory.path()).unwrap();
    assert_eq!((directory.identity(), directory.settings()), (Some(found), Some(SETTINGS)));
}

#[test]
fn new_settings_take_the_place_of_the_former_ones() {
    let directory = tempfile::tempdir().unwrap();
    let open = || Directory::open(directory.path()).unwrap();
    drop(open().adopt(CLUSTER, SETTINGS).unwrap());
    let settings = Settings { r: 1, w: 3, strict: true, replication: None, ..SETTINGS };
    drop(open().adopt(CLUSTER, settings).unwrap());
    assert_eq!(open().settings(), Some(settings));
}

#[test]
fn the_newest_layout_outlives_a_killed_process_under_every_durability() {
    for durability in [Durability::Group, Durability::Periodic] {
        let directory = tempfile::tempdir().unwrap();
        let mut bench = Bench::open(directory.path(), durability).unwrap();
        for members in [3, 4] {
            let saved = bench.run(StoreOp::SaveLayouts(layout(members)));
            assert_eq!(saved, StoreOutcome::Durable);
            let copy = killed(directory.path());
            let found = Directory::open(copy.path()).unwrap();
            assert_eq!(found.layouts(), Some(&layout(members)), "{durability:?}");
        }
    }
}

/// A mark in the layouts may say that this node holds what came before.
#[test]
fn what_was_applied_before_layouts_were_saved_outlives_a_killed_process() {
    for in_one_turn in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let mut bench = Bench::open(directory.path(), Durability::Periodic).unwrap();
        let ticket = bench.submit(put("a", "1", 100));
        if !in_one_turn {
            assert!(is_applied_then_durable(&bench.outcomes(ticket)));
        }
        assert_eq!(bench.run(StoreOp::SaveLayouts(layout(3))), StoreOutcome::Durable);
        let copy = killed(directory.path());
        assert_eq!(Directory::open(copy.path()).unwrap().layouts(), Some(&layout(3)));
        assert_eq!(Bench::fjall(copy.path()).values("a"), ["1"]);
    }
}

#[test]
fn layouts_and_writes_of_one_turn_are_all_promised() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in [Bench::memory(), Bench::fjall(directory.path())] {
        let tickets = [
            bench.submit(StoreOp::SaveLayouts(layout(3))),
            bench.submit(put("a", "1", 100)),
            bench.submit(StoreOp::SaveLayouts(layout(4))),
        ];
        let [first, put, second] = tickets.map(|ticket| bench.outcomes(ticket));
        assert_eq!((&first[..], &second[..]), (&[StoreOutcome::Durable][..], &first[..]));
        assert!(is_applied_then_durable(&put));
        assert!(bench.storage.close());
    }
    assert_eq!(Directory::open(directory.path()).unwrap().layouts(), Some(&layout(4)));
}

#[test]
fn after_a_failed_sync_no_layout_is_saved() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.storage.break_down(Health::Failed);
    let failed = StoreOutcome::Failed(StoreError::Io);
    assert_eq!(bench.run(StoreOp::SaveLayouts(layout(3))), failed);
}

#[test]
fn what_a_directory_says_of_itself_is_never_guessed() {
    let whole = tempfile::tempdir().unwrap();
    assert!(Bench::fjall(whole.path()).storage.close());
    let written = fs::read(whole.path().join("node.json")).unwrap();
    let mut flipped = written.clone();
    flipped[40] ^= 1;
    for damaged in [Some(&flipped[..]), Some(&written[..40]), Some(b""), None] {
        let copy = killed(whole.path());
        match damaged {
            Some(bytes) => fs::write(copy.path().join("node.json"), bytes).unwrap(),
            None => fs::remove_file(copy.path().join("node.json")).unwrap(),
        }
        for part in ["store", "layout", "mark"] {
            let error = Directory::open(copy.path()).err();
            let Some(OpenError::Damaged { .. }) = &error else { panic!("{part}: {error:?}") };
            let advice = error.unwrap().to_string();
            assert!(advice.contains("node.json") && !advice.contains("empty"), "{advice}");
            let error = Contents::open(copy.path()).err();
            assert!(matches!(error, Some(OpenError::Damaged { .. })), "{part}: {error:?}");
            // Whatever is left says that there was more.
            match part {
                "store" => fs::remove_dir_all(copy.path().join(part)).unwrap(),
                _ => drop(fs::remove_file(copy.path().join(part))),
            }
        }
    }
    assert!(Bench::open(whole.path(), Durability::Group).is_ok());
}

#[test]
fn a_person_may_write_anew_what_a_directory_says_of_itself() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.put("a", "1");
    assert!(bench.storage.close());
    let file = directory.path().join("node.json");
    let written = fs::read_to_string(&file).unwrap();
    let node = Directory::open(directory.path()).unwrap().node();
    let by_hand = written.lines().filter(|line| !line.contains("checksum"));
    let by_hand: String = by_hand.collect::<String>().replace("},}", "}}");
    fs::write(&file, by_hand).unwrap();
    assert_eq!(Directory::open(directory.path()).unwrap().node(), node);
    assert_eq!(Bench::fjall(directory.path()).values("a"), ["1"]);
}

#[test]
fn a_damaged_layout_is_kept_aside_and_the_node_starts_without_one() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.run(StoreOp::SaveLayouts(layout(3)));
    assert!(bench.storage.close());
    let file = directory.path().join("layout");
    let mut bytes = fs::read(&file).unwrap();
    bytes[20] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let looked = Contents::open(directory.path()).unwrap();
    assert!(looked.directory().is_layout_damaged() && file.exists(), "a look changes nothing");
    drop(looked);
    for _ in 0..2 {
        let opened = Directory::open(directory.path()).unwrap();
        assert!(opened.layout().is_none());
        assert!(opened.has_had_layout(), "the cluster is not to be founded again");
        let asides = opened.asides().unwrap();
        let [aside] = &asides[..] else { panic!("{asides:?}") };
        assert!(aside.starts_with("layout.damaged-20"), "{aside}");
        assert_eq!(fs::read(directory.path().join(aside)).unwrap(), bytes);
    }
    let mut bench = Bench::fjall(directory.path());
    assert_eq!(bench.run(StoreOp::SaveLayouts(layout(4))), StoreOutcome::Durable);
    assert!(bench.storage.close());
    assert_eq!(Directory::open(directory.path()).unwrap().layouts(), Some(&layout(4)));
    let new = tempfile::tempdir().unwrap();
    assert!(!Directory::open(new.path()).unwrap().has_had_layout());
}

#[test]
fn a_directory_of_another_format_is_refused() {
    // The engine's files lay in the directory itself.
    let old = tempfile::tempdir().unwrap();
    drop(Database::builder(old.path()).open().unwrap());
    match Directory::open(old.path()).err() {
        Some(OpenError::Format { found, .. }) => assert_eq!(found, "quorate 2 or older"),
        other => panic!("{other:?}"),
    }
    let newer = tempfile::tempdir().unwrap();
    drop(Directory::open(newer.path()).unwrap());
    fs::write(newer.path().join("node.json"), "{\"format\": \"quorate 99\"}").unwrap();
    match Directory::open(newer.path()).err() {
        Some(OpenError::Format { found, .. }) => assert_eq!(found, "quorate 99"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_process_left_that_ended_at_once_is_a_new_directory() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("lock"), "").unwrap();
    fs::write(directory.path().join("node.json.new"), "{\"for").unwrap();
    let node = Directory::open(directory.path()).unwrap().node();
    assert_eq!(Directory::open(directory.path()).unwrap().node(), node);
}

#[test]
fn a_directory_in_use_and_one_with_other_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let _open = Bench::fjall(directory.path());
    let error = Bench::open(directory.path(), Durability::Group).err();
    assert!(matches!(error, Some(OpenError::InUse { .. })), "{error:?}");

    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("thesis.txt"), "years of work").unwrap();
    let error = Bench::open(other.path(), Durability::Group).err();
    assert!(matches!(error, Some(OpenError::NotEmpty { .. })), "{error:?}");
}

#[test]
fn a_journal_that_lost_what_was_synced_is_a_loss_whatever_the_mark_says() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    for key in ["a", "b", "c", "d"] {
        bench.put(key, "1");
    }
    let copy = killed(directory.path());
    fs::remove_file(copy.path().join("mark")).unwrap();
    let journal = copy.path().join("store/0.jnl");
    let mut bytes = fs::read(&journal).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    bytes[written - 100] ^= 1;
    fs::write(&journal, &bytes).unwrap();

    // The newest journal may end like this.
    let tail = killed(copy.path());
    let bench = Bench::fjall(tail.path());
    assert!(!bench.storage.found().standing.refilling);

    // An older one had been synced before the next one was begun.
    fs::write(copy.path().join("store/1.jnl"), []).unwrap();
    let mut bench = Bench::fjall(copy.path());
    assert!(bench.storage.found().standing.refilling);
    assert_eq!((&*bench.values("a"), bench.values("d").len()), (&["1".to_owned()][..], 0));
    let names = fs::read_dir(copy.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(names.iter().any(|name| name.starts_with("journal-tail-")), "{names:?}");
    // Found once, and known until it is refilled.
    let lost = bench.storage.found().standing;
    assert!(bench.storage.close());
    assert_eq!(Bench::fjall(copy.path()).storage.found().standing, lost);
}
