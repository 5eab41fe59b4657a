//! What a node remembers of others is stored by what is stored anyway.

use quorate_core::ids::Remembered;
use quorate_core::machine::Standing;

use super::*;
use crate::storage::offline::Contents;

type Peers = Vec<(NodeId, Remembered)>;

fn peers(mark: u64) -> Peers {
    let remembered = |mark| Remembered { mark: DurableMark(mark), life: Incarnation(7) };
    vec![(NodeId(4), remembered(mark)), (NodeId(u64::MAX), remembered(u64::MAX - mark))]
}

impl Bench {
    fn remember(&mut self, mark: u64) {
        self.submit(StoreOp::Remember(peers(mark)));
        self.storage.flush();
    }

    fn put_synced(&mut self, key: &str, value: &str) {
        let before = self.storage.synced_mark();
        self.put(key, value);
        while self.storage.synced_mark() == before {
            std::thread::yield_now();
        }
    }

    /// What the next life finds if the process is killed at this moment.
    fn would_find(directory: &Path) -> Peers {
        Bench::finds(killed(directory).path())
    }

    fn finds(directory: &Path) -> Peers {
        let bench = Bench::fjall(directory);
        let found = bench.storage.found().peers;
        assert!(bench.storage.close());
        found
    }
}

#[test]
fn what_is_remembered_makes_no_commit_and_has_no_answer() {
    let directory = tempfile::tempdir().unwrap();
    for mut bench in [Bench::memory(), Bench::fjall(directory.path())] {
        bench.put("a", "1");
        let before = bench.storage.synced_mark();
        (1..=3).for_each(|mark| bench.remember(mark));
        bench.values("a");
        // A turn of the writer that changes nothing.
        let confirm = StoreOp::Confirm { keys: vec![name("a")], hints: Vec::new() };
        assert!(matches!(bench.run(confirm), StoreOutcome::Confirmed(_)));
        assert_eq!(bench.storage.synced_mark(), before);
        assert_eq!(bench.ready, []);
        bench.put("b", "1");
        assert_eq!(bench.storage.synced_mark().0, before.0 + 1);
        if bench.storage.outlives_the_process() {
            bench.storage.break_down(Health::Failed);
            bench.remember(4);
            assert_eq!(bench.ready, [], "nor after a failure");
        }
    }
}

#[test]
fn what_is_remembered_is_found_after_the_next_commit_whatever_that_is() {
    let standing = StoreOp::SaveStanding {
        standing: Standing::default(),
        above: Vec::new(),
        discard: Vec::new(),
    };
    for durability in [Durability::Group, Durability::Periodic] {
        let directory = tempfile::tempdir().unwrap();
        let mut bench = Bench::open(directory.path(), durability).unwrap();
        bench.remember(1);
        assert_eq!(Bench::would_find(directory.path()), [], "{durability:?}");
        bench.remember(2);
        bench.put_synced("a", "1");
        assert_eq!(Bench::would_find(directory.path()), peers(2), "the last word counts");
        bench.remember(3);
        assert_eq!(bench.run(standing.clone()), StoreOutcome::Durable);
        assert_eq!(Bench::would_find(directory.path()), peers(3));
        bench.put("a", "2");
        assert!(bench.storage.close());
        assert_eq!(Bench::finds(directory.path()), peers(3), "it stays");
    }
}

#[test]
fn a_clean_stop_stores_what_is_remembered_and_any_other_end_does_not() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.remember(1);
    let before = bench.storage.synced_mark();
    assert!(bench.storage.stop(CleanStop::default()));
    let contents = Contents::open(directory.path()).unwrap();
    let inventory = contents.inventory(|| {}).unwrap();
    let mark = inventory.commit.map(|(mark, _)| mark.0);
    assert_eq!((inventory.peers, mark), (peers(1), Some(before.0 + 1)));
    drop(contents);
    let mut bench = Bench::fjall(directory.path());
    bench.remember(2);
    assert!(bench.storage.close());
    assert_eq!(Bench::finds(directory.path()), peers(1));
}

#[test]
fn what_is_remembered_and_cannot_be_read_costs_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::fjall(directory.path());
    bench.remember(1);
    bench.put("a", "1");
    assert!(bench.storage.close());
    damage(directory.path(), "meta", b"peers");
    let mut bench = Bench::fjall(directory.path());
    let found = bench.storage.found();
    assert_eq!((found.peers, found.standing), (Vec::new(), Standing::default()));
    assert_eq!(bench.values("a"), ["1"]);
    bench.remember(2);
    bench.put("a", "2");
    assert_eq!(Bench::would_find(directory.path()), peers(2));
}
