// Puts the files of a folder into a cluster through the packed package, reads them back and
// compares them byte for byte.
//
// Speaks with the program that started it in lines of JSON: events go to stdout, permission to go
// on (a line) comes from stdin. Where stdin ends, that program is gone, and so is this one.
//
// `steps`: what that program does to nodes as soon as `at` puts have ended. Puts go on meanwhile,
// but none of the file number `ahead` or of a later one is begun. `down` is the node that is dead
// from there on. `killed`: the nodes that die. `left`: those that are alone later, if any.

import { createHash } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

import { connect } from "quorate";

const { root, manifest, seed, inFlight, steps, killed, left } = JSON.parse(process.argv[2]);

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
  let told = -PROGRESS_MS;
  return () => {
    done += 1;
    const now = performance.now();
    if (done === of || now - told >= PROGRESS_MS) {
      told = now;
      say({ event: "progress", phase, done, of });
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

/** How many, how long, how fast, and how often sent once more. */
class Phase {
  #began = performance.now();
  #retriesBefore;
  #retries = 0;
  #latencies = [];
  #bytes = 0;
  #ended = 0;

  constructor(client) {
    this.#retriesBefore = client.stats().retries;
  }

  count(began, bytes) {
    this.#ended = performance.now();
    this.#latencies.push(this.#ended - began);
    this.#bytes += bytes;
  }

  end(client) {
    this.#retries = client.stats().retries - this.#retriesBefore;
    return this;
  }

  summary() {
    const sorted = Float64Array.from(this.#latencies).sort();
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return {
      operations: sorted.length,
      bytes: this.#bytes,
      retries: this.#retries,
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

const report = { refused: [], unreadable: [], failed: [] };
const list = await files();
const client = await connect({ seeds: [seed], timeout: TIMEOUT_MS });

// All files are put, and nodes die and come back.

const put = new Phase(client);
const phases = [new Phase(client)];
let ended = 0;
/** Who waits for a number of puts to have ended. */
let waiting;
/** The node that is dead for certain, while it is. */
let down;

const reached = (at) =>
  new Promise((resolve) => {
    waiting = { at, resolve };
    onEnded();
  });

function onEnded() {
  if (waiting === undefined || ended < waiting.at) return;
  waiting.resolve();
  waiting = undefined;
}

for (const step of steps) step.passed = new Promise((resolve) => (step.pass = resolve));

async function takeSteps() {
  for (const step of steps) {
    await reached(step.at);
    phases.at(-1).end(client);
    phases.push(new Phase(client));
    down = undefined;
    say({ event: "step" });
    await heard();
    down = step.down ?? undefined;
    step.pass();
  }
}

const stored = [];
const putDone = progress("put", list.length);

const taken = takeSteps();
await all([...list.entries()], async ([index, file]) => {
  for (const step of steps) if (index >= step.ahead) await step.passed;
  try {
    const { content, size } = await read(file);
    file.size = size;
    file.digest = digest(content);
    const dead = down;
    const began = performance.now();
    await client.put(file.key, content);
    // Dead from before the put began until after it had ended.
    if (dead === down) file.without = dead;
    for (const phase of [put, phases.at(-1)]) phase.count(began, content.length);
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
  ended = putDone();
  onEnded();
});
await taken;
for (const phase of [put, phases.at(-1)]) phase.end(client);

say({ event: "written" });
await heard();

// Read back and compared.

/** Names of files that are others on the disk since they were put. */
const changed = new Set();

/** Why what came back is not what was put. */
async function difference(entry, file) {
  if (entry.siblings.length !== 1) return `${entry.siblings.length} values stand side by side`;
  const now = await read(file).catch(() => undefined);
  if (now !== undefined && now.content.equals(entry.value)) return undefined;
  if (digest(entry.value) !== file.digest) {
    return `${file.size} bytes were put, and ${entry.value.length} others came back`;
  }
  // What came back is what was put.
  changed.add(file.name);
  return undefined;
}

/** Gets files, compares them, and returns what is told of that. `seen` is called with entries. */
async function readBack(from, of, name, seen = () => {}) {
  const phase = new Phase(from);
  const found = { equal: 0, lost: [], different: [] };
  const done = progress(name, of.length);
  await all(of, async (file) => {
    const { name } = file;
    try {
      const began = performance.now();
      const entry = await from.get(file.key, { receipt: true });
      phase.count(began, entry?.value.length ?? 0);
      if (entry === undefined) {
        found.lost.push({ name, reason: "nothing is stored under its key" });
      } else {
        const reason = await difference(entry, file);
        if (reason !== undefined) found.different.push({ name, reason });
        else {
          found.equal += 1;
          seen(entry, file);
        }
      }
    } catch (error) {
      found.lost.push({ name, reason: String(error) });
    }
    done();
  });
  for (const named of [found.lost, found.different]) sort(named);
  return { ...found, get: phase.end(from).summary() };
}

const sort = (named) => named.sort((a, b) => (a.name < b.name ? -1 : 1));
const primaries = (file) => client.locate(file.key).primaries;
const without = stored.filter((file) => file.without !== undefined);
/** Files that a node could not be sent since it was dead, though it is to hold them. */
const missed = new Set(
  without.filter((file) => primaries(file).some(({ label }) => label === file.without)),
);

/** With no other nodes up than those that were dead for some time: one answer is enough. */
async function readAlone() {
  const w = client.ring().replication;
  const seeds = left.map(({ seed }) => seed);
  const few = await connect({ seeds, timeout: TIMEOUT_MS, r: 1, w, strict: true });
  const labels = new Set(left.map(({ label }) => label));
  const held = stored.filter((file) => primaries(file).some(({ label }) => labels.has(label)));
  const nodes = new Map(few.ring().nodes.map(({ id, label }) => [id, label]));
  let missedHere = 0;
  let handedOver = 0;
  const found = await readBack(few, held, "alone", (entry, file) => {
    if (!missed.has(file)) return;
    missedHere += 1;
    const [answered, ...others] = entry.receipt.primaries;
    if (others.length === 0 && nodes.get(answered) === file.without) handedOver += 1;
  });
  await few.close();
  return { ...found, missed: missedHere, handed_over: handedOver };
}

let alone = null;
if (left.length > 0) {
  alone = await readAlone();
  say({ event: "alone" });
  await heard();
}

const { lost, different, equal, get } = await readBack(client, stored, "get");
const stats = client.stats();
const ring = client.ring();
const places = stored.map((file) => primaries(file).map(({ label }) => label));
for (const named of Object.values(report)) sort(named);
say({
  event: "report",
  ...report,
  lost,
  different,
  equal,
  changed: changed.size,
  put: put.summary(),
  phases: phases.map((phase) => phase.summary()),
  without: without.length,
  missed: missed.size,
  alone,
  get,
  direct: stats.direct,
  passed_on: stats.passedOn,
  slots: ring.owners.length,
  killed: killed.map((label) => ({
    label,
    slots: ring.owners.filter((owner) => ring.nodes[owner].label === label).length,
    primary: places.filter((labels) => labels.includes(label)).length,
    first: places.filter(([first]) => first === label).length,
  })),
});

commands.off("close", orphaned);
commands.close();
process.stdin.destroy();
await client.close();
