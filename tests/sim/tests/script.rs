//! Runs that a person makes: what is done, what is told of it, and that it is always the same run.

use quorate_core::time::{Duration, Instant};
use quorate_sim::Place;
use quorate_sim::script::{Action, PlannedMember, Recording, Run, Script};
use quorate_sim::sight::{FrameLoss, Happening, Milliseconds, Outcome, Skipped, What, WhatOfNode};
use quorate_sim::swarm::{Calls, Plan, run, run_watched};
use serde::de::DeserializeOwned;
use serde_json::json;

/// A run of five nodes that have found each other.
fn settled(options: serde_json::Value) -> Run {
    let mut run = Run::new(parsed(json!({ "options": options }))).expect("options that work");
    pass(&mut run, 3_000);
    run
}

fn parsed<T: DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).expect("JSON of the wanted shape")
}

fn pass(run: &mut Run, milliseconds: u64) -> Vec<Happening> {
    run.advance(Duration::from_millis(milliseconds)).expect("actions that can be done");
    run.take_happenings()
}

fn act(run: &mut Run, action: serde_json::Value) -> Option<u64> {
    run.act(parsed(action)).expect("an action that can be done")
}

fn refusal(run: &mut Run, action: serde_json::Value) -> String {
    run.act(parsed(action)).expect_err("it cannot be done").to_string()
}

/// The end of a call that has ended well.
fn ended(happenings: &[Happening], number: u64) -> &Outcome {
    let of = |happening: &'_ Happening| matches!(&happening.what, What::Ended { call, .. } if *call == number);
    let mut ends = happenings.iter().filter(|happening| of(happening));
    let (Some(Happening { what: What::Ended { outcome, .. }, .. }), None) =
        (ends.next(), ends.next())
    else {
        panic!("call {number} ends once: {happenings:#?}");
    };
    outcome
}

fn values(happenings: &[Happening], number: u64) -> Vec<String> {
    let Outcome::Entry { values, .. } = ended(happenings, number) else {
        panic!("call {number} is no read: {happenings:#?}");
    };
    let mut values = values.clone();
    values.sort();
    values
}

/// Frames of a kind that a call caused and that arrive: from, to.
fn arriving(happenings: &[Happening], number: u64, kind: &str) -> Vec<(Place, Place)> {
    let of = |Happening { cause, what, .. }: &Happening| {
        let What::Frame { frame, from, to, arrives: Some(_), .. } = what else { return None };
        (*cause == Some(number) && *frame == kind).then_some((*from, *to))
    };
    happenings.iter().filter_map(of).collect()
}

#[test]
fn all_that_a_put_does_has_the_put_for_its_cause() {
    let mut run = settled(json!({}));
    let put = act(&mut run, json!({ "do": "put", "client": 0, "key": "cart", "value": "milk" }));
    assert_eq!(put, Some(1));
    let seen = pass(&mut run, 1_000);
    let primaries: Vec<usize> = run.locate("cart").nodes.iter().take(3).map(|it| it.node).collect();

    let Outcome::Written { siblings: 1, receipt: Some(receipt), .. } = ended(&seen, 1) else {
        panic!("{seen:#?}");
    };
    let coordinator = receipt.coordinator;
    assert_eq!((coordinator, receipt.needed), (primaries[0], 2));
    assert!(receipt.primaries.len() >= 2 && receipt.fallbacks.is_empty(), "{receipt:?}");

    let at = Place::Node(coordinator);
    assert_eq!(arriving(&seen, 1, "put"), [(Place::Client(0), at)]);
    let others = || primaries[1..].iter().map(|node| Place::Node(*node));
    let mut merges = arriving(&seen, 1, "replicaMerge");
    merges.sort();
    let mut expected: Vec<_> = others().map(|other| (at, other)).collect();
    expected.sort();
    assert_eq!(merges, expected);
    let mut acks = arriving(&seen, 1, "replicaMerged");
    acks.sort();
    let mut expected: Vec<_> = others().map(|other| (other, at)).collect();
    expected.sort();
    assert_eq!(acks, expected);
    assert_eq!(arriving(&seen, 1, "reply"), [(at, Place::Client(0))]);

    let mut stored: Vec<usize> = Vec::new();
    for Happening { cause, what, .. } in &seen {
        if let What::Stored { node, key, hint_for, siblings } = what {
            assert_eq!((*cause, key.as_str(), hint_for), (Some(1), "cart", &None));
            assert_eq!(siblings, &[Some("milk".to_owned())]);
            stored.push(*node);
        }
    }
    stored.sort_unstable();
    let mut all = primaries.clone();
    all.sort_unstable();
    assert_eq!(stored, all);
    let gossips =
        |happening: &&Happening| matches!(happening.what, What::Frame { frame: "gossip", .. });
    assert!(seen.iter().any(|happening| gossips(&happening)));
    assert!(seen.iter().filter(gossips).all(|happening| happening.cause.is_none()));
}

#[test]
fn a_get_with_two_calls_at_once_keeps_their_causes_apart() {
    let mut run = settled(json!({}));
    act(&mut run, json!({ "do": "put", "client": 0, "key": "a", "value": "1" }));
    act(&mut run, json!({ "do": "put", "client": 1, "key": "b", "value": "2" }));
    pass(&mut run, 500);
    act(&mut run, json!({ "do": "get", "client": 1, "key": "a" }));
    act(&mut run, json!({ "do": "get", "client": 0, "key": "b" }));
    let seen = pass(&mut run, 500);
    assert_eq!(values(&seen, 3), ["1"]);
    assert_eq!(values(&seen, 4), ["2"]);
    for Happening { cause, what, .. } in &seen {
        if let What::Frame { frame: "replicaRead" | "replicaRecord" | "reply", key, .. } = what {
            let expected = if key.as_deref() == Some("a") { 3 } else { 4 };
            assert_eq!(*cause, Some(expected), "{what:?}");
        }
    }
}

#[test]
fn a_hint_is_kept_while_its_primary_is_down_and_goes_home() {
    let mut run = settled(json!({}));
    let down = run.locate("cart").nodes[1].node;
    act(&mut run, json!({ "do": "crash", "node": down }));
    pass(&mut run, 10_000);
    act(&mut run, json!({ "do": "put", "client": 0, "key": "cart", "value": "milk" }));
    let seen = pass(&mut run, 2_000);
    let hint = seen.iter().find_map(|Happening { cause, what, .. }| {
        let What::Stored { node, hint_for: Some(target), .. } = what else { return None };
        Some((*node, *target, *cause))
    });
    let Some((fallback, target, Some(1))) = hint else { panic!("{seen:#?}") };
    assert_eq!(target, down);
    let view = run.view();
    let kept = &view.nodes[fallback].hints;
    assert_eq!(kept.iter().map(|it| (it.node, it.count)).collect::<Vec<_>>(), [(down, 1)]);
    assert!(!view.nodes[down].up && view.nodes[down].life == 1);
    let located = run.locate("cart");
    let copy = located.nodes.iter().find(|copy| copy.node == fallback).unwrap();
    assert_eq!((copy.primary, copy.hint_for), (false, Some(down)));

    act(&mut run, json!({ "do": "restart", "node": down }));
    let seen = pass(&mut run, 10_000);
    let is_up = What::Node { node: down, what: WhatOfNode::Up };
    assert!(seen.iter().any(|happening| happening.what == is_up));
    let home = What::Removed { node: fallback, key: "cart".to_owned(), hint_for: Some(down) };
    assert!(seen.iter().any(|happening| happening.what == home && happening.cause.is_none()));
    assert!(run.view().nodes[fallback].hints.is_empty());
    assert_eq!(run.view().nodes[down].life, 2);
}

#[test]
fn two_sides_of_a_partition_leave_siblings_and_a_merge_leaves_one() {
    let mut run = settled(json!({}));
    let nodes: Vec<usize> = run.locate("cart").nodes.iter().map(|copy| copy.node).collect();
    act(&mut run, json!({ "do": "put", "client": 0, "key": "cart", "value": "milk" }));
    pass(&mut run, 500);
    act(&mut run, json!({ "do": "partition", "side": [nodes[0], nodes[3]] }));
    assert_eq!(run.view().cuts.len(), 6);
    let lost = pass(&mut run, 15_000);
    let states: Vec<_> =
        run.view().nodes[nodes[0]].sees.iter().flatten().map(|it| it.state).collect();
    assert_eq!(states.len(), 5, "{states:?}");
    assert!(
        lost.iter()
            .any(|it| matches!(&it.what, What::Told { name, .. } if name == "memberSuspected"))
    );
    act(&mut run, json!({ "do": "put", "client": 0, "key": "cart", "value": "eggs", "after": 1 }));
    act(&mut run, json!({ "do": "put", "client": 1, "key": "cart", "value": "rice", "after": 1 }));
    pass(&mut run, 3_000);
    act(&mut run, json!({ "do": "heal" }));
    assert!(run.view().cuts.is_empty());
    pass(&mut run, 20_000);
    let get = act(&mut run, json!({ "do": "get", "client": 0, "key": "cart" })).unwrap();
    let seen = pass(&mut run, 1_000);
    assert_eq!(values(&seen, get), ["eggs", "rice"]);
    let copy = &run.locate("cart").nodes[0];
    assert_eq!(copy.siblings.len(), 2);
    assert!(copy.siblings.iter().all(|sibling| sibling.dot.starts_with('n')), "{copy:?}");
    act(
        &mut run,
        json!({ "do": "put", "client": 0, "key": "cart", "value": "eggs, rice", "after": get }),
    );
    let seen = pass(&mut run, 1_000);
    assert!(matches!(ended(&seen, get + 1), Outcome::Written { siblings: 1, .. }));
}

#[test]
fn a_lost_frame_says_why() {
    let losses = |seen: &[Happening]| -> Vec<(FrameLoss, bool)> {
        let loss = |Happening { what, .. }: &Happening| {
            if let What::Frame { lost, arrives, .. } = what {
                assert_eq!(lost.is_some(), arrives.is_none(), "{what:?}");
                return lost.map(|lost| (lost, false));
            }
            let What::Dropped { lost, .. } = what else { return None };
            Some((*lost, true))
        };
        seen.iter().filter_map(loss).collect()
    };
    let mut run = settled(json!({}));
    let [first, second] = [0, 1].map(|place| run.locate("cart").nodes[place].node);
    act(&mut run, json!({ "do": "link", "a": first, "b": second, "loss": 1_000 }));
    assert_eq!(run.view().links.len(), 1);
    act(&mut run, json!({ "do": "put", "client": 0, "key": "cart", "value": "milk" }));
    assert!(losses(&pass(&mut run, 100)).contains(&(FrameLoss::Loss, false)));
    act(&mut run, json!({ "do": "link", "a": first, "b": second }));
    assert!(run.view().links.is_empty());
    pass(&mut run, 3_000);

    // What is under way when the connection breaks is lost on its way.
    act(&mut run, json!({ "do": "link", "a": first, "b": second, "delay": 400 }));
    act(&mut run, json!({ "do": "put", "client": 0, "key": "cart", "value": "eggs" }));
    pass(&mut run, 20);
    act(&mut run, json!({ "do": "crash", "node": second }));
    let gone = losses(&pass(&mut run, 1_000));
    assert!(gone.contains(&(FrameLoss::Disconnected, true)), "{gone:?}");
}

#[test]
fn a_layout_is_planned_committed_and_filled() {
    let mut run = settled(json!({ "nodes": 4, "newcomers": 1 }));
    for number in 0..20 {
        act(
            &mut run,
            json!({ "do": "put", "client": 0, "key": format!("k{number}"), "value": "v" }),
        );
    }
    pass(&mut run, 1_000);
    let before = run.view();
    assert!(before.nodes[4].up && !before.nodes[4].member && !before.owners.contains(&4));
    let members: Vec<PlannedMember> =
        (0..5).map(|node| PlannedMember { node, weight: 1 }).collect();
    let plan = run.plan(&members).unwrap();
    assert_eq!(plan.version, before.version + 1);
    assert_eq!(plan.owners.iter().filter(|owner| **owner == 4).count() as u32, plan.moved);
    let [was, is] = plan.balance;
    assert!((1.0..1.2).contains(&was) && (1.0..1.2).contains(&is), "{plan:?}");
    let gains = plan.changes.iter().find(|change| change.node == 4).unwrap();
    assert!(gains.gains > 0 && gains.gives == 0);
    assert_eq!(
        plan.changes.iter().map(|it| it.gains).sum::<u32>(),
        plan.changes.iter().map(|it| it.gives).sum::<u32>()
    );

    run.act(Action::Layout { members, through: None }).unwrap();
    pass(&mut run, 100);
    let during = run.view();
    assert_eq!((during.version, &during.owners), (plan.version, &plan.owners));
    assert!(during.nodes[4].member);
    pass(&mut run, 60_000);
    let after = run.view();
    let span = after.nodes[4].layouts.unwrap();
    assert_eq!((span.oldest, span.newest, span.read), (plan.version, plan.version, plan.version));
    assert_eq!(after.nodes[4].slots_to_fill, 0);
    assert!(after.nodes[4].records > 0);
}

#[test]
fn a_plan_that_cannot_be_says_so() {
    let run = settled(json!({}));
    assert!(run.plan(&[]).unwrap_err().to_string().contains("no members"));
    let nobody = PlannedMember { node: 9, weight: 1 };
    assert_eq!(
        run.plan(&[nobody]).unwrap_err().to_string(),
        "there is no node 9: they are numbered from 0 to 4"
    );
}

/// A script with a bit of everything.
fn script() -> Script {
    parsed(json!({
        "options": { "nodes": 6, "zones": 3, "newcomers": 1, "seed": 7 },
        "actions": [
            { "at": 1500.25, "do": "put", "client": 0, "key": "a", "value": "1" },
            { "at": 2000, "do": "crashZone", "zone": "z1" },
            { "at": 2000, "do": "put", "client": 1, "key": "b", "value": "2" },
            { "at": 2500, "do": "link", "a": 0, "b": 2, "delay": 50, "loss": 100 },
            { "at": 6000, "do": "put", "client": 0, "key": "a", "value": "3", "after": 1 },
            { "at": 7000, "do": "restartZone", "zone": "z1" },
            { "at": 8000, "do": "pause", "node": 3 },
            { "at": 9000, "do": "resume", "node": 3 },
            { "at": 9000, "do": "clock", "node": 2, "by": -5000 },
            { "at": 12000, "do": "partition", "side": [0, 1] },
            { "at": 13000, "do": "delete", "client": 1, "key": "b" },
            { "at": 20000, "do": "heal" },
            { "at": 21000, "do": "get", "client": 1, "key": "a" }
        ]
    }))
}

#[test]
fn a_script_is_one_run_however_time_is_cut_in_pieces() {
    let mut whole = Run::new(script()).unwrap();
    let seen = pass(&mut whole, 25_000);
    let mut pieces = Run::new(script()).unwrap();
    let mut seen_in_pieces = Vec::new();
    for _ in 0..1_000 {
        seen_in_pieces.extend(pass(&mut pieces, 25));
    }
    assert_eq!(whole.trace(), pieces.trace());
    assert_eq!(seen, seen_in_pieces);
    assert_eq!(whole.view(), pieces.view());
}

#[test]
fn what_is_done_by_hand_is_noted_and_replayed() {
    let mut run = settled(json!({ "seed": 11 }));
    act(&mut run, json!({ "do": "put", "client": 0, "key": "a", "value": "1" }));
    act(&mut run, json!({ "do": "crash", "node": 1 }));
    act(&mut run, json!({ "do": "pause", "node": 2 }));
    act(&mut run, json!({ "do": "put", "client": 1, "key": "a", "value": "2" }));
    pass(&mut run, 700);
    // What waited for the node is due at once, before it crashes.
    act(&mut run, json!({ "do": "resume", "node": 2 }));
    act(&mut run, json!({ "do": "crash", "node": 2 }));
    act(&mut run, json!({ "do": "restart", "node": 1 }));
    act(&mut run, json!({ "do": "put", "client": 0, "key": "a", "value": "3", "after": 1 }));
    pass(&mut run, 5_000);
    let text = serde_json::to_string(&run.script()).unwrap();
    let mut again = Run::new(serde_json::from_str(&text).unwrap()).unwrap();
    pass(&mut again, 8_700);
    assert_eq!((again.now(), again.trace()), (run.now(), run.trace()));
    assert_eq!(again.view(), run.view());
    assert_eq!(again.script(), run.script());
}

#[test]
fn what_is_refused_leaves_the_world_as_it_was() {
    let wrong = [
        (json!({ "do": "crash", "node": 5 }), "there is no node 5: they are numbered from 0 to 4"),
        (json!({ "do": "restart", "node": 0 }), "node 0 is up"),
        (json!({ "do": "wipe", "node": 0 }), "node 0 is up"),
        (json!({ "do": "stop", "node": 4 }), "node 4 is down"),
        (json!({ "do": "pause", "node": 4 }), "node 4 is down"),
        (json!({ "do": "resume", "node": 0 }), "node 0 does not stand still"),
        (json!({ "do": "crashZone", "zone": "z7" }), "there is no zone \"z7\""),
        (json!({ "do": "partition", "side": [] }), "on both sides"),
        (json!({ "do": "partition", "side": [0, 1, 2, 3, 4] }), "on both sides"),
        (json!({ "do": "partition", "side": [0, 7] }), "there is no node 7"),
        (json!({ "do": "link", "a": 1, "b": 1 }), "no link to itself"),
        (json!({ "do": "link", "a": 0, "b": 1, "loss": 1_001 }), "loss: 1001 of 1000 frames"),
        (json!({ "do": "link", "a": 0, "b": 1, "delay": 60_001 }), "delay: 60001 ms"),
        (json!({ "do": "clock", "node": 0, "by": 40_000_000_000_u64 }), "more than a year"),
        (json!({ "do": "get", "client": 2, "key": "a" }), "there is no client 2"),
        (
            json!({ "do": "put", "client": 0, "key": "a", "value": "", "after": 0 }),
            "no call 0, 1 were",
        ),
        (
            json!({ "do": "put", "client": 0, "key": "b", "value": "", "after": 1 }),
            "about \"a\", not \"b\"",
        ),
        (json!({ "do": "layout", "members": [] }), "no members"),
        (
            json!({ "do": "layout", "members": [{ "node": 0, "weight": 1 }], "through": 4 }),
            "node 4 is down",
        ),
    ];
    let prepared = || {
        let mut run = settled(json!({}));
        act(&mut run, json!({ "do": "put", "client": 0, "key": "a", "value": "1" }));
        act(&mut run, json!({ "do": "crash", "node": 4 }));
        run
    };
    let (mut run, mut untouched) = (prepared(), prepared());
    assert!(
        refusal(&mut run, json!({ "do": "put", "client": 0, "key": "a", "value": "", "after": 1 }))
            .contains("not ended")
    );
    pass(&mut run, 1_000);
    pass(&mut untouched, 1_000);
    for (action, why) in wrong {
        let said = refusal(&mut run, action.clone());
        assert!(said.contains(why), "{action}: {said}");
    }
    assert_eq!(run.script(), untouched.script());
    let seen = pass(&mut run, 5_000);
    assert_eq!(seen, pass(&mut untouched, 5_000));
    assert_eq!(run.trace(), untouched.trace());
    assert_eq!(run.view(), untouched.view());
}

#[test]
fn a_script_that_cannot_be_carried_out_says_where() {
    let actions = json!([
        { "at": 10, "do": "restart", "node": 0 },
        { "at": 20, "do": "crash", "node": 0 },
    ]);
    let script = |actions: serde_json::Value| -> Script { parsed(json!({ "actions": actions })) };
    let mut run = Run::new(script(actions)).unwrap();
    let refused = run.advance(Duration::from_millis(100)).unwrap_err().to_string();
    assert_eq!(refused, "action 1, at 10 ms: node 0 is up");
    assert_eq!(run.now().0, 10_000);
    run.advance(Duration::from_millis(90)).unwrap();
    assert!(!run.view().nodes[0].up && run.script().actions.len() == 1);

    let unordered = json!([{ "at": 2, "do": "heal" }, { "at": 1, "do": "heal" }]);
    let why = Run::new(script(unordered)).err().unwrap().to_string();
    assert_eq!(why, "action 2, at 1 ms, stands behind a later one");
    let too_many = parsed(json!({ "options": { "newcomers": 60 } }));
    assert!(Run::new(too_many).err().unwrap().to_string().contains("65 nodes in all"));
}

#[test]
fn the_walk_to_a_preference_list_names_whom_it_passes_over() {
    let run = settled(json!({ "nodes": 6, "zones": 3 }));
    let view = run.view();
    let mut reasons = Vec::new();
    for number in 0..20 {
        let located = run.locate(&format!("k{number}"));
        let taken = located.walk.iter().filter(|step| step.taken.is_some());
        let taken: Vec<usize> = taken.map(|step| step.node).collect();
        let primaries = located.nodes.iter().filter(|copy| copy.primary);
        assert_eq!(taken, primaries.map(|copy| copy.node).collect::<Vec<usize>>());
        let mut zones: Vec<&str> = taken.iter().map(|node| &*view.nodes[*node].zone).collect();
        zones.sort_unstable();
        assert_eq!(zones, ["z0", "z1", "z2"]);
        for (place, step) in located.walk.iter().enumerate() {
            assert_eq!(view.owners[step.slot as usize], step.node);
            assert_eq!(step.slot as usize, (located.slot as usize + place) % 64);
            assert_ne!(step.taken.is_some(), step.skipped.is_some());
            reasons.extend(step.skipped);
        }
    }
    assert!(reasons.contains(&Skipped::Zone), "{reasons:?}");
}

#[test]
fn who_watches_changes_nothing() {
    for seed in 0..6 {
        let plan = Plan::draw(seed, 60);
        let (report, watched) = run_watched(&plan, 1_000_000);
        assert_eq!(report.trace, run(&plan, None).trace, "seed {seed}");
        assert_eq!(watched.since.get(), 0.0);
        let (happenings, views) = (&watched.happenings, &watched.views);
        assert!(happenings.windows(2).all(|pair| pair[0].at <= pair[1].at));
        assert!(views.windows(2).all(|pair| pair[0].now < pair[1].now) && views.len() < 256);
        let ends = happenings.iter().filter(|it| matches!(it.what, What::Ended { .. })).count();
        let Calls { written, read, unknown, refused, .. } = report.calls;
        assert!(ends as u64 >= written + read + unknown + refused, "seed {seed}");
    }
}

#[test]
fn of_a_long_run_the_last_happenings_are_kept() {
    let plan = Plan::draw(1, 60);
    let (_, all) = run_watched(&plan, 1_000_000);
    let (_, last) = run_watched(&plan, 100);
    let gone = all.happenings.len() - 100;
    assert_eq!(last.happenings, all.happenings[gone..]);
    assert_eq!(last.since, all.happenings[gone - 1].at);
    assert_eq!(last.views, all.views);

    let mut recording = Recording::new(&plan);
    let end = recording.end();
    let first = recording.advance_to(Milliseconds(Instant(3_000_000))).to_vec();
    assert!(!first.is_empty() && first.iter().all(|it| it.at.0.0 <= 3_000_000));
    assert!(recording.view().is_some_and(|view| view.now.0.0 <= 3_000_000));
    let rest = recording.advance_to(Milliseconds(end)).to_vec();
    assert_eq!([first.clone(), rest].concat(), all.happenings);
    assert_eq!(recording.advance_to(Milliseconds(end)), []);
    // A moment belongs to the time before it.
    let tenth = all.happenings[10].at;
    recording.seek(Milliseconds::default());
    assert_eq!(recording.advance_to(tenth).last().map(|it| it.at), Some(tenth));
    recording.seek(Milliseconds::default());
    assert_eq!(recording.advance_to(Milliseconds(Instant(3_000_000))), first);
}
