//! Slots that move while those who give and take them crash (DESIGN.md §9).

use quorate_sim::scenario::{Node, Scenario, ms, secs};

/// What six nodes weigh before and after the change: nobody goes on holding anything.
const BEFORE: [u32; 6] = [1, 1, 1, 0, 0, 0];
const AFTER: [u32; 6] = [0, 0, 0, 1, 1, 1];

fn is_up(s: &Scenario, node: Node) -> bool {
    s.world().node(node.index()).is_some()
}

/// Of so many steps one is tried. With 1 it takes minutes.
const EVERY: usize = 29;

/// A node crashes after each effect that it carries out from when the change is asked for until it
/// is through, each time in a world of its own. Answers how many there are.
fn crash_at_every_step(index: usize) -> u32 {
    for effects in (1..5_000).step_by(EVERY) {
        let cluster = Scenario::cluster(6).weights(&BEFORE).gossip_every(ms(50));
        let mut s = cluster.seed(u64::from(effects)).build();
        let nodes = s.nodes();
        let [a, _, _] = s.primaries("k");
        s.at(a).put("k", "v");
        s.settle();
        s.weigh(nodes[1], &AFTER);
        s.crash_after(nodes[index], effects);
        s.wait_until(secs(60), |s| !is_up(s, nodes[index]) || s.is_through());
        if is_up(&s, nodes[index]) {
            return effects;
        }
        s.wait(ms(100));
        s.restart(nodes[index]);
        s.finish_change();
        s.converge(&["k"]);
        s.expect("k").siblings(["v"]).agree();
    }
    panic!("the change is never through");
}

#[test]
fn a_source_may_crash_at_every_step() {
    assert!(crash_at_every_step(0) > 50, "it has much to do");
}

#[test]
fn a_target_may_crash_at_every_step() {
    assert!(crash_at_every_step(4) > 50, "it has much to do");
}
