//! Nodes whose storage fails under them.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize};

use quorate_core::ids::ClusterId;
use quorate_core::layout::{Member, PlanSettings, plan_first};
use quorate_core::limits::Limits;
use quorate_core::machine::{Effect, StoreOutcome, Ticket};
use quorate_core::message::LayoutUpdate;
use quorate_core::message::StatusReply;
use quorate_core::node::Fanout;
use quorate_core::ring::SlotCount;
use tokio::sync::oneshot;

use super::*;
use crate::cluster::{Origin, Profile};
use crate::mailbox::Mailbox;
use crate::server::status::Look;
use crate::storage::{self, Directory, Durability, FjallOptions, Health, Settings};

const CLUSTER: ClusterId = ClusterId(7);

const SETTINGS: Settings =
    Settings { r: 1, w: 1, replication: Some(1), ..storage::tests::SETTINGS };

/// The only member of its cluster, on a directory.
fn lives(directory: &Path) -> Lives {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    let directory = Directory::open(directory).unwrap();
    let id = directory.node();
    let directory = directory.adopt(CLUSTER, SETTINGS).unwrap();
    let member = Member { id, label: "n1".into(), zone: "".into(), weight: 1 };
    let plan = PlanSettings { slots: SlotCount::new(64).unwrap(), replication: 1 };
    let layout = plan_first(plan, vec![member]).unwrap();
    let addresses = vec![address.as_str().into()];
    let layouts = Some(Arc::new(LayoutUpdate { layout, addresses }).into());
    let profile = Profile {
        label: None,
        zone: String::new(),
        weight: 1,
        address,
        seeds: Vec::new(),
        secret: None,
        fanout: Fanout::All,
        gossip: Default::default(),
        anti_entropy: Default::default(),
        collection: Default::default(),
        changes: Default::default(),
        limits: Limits::default(),
    };
    let origin = Origin { node: id, cluster: CLUSTER, settings: SETTINGS, layouts, founding: None };
    let options = FjallOptions {
        durability: Durability::Group,
        cache_bytes: 1 << 20,
        ..FjallOptions::default()
    };
    Lives {
        config: profile.config(origin).unwrap(),
        label: profile.label(),
        storage: StorageChoice::Fjall(directory, options),
        listener,
        shared: Arc::new(Shared {
            mailbox: Mailbox::new(),
            connections: AtomicUsize::new(0),
            next_connection: AtomicU64::new(1),
            allow_origins: None,
            ui: None,
        }),
        clock: Clock::start(),
    }
}

/// Waits until this life, counted from 0, tells how it is.
fn look(shared: &Shared, rebirths: u64) -> Look {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        let (ask, told) = oneshot::channel();
        shared.mailbox.push(Event::Look(ask));
        // Between two lives nobody answers.
        if let Ok(look) = told.blocking_recv()
            && counter(&look.status, "storage_rebirths") == rebirths
        {
            return look;
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("there is no life {rebirths}")
}

fn counter(status: &StatusReply, name: &str) -> u64 {
    let found = status.counters.iter().find(|(named, _)| &**named == name);
    found.unwrap_or_else(|| panic!("no {name}")).1
}

fn asides(directory: &Path) -> Vec<String> {
    Directory::open(directory).unwrap().asides().unwrap()
}

#[test]
fn a_node_whose_storage_failed_opens_it_again_and_goes_on_as_another_life() {
    let directory = tempfile::tempdir().unwrap();
    let lives = lives(directory.path());
    let first = lives.config.incarnation;
    let mut life = lives.begin(0).unwrap();
    life.driver.storage().break_down(Health::Failed);
    let shared = Arc::clone(&lives.shared);
    let running = thread::spawn(move || lives.run(life));
    let look = look(&shared, 1);
    assert_ne!(look.status.incarnation, first);
    assert_eq!(look.not_ready, None);
    assert!(counter(&look.status, "durable_mark") > 1, "it is the same store");
    shared.mailbox.push(Event::Stop);
    assert!(running.join().unwrap(), "the last life stopped as it should");
    assert!(asides(directory.path()).is_empty());
    assert!(!directory.path().join("failed").exists(), "that is over");
    let found = Lives::begin(&self::lives(directory.path()), 0).unwrap().driver.storage().found();
    assert_eq!(found.lives, [look.status.incarnation], "only the life that stopped may go on");
}

#[test]
fn what_is_damaged_or_outdated_is_set_aside_before_the_next_life() {
    for (is_damaged, beginning) in [(true, "store.damaged-20"), (false, "store.outdated-20")] {
        let directory = tempfile::tempdir().unwrap();
        let lives = lives(directory.path());
        let mut life = lives.begin(0).unwrap();
        match is_damaged {
            true => life.driver.storage().break_down(Health::Damaged),
            false => life.driver.effect(Effect::StartOver),
        }
        let (shared, id) = (Arc::clone(&lives.shared), lives.config.id);
        let running = thread::spawn(move || lives.run(life));
        let look = look(&shared, 1);
        assert_eq!((look.status.node, look.not_ready), (id, None));
        shared.mailbox.push(Event::Stop);
        assert!(running.join().unwrap());
        let asides = asides(directory.path());
        let [aside] = &asides[..] else { panic!("{asides:?}") };
        assert!(aside.starts_with(beginning), "{aside}");
        let found =
            Lives::begin(&self::lives(directory.path()), 0).unwrap().driver.storage().found();
        assert!(found.standing.lost.is_some(), "{found:?}");
    }
}

#[test]
fn a_node_that_cannot_go_on_gives_up_after_some_tries_a_second_apart() {
    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let lives = lives(&data);
    let mut life = lives.begin(0).unwrap();
    life.driver.storage().break_down(Health::Failed);
    std::fs::rename(&data, place.path().join("away")).unwrap();
    std::fs::write(&data, "no directory").unwrap();
    let began = Instant::now();
    assert!(!lives.run(life));
    let tries = u64::from(TRIES_MAX) - 1;
    assert!(began.elapsed() >= TRY_INTERVAL * tries as u32, "{:?}", began.elapsed());
    assert!(asides(&place.path().join("away")).is_empty());
}

#[test]
fn what_one_life_was_told_does_not_reach_the_next_one_but_that_it_is_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let lives = lives(directory.path());
    let stale = || Event::Stored(vec![(Ticket(0), StoreOutcome::Durable)]);
    lives.shared.mailbox.push(stale());
    assert!(!lives.is_stopped_before(Instant::now()));
    assert!(lives.shared.mailbox.drain().is_empty());
    for event in [stale(), Event::Stop, stale()] {
        lives.shared.mailbox.push(event);
    }
    let began = Instant::now();
    assert!(lives.is_stopped_before(began + Duration::from_secs(60)));
    assert!(began.elapsed() < Duration::from_secs(30));
}
