//! What a directory knows of its node, its cluster and the layout, and what it refuses.

use quorate_core::layout::{Member, PlanSettings, plan_first};
use quorate_core::message::LayoutUpdate;
use quorate_core::ring::SlotCount;

use super::*;

/// The first layout of a cluster with so many nodes.
fn layout(members: u64) -> Arc<LayoutUpdate> {
    let member = |id| Member { id: NodeId(id), label: "a".into(), zone: "".into(), weight: 1 };
    let settings = PlanSettings { slots: SlotCount::new(64).unwrap(), replication: 3 };
    let layout = plan_first(settings, (1..=members).map(member).collect()).unwrap();
    let addresses = (1..=members).map(|id| format!("ws://127.0.0.1:{id}").into()).collect();
    Arc::new(LayoutUpdate { layout, addresses })
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
            let saved = bench.run(StoreOp::SaveLayout(layout(members)));
            assert_eq!(saved, StoreOutcome::Durable);
            let copy = killed(directory.path());
            let found = Directory::open(copy.path()).unwrap();
            assert_eq!(found.layout(), Some(&layout(members)), "{durability:?}");
        }
    }
}

#[test]
fn layouts_and_writes_of_one_turn_are_all_promised() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in [Bench::memory(), Bench::fjall(directory.path())] {
        let tickets = [
            bench.submit(StoreOp::SaveLayout(layout(3))),
            bench.submit(put("a", "1", 100)),
            bench.submit(StoreOp::SaveLayout(layout(4))),
        ];
        let [first, put, second] = tickets.map(|ticket| bench.outcomes(ticket));
        assert_eq!((&first[..], &second[..]), (&[StoreOutcome::Durable][..], &first[..]));
        assert!(is_applied_then_durable(&put));
        assert!(bench.storage.close());
    }
    assert_eq!(Directory::open(directory.path()).unwrap().layout(), Some(&layout(4)));
}

#[test]
fn after_a_failed_sync_no_layout_is_saved() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    let Engine::Fjall(fjall) = &bench.storage.engine else { panic!("it is on a disk") };
    fjall.break_down();
    let failed = StoreOutcome::Failed(StoreError::Io);
    assert_eq!(bench.run(StoreOp::SaveLayout(layout(3))), failed);
}

#[test]
fn what_a_directory_says_of_itself_is_never_guessed() {
    let whole = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(whole.path());
    bench.run(StoreOp::SaveLayout(layout(3)));
    assert!(bench.storage.close());
    for part in ["node", "cluster", "layout"] {
        let copy = killed(whole.path());
        damage(copy.path(), "meta", part.as_bytes());
        let error = Directory::open(copy.path()).err();
        assert!(matches!(error, Some(OpenError::Damaged { .. })), "{part}: {error:?}");
    }
    for part in ["format", "node", "cluster"] {
        let copy = killed(whole.path());
        change(copy.path(), "meta", part.as_bytes(), |_| None);
        let error = Directory::open(copy.path()).err();
        assert!(matches!(error, Some(OpenError::Damaged { .. })), "no {part}: {error:?}");
    }
    assert!(Bench::open(whole.path(), Durability::Group).is_ok());
}

#[test]
fn a_directory_of_another_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(Directory::open(directory.path()).unwrap());
    change(directory.path(), "meta", b"format", |_| Some(b"quorate 1".to_vec()));
    match Directory::open(directory.path()).err() {
        Some(OpenError::Format { found, .. }) => assert_eq!(found, "quorate 1"),
        other => panic!("{other:?}"),
    }
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
