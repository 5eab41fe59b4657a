// What the page costs: bytes to fetch, time to the first picture, frames per second.
//
// Frames are counted from the browser's own tracing. Figures depend on the machine: nothing here
// passes or fails.

import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import type { Page } from "playwright-core";
import type { Action, RunOptions } from "quorate/sim";

import { encode } from "../src/link.js";
import { Stand } from "../test/browser.js";

const DIST = fileURLToPath(new URL("../dist/", import.meta.url));
const BEGIN_MS = 3_000;
const TRACED_MS = 5_000;
/** A frame that is later than that was missed: one and a half of a sixtieth of a second. */
const LATE_MS = 25;

interface TraceEvent {
  readonly name: string;
  readonly ts: number;
  readonly dur?: number;
  readonly args?: { readonly data?: { readonly type?: string } };
}

await sizes();
const stand = await Stand.start();
await firstPicture();
const puts = Array.from({ length: 220 }, (_, index) => put(index));
await frames("8 nodes, 64 slots, 220 puts at once, a tenth of the pace", { nodes: 8, slots: 64, clients: 3, seed: 1 }, puts, "0.1");
await frames("50 nodes, 1024 slots, gossip alone", { nodes: 50, slots: 1024, zones: 3, clients: 3, seed: 1 }, [], "1");
await stand.stop();

function put(index: number): Action & { at: number } {
  return { at: BEGIN_MS, do: "put", client: index % 3, key: `key ${index}`, value: "value" };
}

async function sizes(): Promise<void> {
  const files = ["index.html", ...(await readdir(join(DIST, "assets"))).map((name) => join("assets", name))];
  let page = 0;
  for (const file of files) {
    const bytes = await readFile(join(DIST, file));
    const small = gzipSync(bytes, { level: 9 }).length;
    // Both carry their WebAssembly; the client is fetched for a live cluster alone.
    if (!/simulator|client/.test(file)) page += small;
    console.log(`${file.padEnd(44)} ${kib(bytes.length)} ${kib(small)} gzipped`);
  }
  console.log(`${"the page beside those two".padEnd(44)} ${"".padStart(12)} ${kib(page)} gzipped`);
}

async function firstPicture(): Promise<void> {
  const shown: number[] = [];
  for (let run = 0; run < 5; run += 1) {
    const page = await stand.open();
    shown.push(await page.evaluate(() => performance.getEntriesByName("first picture")[0]?.startTime ?? Number.NaN));
    await page.context().close();
  }
  const median = shown.sort((a, b) => a - b)[2] ?? Number.NaN;
  console.log(`first picture, median of ${shown.length}: ${median.toFixed(0)} ms after the address was opened`);
}

async function frames(name: string, options: RunOptions, actions: readonly (Action & { at: number })[], pace: string): Promise<void> {
  const page = await stand.open(`#${await encode({ script: { options, actions }, at: BEGIN_MS + 0.1 })}`);
  await page.getByLabel("Pace").selectOption(pace);
  await page.locator("[data-name=play]").click();
  await page.waitForTimeout(1_000);
  const flying = await page.locator(".messages").getAttribute("data-flying");
  const events = await traced(page);
  const drawn = events.filter((event) => event.name === "FireAnimationFrame").map(({ ts }) => ts / 1000);
  const gaps = drawn.slice(1).map((at, index) => at - (drawn[index] ?? at));
  const late = gaps.filter((gap) => gap > LATE_MS).length;
  const busy = events.filter((event) => event.name === "FireAnimationFrame").map(({ dur = 0 }) => dur / 1000);
  const rate = (1000 * gaps.length) / gaps.reduce((sum, gap) => sum + gap, 0);
  const ordered = busy.sort((a, b) => a - b);
  const at = (share: number) => (ordered[Math.floor(ordered.length * share)] ?? Number.NaN).toFixed(1);
  console.log(`${name}: ${rate.toFixed(1)} frames a second, ${late} of ${gaps.length} late; script of a frame p50 ${at(0.5)} ms, p95 ${at(0.95)} ms; ${flying} messages on their way at the start`);
  await page.context().close();
}

/** The browser's own events of some seconds. */
async function traced(page: Page): Promise<TraceEvent[]> {
  const session = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  const complete = new Promise<void>((resolve) => session.once("Tracing.tracingComplete", () => resolve()));
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["devtools.timeline"] } });
  await page.waitForTimeout(TRACED_MS);
  await session.send("Tracing.end");
  await complete;
  return events.sort((a, b) => a.ts - b.ts);
}

function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`.padStart(12);
}
