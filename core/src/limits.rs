//! The named limits of DESIGN.md §15: whatever can grow has its bound here.

use core::time::Duration;

/// Bounds on what one machine accepts and keeps. Bytes unless a name says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest key.
    pub key_bytes_max: usize,
    /// Longest value.
    pub value_bytes_max: usize,
    /// Distinct siblings above which a put is refused (never a merge).
    pub siblings_max: usize,
    /// Bytes of all siblings together above which a put is refused (never a merge).
    pub record_bytes_max: usize,
    /// Actors in a record above which old ones without live siblings are dropped on a put.
    pub actors_kept: usize,
    /// Actors in a record that raise an alarm.
    pub actors_alarm: usize,
    /// Actors in the context of a put above which it is refused: no reader was shown that many.
    pub context_actors_max: usize,
    /// Longest token of the context of a put.
    pub context_bytes_max: usize,
    /// Age below which truncation keeps an actor: the hint window plus one repair round.
    pub actor_age_min: Duration,
    /// Requests that one node coordinates or passes on at one time.
    pub calls_max: usize,
    /// Requests of one connection that are under way at one time.
    pub calls_per_peer_max: usize,
    /// Operations that the storage has not answered: above it, nothing more is asked of it.
    pub store_ops_max: usize,
    /// Bytes of the requests that one node coordinates or passes on at one time.
    pub request_bytes_max: usize,
    /// Bytes of the hints that are held for one target.
    pub target_hint_bytes_max: u64,
    /// Bytes of all hints.
    pub hint_bytes_max: u64,
    /// A target that is away for longer is not waited for: its hints go to the other primaries.
    pub hint_window: Duration,
    /// Stale replicas that reads repair in a second, at most.
    pub repairs_per_second: u32,
    /// Members that are known at one time.
    pub members_max: usize,
    /// Finished writes whose answers are remembered for retries.
    pub answers_kept: usize,
}

/// Longest frame from a client: the longest value, the longest context, and 4 KiB for the rest.
pub const FRAME_BYTES_MAX: usize = 1024 * 1024 + CONTEXT_BYTES_MAX + 4096;

/// Longest token of a context: a writer who only chains its own writes beside another's makes it
/// grow by a byte a write, until it reads.
const CONTEXT_BYTES_MAX: usize = 32 * 1024;

/// Longest label, zone or address in bytes; a member with a longer one is refused.
pub const MEMBER_TEXT_BYTES_MAX: usize = 1024;

/// Longest time to live of a value: 100 years of 365 days. A moment of expiry is far from the end
/// of what a clock can say.
pub const TTL_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Longest name of the zone of a local request: as long as that of a member can be.
pub const ZONE_BYTES_MAX: usize = MEMBER_TEXT_BYTES_MAX;

/// Longest frame between nodes and from a node to a client: a record with many siblings is longer
/// than one value. [`Limits::record_bytes_max`] keeps what a put may leave well below it.
pub const LINK_FRAME_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Longest frame before the HELLO is accepted.
pub const HELLO_BYTES_MAX: usize = 4096;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            key_bytes_max: 1024,
            value_bytes_max: 1024 * 1024,
            siblings_max: 100,
            record_bytes_max: 8 * 1024 * 1024,
            actors_kept: 10,
            actors_alarm: 50,
            context_actors_max: 200,
            context_bytes_max: CONTEXT_BYTES_MAX,
            actor_age_min: Duration::from_secs(4 * 60 * 60),
            calls_max: 65_536,
            calls_per_peer_max: 1_024,
            store_ops_max: 262_144,
            request_bytes_max: 256 * 1024 * 1024,
            target_hint_bytes_max: 1024 * 1024 * 1024,
            hint_bytes_max: 4 * 1024 * 1024 * 1024,
            hint_window: Duration::from_secs(3 * 60 * 60),
            repairs_per_second: 10_000,
            members_max: 10_000,
            answers_kept: 16_384,
        }
    }
}

impl Limits {
    /// All limits with their names; durations in milliseconds.
    pub fn list(&self) -> [(&'static str, u64); 19] {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        [
            ("key_bytes_max", self.key_bytes_max as u64),
            ("value_bytes_max", self.value_bytes_max as u64),
            ("siblings_max", self.siblings_max as u64),
            ("record_bytes_max", self.record_bytes_max as u64),
            ("actors_kept", self.actors_kept as u64),
            ("actors_alarm", self.actors_alarm as u64),
            ("context_actors_max", self.context_actors_max as u64),
            ("context_bytes_max", self.context_bytes_max as u64),
            ("actor_age_min_ms", millis(self.actor_age_min)),
            ("calls_max", self.calls_max as u64),
            ("calls_per_peer_max", self.calls_per_peer_max as u64),
            ("store_ops_max", self.store_ops_max as u64),
            ("request_bytes_max", self.request_bytes_max as u64),
            ("target_hint_bytes_max", self.target_hint_bytes_max),
            ("hint_bytes_max", self.hint_bytes_max),
            ("hint_window_ms", millis(self.hint_window)),
            ("repairs_per_second", self.repairs_per_second.into()),
            ("members_max", self.members_max as u64),
            ("answers_kept", self.answers_kept as u64),
        ]
    }
}
