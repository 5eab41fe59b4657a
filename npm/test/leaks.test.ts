// What a client leaves behind: nothing, however often it connects and whatever it does. The work is done
// in a process of its own that can collect its garbage.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { Cluster } from "./cluster.js";
import type { Sample } from "./leaks-child.js";

/** `QUORATE_LEAKS=full`: as often as the package promises, which takes minutes. */
const FULL = process.env.QUORATE_LEAKS === "full";
const CONNECTIONS = FULL ? 10_000 : 500;
const OPERATIONS = FULL ? 1_000_000 : 60_000;
/** Measured this often; the first half may still grow: pools, compiled code, tables. */
const SAMPLES = 10;
const HEAP_GROWTH_MAX_BYTES = 512 * 1024;
/** Four pages: what a batch takes that is larger than all before. */
const WASM_GROWTH_MAX_BYTES = 4 * 64 * 1024;

let cluster: Cluster;

before(async () => {
  cluster = await Cluster.start();
});

after(() => cluster?.stop());

async function measured(context: TestContext, work: string, count: number): Promise<Sample[]> {
  const child = fileURLToPath(new URL("leaks-child.ts", import.meta.url));
  const given = ["--expose-gc", "--import", "tsx", child, work, `${count}`, `${SAMPLES}`, cluster.seeds[0] as string];
  const { NODE_TEST_CONTEXT, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, given, { env });
  const samples = stdout.trim().split("\n").map((line) => JSON.parse(line) as Sample);
  assert.equal(samples.length, SAMPLES);
  for (const { heap, wasm, handles } of samples) {
    context.diagnostic(`heap ${heap >> 10} KiB, wasm ${wasm >> 10} KiB, handles ${handles.join(" ") || "none"}`);
  }
  return samples;
}

/** The second half must hold no more than the first did at its end. */
function assertFlat(samples: Sample[]): void {
  const half = samples.length / 2;
  const middle = samples[half - 1] as Sample;
  for (const { heap, wasm, handles } of samples.slice(half)) {
    assert.ok(heap - middle.heap < HEAP_GROWTH_MAX_BYTES, `the heap grows: ${middle.heap} to ${heap}`);
    assert.ok(wasm - middle.wasm <= WASM_GROWTH_MAX_BYTES, `the module grows: ${middle.wasm} to ${wasm}`);
    assert.deepEqual(handles, middle.handles);
  }
}

test(`${CONNECTIONS} times connected and closed`, async (context) => {
  const samples = await measured(context, "connect", CONNECTIONS);
  assertFlat(samples);
  for (const { handles } of samples) assert.deepEqual(handles, []);
});

test(`${OPERATIONS} operations, 256 at a time`, async (context) => {
  assertFlat(await measured(context, "operate", OPERATIONS));
});
