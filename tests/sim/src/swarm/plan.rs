//! What a run is to do: calls and faults, each with its time, all drawn from the seed beforehand.
//!
//! A plan is data, so a failing run can be repeated with some of its steps left out.

use std::collections::BTreeSet;

use quorate_core::message::QuorumChoice;
use quorate_core::time::{Duration, Instant};

use crate::config::WorldConfig;
use crate::disk::DiskTemper;
use crate::network::{Place, Weather};

macro_rules! fault_classes {
    ($($(#[doc = $doc:literal])+ $class:ident = $name:literal,)+) => {
        /// A kind of trouble. Each is absent from half of the seeds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum FaultClass {
            $($(#[doc = $doc])+ $class,)+
        }

        impl FaultClass {
            /// All of them.
            pub const ALL: &'static [FaultClass] = &[$(FaultClass::$class,)+];

            /// Its name for people.
            pub fn name(self) -> &'static str {
                match self {
                    $(FaultClass::$class => $name,)+
                }
            }

            /// The class with this name.
            pub fn of_name(name: &str) -> Option<FaultClass> {
                FaultClass::ALL.iter().copied().find(|class| class.name() == name)
            }
        }
    };
}

impl FaultClass {
    /// Whether it comes as steps of a plan, each with its time.
    pub fn is_step(self) -> bool {
        match self {
            FaultClass::Clogs
            | FaultClass::HangUps
            | FaultClass::Partitions
            | FaultClass::Crashes
            | FaultClass::Pauses
            | FaultClass::Clocks
            | FaultClass::SlowDisks
            | FaultClass::DiskErrors
            | FaultClass::SyncErrors
            | FaultClass::Destruction
            | FaultClass::ClientDeaths
            | FaultClass::Bursts
            | FaultClass::Freezes => true,
            FaultClass::Delays
            | FaultClass::Loss
            | FaultClass::Duplicates
            | FaultClass::Reorder
            | FaultClass::Capacity
            | FaultClass::StaleClients
            | FaultClass::SmallTables => false,
        }
    }

    /// Whether it lasts as long as the run: [`Plan::without`] takes that out. Two classes are both.
    pub fn lasts(self) -> bool {
        !self.is_step() || matches!(self, FaultClass::SlowDisks | FaultClass::DiskErrors)
    }
}

fault_classes! {
    /// Frames with a heavy tail of delays.
    Delays = "delays",
    /// Frames that are lost while their connection stays.
    Loss = "loss",
    /// Frames that arrive twice, perhaps after a reconnect.
    Duplicates = "duplicates",
    /// Frames that overtake each other.
    Reorder = "reorder",
    /// Links that are busy with each frame for a while.
    Capacity = "capacity",
    /// Links over which nothing arrives for a while.
    Clogs = "clogs",
    /// Connections that break.
    HangUps = "hang-ups",
    /// Places that cannot reach each other: halves, one alone, one way only, bridges, flapping,
    /// clients only.
    Partitions = "partitions",
    /// Nodes that end as by `kill -9`, between inputs or between two effects of one.
    Crashes = "crashes",
    /// Nodes that stand still as by SIGSTOP.
    Pauses = "pauses",
    /// Wall clocks that jump and drift.
    Clocks = "clocks",
    /// Storage that takes its time, and devices that fail slowly.
    SlowDisks = "slow-disks",
    /// Reads and changes that fail, devices without room.
    DiskErrors = "disk-errors",
    /// Syncs that fail.
    SyncErrors = "sync-errors",
    /// Disks that are emptied, taken back to an older snapshot, or rot.
    Destruction = "destruction",
    /// Clients with an old layout.
    StaleClients = "stale-clients",
    /// Clients that vanish, between two effects, too.
    ClientDeaths = "client-deaths",
    /// Clients that stand still as a browser's tab, and calls that are taken back.
    Freezes = "freezes",
    /// Clients of another make, which send much at once and name nothing.
    Bursts = "bursts",
    /// Tables with room for little.
    SmallTables = "small-tables",
}

/// A whole run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What everything was drawn from.
    pub seed: u64,
    /// The world to begin with. Its weather and tempers hold until the healing begins.
    pub config: WorldConfig,
    /// Which clients begin with an old layout; its length is the number of clients.
    pub clients: Vec<bool>,
    /// The kinds of trouble in it.
    pub classes: BTreeSet<FaultClass>,
    /// When the first call may come; what comes earlier troubles the nodes while they meet.
    pub beginning: Instant,
    /// Whether all that comes after the beginning waits until a node knows a layout.
    pub awaits_layout: bool,
    /// What happens, by time.
    pub steps: Vec<Step>,
    /// What stays broken while the others heal.
    pub outcast: Option<Outcast>,
    /// Filler behind each value, to make it so long.
    pub padding: usize,
}

/// A node that is not repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcast {
    /// Which.
    pub node: usize,
    /// What it suffers from.
    pub ailment: Ailment,
}

/// What a node that is not repaired suffers from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ailment {
    /// It is down.
    Down,
    /// It stands still, its connections open.
    Paused,
    /// Nobody reaches it.
    CutOff,
}

/// One call or one fault.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its place in the plan as it was drawn.
    pub number: usize,
    /// When it begins.
    pub at: Instant,
    /// What it is.
    pub act: Act,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A client makes a call.
    Call {
        /// The client.
        client: usize,
        /// The key, by its index.
        key: usize,
        /// What it asks for.
        kind: Kind,
        /// R and W.
        quorum: QuorumChoice,
        /// Of a put: the time after which the value reads as deleted.
        ttl: Option<Duration>,
    },
    /// A client of another make puts values at a node, all at once, without naming its writes.
    Burst {
        /// The node.
        node: usize,
        /// The key, by its index.
        key: usize,
        /// How many.
        puts: usize,
    },
    /// A client takes back its last call.
    Cancel {
        /// The client.
        client: usize,
    },
    /// An operator changes the layout.
    Layout {
        /// The node that is asked.
        node: usize,
        /// What each node shall weigh; with 0 it holds nothing, without it is no member.
        weights: Vec<Option<u32>>,
    },
    /// A node and its disk are lost for good; it is removed by a change of the layout.
    Lose {
        /// The node.
        node: usize,
    },
    /// A node crashes, and comes back.
    Crash {
        /// The node.
        node: usize,
        /// After so many more effects.
        effects: Option<u32>,
        /// The chance in a thousand that a change which is not synced survives.
        kept: u32,
        /// Whether it is asked to stop, at once and cleanly if it can, and does not crash.
        stops: bool,
        /// What happens to its disk while it is down.
        loses: Loses,
        /// How long it is down.
        lasts: Duration,
    },
    /// The synced data of a node is copied: what it may be taken back to.
    Snapshot {
        /// The node.
        node: usize,
    },
    /// A record rots; later the node starts again, with an empty disk where nothing would bring the
    /// record back.
    Rot {
        /// The node.
        node: usize,
        /// The key, by its index.
        key: usize,
        /// How long the node goes on with it.
        lasts: Duration,
    },
    /// A node stands still.
    Pause {
        /// The node.
        node: usize,
        /// How long.
        lasts: Duration,
    },
    /// A wall clock jumps, and runs faster or slower from then on.
    Clock {
        /// The node.
        node: usize,
        /// By how much it jumps.
        jump_ms: i64,
        /// How much faster it runs, in millionths.
        ppm: i64,
    },
    /// A disk has another temper for a while.
    Disk {
        /// The node.
        node: usize,
        /// The temper.
        temper: DiskTemper,
        /// How long.
        lasts: Duration,
    },
    /// Some links let nothing through for a while.
    Partition {
        /// The links.
        links: Vec<(Place, Place)>,
        /// Whether the connections break, so that both ends know.
        known: bool,
        /// How long it lasts in all.
        lasts: Duration,
        /// How often it ends and begins again within that time.
        flaps: u32,
    },
    /// Nothing arrives over a link for a while, then everything does.
    Clog {
        /// The sender.
        from: Place,
        /// The receiver.
        to: Place,
        /// How long.
        lasts: Duration,
    },
    /// The connections between two places break.
    HangUp {
        /// One end.
        a: Place,
        /// The other.
        b: Place,
    },
    /// A client vanishes after so many more effects; another takes its place.
    KillClient {
        /// The client.
        client: usize,
        /// The effects.
        effects: u32,
    },
    /// A client stands still.
    Freeze {
        /// The client.
        client: usize,
        /// How long.
        lasts: Duration,
    },
}

/// What happens to the disk of a node that is down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loses {
    /// Nothing that was synced.
    Nothing,
    /// Everything.
    Everything,
    /// What came after its last snapshot.
    SinceSnapshot,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A read.
    Get,
    /// A read that is to show what a context covers.
    Session(Shown),
    /// A put.
    Put(Shown),
    /// A delete.
    Delete(Shown),
}

/// Which context a writer has. Clients hand contexts around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// None.
    Nothing,
    /// The last one that anybody was told.
    Newest,
    /// The last one that this client was told: it chains its own.
    Own,
    /// The one that was told so many before the last one.
    Older(usize),
}

impl Act {
    /// The same fault, for so long.
    pub(super) fn lasting(self, lasts: Duration) -> Act {
        match self {
            Act::Crash { node, effects, kept, stops, loses, .. } => {
                Act::Crash { node, effects, kept, stops, loses, lasts }
            }
            Act::Pause { node, .. } => Act::Pause { node, lasts },
            Act::Partition { links, known, flaps, .. } => {
                Act::Partition { links, known, lasts, flaps }
            }
            Act::Rot { node, key, .. } => Act::Rot { node, key, lasts },
            Act::Disk { node, temper, .. } => Act::Disk { node, temper, lasts },
            Act::Clog { from, to, .. } => Act::Clog { from, to, lasts },
            Act::Freeze { client, .. } => Act::Freeze { client, lasts },
            Act::Call { .. }
            | Act::Burst { .. }
            | Act::Cancel { .. }
            | Act::Layout { .. }
            | Act::Lose { .. }
            | Act::Snapshot { .. }
            | Act::Clock { .. }
            | Act::HangUp { .. }
            | Act::KillClient { .. } => self,
        }
    }

    /// The same fault at this node, if it strikes one.
    pub(super) fn at_node(self, node: usize) -> Act {
        match self {
            Act::Burst { key, puts, .. } => Act::Burst { node, key, puts },
            Act::Crash { effects, kept, stops, loses, lasts, .. } => {
                Act::Crash { node, effects, kept, stops, loses, lasts }
            }
            Act::Snapshot { .. } => Act::Snapshot { node },
            Act::Rot { key, lasts, .. } => Act::Rot { node, key, lasts },
            Act::Pause { lasts, .. } => Act::Pause { node, lasts },
            Act::Clock { jump_ms, ppm, .. } => Act::Clock { node, jump_ms, ppm },
            Act::Disk { temper, lasts, .. } => Act::Disk { node, temper, lasts },
            Act::Call { .. }
            | Act::Cancel { .. }
            | Act::Layout { .. }
            | Act::Lose { .. }
            | Act::Partition { .. }
            | Act::Clog { .. }
            | Act::HangUp { .. }
            | Act::KillClient { .. }
            | Act::Freeze { .. } => self,
        }
    }
}

impl Plan {
    /// The same with only the steps whose numbers are in `kept`.
    pub fn keep(&self, kept: &BTreeSet<usize>) -> Plan {
        let steps = self.steps.iter().filter(|step| kept.contains(&step.number));
        Plan { steps: steps.cloned().collect(), ..self.clone() }
    }

    /// The same without a kind of trouble that lasts all the time. Faults that are steps stay.
    pub fn without(&self, class: FaultClass) -> Plan {
        let mut plan = self.clone();
        plan.classes.remove(&class);
        let (calm, weather) = (Weather::default(), &mut plan.config.weather);
        let (kind, disk) = (DiskTemper::default(), &mut plan.config.disk);
        match class {
            FaultClass::Delays => {
                *weather = Weather {
                    delay_min: calm.delay_min,
                    delay_max: calm.delay_max,
                    tail: 0,
                    ..*weather
                };
            }
            FaultClass::Loss => weather.loss = 0,
            FaultClass::Duplicates => weather.duplicates = 0,
            FaultClass::Reorder => weather.reorder = 0,
            FaultClass::Capacity => weather.busy = Duration::ZERO,
            FaultClass::SlowDisks => {
                *disk = DiskTemper { access: kind.access, sync: kind.sync, tail: 0, ..*disk };
            }
            FaultClass::DiskErrors => *disk = DiskTemper { read_fails: 0, write_fails: 0, ..*disk },
            FaultClass::SmallTables => {
                plan.config.limits = quorate_core::limits::Limits::default();
            }
            FaultClass::StaleClients => plan.clients.iter_mut().for_each(|stale| *stale = false),
            FaultClass::Clogs
            | FaultClass::HangUps
            | FaultClass::Partitions
            | FaultClass::Crashes
            | FaultClass::Pauses
            | FaultClass::Clocks
            | FaultClass::SyncErrors
            | FaultClass::Destruction
            | FaultClass::ClientDeaths
            | FaultClass::Bursts
            | FaultClass::Freezes => {}
        }
        plan
    }

    /// The name of a key.
    pub fn key(index: usize) -> &'static str {
        KEYS[index % KEYS.len()]
    }
}

/// The keys of all runs, the hottest first.
pub(super) const KEYS: [&str; 8] =
    ["hot", "warm", "mild", "cool", "cold", "icy", "frozen", "forgotten"];
