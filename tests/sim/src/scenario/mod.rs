//! Scenarios: tests of a few lines that read like what they tell.
//!
//! | one wants to | one writes |
//! |---|---|
//! | build a cluster | [`Scenario::cluster`]`(5)`, then [`zones`](Builder::zones), [`n`](Builder::n), [`r`](Builder::r), [`w`](Builder::w), [`allow_weak`](Builder::allow_weak), [`seed`](Builder::seed), [`timeout`](Builder::timeout), [`limits`](Builder::limits), [`disks`](Builder::disks), [`weather`](Builder::weather), [`log`](Builder::log), then [`build`](Builder::build) |
//! | name the nodes | `let [a, b, c] = s.`[`primaries`](Scenario::primaries)`("k")`, [`fallbacks`](Scenario::fallbacks), [`nodes`](Scenario::nodes) |
//! | ask at a node | `s.`[`at`](Scenario::at)`(a)`, with options [`with`](Request::with) (a context), [`r`](Request::r), [`w`](Request::w), [`budget`](Request::budget), [`as_request`](Request::as_request) (a retry), [`as_sender`](Request::as_sender), [`passed_on`](Request::passed_on), [`damaged`](Request::damaged) |
//! | ask by a real client | [`client`](Scenario::client), [`client_with_seeds`](Scenario::client_with_seeds), [`stale_client`](Scenario::stale_client), then `s.`[`by`](Scenario::by)`(alice)` |
//! | ask and expect success | [`put`](Request::put), [`get`](Request::get), [`delete`](Request::delete) answer a [`Done`] |
//! | ask and expect a failure | [`try_put`](Request::try_put), ... answer an [`Outcome`]: [`ok`](Outcome::ok), [`refused`](Outcome::refused), [`unknown`](Outcome::unknown), [`failed`](Outcome::failed) |
//! | ask now, wait later | [`start_put`](Request::start_put), ... answer a [`Pending`]: [`finish`](Scenario::finish), [`try_finish`](Scenario::try_finish), [`has_ended`](Scenario::has_ended), [`cancel`](Scenario::cancel) |
//! | send what no client may | [`send`](Scenario::send) |
//! | part nodes and clients | [`partition`](Scenario::partition), [`cut_off`](Scenario::cut_off), [`cut_one_way`](Scenario::cut_one_way), [`clog`](Scenario::clog), [`hang_up`](Scenario::hang_up), [`heal`](Scenario::heal), [`weather`](Scenario::weather()) |
//! | stop nodes | [`crash`](Scenario::crash), [`crash_keeping`](Scenario::crash_keeping), [`crash_after`](Scenario::crash_after), [`restart`](Scenario::restart), [`pause`](Scenario::pause), [`resume`](Scenario::resume) |
//! | harm disks and clocks | [`disk`](Scenario::disk), [`wipe`](Scenario::wipe), [`snapshot`](Scenario::snapshot), [`roll_back`](Scenario::roll_back), [`damage`](Scenario::damage), [`jump_clock`](Scenario::jump_clock), [`drift_clock`](Scenario::drift_clock) |
//! | stop clients | [`freeze`](Scenario::freeze), [`thaw`](Scenario::thaw), [`kill`](Scenario::kill), [`kill_after`](Scenario::kill_after) |
//! | pick single frames | [`hold`](Scenario::hold), [`copy`](Scenario::copy), [`delay`](Scenario::delay), [`lose`](Scenario::lose) of [`Frames`], any of them by [`that`](Frames::that), then [`release`](Scenario::release) or [`discard`](Scenario::discard) |
//! | change the layout | [`weights`](Builder::weights), [`newcomers`](Builder::newcomers), [`gossip_every`](Builder::gossip_every) of a cluster, then [`weigh`](Scenario::weigh), [`change_layout`](Scenario::change_layout), [`layouts`](Scenario::layouts), [`marks`](Scenario::marks), [`finish_change`](Scenario::finish_change) |
//! | let time pass | [`wait`](Scenario::wait), [`step`](Scenario::step), [`settle`](Scenario::settle), [`converge`](Scenario::converge) |
//! | look at stores | `s.`[`expect`](Scenario::expect)`("k")`, see [`Expect`] |
//! | look at nodes and clients | [`told`](Scenario::told), [`repaired`](Scenario::repaired), [`counter`](Scenario::counter), [`believes`](Scenario::believes), [`now`](Scenario::now), [`world`](Scenario::world) |
//!
//! All properties of [`invariants`](crate::invariants) are watched all the time: `wait`, `settle`,
//! the end of each request and the end of the scenario panic with the first that did not hold.
//!
//! Quorums are counted among the N primaries of a key. Sloppy quorums, the choice between them and
//! strict ones, and hints have no words here, because `quorate-core` has none of them.
//!
//! Two sides of a partition write, and nothing is lost:
//!
//! ```
//! use quorate_sim::scenario::Scenario;
//!
//! let mut s = Scenario::cluster(5).n(3).r(1).w(1).allow_weak().build();
//! let [a, b, c] = s.primaries("cart");
//! let milk = s.at(a).put("cart", "milk");
//! s.settle();
//! s.cut_off(&[a]);
//! s.at(a).with(&milk).put("cart", "milk and eggs");
//! s.at(b).with(&milk).put("cart", "milk and bread");
//! s.heal();
//! s.settle();
//! let both = s.at(c).r(3).get("cart");
//! assert_eq!(both.texts(), ["milk and bread", "milk and eggs"]);
//! s.at(c).with(&both).put("cart", "milk, eggs and bread");
//! s.settle();
//! s.expect("cart").siblings(["milk, eggs and bread"]).agree();
//! ```
//!
//! A refusal has its numbers:
//!
//! ```
//! use quorate_core::client::ErrorCode;
//! use quorate_sim::scenario::Scenario;
//!
//! let mut s = Scenario::cluster(5).strict().build();
//! let [a, b, c] = s.primaries("k");
//! s.crash(b);
//! s.crash(c);
//! s.settle();
//! let refused = s.at(a).try_put("k", "v").refused(ErrorCode::QuorumUnavailable);
//! assert_eq!((refused.acked(), refused.needed()), (1, 2));
//! s.expect("k").nothing();
//! ```
//!
//! A request that is under way while something happens, and a frame that is held meanwhile:
//!
//! ```
//! use quorate_sim::scenario::{Frames, Scenario, ms};
//!
//! let mut s = Scenario::cluster(5).build();
//! let [a, b, c] = s.primaries("k");
//! let acknowledgements = s.hold(Frames::acknowledgements().to(a));
//! let put = s.at(a).start_put("k", "v");
//! s.wait(ms(100));
//! assert!(!s.has_ended(&put));
//! assert_eq!(s.waiting(acknowledgements), 2);
//! s.release(acknowledgements);
//! assert!(s.finish(put).took() >= ms(100));
//! s.expect("k").on_disk().siblings(["v"]);
//! ```
//!
//! A real client, which finds its way round a node that is down:
//!
//! ```
//! use quorate_sim::scenario::Scenario;
//!
//! let mut s = Scenario::cluster(5).build();
//! let alice = s.client();
//! s.by(alice).put("k", "v");
//! let [a, _, _] = s.primaries("k");
//! s.crash(a);
//! assert_eq!(s.by(alice).get("k").texts(), ["v"]);
//! s.restart(a);
//! s.converge(&["k"]);
//! ```

mod builder;
pub use builder::Builder;

mod place;
pub use place::{Client, Node};

mod request;
pub use request::{Pending, Request};

mod finish;

mod outcome;
pub use outcome::{Done, Failed, Outcome};

mod faults;

mod frames;
pub use frames::{Frames, Rule};

mod expect;
pub use expect::Expect;

mod look;

mod layouts;

mod members;

mod rest;

use quorate_core::message::Message;
use quorate_core::time::Duration;

use crate::world::World;

/// A cluster to which something happens. The [module](self) tells what there is.
pub struct Scenario {
    world: World,
    /// The last number of a request by hand: its call, its sender and its request id.
    last: u64,
    /// Time for a request that does not say otherwise.
    timeout: Duration,
    /// Those in force.
    rules: Vec<Rule>,
}

/// So many milliseconds.
pub fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// So many seconds.
pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Scenario {
    /// Begins a cluster of so many nodes.
    pub fn cluster(nodes: usize) -> Builder {
        Builder::new(nodes)
    }

    /// A client that knows all nodes as seeds.
    pub fn client(&mut self) -> Client {
        Client(self.world.add_client())
    }

    /// A client that knows only these nodes as seeds.
    pub fn client_with_seeds(&mut self, seeds: &[Node]) -> Client {
        let seeds: Vec<usize> = seeds.iter().map(|node| node.0).collect();
        Client(self.world.add_client_with_seeds(&seeds))
    }

    /// A client whose first layout is an old one, in which other nodes are primaries.
    pub fn stale_client(&mut self) -> Client {
        Client(self.world.add_stale_client())
    }

    /// Hands any frame to a node as from a client of its own; nobody waits for an answer.
    ///
    /// # Panics
    /// Where the node is down.
    #[track_caller]
    pub fn send(&mut self, node: Node, message: Message) {
        self.expect_up(node, "take a frame");
        let sender = self.next_number();
        self.world.hand(node.0, sender, message);
    }

    fn next_number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        for line in self.world.take_log() {
            eprintln!("{line}");
        }
        if !std::thread::panicking() {
            self.check();
        }
    }
}
