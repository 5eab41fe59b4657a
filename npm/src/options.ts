// Checks what users pass in, and says what would have been right.

import { NEVER } from "./commands.js";
import type { RequestOptions } from "./commands.js";
import { badArgument } from "./errors.js";
import type { CloseOptions, ConnectOptions, PingOptions, UpdateOptions } from "./public.js";

const TIMEOUT_MS = 5_000;
const QUEUE_MAX = 1_000;
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** 100 years of 365 days, as in `core/src/limits.rs`. */
const TTL_MS_MAX = 100 * 365 * 24 * 60 * 60 * 1_000;

/** As in `core/src/limits.rs`. */
const ZONE_BYTES_MAX = 1024;

/** What the machine is told at its birth. */
export interface MachineOptions {
  seeds: readonly string[];
  timeout: number;
  r: number;
  w: number;
  /** 0: as the cluster is configured, 1: strict, 2: sloppy. */
  strict: number;
  /** The zone that the client is in; empty: in none. */
  zone: string;
  /** Whether its calls are local. */
  local: boolean;
  /** Whether the client goes through one node. */
  throughGateway: boolean;
  /** Whether the client runs the quorums of its reads. */
  coordinates: boolean;
  /** 0: the usual number. */
  connectionsMax: number;
  /** Whether calls fail while no node can be reached. */
  failsOffline: boolean;
  /** Calls that may wait while no node is connected. */
  queueMax: number;
  /** The longest wait before a dial, in milliseconds; 0: the usual one; `NEVER`: no address is dialled twice. */
  redialMax: number;
  /** Milliseconds until one more replica is asked; 0: the usual time; `NEVER`: it is not. */
  hedge: number;
  /** 16 hexadecimal digits; empty: any. */
  cluster: string;
  credentials: Uint8Array;
}

const encoder = new TextEncoder();

export function machineOptions(options: ConnectOptions): MachineOptions {
  const seeds = checkedSeeds(asObject(options, "connect").seeds);
  const { cluster = "", credentials = "" } = options;
  if (typeof cluster !== "string" || !/^([0-9a-f]{16})?$/i.test(cluster)) {
    throw badArgument("`cluster` must be 16 hexadecimal digits.");
  }
  if (typeof credentials !== "string" && !(credentials instanceof Uint8Array)) {
    throw badArgument("`credentials` must be a string or a Uint8Array.");
  }
  checkSignal(options.signal);
  const zone = checkedZone(options.zone);
  const local = checkedChoice(options.local, "local") === 1;
  if (local && zone === "") {
    throw badArgument("connect: `local` counts replicas of the client's zone: give a `zone`, too.");
  }
  return {
    seeds,
    timeout: checkedTimeout(options.timeout) || TIMEOUT_MS,
    r: checkedCount(options.r, "r"),
    w: checkedCount(options.w, "w"),
    strict: checkedChoice(options.strict, "strict"),
    zone,
    local,
    throughGateway: oneOf(options.routing, ["direct", "gateway"], "routing") === "gateway",
    coordinates: oneOf(options.coordinate, ["node", "client"], "coordinate") === "client",
    connectionsMax: checkedConnections(options.connectionsMax),
    failsOffline: oneOf(options.offline, ["queue", "fail"], "offline") === "fail",
    queueMax: checkedQueue(options.maxQueue),
    redialMax: checkedReconnect(options.reconnect),
    hedge: checkedHedge(options.hedge),
    cluster,
    credentials: typeof credentials === "string" ? encoder.encode(credentials) : credentials,
  };
}

/** The layout is described in `wasm/src/client/face.rs`. */
export function machineBytes(options: MachineOptions): Uint8Array {
  const { timeout, r, w, strict, throughGateway, coordinates, local, failsOffline, cluster } = options;
  const { connectionsMax, queueMax, redialMax, hedge } = options;
  const seeds = options.seeds.map((seed) => encoder.encode(seed));
  const texts = [options.credentials, encoder.encode(options.zone), ...seeds];
  const bytes = new Uint8Array(44 + texts.reduce((sum, text) => sum + 4 + text.length, 0));
  const view = new DataView(bytes.buffer);
  // Names the writes of this client, so it must be random.
  crypto.getRandomValues(bytes.subarray(0, 8));
  view.setUint32(8, timeout, true);
  const bits = (cluster ? 1 : 0) | (coordinates ? 2 : 0) | (throughGateway ? 4 : 0);
  bytes.set([r, w, bits | (local ? 8 : 0) | (failsOffline ? 16 : 0), strict], 12);
  view.setBigUint64(16, BigInt(`0x${cluster || 0}`), true);
  [connectionsMax, queueMax, redialMax, hedge].forEach((number, index) => {
    view.setUint32(24 + 4 * index, number, true);
  });
  let at = 40;
  texts.forEach((text, index) => {
    view.setUint32(at, text.length, true);
    bytes.set(text, at + 4);
    at += 4 + text.length;
    if (index !== 1) return;
    view.setUint32(at, seeds.length, true);
    at += 4;
  });
  return bytes;
}

const NONE: RequestOptions = { timeout: 0, r: 0, w: 0, receipt: false, strict: 0, local: 0, ttl: 0 };

type Call = "get" | "put" | "delete" | "update";

export function requestOptions(options: UpdateOptions | undefined, call: Call): RequestOptions {
  if (options === undefined) return NONE;
  const { timeout, r, w, receipt, strict, local, signal, ttl } = asObject(options, call);
  checkSignal(signal);
  return {
    timeout: checkedTimeout(timeout),
    r: checkedCount(r, "r"),
    w: checkedCount(w, "w"),
    receipt: receipt === true,
    strict: checkedChoice(strict, "strict"),
    local: checkedChoice(local, "local"),
    ttl: checkedTtl(ttl, call),
  };
}

/** Of all nodes where none is named; a timeout of 0 is that of the client. */
export function checkedPing(node: string | undefined, options: PingOptions | undefined) {
  const { timeout, signal } = asObject(options ?? {}, "ping");
  if (node !== undefined && !/^[0-9a-f]{16}$/.test(node)) {
    throw badArgument("ping: a node is named by its id, 16 hexadecimal digits.");
  }
  checkSignal(signal);
  return { timeout: checkedTimeout(timeout), signal };
}

/** Milliseconds that calls under way are waited for; 0: not at all. */
export function drainTime(options: CloseOptions | undefined, timeout: number): number {
  if (options === undefined) return 0;
  const { drain } = asObject(options, "close");
  if (drain === undefined || drain === false) return 0;
  if (drain === true) return timeout;
  if (isMillis(drain)) return Math.ceil(drain);
  throw badArgument("close: `drain` must be true, or a number of milliseconds, at least 1.");
}

function asObject<T extends object>(options: T, call: string): T {
  if (typeof options === "object" && options !== null) return options;
  throw badArgument(`${call}: the options must be an object, such as { timeout: 1000 }.`);
}

function checkedSeeds(seeds: readonly string[]): string[] {
  const example = '["ws://127.0.0.1:7001"]';
  if (!Array.isArray(seeds) || seeds.length === 0) {
    throw badArgument(`connect: \`seeds\` must list WebSocket URLs of some nodes, such as ${example}.`);
  }
  return seeds.map((seed: unknown) => {
    if (typeof seed !== "string") {
      throw badArgument(`connect: a seed is a WebSocket URL, such as those in ${example}.`);
    }
    const url = parsed(seed);
    if (url?.protocol === "ws:" || url?.protocol === "wss:") return seed;
    throw badArgument(
      `connect: the seed ${JSON.stringify(seed)} is no WebSocket URL.${suggestion(seed, url)}`,
    );
  });
}

function parsed(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}

function suggestion(seed: string, url: URL | undefined): string {
  if (url?.protocol === "http:") return ` Did you mean "ws${seed.slice(4)}"?`;
  if (url?.protocol === "https:") return ` Did you mean "wss${seed.slice(5)}"?`;
  if (parsed(`ws://${seed}`)?.port) return ` Did you mean "ws://${seed}"?`;
  return " It must begin with ws:// or wss://.";
}

/** Milliseconds, 0 where it was left out. */
export function checkedTimeout(timeout: unknown): number {
  if (timeout === undefined) return 0;
  if (isMillis(timeout)) return Math.ceil(timeout);
  throw badArgument(`\`timeout\` must be a number of milliseconds from 1 to ${TIMEOUT_MS_MAX}.`);
}

/** Milliseconds, 0 where it was left out. */
function checkedTtl(ttl: unknown, call: Call): number {
  if (ttl === undefined) return 0;
  if (call === "get" || call === "delete") {
    throw badArgument(`${call}: only the value of a put or an update has a \`ttl\`.`);
  }
  if (typeof ttl === "number" && ttl > 0 && ttl <= TTL_MS_MAX) return Math.ceil(ttl);
  throw badArgument(
    `${call}: \`ttl\` must be a number of milliseconds, more than 0 and at most ${TTL_MS_MAX}.`,
  );
}

/** 0 where it was left out. */
function checkedCount(count: unknown, name: string): number {
  if (count === undefined) return 0;
  if (typeof count === "number" && Number.isInteger(count) && count >= 1 && count <= 255) {
    return count;
  }
  throw badArgument(`\`${name}\` must be a whole number of replicas, at least 1.`);
}

/** 0 where it was left out. */
function checkedConnections(count: unknown): number {
  if (count === undefined) return 0;
  if (typeof count === "number" && Number.isInteger(count) && count >= 1 && count <= 10_000) {
    return count;
  }
  throw badArgument("`connectionsMax` must be a whole number of connections from 1 to 10000.");
}

/** The first where it was left out. */
function oneOf(choice: unknown, choices: readonly [string, string], name: string): string {
  if (choice === undefined) return choices[0];
  if (choices.includes(choice as string)) return choice as string;
  throw badArgument(`\`${name}\` must be "${choices.join('" or "')}".`);
}

function checkedQueue(count: unknown): number {
  if (count === undefined) return QUEUE_MAX;
  if (typeof count === "number" && Number.isInteger(count) && count >= 0 && count < NEVER) return count;
  throw badArgument("`maxQueue` must be a whole number of operations, 0 or more.");
}

/** The engine asks a function when it is due. */
function checkedReconnect(reconnect: unknown): number {
  if (reconnect === undefined || typeof reconnect === "function") return 0;
  if (reconnect === false) return NEVER;
  if (isMillis(reconnect)) return Math.ceil(reconnect);
  throw badArgument("`reconnect` must be false, a number of milliseconds, or a function that gives one.");
}

function checkedHedge(hedge: unknown): number {
  if (hedge === undefined || hedge === true) return 0;
  if (hedge === false) return NEVER;
  if (isMillis(hedge)) return Math.ceil(hedge);
  throw badArgument("`hedge` must be true, false, or a number of milliseconds.");
}

function isMillis(value: unknown): value is number {
  return typeof value === "number" && value > 0 && value <= TIMEOUT_MS_MAX;
}

/** 0 where it was left out, 1 for true, 2 for false. */
function checkedChoice(choice: unknown, name: string): number {
  if (choice === undefined) return 0;
  if (typeof choice === "boolean") return choice ? 1 : 2;
  throw badArgument(`\`${name}\` must be true or false.`);
}

/** Empty where it was left out. */
function checkedZone(zone: unknown): string {
  if (zone === undefined) return "";
  if (typeof zone === "string" && zone !== "" && encoder.encode(zone).length <= ZONE_BYTES_MAX) {
    return zone;
  }
  throw badArgument(`\`zone\` must be the name of a zone, 1 to ${ZONE_BYTES_MAX} bytes of UTF-8.`);
}

function checkSignal(signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw badArgument("`signal` must be an AbortSignal.");
  }
}
