//! The log of a world: what people debug with.

use quorate_core::client::CallOptions;
use quorate_core::ids::Key;
use quorate_core::node::GossipSettings;
use quorate_core::time::Duration;
use quorate_sim::scenario::{Frames, Scenario};
use quorate_sim::{LogFilter, Weather, World, WorldConfig};

/// A world in which every frame takes a millisecond, and in which Alice knows everyone.
fn world() -> (World, usize) {
    let delay = Duration::from_millis(1);
    let weather = Weather { delay_min: delay, delay_max: delay, ..Weather::default() };
    // Nobody gossips.
    let gossip = GossipSettings { interval: Duration::from_secs(3_600), ..Default::default() };
    let config = WorldConfig { weather, nodes: 4, gossip, ..WorldConfig::default() };
    let mut world = World::new(config);
    let alice = world.add_client();
    world.settle();
    (world, alice)
}

#[test]
fn a_followed_call_shows_its_own_frames_and_no_others() {
    let (mut world, alice) = world();
    let bob = world.add_client();
    world.settle();
    let first = world.put(alice, "k", "milk");
    let context = world.finish(alice, first).unwrap().context();
    world.settle();
    world.keep_log(LogFilter { call: Some((alice, 2)), ..LogFilter::default() });
    let options = CallOptions { receipt: true, ..CallOptions::default() };
    let second = world.put_with(alice, "k", "two dozen of the largest eggs", context, options);
    let others = [world.get(bob, "other"), world.put(bob, "another", "v")];
    world.finish(alice, second).unwrap();
    for call in others {
        world.finish(bob, call).unwrap();
    }
    world.settle();
    let expected = r#"
    5.004540  c0           put      k         c0/2 "two dozen of the largest".. {n1.a1#1} within 5s
    5.004540  c0   -> n1   PUT      k         c0/2 "two dozen of the largest".. {n1.a1#1}
    5.005540  n1   <- c0   PUT      k         c0/2 "two dozen of the largest".. {n1.a1#1}
    5.005540  n1           write    k         n1.a1#2 for c0/2 {n1.a1#1 | n1.a1#2="two dozen of the largest"..}
    5.005560  n1   -> n3   MERGE    k         n1:1 {n1.a1#1 | n1.a1#2="two dozen of the largest"..}
    5.005560  n1   -> n0   MERGE    k         n1:1 {n1.a1#1 | n1.a1#2="two dozen of the largest"..}
    5.006060  n1           synced   k         {n1.a1#1 | n1.a1#2="two dozen of the largest"..}
    5.006560  n3   <- n1   MERGE    k         n1:1 {n1.a1#1 | n1.a1#2="two dozen of the largest"..}
    5.006560  n3           merge    k         {n1.a1#1 | n1.a1#2="two dozen of the largest"..}
    5.006560  n0   <- n1   MERGE    k         n1:1 {n1.a1#1 | n1.a1#2="two dozen of the largest"..}
    5.006560  n0           merge    k         {n1.a1#1 | n1.a1#2="two dozen of the largest"..}
    5.007080  n3           synced   k         {n1.a1#1 | n1.a1#2="two dozen of the largest"..}
    5.007080  n3   -> n1   MERGED   k         n1:1 durable
    5.007080  n0           synced   k         {n1.a1#1 | n1.a1#2="two dozen of the largest"..}
    5.007080  n0   -> n1   MERGED   k         n1:1 durable
    5.008080  n1   <- n3   MERGED   k         n1:1 durable
    5.008080  n1   -> c0   REPLY    k         c0/2 ok siblings=1 {n1.a1#1-2} by n1,n3
    5.008080  n1   <- n0   MERGED   k         n1:1 durable
    5.009080  c0   <- n1   REPLY    k         c0/2 ok siblings=1 {n1.a1#1-2} by n1,n3
    5.009080  c0           end      k         c0/2 ok siblings=1 {n1.a1#1-2} from n1"#;
    assert_eq!(world.take_log(), expected.lines().skip(1).collect::<Vec<_>>());
}

#[test]
fn a_followed_get_shows_what_each_replica_holds() {
    let (mut world, alice) = world();
    let first = world.put(alice, "k", "milk");
    world.finish(alice, first).unwrap();
    world.settle();
    world.keep_log(LogFilter { call: Some((alice, 2)), ..LogFilter::default() });
    let get = world.get(alice, "k");
    world.finish(alice, get).unwrap();
    world.settle();
    let expected = r#"
    4.004540  c0           get      k         c0/2 within 5s
    4.004540  c0   -> n1   GET      k         c0/2
    4.005540  n1   <- c0   GET      k         c0/2
    4.005540  n1           read     k         {| n1.a1#1="milk"}
    4.005560  n1   -> n3   READ     k         n1:1 with a digest
    4.005560  n1   -> n0   READ     k         n1:1 with a digest
    4.006560  n3   <- n1   READ     k         n1:1 with a digest
    4.006560  n3           read     k         {| n1.a1#1="milk"}
    4.006560  n0   <- n1   READ     k         n1:1 with a digest
    4.006560  n0           read     k         {| n1.a1#1="milk"}
    4.006580  n3   -> n1   RECORD   k         n1:1 the same
    4.006580  n0   -> n1   RECORD   k         n1:1 the same
    4.007580  n1   <- n3   RECORD   k         n1:1 the same
    4.007580  n1   -> c0   REPLY    k         c0/2 ok siblings=1 "milk" {n1.a1#1}
    4.007580  n1   <- n0   RECORD   k         n1:1 the same
    4.008580  c0   <- n1   REPLY    k         c0/2 ok siblings=1 "milk" {n1.a1#1}
    4.008580  c0           end      k         c0/2 ok siblings=1 "milk" {n1.a1#1} from n1"#;
    assert_eq!(world.take_log(), expected.lines().skip(1).collect::<Vec<_>>());
}

#[test]
fn answers_that_name_no_key_pass_the_filter_of_their_key() {
    let (mut world, alice) = world();
    world.keep_log(LogFilter { key: Some(Key::from("k")), ..LogFilter::default() });
    for key in ["other", "k"] {
        let put = world.put(alice, key, key);
        world.finish(alice, put).unwrap();
    }
    world.settle();
    let log = world.take_log();
    assert!(log.iter().all(|line| !line.contains("other")), "{log:#?}");
    let count = |kind| log.iter().filter(|line| line.contains(kind)).count();
    assert_eq!(["PUT", "MERGE ", "MERGED", "REPLY"].map(count), [2, 4, 4, 2]);
}

#[test]
fn the_filter_of_a_node_takes_either_end() {
    let (mut world, alice) = world();
    world.keep_log(LogFilter { node: Some(3), ..LogFilter::default() });
    let put = world.put(alice, "k", "v");
    world.finish(alice, put).unwrap();
    world.settle();
    let log = world.take_log();
    let places = |line: &String| line.get(14..26).is_some_and(|places| places.contains("n3"));
    assert!(log.iter().all(places), "{log:#?}");
    // Sent and received: a merge and its acknowledgement; in between it is merged and synced.
    assert_eq!(log.len(), 6, "{log:#?}");
}

#[test]
fn only_the_last_lines_are_kept() {
    let (mut world, alice) = world();
    world.keep_log(LogFilter { last: 2, ..LogFilter::default() });
    let put = world.put(alice, "k", "v");
    world.finish(alice, put).unwrap();
    let log = world.take_log();
    let kinds: Vec<&str> = log.iter().filter_map(|line| line.get(27..32)).collect();
    assert_eq!(kinds, ["REPLY", "end  "]);
}

#[test]
fn what_befalls_nodes_and_frames_is_told() {
    let delay = Duration::from_millis(1);
    let mut s =
        Scenario::cluster(4).weather(|w| (w.delay_min, w.delay_max) = (delay, delay)).build();
    let alice = s.client();
    s.settle();
    let [b, d, a] = s.primaries("k");
    s.world_mut().keep_log(LogFilter { key: Some(Key::from("k")), ..LogFilter::default() });
    s.lose(Frames::merges().to(d));
    let milk = s.by(alice).put("k", "milk");
    s.crash(b);
    s.restart(b);
    s.pause(a);
    s.resume(a);
    s.settle();
    s.at(b).with(&milk).put("k", "eggs");
    let log = s.world_mut().take_log();
    let expected = [
        r#"    3.001020  n1   -x n3   MERGE    k         n1:1 {| n1.a1#1="milk"} (lost: a rule)"#,
        "    3.004540  n1           crashed",
        "    3.004540  n1           started            at commit 2",
        "    3.004540  n0           paused",
        "    3.004540  n0           resumed            since 3.004540",
        r#"    4.004540  n1           write    k         n1.b1#1 for hand/1 {n1.a1#1 | n1.b1#1="eggs"}"#,
    ];
    for line in expected {
        assert!(log.iter().any(|known| known == line), "{line} is not in {log:#?}");
    }
    // Once as lost, and not as sent.
    let to_the_third = |line: &&String| line.contains("3.001020  n1   -> n3");
    assert_eq!(log.iter().filter(to_the_third).count(), 0);
}

#[test]
fn a_filter_that_selects_nothing_says_so() {
    let log = |filter: LogFilter| {
        let (mut world, alice) = world();
        world.keep_log(filter);
        world.note(|| "a note".to_owned());
        let put = world.put(alice, "k", "v");
        world.finish(alice, put).unwrap();
        world.crash(0);
        world.take_log()
    };
    let last = |filter: LogFilter| log(filter).pop().unwrap();
    let call = LogFilter { call: Some((0, 99)), ..LogFilter::default() };
    assert_eq!(last(call), "no call c0/99 began");
    let node = LogFilter { node: Some(99), ..LogFilter::default() };
    assert_eq!(last(node), "no line passed the filter");
    for filter in [
        LogFilter::default(),
        LogFilter { call: Some((0, 1)), ..LogFilter::default() },
        LogFilter { node: Some(0), ..LogFilter::default() },
    ] {
        let log = log(filter);
        assert!(!log.iter().any(|line| line.starts_with("no ")), "{log:#?}");
    }
}
