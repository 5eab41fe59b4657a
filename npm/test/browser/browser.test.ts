// The packed package in a page of headless Chromium, under a strict Content-Security-Policy,
// against five real nodes.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { Browser, Page } from "playwright-core";
import { connect } from "quorate";
import { replay } from "quorate/sim";

import { launchChromium } from "../chromium.js";
import { Cluster, pooled, simulatorBinary } from "../cluster.js";
import { installPacked } from "../install.js";
import { KEYS } from "../keys.js";

const STRICT = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src *";
const NO_NODES = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'";
const NO_WASM = "default-src 'self'; connect-src *";

let cluster: Cluster;
let project: string;
let browser: Browser;
const servers: Server[] = [];
const complaints: string[] = [];

before(async () => {
  [cluster, project] = await Promise.all([Cluster.start(), installPacked()]);
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  for (const server of servers) server.close();
  await cluster?.stop();
  if (project) await rm(project, { recursive: true, force: true });
});

/** Serves the page and the packed script; a page of its own for each policy. */
async function open(policy: string): Promise<Page> {
  const files: Record<string, [string, string]> = {
    "/": [fileURLToPath(new URL("page.html", import.meta.url)), "text/html"],
    "/page.js": [fileURLToPath(new URL("page.js", import.meta.url)), "text/javascript"],
    "/quorate/index.js": [join(project, "node_modules/quorate/dist/index.js"), "text/javascript"],
    "/quorate/sim.js": [join(project, "node_modules/quorate/dist/sim.js"), "text/javascript"],
  };
  const server = createServer((request, response) => {
    const [path, type] = files[request.url ?? ""] ?? ["", ""];
    const headers = { "content-type": type, "content-security-policy": policy };
    readFile(path).then(
      (body) => response.writeHead(200, headers).end(body),
      () => response.writeHead(404).end(),
    );
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const page = await browser.newPage();
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction(() => "page" in globalThis);
  return page;
}

/** Calls a function of `page.js`. */
function call<T>(page: Page, name: string, ...given: unknown[]): Promise<T> {
  return page.evaluate(
    ([called, args]) =>
      (globalThis as unknown as { page: Record<string, (...args: unknown[]) => unknown> }).page[
        called as string
      ]?.(...(args as unknown[])) as unknown,
    [name, given],
  ) as Promise<T>;
}

test("a page puts and gets, straight to the replicas", async () => {
  const page = await open(STRICT);
  assert.ok((await call<number>(page, "connect", cluster.seeds)) >= 1);
  const keys = KEYS.slice(0, 200);
  assert.deepEqual(await call(page, "roundTrip", keys), keys.map((key) => `value of ${key}`));
  const receipt = await call<{ needed: number; primaries: string[] }>(page, "receipt", keys[0]);
  assert.equal(receipt.needed, 2);
  assert.ok(receipt.primaries.length >= 2);
  const { direct, done, failed } = await call<Record<string, number>>(page, "stats");
  assert.deepEqual([done, failed], [401, 0]);
  assert.ok((direct ?? 0) >= 201, `${direct} of ${done}`);
  await call(page, "close");
});

test("Rust, Node.js and Chromium run twenty seeds alike", async () => {
  const [seeds, operations] = [20, 100];
  const options = ["hash", "--seeds", `0..${seeds}`, "--ops", String(operations), "--json"];
  const { stdout } = await promisify(execFile)(simulatorBinary(), options);
  const report = JSON.parse(stdout) as { seeds: { trace: string }[] };
  const native = report.seeds.map(({ trace }) => trace);
  assert.equal(native.length, seeds);
  const page = await open(STRICT);
  const inChromium = await call<string[]>(page, "traces", seeds, operations);
  const inNode: string[] = [];
  for (let seed = 0; seed < seeds; seed += 1) inNode.push((await replay(seed, { operations })).trace);
  assert.deepEqual(inNode, native);
  assert.deepEqual(inChromium, native);
});

test("Rust, Node.js and Chromium give the same thousand preference lists", async () => {
  const page = await open(STRICT);
  await call(page, "connect", cluster.seeds);
  await using client = await connect({ seeds: cluster.seeds });
  const inChromium = await call(page, "locate", KEYS);
  const inNode = KEYS.map((key) => {
    const { position, slot, nodes } = client.locate(key);
    return { position, slot, nodes: nodes.map(({ id }) => id) };
  });
  assert.deepEqual(inChromium, inNode);
  assert.deepEqual(inNode, await pooled(KEYS, 4, (key) => cluster.locate(key)));
  await call(page, "close");
});

test("a page without nodes is told so in time", async () => {
  const page = await open(STRICT);
  const { known, code, message } = await call<Record<string, unknown>>(page, "failure", ["ws://127.0.0.1:1"]);
  assert.deepEqual([known, code], [true, "UNREACHABLE"]);
  assert.match(String(message), /ws:\/\/127\.0\.0\.1:1 \(no connection; /);
});

test("a policy that forbids WebAssembly is named", async () => {
  const page = await open(NO_WASM);
  const { known, code, message } = await call<Record<string, unknown>>(page, "failure", cluster.seeds);
  assert.deepEqual([known, code], [true, "WASM_BLOCKED"]);
  assert.match(String(message), /wasm-unsafe-eval/);
});

test("a policy that forbids the nodes is named", async () => {
  const page = await open(NO_NODES);
  const { known, code, message } = await call<Record<string, unknown>>(page, "failure", cluster.seeds);
  assert.deepEqual([known, code], [true, "UNREACHABLE"]);
  assert.match(String(message), /forbids it: add ws:\/\/127\.0\.0\.1:\d+ to connect-src/);
});

test("a page that was frozen goes on where it was", async () => {
  const page = await open(STRICT);
  await call(page, "connect", cluster.seeds);
  await call(page, "roundTrip", KEYS.slice(0, 10));
  const session = await page.context().newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  await new Promise((resolve) => setTimeout(resolve, 500));
  await session.send("Page.setWebLifecycleState", { state: "active" });
  const keys = KEYS.slice(10, 20);
  assert.deepEqual(await call(page, "roundTrip", keys), keys.map((key) => `value of ${key}`));
  assert.ok((await call<number>(page, "ping")) >= 1);
  await call(page, "close");
});

test("no page met an error that nobody caught", () => {
  assert.deepEqual(complaints, []);
});
