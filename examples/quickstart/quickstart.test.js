// Runs the example as its README says, against a cluster of its own.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { promisify } from "node:util";

const root = new URL("../../", import.meta.url).pathname;
const binary = [process.env.QUORATE_BIN ?? "", `${root}target/release/quorate`, `${root}target/debug/quorate`]
  .find((path) => existsSync(path));

test("the quickstart shows a conflict and its merge", async () => {
  assert.ok(binary, "build the node first: cargo build --release -p quorate-node");
  const cluster = spawn(binary, ["dev", "--base-port", "0", "-o", "json"], { stdio: ["ignore", "pipe", "ignore"] });
  try {
    const line = await new Promise((resolve) => createInterface({ input: cluster.stdout }).once("line", resolve));
    const [node] = JSON.parse(line).nodes;
    const { stdout } = await promisify(execFile)(process.execPath, ["quickstart.js", node.address], {
      cwd: new URL(".", import.meta.url).pathname,
    });
    const lines = stdout.split("\n");
    assert.equal(lines[0], 'in conflict: ["milk","bread"] and ["milk","eggs"]');
    assert.equal(lines[1], 'merged: ["bread","eggs","milk"]');
    assert.match(lines[2], /^asked: node-\d, node-\d, node-\d$/);
  } finally {
    cluster.kill("SIGTERM");
  }
});
