//! Wrong variants of the protocol, to be switched on one at a time: what the checks of a simulator
//! are worth is how many of them they notice.
//!
//! Exists with the feature `mutants` only, which nothing that is shipped turns on. Where a mutant
//! acts, the protocol says `sane_or!(what is right, Mutant => what is wrong)`. The switch is one
//! for the whole process, so runs with different mutants must not overlap.

use core::fmt;
use core::str::FromStr;
use core::sync::atomic::{AtomicU8, Ordering};

/// The mutant that is switched on, by its number; 0: none.
static SWITCHED: AtomicU8 = AtomicU8::new(0);

/// Switches one mutant on and all others off; `None`: the protocol is as it should be.
pub fn switch(mutant: Option<Mutant>) {
    SWITCHED.store(mutant.map_or(0, Mutant::number), Ordering::Relaxed);
}

/// The mutant that is switched on.
pub fn switched() -> Option<Mutant> {
    let number = SWITCHED.load(Ordering::Relaxed);
    Mutant::ALL.iter().copied().find(|mutant| mutant.number() == number)
}

/// A text that names no [`Mutant`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMutant;

impl fmt::Display for UnknownMutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no mutant has this name: see Mutant::ALL")
    }
}

impl core::error::Error for UnknownMutant {}

impl Mutant {
    /// Whether this one is switched on.
    pub fn is_on(self) -> bool {
        SWITCHED.load(Ordering::Relaxed) == self.number()
    }

    fn number(self) -> u8 {
        self as u8 + 1
    }
}

impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(name: &str) -> Result<Mutant, UnknownMutant> {
        Mutant::ALL.iter().copied().find(|mutant| mutant.name() == name).ok_or(UnknownMutant)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! mutants {
    ($($(#[doc = $doc:literal])+ $mutant:ident = $name:literal,)+) => {
        /// One way in which the protocol can be wrong. The names are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mutant {
            $($(#[doc = $doc])+ $mutant,)+
        }

        impl Mutant {
            /// All mutants.
            pub const ALL: &'static [Mutant] = &[$(Mutant::$mutant,)+];

            /// The name, in kebab case.
            pub fn name(self) -> &'static str {
                match self {
                    $(Mutant::$mutant => $name,)+
                }
            }

            /// What is wrong, in a sentence.
            pub fn about(self) -> &'static str {
                match self {
                    $(Mutant::$mutant => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

mutants! {
    /// The walk skips a slot where it wraps around the end of the ring.
    WrapSkipsSlot = "wrap-skips-slot",
    /// A node that was taken as the first of its zone is taken again when the list is filled up.
    PrimariesRepeat = "primaries-repeat",

    /// `Seen::contains` says `<` for `<=`: the last counter before the gap is not in the set.
    SeenEndsEarly = "seen-ends-early",
    /// A write supersedes all siblings of its own actor, as a version vector without dots would.
    NoDots = "no-dots",
    /// A put supersedes all that its coordinator holds.
    LastWriterWins = "last-writer-wins",
    /// A blind delete covers all that the coordinator holds when it applies it, beyond what the
    /// quorum read returned.
    DeleteCoversUnseen = "delete-covers-unseen",
    /// A node goes on with its actor of an earlier life, whose last dots its disk may have lost.
    IncarnationIgnored = "incarnation-ignored",
    /// A retry of a write that stands, is finished or is under way is carried out once more.
    RetryIgnored = "retry-ignored",
    /// A put that would leave too many siblings is carried out.
    SiblingsUnlimited = "siblings-unlimited",
    /// Truncation drops actors that have live siblings.
    TruncatesLive = "truncates-live",
    /// Truncation drops actors of any age.
    TruncatesYoung = "truncates-young",
    /// A replica takes over the record that it is to merge and forgets its own.
    MergeOverwrites = "merge-overwrites",
    /// A merge takes in no live sibling of an actor that has a live sibling already.
    MergeDropsConcurrent = "merge-drops-concurrent",
    /// A merge leaves out tombstones and what was superseded together with them.
    MergeIgnoresDeletes = "merge-ignores-deletes",
    /// A merge keeps as superseded only what both sides have as superseded.
    MergeForgetsSuperseded = "merge-forgets-superseded",
    /// A merge leaves out new actors without live siblings, so that late copies of what they wrote
    /// come back.
    MergeDropsQuietActors = "merge-drops-quiet-actors",
    /// Siblings without a request id count as retries of each other and are shown as one value.
    UnnamedAreOne = "unnamed-are-one",
    /// The token of a context claims all counters of an actor up to the greatest one.
    TokenClosesGaps = "token-closes-gaps",

    /// A write ends with one acknowledgement less than W.
    WriteQuorumShort = "write-quorum-short",
    /// A read ends with one answer less than R.
    ReadQuorumShort = "read-quorum-short",
    /// A second acknowledgement of one replica counts as that of another.
    DuplicatesCount = "duplicates-count",
    /// A read returns the last answer and not the merge of all.
    ReadTakesLast = "read-takes-last",

    /// The numbers of calls begin anew in every life of a node, so that an answer to an earlier
    /// life counts.
    CallsFromOne = "calls-from-one",
    /// The deadline of a request comes from the wall clock.
    WallClockDeadline = "wall-clock-deadline",
    /// More calls than `calls_max` are taken in.
    CallsUnlimited = "calls-unlimited",
    /// A node gives all its actors the same birth, so that one actor writes several keys.
    NoBirths = "no-births",
    /// The coordinator counts its own write before it is synced.
    AppliedCounts = "applied-counts",
    /// A replica acknowledges a merge before it is synced.
    ReplicaAcksApplied = "replica-acks-applied",
    /// A replica acknowledges a merge that its storage could not keep.
    ReplicaAcksFailed = "replica-acks-failed",
    /// A replica that goes down counts as one that acknowledged.
    DownCountsAsAck = "down-counts-as-ack",
    /// A replica that goes down counts as one that holds nothing.
    DownReadsEmpty = "down-reads-empty",
    /// The coordinator takes a failed read of its own storage for an empty record.
    OwnFailureReadsEmpty = "own-failure-reads-empty",
    /// A replica answers a failed read with an empty record.
    ReplicaFailureReadsEmpty = "replica-failure-reads-empty",
    /// The answer to a put has a context without the new dot.
    AnswerLacksDot = "answer-lacks-dot",
    /// A read shows only the newest sibling, but its context covers all.
    ShowsNewestOnly = "shows-newest-only",
    /// The context of a read claims one more dot of an actor than there was.
    ContextClaimsMore = "context-claims-more",
    /// A value goes on being shown when its time is over.
    ExpiredIsShown = "expired-is-shown",
    /// Once one value of a key has expired the others are not shown, either.
    ExpiredHidesLive = "expired-hides-live",
    /// Each replica reckons by its own clock, from the moment at which it merges a value, when the
    /// time of that value is over.
    ExpiryByLocalClock = "expiry-by-local-clock",
    /// A read whose quorum became impossible is forgotten without an answer.
    ImpossibleReadForgotten = "impossible-read-forgotten",
    /// The other replicas are sent the live siblings of a write without what it superseded.
    WriteSendsLiveOnly = "write-sends-live-only",
    /// Stale replicas are sent the live siblings without what is superseded.
    RepairSendsLiveOnly = "repair-sends-live-only",
    /// Stale replicas are not repaired.
    NoRepair = "no-repair",
    /// The coordinator repairs the other stale replicas but not itself.
    OwnNotRepaired = "own-not-repaired",
    /// A write without enough acknowledgements is called refused.
    UnknownCalledRefused = "unknown-called-refused",
    /// A write in whose course the device of the coordinator failed is called refused.
    FailedApplyRefused = "failed-apply-refused",
    /// A blind delete of what is deleted already is answered without a write, although the
    /// tombstones that it read may not be synced anywhere.
    DeleteTrustsMemory = "delete-trusts-memory",
    /// The tombstone of a blind delete carries the request id, so that a second try, which covers
    /// more, is taken for the first one.
    DeleteIsNamed = "delete-is-named",
    /// The write of a blind delete goes under the call number of its read, so that late words on
    /// the read are taken for words on the write.
    DeleteKeepsCall = "delete-keeps-call",

    /// A fallback counts in strict mode, too.
    StrictCountsFallback = "strict-counts-fallback",
    /// A session read takes the first answer, whether it covers the context or not.
    SessionIgnored = "session-ignored",
    /// A read is answered with nothing on the word of fallbacks that keep nothing for the key.
    FallbackVouchesForAbsence = "fallback-vouches-for-absence",
    /// A hint names the coordinator as its target, and not the primary that it is for.
    HintForWrongTarget = "hint-for-wrong-target",
    /// A replica that was told the digest of the coordinator's record says that its own is the
    /// same, whatever it holds.
    DigestAlwaysSame = "digest-always-same",

    /// A fallback that is not trusted is none: it is neither counted nor called in, not even as the
    /// last resort.
    FallbacksEndEarly = "fallbacks-end-early",
    /// A machine that stands in for two primaries counts twice.
    FallbackCountsTwice = "fallback-counts-twice",
    /// A fallback that coordinates a write keeps it as its own copy, and not as a hint.
    FallbackKeepsAsOwn = "fallback-keeps-as-own",
    /// A fallback merges what it is to keep for a primary into its own copy.
    HintKeptAsOwn = "hint-kept-as-own",
    /// A fallback answers a read with its own copy, without what it keeps for others.
    StandInForgetsHints = "stand-in-forgets-hints",
    /// A peer that was silent once is not tried again before it speaks by itself.
    AvoidedForEver = "avoided-for-ever",
    /// The digest of a record names who wrote it, and not what.
    DigestNamesActors = "digest-names-actors",

    /// A hint is acknowledged before it is synced.
    HintAcksApplied = "hint-acks-applied",
    /// A hint is acknowledged and not stored where there are too many already.
    FullHintsAcked = "full-hints-acked",
    /// A node that starts does not hand over the hints of its former lives.
    HintCountsIgnored = "hint-counts-ignored",
    /// A hint that was kept though its storage failed is not counted, nor known to be in doubt.
    HintForgottenInDoubt = "hint-forgotten-in-doubt",
    /// A hint that is made for a connected target waits until that one connects anew.
    HandoffWaitsForUp = "handoff-waits-for-up",
    /// A hint is removed as soon as it is sent.
    HintRemovedWhenSent = "hint-removed-when-sent",
    /// A hint is removed although its target says that it could not keep it.
    HintRemovedUndurable = "hint-removed-undurable",
    /// A hint is removed although it was merged with a newer record since it was sent.
    HintRemovedThoughChanged = "hint-removed-though-changed",
    /// A hint is handed to the first primary of its key, whomever it is for.
    HintHandedToFirst = "hint-handed-to-first",
    /// A hint whose target stays away is given to those of the other primaries that can be
    /// reached, and then removed.
    ExpiredHintForgetsAbsent = "expired-hint-forgets-absent",
    /// A hint whose target stays away is removed as soon as one of the other primaries holds it.
    HintDroppedAtFirstAck = "hint-dropped-at-first-ack",

    /// The trees of a coordinator are not told of a write that leaves nothing but tombstones.
    TreeForgetsDeletes = "tree-forgets-deletes",
    /// While the trees are counted, all changes are added, also those that are yet to be counted.
    RebuildIgnoresCursor = "rebuild-ignores-cursor",
    /// The last leaf below each branch is never compared.
    LastBucketSkipped = "last-bucket-skipped",
    /// A comparison moves no record of which nothing but tombstones stands.
    TombstoneSkippedByExchange = "tombstone-skipped-by-exchange",
    /// What differs at the first look is repaired at once: writes on their way, too.
    RepairsWritesInFlight = "repairs-writes-in-flight",

    /// What was read before a collection began is merged after it.
    StaleIsMerged = "stale-is-merged",
    /// A member that is told to begin a new epoch goes on with the old one.
    EpochNeverBegins = "epoch-never-begins",
    /// A record is collected although a member of its preference list holds something else.
    CollectsWithoutAll = "collects-without-all",
    /// A record is collected although a value stands beside its tombstone.
    CollectsBesideValue = "collects-beside-value",
    /// A record is collected as soon as it is dead.
    CollectsYoung = "collects-young",
    /// A record is collected although a member that may hold a hint for it is not there.
    CollectsWithoutTheAbsent = "collects-without-the-absent",
    /// Hints are not looked for before a record is collected.
    CollectsBesideHints = "collects-beside-hints",
    /// A record is collected after the first look.
    CollectsAtFirstLook = "collects-at-first-look",

    /// A node does not tell its durable mark.
    MarkNotTold = "mark-not-told",
    /// A node does not listen to what others remember of it.
    RememberedIsIgnored = "remembered-is-ignored",
    /// What a node remembers of others ends with its life.
    MarksNotSaved = "marks-not-saved",
    /// A node vouches for what it found before anybody said what he remembers.
    VouchesUnasked = "vouches-unasked",
    /// A node that has lost something votes before it is refilled.
    VouchesWhileRefilling = "vouches-while-refilling",
    /// A slot counts as refilled after it was compared with one other primary.
    OneComparisonRefills = "one-comparison-refills",
    /// That something was lost is not saved: the next life knows nothing of it.
    LossNotSaved = "loss-not-saved",
    /// What is left of a loss is merged, however old it is.
    OldCopyIsMerged = "old-copy-is-merged",
    /// The actors of former lives are continued although others may remember later writes of them.
    ContinuesUnconfirmed = "continues-unconfirmed",
    /// A copy that cannot be read is removed, and nothing in its place is an answer.
    RottenIsForgotten = "rotten-is-forgotten",

    /// A replica gives a client its own copy of a slot that it does not vouch for.
    CopyUnvouched = "copy-unvouched",
    /// A client that coordinates a read takes one copy for a quorum.
    OneCopyIsEnough = "one-copy-is-enough",
    /// A client that coordinates a read does not ask whether the copies are the same.
    CopiesMayDiffer = "copies-may-differ",
    /// Where a client that coordinates a read has asked one primary more than R, it is content with
    /// one copy less than R.
    HedgeLowersQuorum = "hedge-lowers-quorum",

    /// A higher heartbeat does not end the doubts about a member.
    DoubtStands = "doubt-stands",
    /// One witness is enough to find that a member is down, whatever the size of the cluster.
    OneWitness = "one-witness",
    /// A witness that is told of twice counts as two.
    WitnessCountsTwice = "witness-counts-twice",
    /// An older heartbeat takes the place of a newer one.
    OlderHeartbeatTaken = "older-heartbeat-taken",
    /// A heartbeat that is known already counts as a sign of life each time that it is told.
    SameHeartbeatIsLife = "same-heartbeat-is-life",
    /// A node raises the heartbeats of all members and not only its own.
    RaisesOthers = "raises-others",
    /// A node that stood still suspects everybody of whom it did not hear meanwhile.
    PausedAccusesAll = "paused-accuses-all",
    /// A node that starts again does not go on above the heartbeat of its former life.
    RestartStaysLow = "restart-stays-low",

    /// The first layout is made as soon as all members but one have met.
    FoundsWithFewer = "founds-with-fewer",
    /// The first layout is in force before it is saved.
    LayoutToldUnsaved = "layout-told-unsaved",
    /// The first layout is in force although it could not be saved.
    FailedSaveHolds = "failed-save-holds",
    /// A layout that comes from another node is not saved.
    LayoutNotSaved = "layout-not-saved",

    /// A node says that all its writes reach a new layout while one that does not is under way.
    AcksAtOnce = "acks-at-once",
    /// A node that is new to a slot counts what it took before all members wrote to it.
    FillsBeforeAcks = "fills-before-acks",
    /// A node that is new to a slot says that it has synced before it is filled.
    SyncsUnfilled = "syncs-unfilled",
    /// A node that is new to a slot holds itself for filled after the first of those it has it from.
    OneSourceFills = "one-source-fills",
    /// Reads go by a layout to which not all members have synced.
    ReadsUnsynced = "reads-unsynced",
    /// A layout is dropped as soon as this node itself reads from a newer one.
    DropsEarly = "drops-early",
    /// While a layout changes, a write reaches a quorum of the newer one only.
    WritesToNewestOnly = "writes-to-newest-only",
    /// While a layout changes, a write reaches a quorum of the older one only.
    WritesToOldestOnly = "writes-to-oldest-only",
    /// While a layout changes, a sloppy write is refused where too few primaries of one layout and
    /// fallbacks can be reached, though those of the other could stand in.
    RefusesByOneLayout = "refuses-by-one-layout",
    /// A former owner removes a slot as soon as one of the primaries holds what it held.
    RemovesAfterOne = "removes-after-one",
    /// A node answers for a slot that moved away.
    FormerOwnerAnswers = "former-owner-answers",
    /// A node takes records of slots that moved away.
    FormerOwnerTakes = "former-owner-takes",
    /// A node tells how far it is with a layout before that is saved.
    MarksToldUnsaved = "marks-told-unsaved",
    /// A node that starts again does not know how far it was with a change.
    MarksForgottenAtStart = "marks-forgotten-at-start",
    /// Of two layouts with one version each node keeps the one that it heard of first.
    RivalsBothStand = "rivals-both-stand",
    /// A slot that moved away is removed before it was compared with anybody.
    RemovesUncompared = "removes-uncompared",
    /// A replica takes writes from a coordinator that has forgotten a layout it wrote to before.
    ForgottenLayoutIsAdmitted = "forgotten-layout-is-admitted",

    /// A seed where nobody answered is not dialled again.
    SeedDialledOnce = "seed-dialled-once",
    /// A seed that answered is not looked after.
    SeedLeftAlone = "seed-left-alone",
    /// A node never dials a member with a lower id.
    LowerIdDialsAlone = "lower-id-dials-alone",
    /// A hint is made although there is no room for its bytes.
    HintsUnlimited = "hints-unlimited",

    /// The first refusal of a primary that was handed a request goes to the client, although another
    /// primary, or this node as a fallback, could carry it out.
    PassOnGivesUpAtOnce = "pass-on-gives-up-at-once",
    /// A refusal by the second primary is handed on although the first, which was lost, may have
    /// carried out the write.
    PassOnForgetsFirst = "pass-on-forgets-first",
    /// A write that was handed to a primary and not answered in time is called refused.
    PassOnSilenceRefused = "pass-on-silence-refused",

    /// The client calls a write refused that it sent and that was not answered.
    ClientCallsUnknownRefused = "client-calls-unknown-refused",
    /// The client forgets that a node which kept silent for long may carry out a write.
    ClientForgetsSilent = "client-forgets-silent",
    /// The client forgets that a node whose connection was lost may carry out a write.
    ClientForgetsLost = "client-forgets-lost",
    /// The client gives each retry of a write a request id of its own.
    ClientRenamesRetries = "client-renames-retries",
}
