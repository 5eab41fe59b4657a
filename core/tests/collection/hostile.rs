//! Words about collections that no member of ours would say.

use quorate_core::ids::{Epoch, Incarnation, Key, NodeId};
use quorate_core::layout::LayoutVersion;
use quorate_core::merkle::StateHash;
use quorate_core::message::{
    CallId, Collect, CollectAnswer, CollectStep, Collected, EpochOf, Message,
};
use quorate_core::prng::Prng;

use crate::cluster::{ROUND_MS, cluster, dead, dead_and_older, keys, merge};
use crate::world::{World, tree_key};

/// Who asks; no member where it is 99.
fn asked(world: &mut World, from: u64, layout: u64, step: CollectStep) -> Option<CollectAnswer> {
    let (call, layout_version) = (CallId(5), LayoutVersion(layout));
    let before = world.log.len();
    world.frame(from, 1, Message::Collect(Collect { call, layout_version, step }));
    let answers = world.log[before..].iter().filter_map(|(_, to, message)| match message {
        Message::Collected(Collected { call: CallId(5), answer }) if *to == from => {
            Some(answer.clone())
        }
        _ => None,
    });
    answers.last()
}

fn look(keys: usize, since: Option<u64>, floors: Vec<EpochOf>) -> CollectStep {
    let keys = (0..keys as u64).map(crate::world::key).collect();
    CollectStep::Confirm { keys, since, floors }
}

/// An epoch of the first life of a node, counted from 1.
fn epoch_of(node: u64, count: u64) -> EpochOf {
    let epoch = Epoch(Epoch::first(Incarnation(1)).0 + count - 1);
    EpochOf { node: NodeId(node), epoch }
}

fn epochs(epoch: u64) -> Vec<EpochOf> {
    (1..=5).map(|node| epoch_of(node, epoch)).collect()
}

#[test]
fn only_members_of_the_same_layout_are_told_anything() {
    let key = Key::from("key 1");
    let state = tree_key().state(&key, &dead());
    for (from, layout) in [(99, 1), (2, 2), (2, 0)] {
        let mut world = cluster(&[(key.clone(), dead())]);
        let remove = CollectStep::Remove(vec![(key.clone(), state)]);
        for step in [look(1, None, vec![]), CollectStep::NewEpoch, remove] {
            assert_eq!(asked(&mut world, from, layout, step), Some(CollectAnswer::NotNow));
        }
        assert_eq!(world.holders(&key).len(), 3);
        // No epoch was begun.
        let Some(CollectAnswer::Begun(first)) = asked(&mut world, 2, 1, CollectStep::NewEpoch)
        else {
            panic!("a member may")
        };
        assert_eq!(first, epoch_of(1, 2));
    }
}

#[test]
fn questions_that_make_no_sense_are_not_answered_and_told_to_people() {
    let mut world = cluster(&[]);
    let not_now = Some(CollectAnswer::NotNow);
    assert_ne!(asked(&mut world, 2, 1, look(64, None, vec![])), not_now);
    assert_eq!(asked(&mut world, 2, 1, look(65, None, vec![])), not_now);
    assert_eq!(asked(&mut world, 2, 1, look(1, None, epochs(1))), not_now, "floors and no moment");
    assert_eq!(asked(&mut world, 2, 1, look(1, Some(7), vec![])), not_now, "no floors");
    assert_eq!(world.count(1, "misbehaved"), 3);
}

#[test]
fn a_question_that_comes_twice_has_one_answer() {
    let mut world = cluster(&[]);
    world.houses.get_mut(&1).unwrap().hangs = |_| true;
    assert_eq!(asked(&mut world, 2, 1, look(3, None, vec![])), None);
    assert_eq!(asked(&mut world, 2, 1, look(3, None, vec![])), None);
    assert_eq!(world.count(1, "misbehaved"), 0, "the network does that");
    world.let_go(1);
    let is_answer = |(_, _, message): &&_| matches!(message, Message::Collected(_));
    assert_eq!(world.log.iter().filter(is_answer).count(), 1);
    let last = world.log.last().expect("an answer");
    let Message::Collected(Collected { answer: CollectAnswer::Confirmed { states, .. }, .. }) =
        &last.2
    else {
        panic!("{last:?}")
    };
    assert_eq!(*states, [Some(StateHash(0)); 3]);
}

#[test]
fn floors_that_leave_a_member_out_or_were_never_reached_hold_nobody() {
    let (key, _) = keys(1).remove(0);
    let (_, older) = dead_and_older();
    let not_now = Some(CollectAnswer::NotNow);
    let mut another_life = epochs(1);
    another_life[2].epoch = Epoch::first(Incarnation(8));
    let mut ahead = epochs(1);
    ahead[0] = epoch_of(1, 2);
    for floors in [epochs(9)[1..].to_vec(), another_life, ahead, vec![epoch_of(99, 1)]] {
        let mut world = cluster(&[]);
        assert_eq!(asked(&mut world, 2, 1, look(1, Some(0), floors.clone())), not_now);
        world.frame(2, 1, merge(&key, &older, Epoch(0)));
        assert_eq!(world.count(1, "stale_refused"), 0, "{floors:?}");
    }
    // Floors of others than members are not kept, and do no harm.
    let mut world = cluster(&[]);
    let floors = [epochs(1), (100..10_100).map(|node| epoch_of(node, 9)).collect()].concat();
    assert_ne!(asked(&mut world, 2, 1, look(1, Some(0), floors)), not_now);
    world.frame(2, 1, merge(&key, &older, Epoch(0)));
    world.frame(200, 1, merge(&key, &older, Epoch(1)));
    assert_eq!(world.count(1, "stale_refused"), 1);
}

#[test]
fn a_moment_of_nobody_vouches_for_nothing() {
    let mut world = cluster(&[]);
    let Some(CollectAnswer::Confirmed { states, since }) =
        asked(&mut world, 2, 1, look(2, None, vec![]))
    else {
        panic!("an answer")
    };
    assert_eq!(states, [Some(StateHash(0)); 2]);
    for (moment, held) in [
        (since, Some(StateHash(0))),
        (since + 1, None),
        (since.wrapping_sub(1), None),
        (0, None),
        (u64::MAX, None),
    ] {
        let answer = asked(&mut world, 2, 1, look(2, Some(moment), epochs(1)));
        let Some(CollectAnswer::Confirmed { states, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!(states, [held; 2], "{moment} after {since}");
    }
}

#[test]
fn a_removal_takes_what_it_names_and_nothing_else() {
    let (key, list) = keys(1).remove(0);
    let (dead, older) = dead_and_older();
    let state = |record| tree_key().state(&key, record);
    for named in [StateHash(0), state(&older), StateHash(u128::MAX)] {
        let mut world = cluster(&[(key.clone(), dead.clone())]);
        let absent = (Key::from("nowhere"), StateHash(1));
        let records = vec![(key.clone(), named), absent, (Key::from(vec![]), StateHash(0))];
        let step = CollectStep::Remove(records);
        for id in &list[..3] {
            let (call, layout_version) = (CallId(5), LayoutVersion(1));
            let step = step.clone();
            world.frame(list[4], *id, Message::Collect(Collect { call, layout_version, step }));
            world.check_trees(*id);
            assert_eq!(world.count(*id, "records_collected"), 0);
        }
        assert_eq!(world.holders(&key).len(), 3);
    }
}

/// What a member could answer in the place of the truth.
type Lie = fn(&CollectAnswer) -> CollectAnswer;

#[test]
fn answers_that_make_no_sense_end_a_round_and_nothing_goes() {
    let lies: [Lie; 6] = [
        |_| CollectAnswer::NotNow,
        |_| CollectAnswer::Confirmed { states: vec![], since: 0 },
        |_| CollectAnswer::Confirmed { states: vec![Some(StateHash(7)); 2], since: 0 },
        |_| CollectAnswer::Confirmed { states: vec![None], since: 0 },
        |_| CollectAnswer::Begun(epoch_of(99, 1)),
        |truth| match truth {
            CollectAnswer::Begun(_) => CollectAnswer::Confirmed { states: vec![], since: 0 },
            _ => CollectAnswer::Begun(epoch_of(2, 9)),
        },
    ];
    let (key, list) = keys(100).into_iter().find(|(_, list)| list[0] != 2).unwrap();
    for (number, lie) in lies.into_iter().enumerate() {
        let mut world = cluster(&[(key.clone(), dead())]);
        world.holds = |from, _, message| from == 2 && matches!(message, Message::Collected(_));
        for _ in 0..4 * ROUND_MS / 50 {
            world.pass(50);
            for (from, to, message) in std::mem::take(&mut world.held) {
                let Message::Collected(Collected { call, answer }) = message else { panic!() };
                let answer = lie(&answer);
                let said = Message::Collected(Collected { call, answer });
                world.frame(from, to, said.clone());
                world.frame(from, to, said);
            }
        }
        assert_eq!(world.holders(&key).len(), 3, "lie {number}");
        assert!(world.count(list[0], "collections_given_up") > 2, "lie {number}");
    }
}

#[test]
fn an_answer_that_comes_twice_counts_once() {
    let (key, list) = keys(1).remove(0);
    let mut world = cluster(&[(key.clone(), dead())]);
    world.holds = |_, _, message| matches!(message, Message::Collected(_));
    world.pass_until(|world| world.held.len() == 4);
    // Three of four, twice: the fourth is waited for.
    let held = std::mem::take(&mut world.held);
    for (from, to, message) in held[..3].iter().chain(&held[..3]).cloned() {
        world.frame(from, to, message);
    }
    world.pass(1_000);
    assert_eq!(world.steps(crate::cluster::is_new_epoch), 0);
    assert_eq!(world.count(list[0], "records_collecting"), 1);
    let (from, to, message) = held[3].clone();
    world.frame(from, to, message);
    assert_eq!(world.steps(crate::cluster::is_new_epoch), 4);
    // Of a call that is over, or of nobody.
    for (from, to, message) in held {
        world.frame(from, to, message.clone());
        world.frame(99, to, message);
    }
    assert_eq!(world.count(list[0], "records_collecting"), 1);
    world.holds = |_, _, _| false;
    world.held.clear();
    world.pass(2 * ROUND_MS);
    assert!(world.holders(&key).is_empty());
}

#[test]
fn noise_about_collections_does_no_harm() {
    for seed in 0..20 {
        let all = keys(20);
        let (dead, older) = dead_and_older();
        let records: Vec<_> = all.iter().map(|(key, _)| (key.clone(), older.clone())).collect();
        let mut world = cluster(&records);
        let mut prng = Prng::new(seed);
        for _ in 0..400 {
            let draw = |prng: &mut Prng, below| prng.below(below);
            let number = |prng: &mut Prng| match prng.below(4) {
                0 => 0,
                1 => u64::MAX,
                2 => prng.below(10),
                _ => prng.next_u64(),
            };
            let (from, to) = (1 + draw(&mut prng, 6), 1 + draw(&mut prng, 5));
            let key = all[draw(&mut prng, 20) as usize].0.clone();
            let state = StateHash(number(&mut prng).into());
            let life = EpochOf {
                node: NodeId(draw(&mut prng, 7)),
                epoch: Epoch(draw(&mut prng, 3) << 32 | number(&mut prng)),
            };
            let call = CallId(number(&mut prng));
            let layout_version = LayoutVersion(draw(&mut prng, 3));
            let since = (draw(&mut prng, 2) == 0).then(|| number(&mut prng));
            let keys = vec![key.clone(); draw(&mut prng, 70) as usize];
            let step = match draw(&mut prng, 4) {
                0 => CollectStep::NewEpoch,
                1 => CollectStep::Remove(vec![(key, state); draw(&mut prng, 70) as usize]),
                _ => CollectStep::Confirm { keys, since, floors: vec![life] },
            };
            let answer = match draw(&mut prng, 3) {
                0 => CollectAnswer::NotNow,
                1 => CollectAnswer::Begun(life),
                _ => CollectAnswer::Confirmed { states: vec![Some(state)], since: 0 },
            };
            let message = match draw(&mut prng, 2) {
                0 => Message::Collect(Collect { call, layout_version, step }),
                _ => Message::Collected(Collected { call, answer }),
            };
            world.frame(from, to, message);
            world.pass(draw(&mut prng, 300));
        }
        for (key, _) in &all {
            assert_eq!(world.holders(key).len(), 3, "seed {seed}");
            world.merge(1, key, &dead);
        }
    }
}
