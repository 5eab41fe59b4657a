/// <reference lib="esnext.disposable" />
// The public face of `quorate/sim`, written by hand. The build copies it to `dist/sim.d.ts` and
// `dist/sim.d.cts`; `index.ts` proves that the code keeps to it.
//
// Above 500 lines: one file without imports serves both conditions, and reads as a reference.

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

// What follows is for pages that show a cluster at work: time passes by steps, and everything that
// happens is told. All times are virtual milliseconds since the beginning, with thousandths.

/** What {@link play} takes; everything may be left out. */
export interface RunOptions extends SimulationOptions {
  /** Nodes that are up and in no layout, numbered behind the others; 0 unless given. */
  newcomers?: number | undefined;
  /** The weights of the nodes by number; 1 unless given. */
  weights?: readonly number[] | undefined;
  /** Clients, 1 to 16; 2 unless given. */
  clients?: number | undefined;
}

/** A node or a client, by its number, from 0. */
export type Place = { readonly node: number } | { readonly client: number };

/** A node that is to be a member of a layout. */
export interface PlannedMember {
  /** Its number. */
  readonly node: number;
  /** Its capacity in relation to the others; with 0 it owns nothing. */
  readonly weight: number;
}

/** What a person does to the world: JSON, so that a run fits into a link. */
export type Action =
  | { readonly do: "get"; readonly client: number; readonly key: string }
  | {
      readonly do: "put";
      readonly client: number;
      readonly key: string;
      readonly value: string;
      /** The number of a call that has ended well: the write carries what it was shown. Else blind. */
      readonly after?: number | undefined;
    }
  | {
      readonly do: "delete";
      readonly client: number;
      readonly key: string;
      /** As with a put; without it, whatever a quorum holds is deleted. */
      readonly after?: number | undefined;
    }
  /** `crash` as by `kill -9`; `stop` cleanly; `wipe` empties the disk of a node that is down. */
  | {
      readonly do: "crash" | "stop" | "restart" | "wipe" | "pause" | "resume";
      readonly node: number;
    }
  /** Every node of a zone that is up, or down. */
  | { readonly do: "crashZone" | "restartZone"; readonly zone: string }
  /** Cuts these nodes off from the others, beside what is cut already; clients reach everyone. */
  | { readonly do: "partition"; readonly side: readonly number[] }
  /** Ends all cuts. */
  | { readonly do: "heal" }
  /** Both directions between two nodes; what is not given is as usual. */
  | {
      readonly do: "link";
      readonly a: number;
      readonly b: number;
      /** The least time that a frame travels, at most 60,000. */
      readonly delay?: number | undefined;
      /** Of a thousand frames, how many are lost. */
      readonly loss?: number | undefined;
    }
  /** The wall clock of a node jumps by whole milliseconds, back where they are negative. */
  | { readonly do: "clock"; readonly node: number; readonly by: number }
  /** An operator puts a layout of these members in force. */
  | {
      readonly do: "layout";
      readonly members: readonly PlannedMember[];
      /** The node that the operator talks to; unless given, the first that knows the newest layout. */
      readonly through?: number | undefined;
    };

/** Everything that a run follows from. */
export interface Script {
  /** The world. */
  readonly options: RunOptions;
  /** In the order of their times. */
  readonly actions: readonly (Action & { readonly at: number })[];
}

/** Why a frame never arrives. */
export type FrameLoss =
  /** Nothing gets through the link. */
  | "cut"
  /** The link loses some frames. */
  | "loss"
  /** The sender had no connection. */
  | "unconnected"
  /** The connection broke while it was under way. */
  | "disconnected"
  /** Whoever should have received it is gone. */
  | "nobody";

/** Who took part in an operation before it ended; all are numbers of nodes. */
export interface RunReceipt {
  /** The node that ran the operation. */
  readonly coordinator: number;
  /** R or W. */
  readonly needed: number;
  /** Primaries that answered, or stored durably. */
  readonly primaries: readonly number[];
  /** Fallbacks that did, and the primary that each stood in for. */
  readonly fallbacks: readonly { readonly node: number; readonly for: number }[];
  /** Replicas that were found stale, and repaired. */
  readonly repaired: readonly number[];
  /** The layout that named them. */
  readonly version: number;
}

/** How a call ended. Contexts stay inside: a later action names the call. */
export type RunOutcome =
  | (Omit<SimulatedEntry, "context"> & { readonly receipt?: RunReceipt })
  | (Omit<SimulatedWrite, "context"> & { readonly receipt?: RunReceipt })
  | SimulatedFailure;

/**
 * What happened, and when. `cause` is the number of the call because of which it did, where one is
 * known: gossip, comparisons and hints that go home have none.
 */
export type Happening = { readonly at: number; readonly cause?: number } & (
  /** A frame is given to the network: it has either `arrives` or `lost`. */
  | {
      readonly kind: "frame";
      /** Such as `get`, `reply`, `replicaRead`, `replicaMerge`, `gossip`, `compare`. */
      readonly frame: string;
      readonly from: Place;
      readonly to: Place;
      readonly arrives?: number;
      readonly lost?: FrameLoss;
      readonly key?: string;
      /** What is in it, in the words of the simulator's log. */
      readonly note: string;
    }
  /** A frame that was to arrive now does not. */
  | {
      readonly kind: "dropped";
      readonly frame: string;
      readonly from: Place;
      readonly to: Place;
      readonly lost: FrameLoss;
      readonly key?: string;
    }
  /** A call begins; calls are numbered from 1. */
  | {
      readonly kind: "call";
      readonly call: number;
      readonly client: number;
      readonly asks: "get" | "put" | "delete";
      readonly key: string;
      readonly value?: string;
    }
  /** A call ends. */
  | { readonly kind: "ended"; readonly call: number; readonly outcome: RunOutcome }
  /** A storage took a change of its copy of a key: these siblings stand in it (null: deleted). */
  | {
      readonly kind: "stored";
      readonly node: number;
      readonly key: string;
      /** The primary for which it is kept as a hint. */
      readonly hintFor?: number;
      readonly siblings: readonly (string | null)[];
    }
  /** A storage let go of a copy: a hint that came home, what moved away, what was collected. */
  | {
      readonly kind: "removed";
      readonly node: number;
      readonly key: string;
      readonly hintFor?: number;
    }
  /** A node went up or down, stood still, went on, or lost its disk. */
  | {
      readonly kind: "node";
      readonly node: number;
      readonly what: "up" | "down" | "paused" | "resumed" | "wiped";
    }
  /** What a node tells people: which event, such as `memberSuspected`, and in words. */
  | {
      readonly kind: "told";
      readonly node: number;
      readonly name: string;
      readonly text: string;
      readonly key?: string;
    }
);

/** What one node holds another one for. */
export interface Sight {
  /** How it stands. */
  readonly state: "up" | "suspect" | "down";
  /** Milliseconds since its heartbeat rose. */
  readonly age: number;
  /** Who suspects it: numbers of nodes. */
  readonly witnesses: readonly number[];
}

/** A node at one moment of a run. */
export interface RunNode {
  /** Its identity: 16 hexadecimal digits. */
  readonly id: string;
  /** Its name for people. */
  readonly label: string;
  /** Its failure domain. */
  readonly zone: string;
  /** Its weight in the newest layout, or the one that it would join with. */
  readonly weight: number;
  /** Whether its process is there. */
  readonly up: boolean;
  /** Whether that stands still. */
  readonly paused: boolean;
  /** Whether it is a member of the newest layout. */
  readonly member: boolean;
  /** Starts so far. */
  readonly life: number;
  /** Milliseconds by which its wall clock is ahead. */
  readonly clock: number;
  /** Keys that it holds for itself. */
  readonly records: number;
  /** Hints that it holds, and for whom. */
  readonly hints: readonly { readonly for: number; readonly count: number }[];
  /** How it sees each node, by number; null: never heard of it, or this one is down. */
  readonly sees: readonly (Sight | null)[];
  /** The versions that it holds in force, and the one that its reads go by. */
  readonly layouts?: { readonly oldest: number; readonly newest: number; readonly read: number };
  /** Slots that it has yet to fill for a new layout. */
  readonly slotsToFill: number;
  /** Counts since its start, by name; empty while it is down. */
  readonly counters: readonly (readonly [name: string, count: number])[];
}

/** The whole world at one moment. */
export interface RunView {
  /** The moment. */
  readonly now: number;
  /** N: copies of each key. */
  readonly replication: number;
  /** R: replicas that must answer a read. */
  readonly r: number;
  /** W: replicas that must store a write. */
  readonly w: number;
  /** The newest layout that any node knows. */
  readonly version: number;
  /** The nodes, by number. */
  readonly nodes: readonly RunNode[];
  /** For each slot the number of its owner. */
  readonly owners: readonly number[];
  /** For each slot the numbers of its primaries, in the order of the walk. */
  readonly primaries: readonly (readonly number[])[];
  /** Calls under way, by client. */
  readonly clients: readonly { readonly underWay: number }[];
  /** Pairs of nodes between which nothing gets through. */
  readonly cuts: readonly (readonly [number, number])[];
  /** Links that are not as usual: the least delay, and losses of a thousand frames. */
  readonly links: readonly {
    readonly a: number;
    readonly b: number;
    readonly delay: number;
    readonly loss: number;
  }[];
  /** Keys that any node holds, in their order; at most 1,000. */
  readonly keys: readonly {
    readonly key: string;
    readonly position: string;
    readonly slot: number;
    /** The most siblings that stand in one copy. */
    readonly siblings: number;
  }[];
}

/** Where a key lives, why there, and what is held of it. */
export interface RunLocation {
  /** MD5 of the key, 32 hexadecimal digits. */
  readonly position: string;
  /** The slot that it falls into. */
  readonly slot: number;
  /**
   * The walk from the slot onward until all primaries are found: whose slot it was, and which
   * primary it became (0: the first), or why it was passed over. Where there are several zones, a
   * first turn takes one node of each, and a second one begins at the slot again.
   */
  readonly walk: readonly {
    readonly slot: number;
    readonly node: number;
    readonly taken?: number;
    readonly skipped?: "taken before" | "zone";
  }[];
  /** The preference list, primaries first, then whoever else holds a copy; each copy once. */
  readonly nodes: readonly {
    readonly node: number;
    readonly primary: boolean;
    /** The value, null where it was deleted, and the name of its write, such as `n0.a1#2`. */
    readonly siblings: readonly { readonly value: string | null; readonly dot: string }[];
    readonly hintFor?: number;
  }[];
}

/** What a layout would be, and what it would move. */
export interface PlanView {
  /** The number that it would have. */
  readonly version: number;
  /** For each slot the number of its owner. */
  readonly owners: readonly number[];
  /** Slots that change their owner. */
  readonly moved: number;
  /** The greatest load for its weight, over the mean: before and after. */
  readonly balance: readonly [before: number, after: number];
  /** Of how many slots a node becomes a primary, and of how many it is one no more. */
  readonly changes: readonly {
    readonly node: number;
    readonly gains: number;
    readonly gives: number;
  }[];
  /** What these members do not allow, in sentences, such as fewer zones than copies. */
  readonly limits: readonly string[];
}

/** A cluster at work, whose time passes by steps. */
export interface Run extends Disposable {
  /** The virtual time. */
  readonly now: number;
  /**
   * Does something now, and notes it in the script. Throws an Error that says what is wrong, and
   * then nothing has changed. Answers the number of the call for a get, put or delete.
   */
  act(action: Action): number | undefined;
  /**
   * Lets time pass, at most ten minutes; answers what happened since it was last asked, in order. Throws
   * where an action of the script cannot be done: time stands at that action, which is left out.
   */
  advance(milliseconds: number): Happening[];
  /** The world as it is now. */
  view(): RunView;
  /** Where a key lives, and what is held of it now. */
  locate(key: string): RunLocation;
  /** What a layout of these members would move, or why there can be none. */
  plan(members: readonly PlannedMember[]): PlanView | { readonly refused: string };
  /** The options, the actions so far, and those whose time has yet to come. */
  script(): Script;
  /** The hash of everything that happened, 16 hexadecimal digits: the same on every platform. */
  trace(): string;
}

/**
 * Starts a world at time 0, whose nodes have just begun to look for each other (that takes them a
 * second or two); `advance` does what the script says when its time comes. Throws where the script
 * cannot work.
 *
 * The same script gives the same run on every platform. To go back in time, play the script up to
 * that moment, and go on from there.
 */
export function play(script: Script): Promise<Run>;

/** A random run that was watched from its beginning to its end. */
export interface Recording extends Disposable {
  /** The virtual time. */
  readonly now: number;
  /** From when on all happenings are kept; those before it were too many. 0: none were. */
  readonly since: number;
  /** When the run ended. */
  readonly end: number;
  /** What the run has to say. */
  readonly replay: Replay;
  /** A run that is over cannot be changed: throws. */
  act(action: Action): never;
  /** Lets time pass; answers what happened meanwhile. */
  advance(milliseconds: number): Happening[];
  /** Goes to a moment, forwards or backwards. */
  seek(at: number): void;
  /** The world a little before now: views are kept at intervals. */
  view(): RunView;
  /** The same hash as `replay` has. */
  trace(): string;
}

/**
 * Carries out the random run of a seed as {@link replay} does, and keeps what was seen, so that it
 * can be played back.
 *
 * @throws RangeError where the seed is not an integer from 0 to 4,294,967,295
 */
export function playSeed(
  seed: number,
  options?: { operations?: number | undefined },
): Promise<Recording>;
