//! What travels between clients and nodes, as checked values.
//!
//! Invariant: a message that left the [`codec`](crate::codec) is well formed (ids present, sizes
//! within limits, records and layouts canonical), so no machine checks it again. The meaning of
//! each field is told once, in `core/proto/quorate.proto`.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::causality::{Checksum, Record};
use crate::ids::{ClusterId, Incarnation, Key, NodeId, RequestId, Text};
use crate::layout::{Layout, LayoutVersion};
use crate::prng::Prng;
use crate::time::{Duration, UnixMs};

/// One frame.
#[derive(Clone, Debug, PartialEq, Hash)]
#[allow(missing_docs, reason = "each variant names the struct that carries the documentation")]
pub enum Message {
    Hello(Hello),
    Welcome(Welcome),
    Reject(Reject),
    Unsupported(Unsupported),
    Get(Get),
    Put(Put),
    Reply(Reply),
    ReplicaRead(ReplicaRead),
    ReplicaRecord(ReplicaRecord),
    ReplicaMerge(ReplicaMerge),
    ReplicaMerged(ReplicaMerged),
    StatusRequest(CallId),
    StatusReply(StatusReply),
}

/// Names a request among those of its sender; the answer carries it back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

impl CallId {
    /// Where the numbers of one life of a node begin: so far from those of its other lives that
    /// they never meet. Zero is left to frames that want no answer.
    pub(crate) fn first(prng: &mut Prng) -> CallId {
        CallId(sane_or!((prng.next_u64() >> 1) | 1, CallsFromOne => 0))
    }

    /// The one after it.
    pub(crate) fn next(self) -> CallId {
        CallId(self.0 + 1)
    }
}

/// The version of the protocol that this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// The first frame of whoever dialled.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Hello {
    /// Oldest protocol version that the sender speaks.
    pub version_min: u32,
    /// Newest protocol version that the sender speaks.
    pub version_max: u32,
    /// `None`: the client joins whatever cluster it meets.
    pub cluster: Option<ClusterId>,
    /// Who dials.
    pub role: Role,
    /// Newest layout that the sender holds; version 0 where it holds none.
    pub layout_version: LayoutVersion,
    /// Secret shared with the cluster; empty where it wants none.
    pub credentials: Bytes,
}

/// Who dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A client: it may send requests.
    Client,
    /// A node: it may also read and merge records.
    Node {
        /// The dialler's id.
        id: NodeId,
        /// The life of the dialler's data.
        incarnation: Incarnation,
    },
}

/// The answer to an accepted [`Hello`].
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Welcome {
    /// The protocol version that both ends use from here on.
    pub version: u32,
    /// The cluster.
    pub cluster: ClusterId,
    /// The answering node.
    pub node: NodeId,
    /// Its name for people.
    pub label: Text,
    /// The life of its data.
    pub incarnation: Incarnation,
    /// What holds for requests that do not say otherwise.
    pub defaults: Defaults,
    /// The layout, where the dialler's is older.
    pub layout: Option<Arc<LayoutUpdate>>,
}

/// What holds for a request that does not say otherwise, and what is accepted at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Defaults {
    /// Answers that end a read.
    pub r: u8,
    /// Durable acknowledgements that end a write.
    pub w: u8,
    /// Whether R + W <= N is accepted.
    pub allow_weak: bool,
    /// Longest key in bytes.
    pub key_bytes_max: u32,
    /// Longest value in bytes.
    pub value_bytes_max: u32,
    /// Requests of one connection that may be under way.
    pub calls_max: u32,
}

/// The answer to a refused [`Hello`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reject {
    /// Why.
    pub code: RejectCode,
    /// For people: what was wrong and what to do.
    pub text: String,
}

/// Why a [`Hello`] was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectCode {
    /// No common protocol version.
    Version,
    /// Another cluster.
    Cluster,
    /// Wrong or missing credentials.
    Credentials,
    /// A node id that is unknown, the receiver's own, or already living elsewhere.
    Identity,
    /// The limit of connections is reached.
    Full,
    /// The first frame was no HELLO.
    Malformed,
}

/// The answer to a frame that could not be decoded or is not known; the connection goes on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unsupported {
    /// For people: what was wrong.
    pub text: String,
}

/// A layout together with where its members listen.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct LayoutUpdate {
    /// Members, slots and owners.
    pub layout: Layout,
    /// The WebSocket URL of each member, in the order of `layout.members()`.
    pub addresses: Vec<Text>,
}

impl LayoutUpdate {
    /// Where `node` listens.
    pub fn address(&self, node: NodeId) -> Option<&Text> {
        let index = self.layout.members().binary_search_by_key(&node, |member| member.id).ok()?;
        self.addresses.get(index)
    }
}

/// R and W as a request asks for them; 0 stands for the cluster's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct QuorumChoice {
    /// Answers that end a read.
    pub r: u8,
    /// Durable acknowledgements that end a write.
    pub w: u8,
}

/// What every request carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestHead {
    /// Names the request among those of its sender.
    pub call: CallId,
    /// The key.
    pub key: Key,
    /// R and W.
    pub quorum: QuorumChoice,
    /// Time left for the whole operation, in whole milliseconds on the wire.
    pub budget: Duration,
    /// Newest layout that the sender holds.
    pub layout_version: LayoutVersion,
    /// Set by a node that is no primary of the key and hands the request to one.
    pub passed_on: bool,
    /// Whether the answer is to carry a [`Receipt`].
    pub receipt: bool,
}

/// Reads a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Get {
    /// Key, quorum, budget.
    pub head: RequestHead,
}

/// Writes or deletes a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Put {
    /// Key, quorum, budget.
    pub head: RequestHead,
    /// The opaque context of an earlier answer; empty for a blind put.
    pub context: Bytes,
    /// The same in all retries of one write.
    pub request: RequestId,
    /// What is written.
    pub change: Change,
}

/// What a [`Put`] does to its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// A value, with the checksum that the client computed.
    Value {
        /// The bytes.
        payload: Bytes,
        /// XXH64 of the bytes.
        checksum: Checksum,
    },
    /// A tombstone. Without a context it covers what a quorum read by the coordinator returns.
    Delete,
}

/// The answer to a [`Get`] or [`Put`].
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct Reply {
    /// The request's.
    pub call: CallId,
    /// Newest layout of the answering node.
    pub layout_version: LayoutVersion,
    /// That layout, where the request named an older one.
    pub layout: Option<Arc<LayoutUpdate>>,
    /// Who did what, where the request asked for it.
    pub receipt: Option<Receipt>,
    /// The node that passed the request on to a primary.
    pub passed_on_by: Option<NodeId>,
    /// How it ended.
    pub result: Result<Answer, Failure>,
}

/// How a request ended well.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each variant names the struct that carries the documentation")]
pub enum Answer {
    Entry(Entry),
    Written(Written),
}

/// All concurrent values of a key; none where the key is absent or deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Newest first.
    pub values: Vec<EntryValue>,
    /// Deletes that are concurrent with the values.
    pub tombstones: u32,
    /// Opaque; covers exactly what was returned.
    pub context: Bytes,
}

/// One of the concurrent values of an [`Entry`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EntryValue {
    /// The bytes.
    pub payload: Bytes,
    /// XXH64 of the bytes, as the writer computed it.
    pub checksum: Checksum,
    /// Wall clock of the coordinator that took it.
    pub written: UnixMs,
}

/// The acknowledgement of a write.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Written {
    /// The writer's own context and the new write, nothing else. Opaque.
    pub context: Bytes,
    /// Distinct values that stand after this write; more than one is a conflict.
    pub siblings: u32,
}

/// How a request ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    /// Why.
    pub code: FailureCode,
    /// Whether the write may have happened.
    pub outcome: Outcome,
    /// Answers or acknowledgements that were needed.
    pub needed: u32,
    /// Answers or acknowledgements that there were; before a start, replicas within reach.
    pub acked: u32,
    /// The limit that was exceeded, where there is one.
    pub limit: u64,
    /// The number that exceeded it.
    pub actual: u64,
}

impl Failure {
    /// A refusal: nothing happened.
    pub fn refused(code: FailureCode) -> Failure {
        Failure { code, outcome: Outcome::None, needed: 0, acked: 0, limit: 0, actual: 0 }
    }

    /// The same with the number that was too large (or too small) and its limit.
    pub fn limit(self, limit: u64, actual: u64) -> Failure {
        Failure { limit, actual, ..self }
    }

    /// The same with what a quorum needed and had.
    pub fn quorum(self, needed: u32, acked: u32) -> Failure {
        Failure { needed, acked, ..self }
    }

    /// The same, but the write may have happened.
    pub fn unknown(self) -> Failure {
        Failure { outcome: Outcome::Unknown, ..self }
    }
}

/// Whether a request that failed may have had an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It had none and will have none.
    None,
    /// A write may have happened or may yet happen.
    Unknown,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureCode {
    /// Fewer than R or W of the key's own replicas can answer.
    QuorumUnavailable,
    /// The budget is used up.
    Timeout,
    /// A table of the node is full.
    Overloaded,
    /// R + W <= N, and the configuration does not say `allow_weak`.
    WeakQuorum,
    /// R or W is larger than N.
    BadQuorum,
    /// A context that is damaged, belongs to another key, or is longer than any that was shown.
    BadContext,
    /// A key that is empty or too long.
    KeySize,
    /// A value that is too long.
    ValueTooLarge,
    /// More siblings than a put may leave: read, merge and write with the context.
    TooManySiblings,
    /// All siblings together are longer than a put may leave.
    RecordTooLarge,
    /// A value does not match its checksum.
    Damaged,
    /// The coordinator's own storage failed.
    Storage,
    /// A request that was passed on came to a node that is no primary either: layouts differ.
    NotAPrimary,
}

/// Who did what for one request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// The node that ran the request.
    pub coordinator: NodeId,
    /// Primaries that answered, or acknowledged durably, before the request ended.
    pub primaries: Vec<NodeId>,
    /// Replicas found stale when the request ended, and repaired.
    pub repaired: Vec<NodeId>,
    /// R or W.
    pub needed: u8,
    /// The layout that named the replicas.
    pub layout_version: LayoutVersion,
}

/// Asks a replica for its record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaRead {
    /// The coordinator's call.
    pub call: CallId,
    /// The key.
    pub key: Key,
}

/// The answer to a [`ReplicaRead`].
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct ReplicaRecord {
    /// The coordinator's call.
    pub call: CallId,
    /// `None`: the replica cannot say. An empty record: it holds nothing.
    pub record: Option<Record>,
}

/// Asks a replica to merge a record into its own.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct ReplicaMerge {
    /// The coordinator's call.
    pub call: CallId,
    /// The key.
    pub key: Key,
    /// The record.
    pub record: Record,
}

/// The answer to a [`ReplicaMerge`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReplicaMerged {
    /// The coordinator's call.
    pub call: CallId,
    /// True once the merge is synced; false where the replica could not store it.
    pub durable: bool,
}

/// What a node knows of itself and the others.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct StatusReply {
    /// The request's.
    pub call: CallId,
    /// The cluster.
    pub cluster: ClusterId,
    /// The answering node.
    pub node: NodeId,
    /// Its name for people.
    pub label: Text,
    /// The life of its data.
    pub incarnation: Incarnation,
    /// Its newest layout.
    pub layout_version: LayoutVersion,
    /// Time since it started.
    pub uptime: Duration,
    /// Name and version of its software.
    pub software: Text,
    /// Name of its storage engine.
    pub storage: Text,
    /// Records that it holds, as its engine estimates it.
    pub records: u64,
    /// Everyone in the layout.
    pub members: Vec<MemberStatus>,
    /// Named counts since the start.
    pub counters: Vec<(Text, u64)>,
    /// Named limits.
    pub limits: Vec<(Text, u64)>,
}

/// A member as one node sees it.
#[derive(Clone, Debug, PartialEq, Hash)]
pub struct MemberStatus {
    /// Its id.
    pub id: NodeId,
    /// Its name for people.
    pub label: Text,
    /// Its failure domain.
    pub zone: Text,
    /// Its capacity.
    pub weight: u32,
    /// Its WebSocket URL.
    pub address: Text,
    /// Whether the answering node is connected to it (or is it).
    pub up: bool,
    /// Slots that it owns.
    pub slots: u32,
    /// Slots of which it is a primary.
    pub replicas: u32,
}
