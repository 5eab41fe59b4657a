// Puts a load on a system through one client: `node driver.mjs ADAPTER TASK`.
//
// TASK is the JSON of `Task` in `tests/bench/src/compare/task.rs`. What is to be done stands in a
// file, so that every client does the same: a little-endian u32 for each operation, the index of
// its key, and the highest bit set for a get. The keys are filled, the load runs, and its first
// seconds are not counted. `begin` and `end` are printed as the measured time begins and ends,
// then one line of JSON (`Outcome` in `tests/bench/src/compare/outcome.rs`). It gives up when its
// input ends.
//
// An adapter exports `open(task)`, which resolves to
//   get(key, index)         the value as text, undefined where there is none
//   put(key, value, index)  resolves when the write is acknowledged
//   fill(pairs)             optional: stores pairs of key and value that nobody has read or written
//   close()
//   isLocal                 optional: true where no operation waits for a socket
//   siblingsMax()           optional: values that stood side by side under one key, at most

import { readFileSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";

import { Histogram } from "./histogram.mjs";

const GET = 2 ** 31;
/** Values that differ; keys share them. */
const VALUES = 64;
const FILLED_AT_ONCE = 128;
/** Operations of a client that answers at once, until the event loop gets its turn. */
const TURN_OPERATIONS = 256;

const [adapter, argument] = process.argv.slice(2);
const task = JSON.parse(argument);
const { open } = await import(`./${adapter}.mjs`);

// Whoever gave the task is gone.
process.stdin.on("end", () => process.exit(1)).resume();

const draws = readDraws(task.draws);
const keys = Array.from({ length: task.keys }, (_, index) => `key:${String(index).padStart(12, "0")}`);
const values = Array.from({ length: VALUES }, (_, seed) => text(task.value_bytes, seed + 1));

const client = await open(task);
await fill();

const gets = new Histogram();
const puts = new Histogram();
let next = task.first_draw % draws.length;
let errors = 0;
let error = null;
let underWay = 0;
let boundReached = false;
let over = false;

const measuring = measure();
const load = task.rate ? openLoop(task.rate, task.under_way_max) : closedLoop(task.in_flight);
const { seconds, cpu } = await measuring;
const outcome = {
  seconds,
  gets: gets.pairs(),
  puts: puts.pairs(),
  errors,
  error,
  cpu_seconds: cpu,
  bound_reached: boundReached,
  siblings_max: client.siblingsMax?.() ?? null,
};
await load;
await client.close();
process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit(0));

/** Waits for the warm-up and for the measured time. */
async function measure() {
  await sleep(task.warm_up_seconds);
  gets.clear();
  puts.clear();
  errors = 0;
  boundReached = false;
  process.stdout.write("begin\n");
  const before = process.cpuUsage();
  const began = performance.now();
  await sleep(task.seconds);
  over = true;
  const seconds = (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage(before);
  process.stdout.write("end\n");
  return { seconds, cpu: (user + system) / 1_000_000 };
}

/** So many operations under way at one time. */
function closedLoop(inFlight) {
  return Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let done = 1; !over; done += 1) {
        await operate(performance.now());
        // Where nothing waits for a socket, the timers still have to run.
        if (done % TURN_OPERATIONS === 0 && client.isLocal) await turn();
      }
    }),
  );
}

/**
 * So many operations per second, one burst for each millisecond, whatever the answers take. What is
 * late is counted from the moment at which it should have begun.
 */
async function openLoop(rate, underWayMax) {
  const began = performance.now();
  const running = new Set();
  let begun = 0;
  while (!over) {
    const now = performance.now();
    const due = Math.floor(((Math.floor(now - began) + 1) * rate) / 1_000);
    for (; begun < due; begun += 1) {
      if (underWay >= underWayMax) {
        boundReached = true;
        break;
      }
      underWay += 1;
      const intended = began + Math.floor((begun * 1_000) / rate);
      const operation = operate(intended).finally(() => {
        underWay -= 1;
        running.delete(operation);
      });
      running.add(operation);
    }
    const wait = began + Math.floor(performance.now() - began) + 1 - performance.now();
    await sleep(wait / 1_000);
  }
  await Promise.all(running);
}

/** The next operation, which should have begun at `began`. */
async function operate(began) {
  const at = next;
  const draw = draws[at];
  next = next + 1 === draws.length ? 0 : next + 1;
  const isGet = draw >= GET;
  const index = isGet ? draw - GET : draw;
  try {
    if (isGet) {
      const value = await client.get(keys[index], index);
      if (value?.length !== task.value_bytes) throw new Error(`${keys[index]} holds another value`);
    } else {
      // Puts of one key store different values, so what stands side by side is seen.
      await client.put(keys[index], values[at % VALUES], index);
    }
  } catch (cause) {
    if (over) return;
    errors += 1;
    error ??= String(cause);
    // Errors that come at once must not keep the timers from running.
    await turn();
    return;
  }
  if (!over) (isGet ? gets : puts).record((performance.now() - began) * 1_000);
}

async function fill() {
  if (client.fill) {
    for (let index = 0; index < keys.length; index += FILLED_AT_ONCE) {
      const some = keys.slice(index, index + FILLED_AT_ONCE);
      await client.fill(some.map((key, at) => [key, values[(index + at) % VALUES]]));
    }
    return;
  }
  let filled = 0;
  const worker = async () => {
    while (filled < keys.length) {
      const index = filled++;
      await client.put(keys[index], values[index % VALUES], index);
    }
  };
  await Promise.all(Array.from({ length: FILLED_AT_ONCE }, worker));
}

function readDraws(path) {
  const bytes = readFileSync(path);
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

/** Text that does not compress, of one byte for each letter. */
function text(length, seed) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return Array.from({ length }, () => {
    // Marsaglia's xorshift32.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return letters[state & 63];
  }).join("");
}

function sleep(seconds) {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
}
