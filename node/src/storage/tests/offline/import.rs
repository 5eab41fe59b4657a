//! Backups merged into directories.

use quorate_core::causality::{Held, Own};

use super::*;
use crate::backup::Problem;
use crate::storage::offline::{ImportError, Imported, Importer};

/// All that two storages may differ in, for whoever asks them.
#[derive(Debug, PartialEq)]
pub(super) struct Everything {
    states: Vec<(Key, State)>,
    hints: [Vec<(Key, Record)>; 2],
}

pub(super) fn all_of(directory: &Path) -> Everything {
    let mut bench = Bench::fjall(directory);
    let states = bench.all_states();
    let hints = TARGETS.map(|target| bench.hints_for(target));
    assert!(bench.storage.close());
    Everything { states, hints }
}

pub(super) fn import(backup: &[u8], directory: &Path) -> Result<Imported, ImportError> {
    let importer = Importer::look(directory).map_err(ImportError::Open)?;
    let (mut backup, header) = BackupReader::open(backup).unwrap();
    importer.check_cluster(&header)?;
    importer.import(&header, &mut backup, |_| {})
}

#[test]
fn a_backup_in_a_new_directory_is_all_that_there_was() {
    let stocked = stocked();
    let backup = exported(stocked.path());
    let new = tempfile::tempdir().unwrap();
    let path = new.path().join("made");
    let imported = import(&backup, &path).unwrap();
    assert_eq!((imported.records, imported.hints, imported.changed), (200, 30, 230));
    assert_eq!(imported.damaged.count(), 0);

    let old = Directory::open(stocked.path()).unwrap();
    let made = Directory::open(&path).unwrap();
    assert_ne!(made.node(), old.node(), "it has an id of its own");
    assert_eq!(made.identity().unwrap().cluster, CLUSTER);
    let joined = Settings { replication: None, slots: None, ..SETTINGS };
    assert_eq!(made.settings(), Some(joined), "it founds no cluster a second time");
    drop((old, made));
    assert_eq!(all_of(&path), all_of(stocked.path()));
}

#[test]
fn an_import_that_is_done_twice_changes_nothing() {
    let stocked = stocked();
    let backup = exported(stocked.path());
    let before = all_of(stocked.path());
    let imported = import(&backup, stocked.path()).unwrap();
    assert_eq!((imported.records, imported.hints, imported.changed), (200, 30, 0));
    assert_eq!(all_of(stocked.path()), before);
}

#[test]
fn an_import_merges_with_what_is_there_and_loses_neither() {
    let stocked = stocked();
    let backup = exported(stocked.path());
    let other = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(other.path());
    bench.put("key 100", "here");
    bench.put("new", "here");
    bench.apply(put_as(HeldAs::Hint { target: TARGETS[0] }, "key 190", "here", 100));
    assert!(bench.stop_with(TREES));
    import(&backup, other.path()).unwrap();

    let mut bench = Bench::fjall(other.path());
    assert_eq!(bench.storage.take_trees(), None, "they told less than there is");
    assert_eq!(bench.values("key 100"), ["first of 100", "here"]);
    assert_eq!(bench.values("new"), ["here"]);
    let hints = bench.hints_for(TARGETS[0]);
    let (_, hint) = hints.iter().find(|(key, _)| *key == name("key 190")).unwrap();
    assert_eq!(values_of(hint), ["for another", "here"]);
}

#[test]
fn the_right_to_mint_is_neither_imported_nor_lost() {
    let own_of = |directory: &Path, key: &str| -> Option<Own> {
        let database = Database::builder(directory.join("store")).open().unwrap();
        let records = database.keyspace("records", KeyspaceCreateOptions::default).unwrap();
        let value = records.get(&RecordKey::of(&name(key)).0).unwrap().unwrap();
        let held: Held = quorate_core::codec::decode_held(value.into()).unwrap();
        held.own()
    };
    let stocked = stocked();
    let backup = exported(stocked.path());
    let own = own_of(stocked.path(), "key 3");
    assert!(own.is_some());
    import(&backup, stocked.path()).unwrap();
    assert_eq!(own_of(stocked.path(), "key 3"), own);
    let new = tempfile::tempdir().unwrap();
    import(&backup, new.path()).unwrap();
    assert_eq!(own_of(new.path(), "key 3"), None);
}

#[test]
fn hints_for_the_node_itself_and_those_of_another_cluster_become_its_own_copies() {
    let stocked = stocked();
    let new = tempfile::tempdir().unwrap();
    let node = Directory::open(new.path()).unwrap().node();
    let mut bench = Bench::fjall(stocked.path());
    bench.apply(put_as(HeldAs::Hint { target: node }, "mine", "for you", 100));
    assert!(bench.storage.close());
    let backup = exported(stocked.path());
    import(&backup, new.path()).unwrap();
    let mut bench = Bench::fjall(new.path());
    assert_eq!(bench.values("mine"), ["for you"]);
    assert_eq!((bench.hints_for(node), bench.hints_for(TARGETS[0]).len()), (Vec::new(), 15));

    let other = tempfile::tempdir().unwrap();
    drop(Directory::open(other.path()).unwrap().adopt(ClusterId(8), SETTINGS).unwrap());
    let (mut backup, header) = BackupReader::open(&backup[..]).unwrap();
    let importer = Importer::look(other.path()).unwrap();
    assert!(matches!(importer.check_cluster(&header), Err(ImportError::OtherCluster { .. })));
    importer.import(&header, &mut backup, |_| {}).unwrap();
    let contents = Contents::open(other.path()).unwrap();
    assert_eq!(contents.directory().identity().unwrap().cluster, ClusterId(8));
    let inventory = contents.inventory(|| {}).unwrap();
    assert_eq!((inventory.records, inventory.hints.len()), (221, 0));
}

#[test]
fn a_damaged_record_of_the_directory_is_left_alone_by_an_import() {
    let stocked = stocked();
    let backup = exported(stocked.path());
    damage(stocked.path(), "records", &RecordKey::of(&name("key 7")).0);
    let imported = import(&backup, stocked.path()).unwrap();
    assert_eq!((imported.records, imported.hints), (199, 30));
    assert_eq!(only(imported.damaged.named()), (Part::Record, Some(name("key 7"))));
    let verified = Contents::open(stocked.path()).unwrap().verify(|| {}).unwrap();
    assert_eq!(only(verified.damaged.named()), (Part::Record, Some(name("key 7"))));
}

#[test]
fn of_a_stream_that_breaks_off_what_came_before_is_imported_and_told() {
    let backup = exported(stocked().path());
    let new = tempfile::tempdir().unwrap();
    match import(&backup[..backup.len() / 2], new.path()) {
        Err(ImportError::Backup { error, imported }) => {
            assert!(matches!(error.problem, Problem::Truncated), "{error}");
            assert!((80..150).contains(&imported.records), "{imported:?}");
            let contents = Contents::open(new.path()).unwrap();
            assert_eq!(contents.inventory(|| {}).unwrap().records, imported.records);
        }
        other => panic!("{other:?}"),
    }
    let imported = import(&backup, new.path()).unwrap();
    assert_eq!(imported.records, 200, "the same again, and all of it");
}
