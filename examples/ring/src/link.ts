// A run as the fragment of a link: seed and options, what was done, and the moment to open.
//
// `#run=` and then JSON, deflated with a checksum, in base64url. What a link brings is checked before it is used:
// its length, its shape, every field. The simulator then checks what the numbers mean.

import type { Action, Script, RunOptions } from "quorate/sim";

export interface Linked {
  readonly script: Script;
  /** The moment to open, in milliseconds of virtual time. */
  readonly at: number;
}

/** A link that cannot be opened; the message says why. */
export class DamagedLink extends Error {}

const NAME = "run";
const VERSION = 1;
/** Bounds what a link may make the page do. */
const JSON_BYTES_MAX = 512 * 1024;
const ACTIONS_MAX = 5_000;
/** A week. */
export const AT_MAX = 604_800_000;
const TEXT_MAX = 64 * 1024;

type Kind = "count" | "number" | "text" | "counts" | "members";

/** The fields of each action; a question mark: it may be absent. */
const FIELDS: Readonly<Record<Action["do"], Readonly<Record<string, Kind | `${Kind}?`>>>> = {
  get: { client: "count", key: "text" },
  put: { client: "count", key: "text", value: "text", after: "count?" },
  delete: { client: "count", key: "text", after: "count?" },
  crash: { node: "count" },
  stop: { node: "count" },
  restart: { node: "count" },
  wipe: { node: "count" },
  pause: { node: "count" },
  resume: { node: "count" },
  crashZone: { zone: "text" },
  restartZone: { zone: "text" },
  partition: { side: "counts" },
  heal: {},
  link: { a: "count", b: "count", delay: "number?", loss: "count?" },
  clock: { node: "count", by: "number" },
  layout: { members: "members", through: "count?" },
};
const OPTIONS: Readonly<Record<keyof RunOptions, Kind>> = {
  nodes: "count",
  newcomers: "count",
  clients: "count",
  zones: "count",
  slots: "count",
  replication: "count",
  r: "count",
  w: "count",
  seed: "count",
  timeout: "number",
  weights: "counts",
};

/** `undefined`: the run is larger than any that a link can bring. */
export async function encode({ script, at }: Linked): Promise<string | undefined> {
  const text = JSON.stringify({ version: VERSION, at: Math.round(at * 1000) / 1000, ...script });
  const bytes = new TextEncoder().encode(text);
  if (at > AT_MAX || script.actions.length > ACTIONS_MAX || bytes.length > JSON_BYTES_MAX) return undefined;
  const packed = await through(new CompressionStream("deflate"), bytes, Infinity);
  const letters = Array.from(packed, (byte) => String.fromCharCode(byte)).join("");
  return `${NAME}=${btoa(letters).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`;
}

/** What the fragment of a link holds; `undefined`: it holds no run. */
export async function decode(fragment: string): Promise<Linked | undefined> {
  const text = new URLSearchParams(fragment.replace(/^#/, "")).get(NAME);
  if (text === null) return undefined;
  let json: unknown;
  try {
    const letters = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    const packed = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
    const bytes = await through(new DecompressionStream("deflate"), packed, JSON_BYTES_MAX);
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    if (error instanceof DamagedLink) throw error;
    throw new DamagedLink("A part of the link is missing or was changed on its way.");
  }
  return linked(json);
}

function linked(json: unknown): Linked {
  if (!isRecord(json) || json.version !== VERSION) {
    throw new DamagedLink("The link was made by another version of this page.");
  }
  const { at, options, actions } = json;
  if (!isNumber(at) || at < 0 || at > AT_MAX) throw new DamagedLink("The link names no moment of the run.");
  if (!isRecord(options) || !Array.isArray(actions)) throw new DamagedLink("The link holds no run.");
  if (actions.length > ACTIONS_MAX) throw new DamagedLink(`The link holds more than ${ACTIONS_MAX} actions.`);
  return { at, script: { options: checkedOptions(options), actions: checkedActions(actions) } };
}

function checkedOptions(options: Record<string, unknown>): RunOptions {
  for (const [name, value] of Object.entries(options)) {
    const kind = Object.hasOwn(OPTIONS, name) ? OPTIONS[name as keyof RunOptions] : undefined;
    if (!kind || !CHECKS[kind](value)) {
      throw new DamagedLink(`The link sets ${JSON.stringify(name).slice(0, 40)}, which this page does not know.`);
    }
  }
  return options;
}

function checkedActions(actions: readonly unknown[]): Script["actions"] {
  let before = 0;
  return actions.map((action, index) => {
    if (!isRecord(action) || !isAction(action) || !isNumber(action.at) || action.at < before || action.at > AT_MAX) {
      throw new DamagedLink(`Action ${index + 1} of the link is not one that this page knows.`);
    }
    before = action.at;
    return action as Action & { at: number };
  });
}

function isAction(action: Record<string, unknown>): boolean {
  const deed = action.do;
  if (typeof deed !== "string" || !Object.hasOwn(FIELDS, deed)) return false;
  const fields = FIELDS[deed as Action["do"]];
  const known = ([name]: [string, unknown]) => name === "do" || name === "at" || Object.hasOwn(fields, name);
  if (!Object.entries(action).every(known)) return false;
  return Object.entries(fields).every(([name, kind]) => {
    const value = action[name];
    if (value === undefined) return kind.endsWith("?");
    return CHECKS[kind.replace("?", "") as Kind](value);
  });
}

const CHECKS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  count: isCount,
  number: isNumber,
  text: (value) => typeof value === "string" && value.length <= TEXT_MAX,
  counts: (value) => Array.isArray(value) && value.length <= 64 && value.every(isCount),
  members: (value) =>
    Array.isArray(value) &&
    value.length <= 64 &&
    value.every((member) => isRecord(member) && isCount(member.node) && isCount(member.weight)),
};

/** Bytes through a stream, no more than a bound of them: a small link may not fill the memory. */
async function through(
  stream: CompressionStream | DecompressionStream,
  bytes: Uint8Array<ArrayBuffer>,
  bytesMax: number,
): Promise<Uint8Array> {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.length;
    if (size > bytesMax) {
      await reader.cancel();
      throw new DamagedLink("The link is larger than any that this page makes.");
    }
    parts.push(part.value);
  }
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isCount(value: unknown): value is number {
  return isNumber(value) && Number.isInteger(value) && value >= 0;
}
