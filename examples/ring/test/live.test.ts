// The page as `serve --ui` shows it: five real nodes, each a process of its own.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";

import { Stand } from "./browser.js";
import { nodeBinary, quorate } from "./programs.js";

const NODES = 5;
const START_TRIES = 100;
const START_PAUSE_MS = 200;

const processes: ChildProcess[] = [];
const ports: number[] = [];
let stand: Stand;

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))));
  const free = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return free;
}

/** Where a node shows the page. */
function pageOf(node: number): string {
  return `http://127.0.0.1:${ports[node]}/`;
}

/** Until all nodes have met: bounded, and each try asks the nodes themselves. */
async function ready(): Promise<void> {
  for (let tried = 0; tried < START_TRIES; tried += 1) {
    const asked = fetch(`${pageOf(0)}v1/cluster`).then((answer) => answer.json());
    const told = await asked.then((json) => json as { up: number; layout_version: number }, () => undefined);
    if (told?.up === NODES && told.layout_version > 0) return;
    await new Promise((resolve) => setTimeout(resolve, START_PAUSE_MS));
  }
  throw new Error("The nodes have not met.");
}

before(async () => {
  ports.push(...(await freePorts(NODES)));
  for (const [index, port] of ports.entries()) {
    const founds = index === 0 ? ["--found", String(NODES), "--slots", "64"] : ["--seed", `ws://127.0.0.1:${ports[0]}`];
    const place = ["--listen", `127.0.0.1:${port}`, "--label", `node-${index + 1}`];
    const page = index === 0 ? ["--ui", "--ui-writes"] : ["--ui"];
    const options = ["serve", "--storage", "memory", ...place, ...page, ...founds];
    processes.push(spawn(nodeBinary(), options, { stdio: ["ignore", "ignore", "inherit"] }));
  }
  await ready();
  stand = await Stand.at(pageOf(0));
});

after(async () => {
  await stand?.stop();
  for (const node of processes) node.kill("SIGKILL");
});

test("a live cluster is drawn, written to, and one of its nodes is seen to die", async () => {
  const page = await stand.open();
  await page.getByRole("heading", { name: "Live cluster" }).waitFor();
  assert.equal(await page.locator(".node").count(), NODES);
  assert.equal(await page.locator(".slot:not(.owner-none)").count(), 64);
  assert.equal(await page.locator(".time").isVisible(), false);
  await page.locator("[data-name=key]").fill("cart");
  await page.locator("[data-name=value]").fill("milk");
  await page.getByRole("button", { name: "Put", exact: true }).click();
  await page.locator(".standing.written").getByText("done").waitFor();
  assert.equal((await quorate("get", "--seed", `ws://127.0.0.1:${ports[1]}`, "cart")).trim(), "milk");
  const order = await page.locator(".where .steps .taken").allInnerTexts();
  assert.equal(order.length, 3);
  processes[4]?.kill("SIGKILL");
  await page.locator(".node.gone").getByText("5").waitFor();
  await page.locator(".told").getByText("node-5 is dead.").waitFor();
  await page.getByRole("button", { name: "Get", exact: true }).click();
  await page.locator(".standing.entry").getByText("milk").waitFor();
  await page.context().close();
});

test("where the operator does not allow it the page offers no write", async () => {
  const page = await stand.open(pageOf(1));
  await page.getByText("This page may read, and not write.").waitFor();
  await page.locator("[data-name=key]").fill("cart");
  await page.getByRole("button", { name: "Get", exact: true }).click();
  await page.locator(".standing.entry").getByText("milk").waitFor();
  assert.ok(await page.getByRole("button", { name: "Put", exact: true }).isDisabled());
  await page.context().close();
});

test("no page met an error that nobody caught", () => {
  assert.deepEqual(stand.complaints, []);
});
