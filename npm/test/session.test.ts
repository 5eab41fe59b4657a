// Sessions, against a node that is no Rust, and five real ones.

import assert from "node:assert/strict";
import { test } from "node:test";

import { connect } from "quorate";

import { Seen } from "../src/seen.js";
import { Cluster } from "./cluster.js";
import { FakeNode, contextToken } from "./fake-node.js";
import type { PlainFrame } from "./fake-node.js";
import { withNode } from "./with-node.js";

/** The contexts of all requests so far. */
function contexts(node: FakeNode): (string | undefined)[] {
  const requests = node.received.flat().map(({ get, put }: PlainFrame) => get ?? put);
  return requests.flatMap((request) => (request ? [(request.context as Buffer | undefined)?.toString("base64url")] : []));
}

test("a session passes on what it was shown of each key", () =>
  withNode(async (node, client) => {
    const token = (key: string) => Buffer.from(contextToken(key, 7n)).toString("base64url");
    const session = client.session();
    const bytes = new TextEncoder().encode("k");
    await session.put("k", "v");
    await session.get(bytes);
    await session.get("other");
    await session.put("other", "v");
    await session.delete("k");
    await session.put("k", "v", { context: "" });
    await session.update("k", () => "w").catch(() => {});
    const [first, second, third, fourth, fifth, blind, read, write] = contexts(node);
    assert.deepEqual([first, second], [undefined, token("k")]);
    // What is absent has a context, too.
    assert.deepEqual([third, fourth], [undefined, token("other")]);
    assert.deepEqual([fifth, blind], [token("k"), undefined]);
    assert.deepEqual([read, write], [token("k"), token("k")]);
    await client.session().get("k");
    await client.get("k");
    assert.deepEqual(contexts(node).slice(-2), [undefined, undefined], "other sessions know nothing of it");
    const bucket = session.bucket<string>("names");
    await bucket.put("a", "x");
    await bucket.get("a");
    assert.deepEqual(contexts(node).slice(-2), [undefined, token("names/a")]);
    for await (const [, entry] of session.getMany(["k"])) assert.ok(entry);
    assert.deepEqual(contexts(node).at(-1), token("k"));
  }));

test("a read that began before a write does not make the session forget that", () => {
  const seen = new Seen();
  seen.onRead("k", "", "old");
  const before = seen.contextOf("k");
  seen.onWritten("k", "written");
  seen.onRead("k", before, "late");
  assert.equal(seen.contextOf("k"), "written");
  seen.onRead("k", "written", "next");
  assert.equal(seen.contextOf("k"), "next");
  // Of two reads that overlap, and of one with a context of its own, the later one may be older.
  seen.onRead("k", "written", "other");
  seen.onRead("k", "older", "older");
  assert.equal(seen.contextOf("k"), "next");
});

test("a session remembers so many keys, the latest, each for an hour", (context) => {
  const seen = new Seen();
  for (let index = 0; index <= 10_000; index += 1) seen.onWritten(`k${index}`, "c");
  assert.deepEqual([seen.contextOf("k0"), seen.contextOf("k1"), seen.contextOf("k10000")], ["", "c", "c"]);
  const now = performance.now();
  context.mock.method(performance, "now", () => now + 61 * 60 * 1_000);
  assert.equal(seen.contextOf("k10000"), "");
});

test("with a single replica to answer a session reads its writes, and nothing older again", async () => {
  const cluster = await Cluster.start("--allow-weak");
  try {
    await using client = await connect({ seeds: cluster.seeds, r: 1, w: 1 });
    const session = client.session();
    for (let index = 0; index < 300; index += 1) {
      const { siblings } = await session.put("k", String(index));
      assert.equal(siblings, 1);
      assert.equal((await session.get("k"))?.text(), String(index));
    }
    await session.delete("k");
    assert.equal(await session.get("k"), undefined);
    await session.update("k", (entry) => (assert.equal(entry, undefined), "again"));
    assert.equal((await session.get("k"))?.text(), "again");
  } finally {
    await cluster.stop();
  }
});
