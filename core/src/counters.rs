//! Named counts since the start, for metrics and status.

/// What a node counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Gets that this node coordinated.
    pub gets: u64,
    /// Puts that this node coordinated.
    pub puts: u64,
    /// Deletes that this node coordinated.
    pub deletes: u64,
    /// Requests that it handed to a primary.
    pub passed_on: u64,
    /// Requests that ended well.
    pub done: u64,
    /// Requests that ended without effect.
    pub refused: u64,
    /// Writes that ended with an unknown outcome.
    pub unknown: u64,
    /// How often there was no room: for a request of a client or of another node, or for a repair.
    pub overloaded: u64,
    /// Writes answered from memory since they were retries.
    pub retries: u64,
    /// Reads for coordinators on other nodes.
    pub replica_reads: u64,
    /// Merges for coordinators on other nodes.
    pub replica_merges: u64,
    /// Stale replicas that were sent the merged record.
    pub repairs: u64,
    /// Extra questions of reads, since those who were asked took long.
    pub hedges: u64,
    /// Fallbacks that were sent a record as a hint.
    pub stand_ins: u64,
    /// Requests that this node coordinated as a fallback.
    pub coordinated_as_fallback: u64,
    /// Values that did not match their checksum.
    pub damaged: u64,
    /// Storage operations that failed.
    pub storage_failures: u64,
    /// Frames that their sender's role does not allow.
    pub misbehaved: u64,
    /// Hints that were stored, or have grown.
    pub hints_stored: u64,
    /// Hints that came home.
    pub handed_over: u64,
    /// Hints that went to the primaries of their key in the place of their target.
    pub hints_dropped: u64,
    /// Comparisons of slots with a peer that this node began and brought to their end.
    pub anti_entropy_rounds: u64,
    /// Comparisons that ended before: the peer was gone, or one of the two could not go on.
    pub anti_entropy_lost: u64,
    /// Own copies that were removed since their slot moved to other nodes.
    pub records_moved_away: u64,
    /// Slots that this node found equal to those of a peer.
    pub slots_equal: u64,
    /// Slots that this node found different from those of a peer, and made equal.
    pub slots_repaired: u64,
    /// Records that this node asked a peer for, since it lacked something of them.
    pub records_taken: u64,
    /// Records that this node sent to a peer that it asked, and that lacked something of them.
    pub records_given: u64,
    /// Records that peers asked this node for.
    pub records_handed_out: u64,
    /// About how many bytes were exchanged for comparisons, in both directions.
    pub anti_entropy_bytes: u64,
    /// Own copies of records that were dead and are removed for good.
    pub records_collected: u64,
    /// Collections that this node began and gave up.
    pub collections_given_up: u64,
    /// Records from other nodes that were not merged, since they were read before a collection
    /// began.
    pub stale_refused: u64,
    /// Records from other nodes that were not merged: this node is no primary of theirs, or their
    /// coordinator has forgotten a layout.
    pub misdirected: u64,
    /// How often all trees were begun to be counted from what is stored.
    pub trees_counted: u64,
    /// 1 where this life began with the trees that the former one had saved.
    pub trees_kept: u64,
    /// How often others remembered commits that are not here.
    pub data_losses: u64,
    /// Own copies that could not be read, and were removed to be taken from the others again.
    pub records_rotten: u64,
}

impl Counters {
    /// All counts with their names.
    pub fn list(&self) -> [(&'static str, u64); 38] {
        [
            ("gets", self.gets),
            ("puts", self.puts),
            ("deletes", self.deletes),
            ("passed_on", self.passed_on),
            ("done", self.done),
            ("refused", self.refused),
            ("unknown", self.unknown),
            ("overloaded", self.overloaded),
            ("retries", self.retries),
            ("replica_reads", self.replica_reads),
            ("replica_merges", self.replica_merges),
            ("repairs", self.repairs),
            ("hedges", self.hedges),
            ("stand_ins", self.stand_ins),
            ("coordinated_as_fallback", self.coordinated_as_fallback),
            ("damaged", self.damaged),
            ("storage_failures", self.storage_failures),
            ("misbehaved", self.misbehaved),
            ("hints_stored", self.hints_stored),
            ("handed_over", self.handed_over),
            ("hints_dropped", self.hints_dropped),
            ("anti_entropy_rounds", self.anti_entropy_rounds),
            ("anti_entropy_lost", self.anti_entropy_lost),
            ("records_moved_away", self.records_moved_away),
            ("slots_equal", self.slots_equal),
            ("slots_repaired", self.slots_repaired),
            ("records_taken", self.records_taken),
            ("records_given", self.records_given),
            ("records_handed_out", self.records_handed_out),
            ("anti_entropy_bytes", self.anti_entropy_bytes),
            ("records_collected", self.records_collected),
            ("collections_given_up", self.collections_given_up),
            ("stale_refused", self.stale_refused),
            ("misdirected", self.misdirected),
            ("trees_counted", self.trees_counted),
            ("trees_kept", self.trees_kept),
            ("data_losses", self.data_losses),
            ("records_rotten", self.records_rotten),
        ]
    }
}
