//! Rare states that a run should meet sometimes, by name, and how often it did.

mod comparisons;
mod different;
mod losses;
mod requests;
mod watch;
mod writes;

pub(crate) use watch::Watch;

macro_rules! marks {
    ($($(#[doc = $doc:literal])+ $mark:ident = $name:literal,)+) => {
        /// A rare state.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Mark {
            $($(#[doc = $doc])+ $mark,)+
        }

        impl Mark {
            /// All of them.
            pub const ALL: &'static [Mark] = &[$(Mark::$mark,)+];

            /// Its name for people.
            pub fn name(self) -> &'static str {
                match self {
                    $(Mark::$mark => $name,)+
                }
            }
        }
    };
}

marks! {
    /// The replicas that a read asked, its coordinator included, held three records of which no two
    /// name the same writes.
    ReadMeetsThreeRecords = "a read meets three different records",
    /// A read repairs the copy of its own coordinator.
    OwnRecordStale = "a read finds the coordinator's own record stale",
    /// A read is answered with three siblings or more, tombstones included.
    ThreeSiblings = "a read is answered with three or more siblings",
    /// A put is acknowledged and is not the only sibling.
    PutLeavesSiblings = "a put leaves siblings",
    /// A write that one primary took is tried again at another one.
    RetryElsewhere = "a retry lands at another coordinator",
    /// A write is tried again where the first try waits for acknowledgements.
    RetryMeetsFirstTry = "a retry meets its first try under way",
    /// A write is tried again where it was answered.
    RetryGetsFirstAnswer = "a retry gets the first answer again",
    /// A write is tried again where its first try stands, written here or merged from elsewhere.
    RetryFindsFirstDot = "a retry finds its first try in the record",
    /// Two coordinators, or two lives of one, gave a dot to one request.
    TwoDotsForOneRequest = "two dots for one request",
    /// A node that is no primary handed a request to one.
    PassedOn = "a request is passed on",
    /// A request that was handed to one primary is handed to another one, as the first was lost.
    PassedOnTwice = "a passed-on request whose first primary died",
    /// A node crashed with changes that it had applied and not synced.
    CrashBetweenAppliedAndDurable = "a crash between Applied and Durable",
    /// Some of the changes that were not synced survived a crash, others did not.
    CrashTearsTheTail = "a crash that loses a part of the unsynced tail",
    /// A node crashed after the first of the effects of one input, and before the last.
    CrashBetweenEffects = "a crash between two effects",
    /// A node crashed that had applied a write and not answered it.
    CoordinatorDies = "a coordinator dies with writes under way",
    /// A client died with writes under way.
    WriterDies = "a client dies with writes under way",
    /// A replica's answer reaches a later life of the coordinator that had asked.
    AnswerForEarlierLife = "an answer of a replica reaches a later life of the coordinator",
    /// A replica's acknowledgement arrives twice.
    DuplicateAcknowledgement = "a duplicate acknowledgement",
    /// A frame arrives although its connection is gone.
    FrameOutlivesConnection = "a frame arrives after its connection was gone",
    /// A frame is to arrive before one that was sent earlier.
    FrameOvertaken = "a frame is overtaken by a later one",
    /// A merge brought nothing that was not there.
    MergeChangesNothing = "a merge changes nothing",
    /// A write would leave more siblings than may stand.
    TooManySiblings = "a write is refused for too many siblings",
    /// A node has no room for another request.
    CallsFull = "overloaded: calls_max",
    /// A node has no room for another request of one connection.
    CallsPerPeerFull = "overloaded: calls_per_peer_max",
    /// A node may ask nothing more of its storage.
    StoreOpsFull = "overloaded: store_ops_max",
    /// A client has no room for another call.
    ClientFull = "overloaded: a client's own calls_max",
    /// A read returns values and a concurrent delete.
    DeleteBesideValue = "a delete concurrent with a put that survives",
    /// A read returns a value whose time is not over yet.
    FleetingValueRead = "a read returns a value that expires",
    /// A delete without a context ended well and wrote nothing.
    BlindDeleteFindsNothing = "a blind delete finds nothing",
    /// A value of the key was written while a delete without a context was under way.
    BlindDeleteRacesPut = "a blind delete races with a put",
    /// A write ended at its deadline and may have happened.
    UnknownAtDeadline = "unknown outcome at the deadline",
    /// A write lost its quorum on the way and may have happened.
    UnknownByLostQuorum = "unknown outcome by a lost quorum",
    /// A write failed in the coordinator's storage and may have happened.
    UnknownByStorage = "unknown outcome by a failed storage",
    /// Replicas that were cut off from each other acknowledged writes of one key.
    BothSidesAcknowledge = "both sides of a partition acknowledge writes of one key",
    /// A read found the copy of a node stale whose disk had lost the key.
    WipedNodeRepaired = "a wiped node is repaired by a read",
    /// A node writes to a key that its disk holds in an older state.
    RolledBackNodeWrites = "a rolled-back node writes again with a new actor",
    /// A comparison finds that a node lacks a record, or something of it, and brings it.
    ComparisonBrings = "a comparison brings what a node lacked",
    /// A comparison brings a record of which nothing but tombstones stands.
    ComparisonBringsTombstone = "a comparison brings nothing but tombstones",
    /// A comparison brings a record to a node whose disk had lost it.
    WipedNodeRefilled = "a wiped node is refilled by a comparison",
    /// A node removed the last of what it held of a key that was deleted.
    RecordCollected = "a dead record is collected",
    /// A key is written after a record of it was collected.
    CollectedKeyWritten = "a key is written after it was collected",
    /// A node did not merge what another one had read before a collection began.
    StaleRefused = "a record that was read long ago is refused",
    /// A node hears of commits that it does not have, and keeps what it has.
    LossFound = "a node finds that it lost something",
    /// The same by the word of nodes that have all begun another life since.
    LossFoundAfterBlackout = "a loss is found after all nodes were down",
    /// The same while it is being refilled already.
    LossFoundWhileRefilling = "a loss is found by a node that is being refilled",
    /// The same in a life that found a clean stop.
    CleanStopContradicted = "a clean stop is contradicted by what others remember",
    /// A node vouches again for all that it has.
    Refilled = "a node is refilled",
    /// A node set its directory aside.
    OldCopySetAside = "an old copy is set aside",
    /// A node ended with a clean stop.
    CleanStop = "a clean stop",
    /// A write goes on with an actor of a life that ended with a clean stop.
    LifeContinued = "a write continues an actor of a former life",
    /// A node discards a record that it cannot read.
    RottenDiscarded = "a rotten record is discarded",
    /// A record that cannot be read was to be read.
    RottenRecordMet = "a rotten record is met by a read",
    /// A sync failed while at least one change waited for it.
    SyncFailsWithWrites = "a failed sync with writes waiting",
    /// Two writes of one key by one node, the second at an earlier wall clock.
    ClockWentBack = "a wall clock that went back between two writes of one key",
    /// A node stood still for longer than the last call may take.
    PausedPastTimeout = "a node paused longer than the timeout of a call",
    /// A frozen client came back and its call ended at once.
    EndedAtThaw = "a frozen client whose call ends at the thaw",
    /// A caller took a call back.
    TakenBack = "a call is taken back",
    /// A reply carries a newer layout to a client.
    LayoutCorrected = "an old layout is corrected by a reply",
    /// A write dropped old actors from a record.
    ActorsTruncated = "actors are truncated",
    /// A record has more than ten actors.
    ManyActors = "more than ten actors in a record",
    /// A node began a new actor although the record names an older one of the node.
    BornBesideOlder = "an actor is born although an older one of the node is in the record",
    /// A founder saves a first layout.
    FirstLayoutMade = "a first layout is made",
    /// The founder crashed before any node had a first layout in force.
    FounderDiesFirst = "the founder dies before the first layout holds",
    /// A node starts on a disk without a layout while another node has one in force.
    StartsWithoutLayout = "a node starts without the layout that others know",
    /// A writer was shown a write of an actor and not the one before it.
    ContextWithGap = "a context with a gap",
}

/// How often each rare state was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    counts: Vec<u64>,
}

impl Default for Marks {
    fn default() -> Marks {
        Marks { counts: vec![0; Mark::ALL.len()] }
    }
}

impl Marks {
    /// Counts a state where it `is` met.
    pub(crate) fn add(&mut self, mark: Mark, is: bool) {
        self.counts[mark as usize] += u64::from(is);
    }

    /// How often a state was met.
    pub fn count(&self, mark: Mark) -> u64 {
        self.counts[mark as usize]
    }

    /// Each state and how often it was met.
    pub fn list(&self) -> impl Iterator<Item = (Mark, u64)> + '_ {
        Mark::ALL.iter().map(|mark| (*mark, self.counts[*mark as usize]))
    }

    /// Adds the counts of another run.
    pub fn merge(&mut self, other: &Marks) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }
}
