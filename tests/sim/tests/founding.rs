//! The first layout: who makes it, and what becomes of those who lose it.

use quorate_sim::FOUNDER;
use quorate_sim::scenario::{Scenario, secs};

fn knowing(s: &Scenario) -> Vec<usize> {
    (0..s.nodes().len()).filter(|node| s.world().knows_layout(*node)).collect()
}

fn founded() -> Scenario {
    let mut s = Scenario::cluster(4).found_from_one_seed().build();
    s.wait_until(secs(10), |s| knowing(s) == [0, 1, 2, 3]);
    s
}

#[test]
fn a_node_that_lost_its_disk_is_found_while_the_only_seed_is_away() {
    let mut s = founded();
    let nodes = s.nodes();
    s.crash(nodes[FOUNDER]);
    s.crash(nodes[1]);
    s.wipe(nodes[1]);
    s.restart(nodes[1]);
    assert_eq!(knowing(&s), [2, 3]);
    // It knows nobody, and has a lower id than those who know where it lives.
    s.wait_until(secs(20), |s| knowing(s) == [1, 2, 3]);
}

#[test]
fn a_founder_that_lost_its_disk_takes_the_layout_that_there_is() {
    let mut s = founded();
    let nodes = s.nodes();
    s.crash(nodes[FOUNDER]);
    s.wipe(nodes[FOUNDER]);
    s.crash(nodes[3]);
    s.restart(nodes[FOUNDER]);
    // There are not enough for another first one.
    s.wait_until(secs(20), |s| knowing(s) == [0, 1, 2]);
}
