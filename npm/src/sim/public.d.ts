/// <reference lib="esnext.disposable" />
// The public face of `quorate/sim`, written by hand. The build copies it to `dist/sim.d.ts` and
// `dist/sim.d.cts`; `index.ts` proves that the code keeps to it.

/** What {@link simulate} takes; everything may be left out. */
export interface SimulationOptions {
  /** Nodes, 1 to 64; 5 unless given. */
  nodes?: number | undefined;
  /** Failure domains, given to the nodes in turn; 1 unless given. */
  zones?: number | undefined;
  /** Slots of the ring, a power of two; 64 unless given. */
  slots?: number | undefined;
  /** N, copies of each key; 3 unless given. */
  replication?: number | undefined;
  /** R, replicas that must answer a read; a majority unless given. */
  r?: number | undefined;
  /** W, replicas that must store a write; a majority unless given. */
  w?: number | undefined;
  /** Everything that is left to chance follows from it; 1 unless given. */
  seed?: number | undefined;
  /** Time for a whole operation in virtual milliseconds, at most 30,000; 5,000 unless given. */
  timeout?: number | undefined;
}

/** What a get found. */
export interface SimulatedEntry {
  /** Tells a value apart from a failure. */
  readonly kind: "entry";
  /** All concurrent values, newest first; none: the key is absent or deleted. */
  readonly values: readonly string[];
  /** Deletes that stand beside the values. */
  readonly tombstones: number;
  /** For the write that replaces what was read. */
  readonly context: Uint8Array;
  /** Whether a replica of the key was asked straight away. */
  readonly direct: boolean;
}

/** An acknowledged write. */
export interface SimulatedWrite {
  /** Tells a write apart from a failure. */
  readonly kind: "written";
  /** Values that stand now. */
  readonly siblings: number;
  /** For the next write of the same writer. */
  readonly context: Uint8Array;
  /** Whether a replica of the key was asked straight away. */
  readonly direct: boolean;
}

/** An operation that failed. */
export interface SimulatedFailure {
  /** Tells a failure apart from a result. */
  readonly kind: "failed";
  /** As the `code` of a `QuorateError`. */
  readonly code: string;
  /** What was wrong and what to do. */
  readonly message: string;
  /** Whether a write may have happened. */
  readonly unknown: boolean;
  /** Replicas that were needed. */
  readonly needed: number;
  /** Replicas that answered. */
  readonly acked: number;
}

/** A client in the simulated world. Each operation runs the world until it has ended. */
export interface SimulatedClient {
  /** Reads a key. */
  get(key: string): SimulatedEntry | SimulatedFailure;
  /** Writes a text; without a context it replaces nothing. */
  put(
    key: string,
    value: string,
    options?: { context?: Uint8Array | undefined },
  ): SimulatedWrite | SimulatedFailure;
  /** Deletes what the context covers, or without one what a quorum holds. */
  delete(
    key: string,
    options?: { context?: Uint8Array | undefined },
  ): SimulatedWrite | SimulatedFailure;
}

/** A node of the simulated world. */
export interface SimulatedNode {
  /** Its identity, 16 hexadecimal digits. */
  readonly id: string;
  /** Its name for people. */
  readonly label: string;
  /** Its failure domain. */
  readonly zone: string;
  /** Whether it runs. */
  readonly up: boolean;
  /** Keys that it holds. */
  readonly records: number;
  /** Counts since its start, by name; empty while it is down. */
  readonly counters: readonly (readonly [name: string, count: number])[];
}

/** The nodes and the ring. */
export interface SimulationView {
  /** Virtual time in milliseconds. */
  readonly now: number;
  /** N. */
  readonly replication: number;
  /** All nodes, by their numbers. */
  readonly nodes: readonly SimulatedNode[];
  /** For each slot the number of its owner in `nodes`. */
  readonly owners: readonly number[];
}

/** Where a key lives, and what its replicas hold. */
export interface SimulatedLocation {
  /** MD5 of the key, 32 hexadecimal digits. */
  readonly position: string;
  /** The slot that the position falls into. */
  readonly slot: number;
  /** The primaries, the one to be asked first in front. A tombstone is `null`. */
  readonly replicas: readonly {
    /** The number of the node. */
    readonly node: number;
    /** What it holds of the key. */
    readonly siblings: readonly (string | null)[];
  }[];
}

/** A whole cluster in this thread, in virtual time: the real protocol, no server, no socket. */
export interface Simulation extends Disposable {
  /** Adds a client that knows all nodes. */
  client(): SimulatedClient;
  /** Ends a node as by `kill -9`: what it had not synced is lost. */
  crash(node: number): void;
  /** Starts a node that is down, on the disk that it left. */
  restart(node: number): void;
  /** Empties the disk of a node that is down. */
  wipe(node: number): void;
  /** Cuts some nodes off from the others; clients reach everyone. */
  partition(side: readonly number[]): void;
  /** Ends all partitions. */
  heal(): void;
  /** Lets virtual time pass. */
  runFor(milliseconds: number): void;
  /** Where a key lives, and what its replicas hold. */
  locate(key: string): SimulatedLocation;
  /** The nodes and the ring. */
  view(): SimulationView;
  /** Frees its memory. */
  [Symbol.dispose](): void;
}

/** Starts a cluster; its nodes have found each other. Throws where the options cannot work. */
export function simulate(options?: SimulationOptions): Promise<Simulation>;

/** What a random run has to say. */
export interface Replay {
  /** The hash of everything that happened, 16 hexadecimal digits: the same on every platform. */
  readonly trace: string;
  /** Events taken. */
  readonly events: number;
  /** Virtual time in milliseconds. */
  readonly simulated: number;
  /** Writes acknowledged. */
  readonly written: number;
  /** Reads answered. */
  readonly read: number;
  /** Writes that may have happened. */
  readonly unknown: number;
  /** Calls that failed without effect. */
  readonly refused: number;
  /** Calls whose clients died before they ended. */
  readonly orphaned: number;
  /** The first promise that was broken, if any was. */
  readonly violation?: string | undefined;
}

/**
 * Carries out the random run of a seed, as `cargo xtask sim --seed` does: clients at work while
 * nodes, disks, clocks and connections fail, then healing, then a check of every promise.
 *
 * @param seed an integer from 0 to 4,294,967,295; the same seed gives the same run everywhere
 * @param options `operations`: calls of clients, at most 10,000; 500 unless given
 * @throws RangeError where the seed is not such an integer
 */
export function replay(
  seed: number,
  options?: { operations?: number | undefined },
): Promise<Replay>;
