// Puts the files of a folder into a cluster through the packed package, reads them back and
// compares them byte for byte.
//
// Speaks with the program that started it in lines of JSON: events go to stdout, permission to go
// on (a line) comes from stdin. Where stdin ends, that program is gone, and so is this one.

import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

import { connect } from "quorate";

const { root, manifest, seed, inFlight, victim } = JSON.parse(process.argv[2]);

/** Time for one operation, retries included: the machine may be busy. */
const TIMEOUT_MS = 60_000;
/** More than any value may have: what a file holds beyond it is not read. */
const READ_BYTES_MAX = 4 * 1024 * 1024;
const PROGRESS_MS = 50;

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

const commands = createInterface({ input: process.stdin });
const heard = () => new Promise((resolve) => commands.once("line", resolve));
const orphaned = () => process.exit(1);
commands.once("close", orphaned);

/** Runs `work` for each of `items`, some of them at one time. */
async function all(items, work) {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await work(items[next++]);
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, items.length) }, worker));
}

/** Tells now and then how many are done. */
function progress(phase, of) {
  let done = 0;
  let told = 0;
  return () => {
    done += 1;
    const now = performance.now();
    if (done === of || now - told >= PROGRESS_MS) {
      told = now;
      say({ event: "progress", phase, done });
    }
    return done;
  };
}

/** What a file holds, and its length where that is more than was read. */
async function read(file) {
  const handle = await open(file.location);
  try {
    const { size } = await handle.stat();
    if (size <= READ_BYTES_MAX) {
      const content = await handle.readFile();
      return { content, size: content.length };
    }
    const content = Buffer.alloc(READ_BYTES_MAX);
    await handle.read(content, 0, READ_BYTES_MAX, 0);
    return { content, size };
  } finally {
    await handle.close();
  }
}

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** How many, how long and how fast. */
class Phase {
  #began = performance.now();
  #latencies = [];
  #bytes = 0;
  #ended = 0;

  count(began, bytes) {
    this.#ended = performance.now();
    this.#latencies.push(this.#ended - began);
    this.#bytes += bytes;
  }

  summary() {
    const sorted = Float64Array.from(this.#latencies).sort();
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return {
      operations: sorted.length,
      bytes: this.#bytes,
      seconds: Math.max(0, this.#ended - this.#began) / 1_000,
      p50_ms: at(0.5),
      p99_ms: at(0.99),
      max_ms: at(1),
    };
  }
}

/** The manifest holds paths as bytes, each ended by a NUL. */
async function files() {
  const list = await readFile(manifest);
  const found = [];
  for (let start = 0; start < list.length; ) {
    const end = list.indexOf(0, start);
    const path = list.subarray(start, end);
    const text = path.toString("utf8");
    found.push({
      name: text,
      location: Buffer.concat([Buffer.from(`${root}/`), path]),
      // A name that is no UTF-8 is a key all the same: a key is bytes.
      key: Buffer.from(text).equals(path) ? text : new Uint8Array(path),
    });
    start = end + 1;
  }
  return found;
}

const report = { refused: [], unreadable: [], failed: [], lost: [], different: [] };
const list = await files();
const client = await connect({ seeds: [seed], timeout: TIMEOUT_MS });

// Half of the puts, a node that dies, the other half. Puts go on while the node is being killed,
// but not so far that it dies too late.

const half = Math.floor(list.length / 2);
const ahead = half + Math.min(inFlight, Math.floor(list.length / 4));
const put = new Phase();
const before = new Phase();
let after;
let statsAtKill = client.stats();
let gate;

function halfway() {
  statsAtKill = client.stats();
  after = new Phase();
  say({ event: "half" });
  gate = heard().then(() => {
    gate = undefined;
  });
}

const stored = [];
const putDone = progress("put", list.length);
if (half === 0 && list.length > 0) halfway();

await all([...list.entries()], async ([index, file]) => {
  if (index >= ahead) await gate;
  try {
    const { content, size } = await read(file);
    file.size = size;
    file.digest = digest(content);
    const began = performance.now();
    await client.put(file.key, content);
    for (const phase of [put, after ?? before]) phase.count(began, content.length);
    if (size > content.length) throw new Error("a file was stored that was not read to its end");
    stored.push(file);
  } catch (error) {
    const { name, size } = file;
    if (error.code === "KEY_SIZE") {
      report.refused.push({ name, what: "key", actual: error.actual, limit: error.limit });
    } else if (error.code === "VALUE_TOO_LARGE") {
      report.refused.push({ name, what: "value", actual: size, limit: error.limit });
    } else if (error.syscall !== undefined) {
      report.unreadable.push({ name, reason: error.message });
    } else {
      report.failed.push({ name, reason: String(error) });
    }
  }
  if (putDone() === half) halfway();
});
await gate;
const statsAfterPuts = client.stats();

// All of them read back.

say({ event: "written" });
await heard();
const get = new Phase();
let equal = 0;
let changed = 0;
const getDone = progress("get", stored.length);

/** Why what came back is not what was put. */
async function difference(entry, file) {
  if (entry.siblings.length !== 1) return `${entry.siblings.length} values stand side by side`;
  const now = await read(file).catch(() => undefined);
  if (now !== undefined && now.content.equals(entry.value)) return undefined;
  if (digest(entry.value) !== file.digest) {
    return `${file.size} bytes were put, and ${entry.value.length} others came back`;
  }
  // The file is another one since it was put; what came back is what was put.
  changed += 1;
  return undefined;
}

await all(stored, async (file) => {
  const { name } = file;
  try {
    const began = performance.now();
    const entry = await client.get(file.key);
    get.count(began, entry?.value.length ?? 0);
    if (entry === undefined) {
      report.lost.push({ name, reason: "nothing is stored under its key" });
    } else {
      const reason = await difference(entry, file);
      if (reason === undefined) equal += 1;
      else report.different.push({ name, reason });
    }
  } catch (error) {
    report.lost.push({ name, reason: String(error) });
  }
  getDone();
});

const stats = client.stats();
const ring = client.ring();
const index = ring.nodes.findIndex(({ label }) => label === victim);
const places = stored.map(({ key }) => client.locate(key).primaries);
for (const named of Object.values(report)) named.sort((a, b) => (a.name < b.name ? -1 : 1));
say({
  event: "report",
  ...report,
  equal,
  changed,
  put: put.summary(),
  before: before.summary(),
  after: (after ?? new Phase()).summary(),
  get: get.summary(),
  direct: stats.direct,
  passed_on: stats.passedOn,
  retries_before: statsAtKill.retries,
  retries_after: statsAfterPuts.retries - statsAtKill.retries,
  retries_get: stats.retries - statsAfterPuts.retries,
  slots: ring.owners.length,
  victim_slots: ring.owners.filter((owner) => owner === index).length,
  victim_primary: places.filter((nodes) => nodes.some(({ label }) => label === victim)).length,
  victim_first: places.filter(([first]) => first?.label === victim).length,
});

commands.off("close", orphaned);
commands.close();
process.stdin.destroy();
await client.close();
