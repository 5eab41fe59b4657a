//! Changes of the layout (DESIGN.md §9).

use quorate_core::message::Message;

use super::stories;
use crate::disk::DiskTemper;
use crate::scenario::{Builder, Frames, Node, Rule, Scenario, ms, secs};

stories![
    a_write_that_the_new_layout_passes_by_is_filled_in,
    a_node_that_has_not_heard_of_a_layout_holds_it_up,
    a_write_reaches_a_quorum_of_both_layouts,
    what_is_left_alone_is_given_to_all_before_it_goes,
    a_late_copy_is_refused_where_it_moved_away,
    who_crashes_before_its_word_is_saved_has_not_said_it,
    three_joiners_replace_all_primaries_of_which_one_is_stale,
    a_client_with_the_old_layout_finds_what_moved,
    a_source_or_a_target_crashes_at_any_step,
    a_node_leaves_while_it_holds_hints,
    a_dead_node_is_replaced_and_comes_again_with_an_empty_disk,
    one_of_two_layouts_of_one_number_wins,
    a_zone_is_lost_and_comes_back,
    who_starts_again_reads_from_nothing_so_old,
    a_forgotten_commit_holds_nobody_up,
];

/// The first three hold everything.
const FORMER: [u32; 6] = [1, 1, 1, 0, 0, 0];

/// The last three do.
const NEW: [u32; 6] = [0, 0, 0, 1, 1, 1];

fn six() -> Builder {
    Scenario::cluster(6).weights(&FORMER).gossip_every(ms(50))
}

fn gossip() -> Frames {
    Frames::that(|passing| matches!(passing.message, Message::Gossip(_)))
}

/// All came to its end, and the new primaries hold these values.
fn ends_with(s: &mut Scenario, values: &[&str]) {
    s.finish_change();
    s.converge(&["k"]);
    s.expect("k").siblings(values).agree();
}

fn a_write_that_the_new_layout_passes_by_is_filled_in() {
    let mut s = six().strict().build();
    let [a, b, _] = s.primaries("k");
    s.disk(a, |disk| disk.access = secs(2));
    let put = s.at(a).start_put("k", "v");
    s.weigh(b, &NEW);
    s.wait(secs(1));
    s.disk(a, |disk| disk.access = DiskTemper::default().access);
    s.finish(put);
    ends_with(&mut s, &["v"]);
}

fn a_node_that_has_not_heard_of_a_layout_holds_it_up() {
    let mut s = six().strict().build();
    let [a, b, _] = s.primaries("k");
    let late = s.hold(gossip().to(a));
    s.weigh(b, &NEW);
    s.wait(secs(2));
    s.at(a).put("k", "v");
    s.wait(secs(1));
    s.release(late);
    ends_with(&mut s, &["v"]);
}

/// A change whose last step waits for the last word of `n5`, and what holds it.
fn before_its_last_step(s: &mut Scenario) -> Rule {
    let nodes = s.nodes();
    s.weigh(nodes[1], &NEW);
    let reads = |s: &Scenario, node: Node| s.layouts(node).read > s.layouts(node).oldest;
    s.wait_until(secs(60), |s| s.nodes().into_iter().any(|node| reads(s, node)));
    s.hold(gossip().from(nodes[5]))
}

fn a_write_reaches_a_quorum_of_both_layouts() {
    for places in [[3, 4, 5], [0, 1, 2]] {
        let mut s = six().strict().build();
        let nodes = s.nodes();
        let held = s.hold(gossip().from(nodes[5]));
        s.weigh(nodes[1], &NEW);
        s.wait(secs(1));
        let lost = places.map(|place| s.lose(Frames::merges().to(nodes[place])));
        // One of the two layouts has one copy.
        s.at(nodes[places[0]]).budget(ms(500)).try_put("k", "v").failed();
        lost.into_iter().for_each(|rule| s.discard(rule));
        s.release(held);
        ends_with(&mut s, &["v"]);
    }
}

fn what_is_left_alone_is_given_to_all_before_it_goes() {
    let mut s = six().gossip_every(ms(200)).build();
    let nodes = s.nodes();
    let held = before_its_last_step(&mut s);
    s.wait(secs(2));
    let lost = s.lose(Frames::merges().from(nodes[0]));
    let _ = s.at(nodes[0]).budget(ms(100)).try_put("k", "v");
    s.expect("k").at(nodes[0]).siblings(["v"]);
    s.discard(lost);
    let apart = s.lose(Frames::any().from(nodes[0]).to(nodes[4]));
    s.release(held);
    s.wait(secs(5));
    s.discard(apart);
    ends_with(&mut s, &["v"]);
}

fn a_late_copy_is_refused_where_it_moved_away() {
    let mut s = six().build();
    let [a, b, c] = s.primaries("k");
    let again = s.copy(Frames::merges().to(b));
    s.at(a).put("k", "v");
    s.weigh(a, &NEW);
    s.finish_change();
    s.release(again);
    s.wait(ms(20));
    s.expect("k").among(&[a, b, c]).nothing();
    ends_with(&mut s, &["v"]);
}

fn who_crashes_before_its_word_is_saved_has_not_said_it() {
    for seed in 0..4 {
        let mut s = six().gossip_every(ms(200)).seed(seed).build();
        let nodes = s.nodes();
        s.at(nodes[0]).put("k", "v");
        let held = before_its_last_step(&mut s);
        s.disk(nodes[0], |disk| disk.sync = secs(10));
        s.wait(secs(2));
        s.crash(nodes[0]);
        s.disk(nodes[0], |disk| disk.sync = DiskTemper::default().sync);
        s.restart(nodes[0]);
        s.wait(secs(1));
        s.release(held);
        ends_with(&mut s, &["v"]);
    }
}

fn three_joiners_replace_all_primaries_of_which_one_is_stale() {
    for (stale, seed) in (0..3).flat_map(|stale| (1..4).map(move |seed| (stale, seed))) {
        let mut s = six().strict().seed(seed).build();
        let primaries: [Node; 3] = s.primaries("k");
        let lost = s.lose(Frames::any().of("k").to(primaries[stale]));
        s.at(primaries[(stale + 1) % 3]).put("k", "v");
        s.expect("k").at(primaries[stale]).nothing();
        s.weigh(primaries[stale], &NEW);
        s.wait(ms(20));
        s.discard(lost);
        ends_with(&mut s, &["v"]);
    }
}

fn a_client_with_the_old_layout_finds_what_moved() {
    let mut s = six().clients_coordinate().build();
    let alice = s.client();
    s.by(alice).put("k", "v");
    assert_eq!(s.by(alice).get("k").texts(), ["v"]);
    let [a, b, c] = s.primaries("k");
    s.weigh(a, &NEW);
    s.finish_change();
    assert_eq!(s.believes(alice, "k"), [a, b, c], "nobody has told her");
    assert_eq!(s.by(alice).get("k").texts(), ["v"]);
}

fn a_source_or_a_target_crashes_at_any_step() {
    for (step, crashes) in (0..12).flat_map(|step| [0, 4].map(|node| (step, node))) {
        let mut s = six().seed(step as u64).build();
        let nodes = s.nodes();
        let [a, _, _] = s.primaries("k");
        s.at(a).put("k", "v");
        s.weigh(nodes[1], &NEW);
        s.wait(ms(10));
        s.step(step * 40);
        s.crash(nodes[crashes]);
        s.wait(ms(300));
        s.restart(nodes[crashes]);
        ends_with(&mut s, &["v"]);
    }
}

fn a_node_leaves_while_it_holds_hints() {
    let mut s = Scenario::cluster(5).gossip_every(ms(50)).build();
    let ([a, b, _], [d, _]) = (s.primaries("k"), s.fallbacks("k"));
    s.crash(b);
    s.settle();
    assert_eq!(s.at(a).w(3).put("k", "v").stand_ins(), [(d, b)]);
    let weights: Vec<u32> = s.nodes().iter().map(|node| u32::from(*node != d)).collect();
    s.weigh(a, &weights);
    s.wait(secs(5));
    s.restart(b);
    ends_with(&mut s, &["v"]);
    assert_eq!(s.all_hints(), 0);
}

fn a_dead_node_is_replaced_and_comes_again_with_an_empty_disk() {
    let mut s = Scenario::cluster(6).newcomers(1).gossip_every(ms(50)).build();
    let [a, b, _] = s.primaries("k");
    s.at(b).put("k", "v");
    s.settle();
    s.crash(a);
    s.wipe(a);
    let without = |s: &Scenario, gone: Option<Node>| -> Vec<Option<u32>> {
        s.nodes().into_iter().map(|node| (Some(node) != gone).then_some(1)).collect()
    };
    let weights = without(&s, Some(a));
    s.change_layout(b, &weights).expect("the newcomer is known");
    s.finish_change();
    s.expect("k").siblings(["v"]).agree();
    s.restart(a);
    s.wait(secs(2));
    let weights = without(&s, None);
    s.change_layout(b, &weights).expect("it is known again");
    ends_with(&mut s, &["v"]);
}

fn one_of_two_layouts_of_one_number_wins() {
    let mut s = six().build();
    let nodes = s.nodes();
    s.at(nodes[1]).put("k", "v");
    s.settle();
    let (one, other) = nodes.split_at(3);
    s.partition(one, other);
    s.weigh(one[0], &[0, 0, 1, 1, 1, 0]);
    s.weigh(other[0], &NEW);
    s.wait(secs(2));
    s.at(one[1]).put("k", "w");
    s.heal();
    ends_with(&mut s, &["v", "w"]);
}

fn a_zone_is_lost_and_comes_back() {
    for strict in [false, true] {
        let cluster = Scenario::cluster(6).zones(3);
        let mut s = if strict { cluster.strict() } else { cluster.sloppy() }.build();
        let [a, b, _] = s.primaries("k");
        s.at(a).put("k", "before");
        s.settle();
        let zone = |node: Node| node.index() % 3;
        let lost: Vec<Node> = s.nodes().into_iter().filter(|n| zone(*n) == zone(a)).collect();
        lost.iter().for_each(|node| s.crash(*node));
        s.settle();
        s.at(b).put("k", "meanwhile");
        assert_eq!(s.at(b).get("k").texts(), ["before", "meanwhile"]);
        lost.iter().for_each(|node| s.restart(*node));
        s.converge(&["k"]);
        s.expect("k").siblings(["before", "meanwhile"]).agree();
    }
}

fn who_starts_again_reads_from_nothing_so_old() {
    for seed in 0..4 {
        let mut s = six().gossip_every(ms(200)).seed(seed).build();
        let nodes = s.nodes();
        s.at(nodes[0]).put("k", "v");
        let held = before_its_last_step(&mut s);
        s.wait(secs(2));
        s.crash(nodes[0]);
        s.wait(ms(100));
        s.restart(nodes[0]);
        s.wait(secs(1));
        s.release(held);
        ends_with(&mut s, &["v"]);
    }
}

fn a_forgotten_commit_holds_nobody_up() {
    let mut s = six().build();
    let nodes = s.nodes();
    s.at(nodes[1]).put("k", "v");
    s.weigh(nodes[1], &NEW);
    s.wait(ms(30));
    // It tells of another layout, which it cannot keep, and which nobody is given.
    let held = s.hold(gossip().to(nodes[0]));
    s.disk(nodes[0], |disk| disk.write_fails = 1_000);
    s.weigh(nodes[0], &FORMER);
    s.wait(ms(200));
    s.crash(nodes[0]);
    s.disk(nodes[0], |disk| disk.write_fails = 0);
    s.discard(held);
    s.restart(nodes[0]);
    s.finish_change();
    assert_eq!(s.at(nodes[1]).get("k").texts(), ["v"]);
}
