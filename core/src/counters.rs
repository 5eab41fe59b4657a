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
}

impl Counters {
    /// All counts with their names.
    pub fn list(&self) -> [(&'static str, u64); 21] {
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
        ]
    }
}
