// The packed package in every environment that the README names: real projects, a real cluster.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import type { Browser } from "playwright-core";
import { connect } from "quorate";
import type { Client } from "quorate";

import { launchChromium } from "../chromium.js";
import { Cluster } from "../cluster.js";
import { ENVIRONMENTS } from "./environments.js";
import { prepare } from "./workspace.js";

const README = new URL("../../README.md", import.meta.url);
/** Rewrites the table of the README. */
const WRITES_TABLE = process.env.QUORATE_WRITE_TABLE === "1";

let cluster: Cluster;
let client: Client;
let browser: Browser;
const worked = new Set<number>();

before(async () => {
  [cluster, browser] = await Promise.all([Cluster.start(), launchChromium(), prepare()]);
  client = await connect({ seeds: cluster.seeds });
});

after(async () => {
  await client?.close();
  await browser?.close();
  await cluster?.stop();
});

for (const [index, { tool, use, runs, run }] of ENVIRONMENTS.entries()) {
  test(`${tool}, ${use}: ${runs}`, async () => {
    const environment = `environment ${index}`;
    const seed = cluster.seeds[index % cluster.seeds.length] as string;
    assert.equal(await run({ browser, environment, seed }), `written by ${environment}`);
    assert.equal((await client.get(environment))?.text(), `written by ${environment}`);
    worked.add(index);
  });
}

test("the README shows what worked", async (context) => {
  const rows = ENVIRONMENTS.map(({ tool, use, runs }, index) =>
    `| ${tool} | ${use} | ${runs} | ${worked.has(index) ? "put and get" : "fails"} |`,
  );
  const table = ["| with | used as | runs in | result |", "|---|---|---|---|", ...rows, ""].join("\n");
  const readme = await readFile(README, "utf8");
  const [whole, start, shown] = /(<!-- environments -->\n)([^]*?)(?=<!-- \/environments -->)/.exec(readme) ?? [];
  assert.ok(whole !== undefined && start !== undefined, "the README has no place for the table");
  if (WRITES_TABLE) return writeFile(README, readme.replace(whole, () => start + table));
  if (!process.version.startsWith("v20.")) return context.skip("the table is that of Node.js 20");
  assert.equal(shown, table, "run `npm run test:packaging` with QUORATE_WRITE_TABLE=1");
});
