//! Whole nodes in several zones: local requests, zones that are cut off, lost, and back.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test looks for one message")]

mod machines;
mod world;

use std::sync::Arc;

use bytes::Bytes;
use quorate_core::causality::Checksum;
use quorate_core::ids::{Key, NodeId, RequestId, Text};
use quorate_core::layout::{LayoutVersion, Member, PlanSettings, plan_first};
use quorate_core::message::{
    Answer, CallId, Change, Failure, FailureCode, Get, LayoutUpdate, Message, Outcome, Put,
    QuorumChoice, ReadKind, Reply, RequestHead, Strictness,
};
use quorate_core::node::{AntiEntropySettings, Fanout, NodeConfig};
use quorate_core::ring::SlotCount;
use quorate_core::time::Duration;
use world::{World, settings};

/// How long nodes and clients are given for what takes no time.
const SOON_MS: u64 = 1;

/// Nodes in zones, and clients that ask them.
struct Zones {
    world: World,
    /// The zone of each node.
    zones: Vec<(u64, &'static str)>,
    calls: u64,
}

/// What one request asks for.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    zone: Option<&'static str>,
    r: u8,
    w: u8,
    strictness: Strictness,
}

fn local(zone: &'static str) -> Wish {
    Wish { zone: Some(zone), ..Wish::default() }
}

fn strict(zone: &'static str) -> Wish {
    Wish { strictness: Strictness::Strict, ..local(zone) }
}

fn layout(zones: &[(u64, &'static str)], replication: u8) -> Arc<LayoutUpdate> {
    let member = |(id, zone): &(u64, &str)| Member {
        id: NodeId(*id),
        label: format!("n{id}").into(),
        zone: Text::from(*zone),
        weight: 1,
    };
    let slots = SlotCount::new(64).unwrap();
    let layout =
        plan_first(PlanSettings { slots, replication }, zones.iter().map(member).collect());
    let addresses = zones.iter().map(|(id, _)| format!("ws://{id}").into()).collect();
    Arc::new(LayoutUpdate { layout: layout.unwrap(), addresses })
}

impl Zones {
    fn new(zones: &[(u64, &'static str)], replication: u8) -> Zones {
        Zones::with(zones, replication, |_| {})
    }

    fn with(
        zones: &[(u64, &'static str)],
        replication: u8,
        change: impl Fn(&mut NodeConfig),
    ) -> Zones {
        // Replicas are compared in one test alone.
        let anti_entropy = AntiEntropySettings { bytes_per_second: 0, ..settings(16) };
        let stores = zones.iter().map(|_| Vec::new()).collect();
        let mut world = World::of(layout(zones, replication), stores, 7, |configured| {
            let zone = zones.iter().find(|(id, _)| NodeId(*id) == configured.id).unwrap().1;
            let majority = replication / 2 + 1;
            let configured = NodeConfig { r: majority, w: majority, ..configured };
            let mut configured = NodeConfig { anti_entropy, zone: zone.into(), ..configured };
            change(&mut configured);
            configured
        });
        world.connect_all();
        world.pass(SOON_MS);
        Zones { world, zones: zones.to_vec(), calls: 0 }
    }

    /// Three zones of two nodes each, and three copies: one in each zone.
    fn three() -> Zones {
        Zones::new(&[(1, "eu"), (2, "eu"), (3, "us"), (4, "us"), (5, "ap"), (6, "ap")], 3)
    }

    /// Two zones, and five copies: two or three in each.
    fn two() -> Zones {
        let zone = |id: u64| (id, if id <= 4 { "eu" } else { "us" });
        Zones::new(&(1..=8).map(zone).collect::<Vec<_>>(), 5)
    }

    fn of(&self, zone: &str) -> Vec<u64> {
        self.zones.iter().filter(|(_, of)| *of == zone).map(|(id, _)| *id).collect()
    }

    fn primaries(&self, key: &Key) -> Vec<u64> {
        let layout = &self.world.layout.layout;
        layout.primaries(layout.slot_of(key.as_bytes())).iter().map(|node| node.0).collect()
    }

    fn primaries_in(&self, key: &Key, zone: &str) -> Vec<u64> {
        let of = self.of(zone);
        self.primaries(key).into_iter().filter(|id| of.contains(id)).collect()
    }

    /// The first key with so many primaries in a zone.
    fn key_with(&self, zone: &str, near: usize) -> Key {
        let mut keys = (0..10_000).map(world::key);
        keys.find(|key| self.primaries_in(key, zone).len() == near).expect("some key is there")
    }

    /// A zone loses all connections to the others, or has them again.
    fn cut_off(&mut self, zone: &str) {
        self.between(zone, World::disconnect);
    }

    fn heal(&mut self, zone: &str) {
        self.between(zone, World::connect);
    }

    fn between(&mut self, zone: &str, act: fn(&mut World, u64, u64)) {
        let inside = self.of(zone);
        for (outside, _) in self.zones.iter().filter(|(id, _)| !inside.contains(id)) {
            inside.iter().for_each(|id| act(&mut self.world, *id, *outside));
        }
        self.world.pass(SOON_MS);
    }

    /// A node loses all its connections.
    fn lose(&mut self, id: u64) {
        for (other, _) in self.zones.clone().iter().filter(|(other, _)| *other != id) {
            self.world.disconnect(id, *other);
        }
        self.world.pass(SOON_MS);
    }

    fn head(&mut self, key: &Key, wish: Wish) -> RequestHead {
        self.calls += 1;
        RequestHead {
            call: CallId(self.calls),
            key: key.clone(),
            quorum: QuorumChoice { r: wish.r, w: wish.w },
            strictness: wish.strictness,
            budget: Duration::from_secs(5),
            layout_version: LayoutVersion(1),
            passed_on: false,
            receipt: true,
            zone: wish.zone.map(Text::from),
        }
    }

    fn ask(&mut self, at: u64, message: Message) -> Option<Reply> {
        let call = CallId(self.calls);
        self.world.ask(at, message);
        self.world.pass(SOON_MS);
        let replies = std::mem::take(&mut self.world.replies);
        replies.into_iter().find(|reply| reply.call == call)
    }

    fn put(&mut self, at: u64, key: &Key, value: &'static str, wish: Wish) -> Option<Reply> {
        let head = self.head(key, wish);
        let payload = Bytes::from_static(value.as_bytes());
        let checksum = Checksum::of_value(&payload);
        let change = Change::Value { payload, checksum, ttl: None };
        let request = RequestId { client: 9, sequence: self.calls };
        self.ask(at, Message::Put(Put { head, context: Bytes::new(), request, change }))
    }

    fn get(&mut self, at: u64, key: &Key, wish: Wish) -> Option<Reply> {
        let head = self.head(key, wish);
        self.ask(at, Message::Get(Get { head, context: Bytes::new(), read: ReadKind::Quorum }))
    }

    fn values(&mut self, at: u64, key: &Key, wish: Wish) -> Vec<Bytes> {
        let reply = self.get(at, key, wish).expect("an answer");
        let Ok(Answer::Entry(entry)) = reply.result else { panic!("{:?}", reply.result) };
        entry.values.into_iter().map(|value| value.payload).collect()
    }

    /// Whether a node has a copy of its own.
    fn holds(&self, id: u64, key: &Key) -> bool {
        self.world.records(id).contains_key(key)
    }
}

fn written(reply: &Option<Reply>) -> bool {
    matches!(reply, Some(Reply { result: Ok(Answer::Written(_)), .. }))
}

fn failure(reply: Option<Reply>) -> Failure {
    reply.expect("an answer").result.expect_err("it fails")
}

#[test]
fn a_local_write_ends_with_its_zone_and_reaches_the_others() {
    let mut zones = Zones::three();
    let key = zones.key_with("eu", 1);
    let own = zones.primaries_in(&key, "eu")[0];
    // What others say of writes takes its time.
    zones.world.holds = |_, _, message| matches!(message, Message::ReplicaMerged(_));
    assert!(zones.put(own, &key, "all", Wish::default()).is_none(), "W are needed");
    let reply = zones.put(own, &key, "local", local("eu"));
    assert!(written(&reply), "its own copy is all that counts");
    let receipt = reply.and_then(|reply| reply.receipt).expect("a receipt");
    assert_eq!((receipt.zone.as_deref(), receipt.needed), (Some("eu"), 1));
    assert_eq!(receipt.primaries, [NodeId(own)]);
    for id in zones.primaries(&key) {
        assert!(zones.holds(id, &key), "the other zones have it as well: {id}");
    }
}

#[test]
fn the_copies_of_other_zones_do_not_count() {
    let mut zones = Zones::two();
    let key = zones.key_with("eu", 3);
    let near = zones.primaries_in(&key, "eu");
    // Those of the other zone answer at once, the second and third of this one not at all.
    zones.world.holds = |from, _, message| {
        from <= 4 && matches!(message, Message::ReplicaMerged(_) | Message::ReplicaRecord(_))
    };
    assert!(written(&zones.put(near[0], &key, "all", Wish::default())));
    assert!(zones.put(near[0], &key, "local", strict("eu")).is_none());
    assert!(zones.get(near[0], &key, strict("eu")).is_none());
    assert!(zones.get(near[0], &key, Wish::default()).is_some());
    zones.world.pass(6_000);
    let late = std::mem::take(&mut zones.world.replies);
    let late: Vec<Failure> = late.into_iter().filter_map(|reply| reply.result.err()).collect();
    assert_eq!(late.iter().map(|failure| failure.needed).collect::<Vec<_>>(), [3, 3]);
    assert!(late.iter().all(|failure| failure.acked == 1), "{late:?}");
}

#[test]
fn a_zone_that_is_cut_off_reads_its_own_writes_and_all_meet_after_it() {
    // N, the zones, and whether the requests are strict.
    for (mut zones, near, wish) in [
        (Zones::three(), 1, local("eu")),
        (Zones::three(), 1, strict("eu")),
        (Zones::two(), 2, strict("eu")),
        (Zones::two(), 3, local("eu")),
    ] {
        let key = zones.key_with("eu", near);
        let eu = zones.of("eu");
        let elsewhere = zones.primaries_in(&key, "us")[0];
        zones.cut_off("eu");
        for at in &eu {
            assert!(written(&zones.put(*at, &key, "here", wish)), "{near} {wish:?} at {at}");
            for reader in &eu {
                let values = zones.values(*reader, &key, wish);
                assert!(values.contains(&Bytes::from_static(b"here")), "{near} {wish:?} {reader}");
            }
        }
        let there = Wish { zone: Some("us"), ..wish };
        assert!(written(&zones.put(elsewhere, &key, "there", there)));
        assert_eq!(zones.values(elsewhere, &key, there), ["there"]);
        zones.heal("eu");
        zones.world.pass(60_000);
        for reader in [eu[0], elsewhere] {
            let mut values = zones.values(reader, &key, Wish::default());
            values.sort();
            assert_eq!(values, ["here", "there"], "{near} {wish:?}");
        }
        zones.world.pass(1_000);
        let of = |id: u64| zones.world.records(id).remove(&key);
        let primaries = zones.primaries(&key);
        assert!(primaries.iter().all(|id| of(*id) == of(primaries[0])), "{near} {wish:?}");
    }
}

#[test]
fn fallbacks_of_the_zone_stand_in_and_others_do_not() {
    let mut zones = Zones::three();
    let key = zones.key_with("eu", 1);
    let own = zones.primaries_in(&key, "eu")[0];
    let spare = zones.of("eu").into_iter().find(|id| *id != own).unwrap();
    let far = zones.primaries_in(&key, "us")[0];
    zones.lose(own);
    // Coordinated here, as a fallback, and by a primary elsewhere.
    for at in [spare, far] {
        let reply = zones.put(at, &key, "kept", local("eu"));
        assert!(written(&reply), "{at}: {reply:?}");
        let receipt = reply.and_then(|reply| reply.receipt).expect("a receipt");
        let stands_in = receipt.fallbacks.iter().any(|it| it.node == NodeId(spare));
        assert!(stands_in && receipt.zone.as_deref() == Some("eu"), "{receipt:?}");
        let refused = failure(zones.put(at, &key, "no", strict("eu")));
        let told = (refused.code, refused.outcome, refused.needed, refused.acked);
        assert_eq!(told, (FailureCode::QuorumUnavailable, Outcome::None, 1, 0), "at {at}");
        let values = zones.values(at, &key, local("eu"));
        assert!(!values.is_empty() && values.iter().all(|value| value == "kept"), "{values:?}");
    }
    // Of the whole zone nobody is left: those of the others are no help.
    zones.lose(spare);
    for wish in [local("eu"), strict("eu")] {
        let refused = failure(zones.put(far, &key, "no", wish));
        let told = (refused.code, refused.outcome, refused.needed, refused.acked);
        assert_eq!(told, (FailureCode::QuorumUnavailable, Outcome::None, 1, 0), "{wish:?}");
        assert_eq!(failure(zones.get(far, &key, wish)).needed, 1);
    }
    assert!(written(&zones.put(far, &key, "all zones", Wish::default())));
}

#[test]
fn hints_for_other_zones_are_kept_once_the_zone_has_what_it_needs() {
    let mut zones = Zones::three();
    let key = zones.key_with("eu", 1);
    let own = zones.primaries_in(&key, "eu")[0];
    let spare = zones.of("eu").into_iter().find(|id| *id != own).unwrap();
    zones.cut_off("eu");
    assert!(written(&zones.put(own, &key, "here", local("eu"))));
    let hinted = |zones: &Zones| zones.world.houses[&spare].hints.len();
    assert_eq!(hinted(&zones), 1, "the one fallback keeps it for one of the others");
    zones.heal("eu");
    zones.world.pass(60_000);
    assert_eq!(hinted(&zones), 0);
}

#[test]
fn where_a_zone_has_no_primary_all_zones_count() {
    let mut zones = Zones::three();
    let key = zones.key_with("eu", 1);
    let own = zones.primaries(&key)[0];
    let reply = zones.put(own, &key, "v", local("nowhere")).expect("an answer");
    let receipt = reply.receipt.expect("a receipt");
    assert_eq!((receipt.zone, receipt.needed), (None, 2));
    assert!(receipt.primaries.len() >= 2);
    zones.world.holds = |_, _, message| matches!(message, Message::ReplicaMerged(_));
    assert!(zones.put(own, &key, "w", local("nowhere")).is_none());
}

#[test]
fn read_and_write_sets_must_meet_within_the_zone() {
    let mut zones = Zones::two();
    let table = [
        // primaries in the zone, R, W: what comes of it, N
        (2, 1, 1, Some((FailureCode::WeakQuorum, 2))),
        (2, 1, 2, None),
        (2, 2, 1, None),
        (3, 1, 2, Some((FailureCode::WeakQuorum, 3))),
        (3, 2, 2, None),
        (3, 1, 5, None),
        (3, 6, 1, Some((FailureCode::BadQuorum, 5))),
        (3, 0, 0, None),
    ];
    for (near, r, w, expected) in table {
        let key = zones.key_with("eu", near);
        let at = zones.primaries(&key)[0];
        let reply = zones.put(at, &key, "v", Wish { r, w, ..local("eu") }).expect("an answer");
        let told = reply.result.as_ref().err().map(|failure| (failure.code, failure.limit));
        assert_eq!(told, expected, "{near} {r} {w}");
        if let Some(receipt) = reply.receipt.filter(|_| told.is_none()) {
            let w = if w == 0 { 3 } else { usize::from(w) };
            assert_eq!(usize::from(receipt.needed), w.min(near), "{near} {r} {w}");
        }
    }
}

#[test]
fn a_read_of_as_few_as_it_takes_asks_its_own_zone() {
    let zone = |id: u64| (id, if id <= 4 { "eu" } else { "us" });
    let all: Vec<(u64, &str)> = (1..=8).map(zone).collect();
    let mut zones = Zones::with(&all, 5, |config| config.fanout = Fanout::Quorum);
    let key = zones.key_with("eu", 3);
    let near = zones.primaries_in(&key, "eu");
    zones.world.holds = |_, _, message| matches!(message, Message::ReplicaRead(_));
    assert!(zones.get(near[0], &key, local("eu")).is_none());
    let asked: Vec<u64> = zones.world.held.iter().map(|(_, to, _)| *to).collect();
    assert_eq!(asked.len(), 2);
    assert!(asked.iter().all(|to| near.contains(to)), "{asked:?} of {near:?}");
}

#[test]
fn a_session_is_content_with_whoever_holds_what_it_has_seen() {
    let mut zones = Zones::three();
    let key = zones.key_with("eu", 1);
    let far = zones.primaries_in(&key, "us")[0];
    let reply = zones.put(far, &key, "v", local("us")).expect("an answer");
    let Ok(Answer::Written(written)) = reply.result else { panic!("a write") };
    zones.cut_off("eu");
    let head = zones.head(&key, local("eu"));
    let get = Get { head, context: written.context, read: ReadKind::Quorum };
    let reply = zones.ask(far, Message::Get(get)).expect("an answer");
    assert!(reply.result.is_ok(), "{reply:?}");
}

#[test]
fn a_retry_that_counts_elsewhere_is_not_given_the_first_answer() {
    let mut zones = Zones::three();
    let key = zones.key_with("eu", 1);
    let own = zones.primaries_in(&key, "eu")[0];
    zones.cut_off("eu");
    assert!(written(&zones.put(own, &key, "v", local("eu"))));
    let sequence = zones.calls;
    let payload = Bytes::from_static(b"v");
    let checksum = Checksum::of_value(&payload);
    let again = |zones: &mut Zones, wish| {
        let head = zones.head(&key, wish);
        let change = Change::Value { payload: payload.clone(), checksum, ttl: None };
        let request = RequestId { client: 9, sequence };
        zones.ask(own, Message::Put(Put { head, context: Bytes::new(), request, change }))
    };
    assert!(written(&again(&mut zones, local("eu"))));
    let strict = Wish { strictness: Strictness::Strict, ..Wish::default() };
    assert_eq!(failure(again(&mut zones, strict)).acked, 1);
    let elsewhere = Wish { strictness: Strictness::Strict, ..local("us") };
    assert_eq!(failure(again(&mut zones, elsewhere)).acked, 0);
}
