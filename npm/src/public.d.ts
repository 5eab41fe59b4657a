/// <reference lib="esnext.disposable" />
// The public face of the package, written by hand. The build copies it to `dist/index.d.ts` and
// `dist/index.d.cts`; `index.ts` proves that the code keeps to it.
//
// Above 500 lines: one file without imports serves both conditions, and reads as a reference.

/** A key: text stands for its UTF-8 bytes. At least 1 byte and, unless configured, at most 1 KiB. */
export type Key = string | Uint8Array;

/** A value: text is stored as its UTF-8 bytes. At most 1 MiB, unless configured. */
export type Value = string | ArrayBuffer | SharedArrayBuffer | ArrayBufferView;

/** Bytes with a buffer of their own, to keep or to change. */
export type Bytes = ReturnType<Uint8ArrayConstructor["of"]>;

/**
 * What a reader has seen of a key: opaque, safe in JSON, URLs and headers.
 *
 * Pass it to the next {@link Client.put} or {@link Client.delete} of the same key, and that write
 * replaces what was read. Without it a put stands beside what is there.
 */
export type Context = string;

/** From the address that a node calls its own to the one under which this client reaches it. */
export type AddressMap = Readonly<Record<string, string>> | ((address: string) => string);

/** Takes lines of text; `console` is one. */
export interface Logger {
  /** What may help to understand. */
  debug(line: string): void;
  /** What happened. */
  info(line: string): void;
  /** What should not be. */
  warn(line: string): void;
}

/** What is used of an OpenTelemetry span. */
export interface TelemetrySpan {
  /** Says more of the request. */
  setAttribute(name: string, value: string | number): unknown;
  /** Says that it failed. */
  setStatus(status: { code: number; message?: string }): unknown;
  /** The request has ended. */
  end(): void;
}

/**
 * Who is told of operations, as OpenTelemetry has it. A span for each request, named `get`, `put`,
 * `delete` or `ping`, and the histogram `db.client.operation.duration`, in seconds; both with
 * `db.system.name`, `db.operation.name`, `server.address`, `server.port`, `error.type` and, where the
 * option `cluster` is given, `db.namespace`. An update is a `get` and a `put`.
 */
export interface Telemetry {
  /** Makes spans. */
  readonly tracer?:
    | {
        startSpan(
          name: string,
          options: { kind: number; attributes: Record<string, string | number> },
        ): TelemetrySpan;
      }
    | undefined;
  /** Makes histograms. */
  readonly meter?:
    | {
        createHistogram(
          name: string,
          options: { description: string; unit: string; advice: { explicitBucketBoundaries: number[] } },
        ): { record(value: number, attributes: Record<string, string | number>): void };
      }
    | undefined;
}

/** What {@link connect} takes. Only `seeds` is needed. */
export interface ConnectOptions {
  /** WebSocket URLs of some nodes, tried in order; the others are learned from them. */
  seeds: readonly string[];
  /** Time for a whole operation, connecting included, in milliseconds. 5,000 unless given. */
  timeout?: number | undefined;
  /** Replicas that must answer a read; the cluster's default unless given. */
  r?: number | undefined;
  /** Replicas that must store a write durably; the cluster's default unless given. */
  w?: number | undefined;
  /**
   * Whether only the key's own replicas count. `true`: an operation is refused where too few of
   * them answer; `false`: fallbacks stand in for them. The cluster's default unless given.
   */
  strict?: boolean | undefined;
  /**
   * The zone that this client is in, such as a data centre, as the nodes name theirs: replicas there
   * are asked first, and the others where none of them answers.
   */
  zone?: string | undefined;
  /**
   * Whether `r` and `w` are counted in `zone` alone, which must be given; `false` unless given. Such
   * an operation waits for no other zone.
   *
   * A read then sees every write that was acknowledged before it by an operation that was counted in
   * the same zone, if it is `strict` or the replicas there are up. Other zones follow in the
   * background: what is read there may be older for a while. Where a key has fewer replicas in the
   * zone than `r` or `w`, all of those are needed; where it has none, all zones are counted, and
   * {@link Receipt.zone} says so. Where too few nodes of the zone are up the operation fails with
   * `QUORUM_UNAVAILABLE`, however many there are in others: do it again with `local: false`.
   */
  local?: boolean | undefined;
  /**
   * Which nodes operations are sent to. `"direct"`, as it is unless given: a replica of the key, over
   * as many connections as that takes. `"gateway"`: one node for all, over one connection; it passes
   * on what it does not coordinate, which is one hop more for most operations. It is the first seed
   * that answers, and the next one where that is lost or falls silent. For clients that reach the
   * cluster through a proxy only: no address is dialled but the seeds.
   */
  routing?: "direct" | "gateway" | undefined;
  /**
   * Who runs the quorum of a read. `"node"`, as it is unless given: a replica of the key, which also
   * repairs others that it finds stale. `"client"`: this client asks `r` replicas itself, one hop
   * less, and one more where one takes longer than it usually does; where they do not hold the same,
   * or are not within reach, a node runs it after all. With `routing: "gateway"` a node does, whatever
   * is said here.
   */
  coordinate?: "node" | "client" | undefined;
  /**
   * Connections that are kept, 64 unless given. They are made when they are needed; where one more
   * is, the one that was idle for longest goes.
   */
  connectionsMax?: number | undefined;
  /**
   * Where nodes are dialled that call themselves otherwise, behind port forwarding or a translation of
   * addresses. Seeds go through it, too; what it does not name stays as it is. Events and
   * {@link ClientStatus} name the nodes' own addresses.
   */
  addressMap?: AddressMap | undefined;
  /** Is told of connections, of nodes that go down or come up, and of layouts; nobody unless given. */
  logger?: Logger | undefined;
  /**
   * What becomes of operations while no node is connected. `"queue"`, as it is unless given: they wait
   * for one, until their `timeout`. `"fail"`: they reject with `UNREACHABLE` as soon as the last
   * connection is lost and no other is being made, those too that were under way.
   */
  offline?: "queue" | "fail" | undefined;
  /**
   * Operations that may wait while no node is connected, 1,000 unless given: one more rejects with
   * `QUEUE_FULL`. Those that were under way when the last connection was lost count among them, and
   * are not refused.
   */
  maxQueue?: number | undefined;
  /**
   * When an address is dialled again whose connection was lost, or could not be made. A number: the
   * longest pause in milliseconds; pauses are random and grow up to it, which is 1,000 unless given.
   * `false`: never. A function: gets how often the address has failed since it was connected last,
   * and returns the milliseconds to wait, or `false` to give it up. Where no seed is left,
   * operations reject with `UNREACHABLE` at once.
   */
  reconnect?: false | number | ((attempt: number) => number | false) | undefined;
  /**
   * With `coordinate: "client"`: when one more replica is asked where one has not answered. `true`, as
   * it is unless given: after the time within which it answers 19 of 20 times. A number: after so
   * many milliseconds. `false`: not at all. At most one question in ten is such a one.
   */
  hedge?: boolean | number | undefined;
  /**
   * Is told of each operation: `tracer` and `meter` of `@opentelemetry/api`, or what looks like them.
   * On Node.js, those who listen to the tracing channel `quorate:operation` of
   * `node:diagnostics_channel` are told without this option, too.
   */
  telemetry?: Telemetry | undefined;
  /** The WebSocket class to use: otherwise the global one, otherwise that of the package `ws`. */
  WebSocket?: WebSocketClass | undefined;
  /** Gives up connecting. Once connected it has no effect: use {@link Client.close}. */
  signal?: AbortSignal | undefined;
  /** The id of the cluster, 16 hexadecimal digits: any other cluster is refused. */
  cluster?: string | undefined;
  /** The secret shared with the cluster. */
  credentials?: string | Uint8Array | undefined;
}

/** What every operation takes. */
export interface CallOptions {
  /** Time for the whole operation in milliseconds; that of {@link ConnectOptions} unless given. */
  timeout?: number | undefined;
  /** Gives up: the promise rejects with `signal.reason`. A write may have happened all the same. */
  signal?: AbortSignal | undefined;
  /** Replicas that must answer a read. */
  r?: number | undefined;
  /** Replicas that must store a write durably. */
  w?: number | undefined;
  /** Whether only the key's own replicas count; that of {@link ConnectOptions} unless given. */
  strict?: boolean | undefined;
  /**
   * Whether `r` and `w` are counted in the client's zone alone; that of {@link ConnectOptions} unless
   * given. `BAD_ZONE` where the client has no zone. A read with a `context` is answered by whichever
   * replica holds what that covers, in any zone.
   */
  local?: boolean | undefined;
  /** Whether the result is to tell who did what. */
  receipt?: boolean | undefined;
}

/** What a read takes. */
export interface ReadOptions extends CallOptions {
  /**
   * From an earlier entry or write of this key. The read is answered as soon as one replica holds
   * all of that, so it shows at least your own writes, also with `r: 1`; `STALE` where none does.
   * For a context of what was deleted longer ago than the cluster's grace time (24 hours unless
   * configured), none ever does.
   */
  context?: Context | undefined;
}

/** What a write takes. */
export interface WriteOptions extends CallOptions {
  /** From the entry that this write replaces, or from the writer's own last write. */
  context?: Context | undefined;
}

/** What a put takes. */
export interface PutOptions extends WriteOptions {
  /**
   * Milliseconds after which the value reads as deleted, more than 0 and at most 100 years of 365
   * days; it never does unless given. They run from the moment at which a node takes the write, by
   * the clock of that node; whoever answers a read goes by its own clock.
   */
  ttl?: number | undefined;
}

/** What an update takes. */
export interface UpdateOptions extends CallOptions {
  /** Of the value that is written: as in {@link PutOptions}. */
  ttl?: number | undefined;
}

/** One of the concurrent values of a key. */
export interface Sibling {
  /** The bytes. */
  readonly value: Bytes;
  /** When it was written, by the clock of the node that took it. */
  readonly written: Date;
  /** When it begins to read as deleted; `undefined`: never. */
  readonly expires: Date | undefined;
  /** The bytes as UTF-8 text. */
  text(): string;
  /** The text as JSON. */
  json<T = unknown>(): T;
}

/**
 * What a key holds. `value`, `written`, `expires`, `text` and `json` are those of the newest
 * sibling.
 */
export interface Entry extends Sibling {
  /** All values that nobody has replaced yet, newest first. More than one: they are in conflict. */
  readonly siblings: readonly Sibling[];
  /** For the write that replaces all of them. */
  readonly context: Context;
  /**
   * Beside the values stands a delete, made by someone who had not seen them, or another value,
   * whose time is over.
   */
  readonly deleted: boolean;
  /** Who did what, if `receipt` was asked for. */
  readonly receipt?: Receipt;
}

/** An acknowledged write. */
export interface Written {
  /** For the next write of the same writer: it replaces this one and what this one replaced. */
  readonly context: Context;
  /** Values and deletes that stand now. More than one: someone else wrote, read and merge. */
  readonly siblings: number;
  /** Who did what, if `receipt` was asked for. */
  readonly receipt?: Receipt;
}

/** Who did what for one operation. Nodes are named by their ids. */
export interface Receipt {
  /** The node that ran the operation. */
  readonly coordinator: string;
  /** Whether the client sent the operation straight to one of the key's own replicas. */
  readonly direct: boolean;
  /** How often the client sent it. */
  readonly attempts: number;
  /** R or W; of a `local` operation, at most the replicas of its zone. */
  readonly needed: number;
  /** The zone in which `needed` was counted; `undefined`: in all. Others answered beside it. */
  readonly zone: string | undefined;
  /** Replicas that answered, or stored it durably, before the operation ended. */
  readonly primaries: readonly string[];
  /** Fallbacks that answered, or stored it durably, and the replica that each stood in for. */
  readonly fallbacks: readonly { readonly node: string; readonly primary: string }[];
  /** Replicas that were found stale and repaired. */
  readonly repaired: readonly string[];
  /** The layout that named the replicas. */
  readonly layoutVersion: number;
}

/** A node of the ring. */
export interface RingNode {
  /** Its identity: 16 hexadecimal digits. */
  readonly id: string;
  /** Its name for people. */
  readonly label: string;
  /** Its WebSocket URL. */
  readonly address: string;
  /** Its failure domain. */
  readonly zone: string;
  /** Its capacity: its share of the slots. */
  readonly weight: number;
}

/** Where a key lives. */
export interface Location {
  /** MD5 of the key, 32 hexadecimal digits: its place on the ring. */
  readonly position: string;
  /** The slot that the position falls into. */
  readonly slot: number;
  /** The key's own replicas, the one to be asked first in front. */
  readonly primaries: readonly RingNode[];
  /** All nodes in the order in which they are asked: the primaries, then the fallbacks. */
  readonly nodes: readonly RingNode[];
}

/** The ring as the client knows it. */
export interface Ring {
  /** Counts the changes of the layout. */
  readonly version: number;
  /** N: replicas of each key. */
  readonly replication: number;
  /** The nodes. */
  readonly nodes: readonly RingNode[];
  /** For each slot the index of its owner in `nodes`. */
  readonly owners: readonly number[];
}

/** What a client did since it was made. */
export interface Stats {
  /** Operations begun. */
  readonly calls: number;
  /** Operations that succeeded. */
  readonly done: number;
  /** Operations that failed. */
  readonly failed: number;
  /** Answers of a replica of the key that was asked straight away. */
  readonly direct: number;
  /** Answers that came through another node. */
  readonly passedOn: number;
  /** `direct` among all answers, 0 to 1. */
  readonly directShare: number;
  /** Operations sent once more. */
  readonly retries: number;
  /** With `coordinate: "client"`: replicas asked beyond a read's `r`, since one was late. */
  readonly hedges: number;
  /** Operations under way. */
  readonly inFlight: number;
  /** Ids of the nodes that the client is connected to. */
  readonly connected: readonly string[];
  /** The nodes that have answered. */
  readonly nodes: readonly NodeStats[];
}

/** How a node answers this client: of the last thousands of answers, the older the less. */
export interface NodeStats {
  /** Its id. */
  readonly id: string;
  /** Answers in all. */
  readonly answers: number;
  /** Half of them took no longer, in milliseconds; exact to about 6 %. */
  readonly p50: number;
  /** 99 of 100 took no longer, in milliseconds; exact to about 6 %. */
  readonly p99: number;
}

/**
 * What a client sees of a node. `"idle"`: it is not connected, since it was not needed.
 * `"down"`: operations go around it as far as they can.
 */
export type NodeState = "idle" | "connecting" | "connected" | "down";

/**
 * Why a node is down for a client. `"silent"`: it is connected and does not answer.
 * `"unreachable"`: its connection was lost, or cannot be made. `"reported"`: another node says so.
 */
export type DownReason = "silent" | "unreachable" | "reported";

/** A node as a client sees it. */
export interface NodeStatus {
  /** Its id. */
  readonly id: string;
  /** Its name for people; empty where the layout does not know it. */
  readonly label: string;
  /** Its WebSocket URL; empty where the layout does not know it. */
  readonly address: string;
  /** How it stands. */
  readonly state: NodeState;
  /** Why it is down, if it is. */
  readonly reason?: DownReason;
}

/** The cluster as a client sees it at one moment. */
export interface ClientStatus {
  /** Counts the changes of the layout; 0 as long as the cluster has none. */
  readonly layoutVersion: number;
  /** All nodes that the client knows. */
  readonly nodes: readonly NodeStatus[];
  /** The client failed inside, and is no more: connect anew. */
  readonly failure?: QuorateError;
}

/** What {@link Client.ping} takes. */
export interface PingOptions {
  /** Time to wait in milliseconds; that of {@link ConnectOptions} unless given. */
  timeout?: number | undefined;
  /** Gives up: the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** What {@link Client.close} takes. */
export interface CloseOptions {
  /**
   * Waits for the calls under way: `true`: as long as the client's `timeout`, a number: for so many
   * milliseconds. What is left then ends with `CLOSED`.
   */
  drain?: boolean | number | undefined;
}

/** How values of a type become bytes, and bytes values. `decode` throws where it cannot read. */
export interface Codec<V> {
  encode(value: V): Value;
  decode(bytes: Bytes): V;
}

/** Makes one value of several siblings, newest first. It must lose nothing that is to be kept. */
export type Resolver<V> = (siblings: readonly V[]) => V;

/** What {@link Client.bucket} takes. */
export interface BucketOptions<V> {
  /** `"json"` unless given. */
  codec?: "json" | "utf8" | "bytes" | Codec<V> | undefined;
  /** {@link lastWrite} unless given. */
  resolve?: Resolver<V> | undefined;
}

/** What a key of a bucket holds. */
export interface BucketEntry<V> {
  /** The value: that of all siblings, resolved. */
  readonly value: V;
  /** All values that nobody has replaced yet, newest first. */
  readonly siblings: readonly V[];
  /** For the write that replaces all of them. */
  readonly context: Context;
  /** When the newest was written, by the clock of the node that took it. */
  readonly written: Date;
  /** When the newest begins to read as deleted; `undefined`: never. */
  readonly expires: Date | undefined;
  /** As of {@link Entry.deleted}. */
  readonly deleted: boolean;
  /** Who did what, if `receipt` was asked for. */
  readonly receipt?: Receipt;
}

/** What an update of a bucket wrote. */
export interface BucketWritten<V> extends Written {
  /** The value. */
  readonly value: V;
}

/** Keys with a name in front, and values of one type. */
export interface Bucket<V> {
  /** The name. */
  readonly name: string;

  /** The whole key, as {@link Client.get} takes it. */
  key(key: Key): Key;

  /** Reads a key. Rejects with `BAD_VALUE` where the codec cannot read what it holds. */
  get(key: Key, options?: ReadOptions): Promise<BucketEntry<V> | undefined>;

  /** Reads many keys: as {@link Client.getMany}. */
  getMany(
    keys: Iterable<Key>,
    options?: ReadOptions,
  ): AsyncGenerator<[Key, BucketEntry<V> | undefined], undefined>;

  /** Writes a value: as {@link Client.put}. */
  put(key: Key, value: V, options?: PutOptions): Promise<Written>;

  /** Deletes a key: as {@link Client.delete}. */
  delete(key: Key, options?: WriteOptions): Promise<Written>;

  /**
   * Reads, changes and writes a key: as {@link Client.update}. `change` gets the resolved value,
   * `undefined` where there is none, and all siblings. Resolves to what was written.
   */
  update(
    key: Key,
    change: (value: V | undefined, siblings: readonly V[]) => V | Promise<V>,
    options?: UpdateOptions,
  ): Promise<BucketWritten<V>>;

  /** Where a key lives: as {@link Client.locate}. */
  locate(key: Key): Location;
}

/** The present status. A `for await` loop over it gets that of the moment, then every change. */
export interface LiveStatus extends ClientStatus, AsyncIterable<ClientStatus> {}

/** What {@link Client.on} tells. Nodes are named by their ids. */
export interface ClientEvents {
  /** A node was connected. */
  connected: { readonly node: string; readonly address: string };
  /** A connection has ended or could not be made; without `node` where none had answered. */
  disconnected: { readonly node: string | undefined; readonly address: string };
  /** Operations go around a node from here on. */
  nodedown: { readonly node: string; readonly reason: DownReason };
  /** A node that was down answers, or others have reached it. */
  nodeup: { readonly node: string };
  /** The client has a newer layout. */
  layout: { readonly version: number };
  /** The client failed inside, a bug of ours: all operations end with `error`. Connect anew. */
  failed: { readonly error: QuorateError };
}

/** What reads and writes keys. */
export interface Operations {
  /** Reads a key: `undefined` where it is absent, deleted or expired. */
  get(key: Key, options?: ReadOptions): Promise<Entry | undefined>;

  /**
   * Reads many keys: all are asked for together, each of its own replicas, and told as the answers
   * come, in any order. Takes the next keys of an endless list when there is room. Ends with the first
   * failure; to break out of the loop takes back what is left.
   */
  getMany(
    keys: Iterable<Key>,
    options?: ReadOptions,
  ): AsyncGenerator<[Key, Entry | undefined], undefined>;

  /**
   * Writes a key.
   *
   * With the `context` of an entry it replaces what that entry showed. Without one it replaces
   * nothing, and concurrent values stay as siblings until someone who read them writes.
   */
  put(key: Key, value: Value, options?: PutOptions): Promise<Written>;

  /**
   * Deletes a key: what `context` covers, or without one what a quorum holds right now. A value
   * written concurrently survives.
   */
  delete(key: Key, options?: WriteOptions): Promise<Written>;

  /**
   * Reads, changes and writes a key, again if somebody else wrote at the same time.
   *
   * `change` gets what the key holds, `undefined` where it is absent or deleted, and returns the
   * new value; it may run several times, so it should merge `siblings` and have no side effects.
   * Rejects with `CONFLICT` where siblings are left after a number of rounds.
   */
  update(
    key: Key,
    change: (entry: Entry | undefined) => Value | Promise<Value>,
    options?: UpdateOptions,
  ): Promise<Written>;

  /**
   * Keys with `name` and a slash in front, whose values all have one type. The codec is `"json"`
   * unless given.
   *
   * Where siblings stand under a key, `resolve` makes one value of them: give one that loses nothing,
   * such as {@link union}. Without it the newest counts, as with {@link lastWrite}.
   */
  bucket(
    name: string,
    options: { codec: "utf8"; resolve?: Resolver<string> | undefined },
  ): Bucket<string>;
  bucket(
    name: string,
    options: { codec: "bytes"; resolve?: Resolver<Bytes> | undefined },
  ): Bucket<Bytes>;
  bucket<V = unknown>(
    name: string,
    options?: { codec?: "json" | Codec<V> | undefined; resolve?: Resolver<V> | undefined },
  ): Bucket<V>;

  /** Where a key lives: computed here, nothing is sent. */
  locate(key: Key): Location;
}

/**
 * Operations that pass on what they were shown of each key, so that nobody needs to carry contexts.
 *
 * A read shows at least what the session has written to the key and what it was shown before, also
 * with `r: 1`; `STALE` where no replica within reach holds that. A write replaces what the session was
 * shown of the key; pass `context: ""` to replace nothing, or any other to replace what that covers:
 * from such a write on, that and the write are all that the session knows of the key.
 * Operations on one key that run at the same time do not know of each other.
 *
 * A session remembers the last 10,000 keys, each for an hour after it was used.
 */
export interface Session extends Operations {}

/** A client of one cluster. It keeps connections, so a process lives until {@link close}. */
export interface Client extends Operations, AsyncDisposable {
  /** A new session: your own writes are read, and time does not go backwards. */
  session(): Session;

  /**
   * How many milliseconds a node takes to answer, which is named by its id; it is connected where it
   * is not. Rejects with `UNREACHABLE` where it cannot be, and with `TIMEOUT`.
   */
  ping(node: string, options?: PingOptions): Promise<number>;

  /** The same of all nodes that are connected, by their ids: of those that answer, if any does. */
  ping(options?: PingOptions): Promise<ReadonlyMap<string, number>>;

  /**
   * How the nodes stand for this client: nothing is sent.
   *
   * `for await (const status of client.status())` yields the present status at once and then each
   * change, until the client is closed; changes that come while the loop is busy are taken
   * together.
   */
  status(): LiveStatus;

  /**
   * Calls `listener` for each event of a kind, soon after it happened. Returns the function that
   * stops it.
   */
  on<Name extends keyof ClientEvents>(
    event: Name,
    listener: (event: ClientEvents[Name]) => void,
  ): () => void;

  /** The ring as this client knows it, empty as long as the cluster has none: nothing is sent. */
  ring(): Ring;

  /**
   * `for await (const ring of client.watchRing())` yields the present ring at once and then each new
   * one, until the client is closed; those that come while the loop is busy are taken together.
   */
  watchRing(): AsyncIterableIterator<Ring, undefined>;

  /** What this client did so far. */
  stats(): Stats;

  /**
   * Ends what is under way with `CLOSED`, closes all connections and frees memory. Safe to call
   * twice. `await using client = await connect(..)` does it at the end of the block.
   *
   * With `drain` no call begins any more, and those under way are waited for before.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** Connects to a cluster: resolves when the first node has answered. */
export function connect(options: ConnectOptions): Promise<Client>;

/** The sibling that was written last, by the clocks of the nodes. What the others say is lost. */
export function lastWrite<V>(siblings: readonly V[]): V;

/** The greatest sibling. */
export function max<V extends number | bigint | string | Date>(siblings: readonly V[]): V;

/** All elements of all lists, each once: two are the same where their JSON is. */
export function union<T>(siblings: readonly (readonly T[])[]): T[];

/** All fields of all objects; of a field that several have, the newest. */
export function mergeObject<V extends object>(siblings: readonly V[]): V;

/** Why an operation failed. The package's README says what to do about each. */
export type ErrorCode =
  | "ABORTED"
  | "BAD_ARGUMENT"
  | "BAD_CONTEXT"
  | "BAD_QUORUM"
  | "BAD_TTL"
  | "BAD_VALUE"
  | "BAD_ZONE"
  | "CLOSED"
  | "CONFLICT"
  | "DAMAGED"
  | "INTERNAL"
  | "KEY_SIZE"
  | "NO_WEBSOCKET"
  | "NOT_A_PRIMARY"
  | "NOT_READY"
  | "OVERLOADED"
  | "QUEUE_FULL"
  | "QUORUM_UNAVAILABLE"
  | "RECORD_TOO_LARGE"
  | "REJECTED"
  | "STALE"
  | "STORAGE"
  | "STORAGE_FULL"
  | "TIMEOUT"
  | "TOO_MANY_SIBLINGS"
  | "UNREACHABLE"
  | "UNRECOGNIZED"
  | "VALUE_TOO_LARGE"
  | "WASM_BLOCKED"
  | "WEAK_QUORUM";

/** What {@link QuorateError} is made of. */
export interface ErrorDetails {
  /** Why. */
  code: ErrorCode;
  /** Whether the same operation may succeed later. */
  retryable?: boolean;
  /** Whether a write may have happened. */
  outcome?: "none" | "unknown";
  /** The node that said so. */
  node?: string | undefined;
  /** How often the operation was sent. */
  attempts?: number;
  /** Replicas that were needed. */
  needed?: number | undefined;
  /** Replicas that answered. */
  acked?: number | undefined;
  /** The limit that was exceeded. */
  limit?: number | undefined;
  /** What exceeded it. */
  actual?: number | undefined;
  /** When it is worth while to try again, in milliseconds. */
  retryAfter?: number | undefined;
  /** The error below this one. */
  cause?: unknown;
}

/** The one class of errors of this package. */
export class QuorateError extends Error {
  constructor(message: string, details: ErrorDetails);
  override readonly name: "QuorateError";
  /** Why. */
  readonly code: ErrorCode;
  /** Whether the same operation may succeed later. */
  readonly retryable: boolean;
  /** `"none"`: nothing happened and nothing will. `"unknown"`: a write may have happened. */
  readonly outcome: "none" | "unknown";
  /** The id of the node that said so, if it was one. */
  readonly node: string | undefined;
  /** How often the operation was sent. */
  readonly attempts: number;
  /** Replicas that were needed, if that was the reason. */
  readonly needed: number | undefined;
  /** Replicas that answered, if that was the reason. */
  readonly acked: number | undefined;
  /** The limit that was exceeded, if that was the reason. */
  readonly limit: number | undefined;
  /** The number that exceeded it. */
  readonly actual: number | undefined;
  /** When it is worth while to try again, in milliseconds, if an overloaded node said so. */
  readonly retryAfter: number | undefined;
}

/** What the client needs of a WebSocket; that of browsers, of Node.js and of `ws` will do. */
export interface WebSocketLike {
  readonly readyState: number;
  send(data: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** What the client needs of a WebSocket class. */
export type WebSocketClass = new (url: string, protocol: string) => WebSocketLike;
