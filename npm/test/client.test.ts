// The built package against a node that is no Rust, and against none.

import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";

import { QuorateError, connect } from "quorate";
import type { ConnectOptions } from "quorate";

import { FakeNode } from "./fake-node.js";
import { withNode } from "./with-node.js";

const rejections: unknown[] = [];
process.on("unhandledRejection", (reason) => rejections.push(reason));
after(() => assert.deepEqual(rejections, []));

async function failure(promise: Promise<unknown>): Promise<QuorateError> {
  const error = await promise.then(
    () => assert.fail("it should have failed"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof QuorateError, String(error));
  return error;
}

test("puts, gets and deletes speak the published protocol", () =>
  withNode(async (node, client) => {
    assert.equal(await client.get("cart"), undefined);
    const written = await client.put("cart", "milk");
    assert.equal(written.siblings, 1);
    const entry = await client.get("cart");
    assert.equal(entry?.text(), "milk");
    assert.deepEqual(entry.value, new Uint8Array(Buffer.from("milk")));
    assert.equal(entry.siblings.length, 1);
    assert.equal(entry.written.getTime(), 1_700_000_000_000);
    assert.equal(entry.deleted, false);
    await client.delete("cart", { context: entry.context });
    assert.equal(await client.get("cart"), undefined);
    const [hello] = node.received[0] ?? [];
    assert.equal(hello?.hello?.role, "ROLE_CLIENT");
  }));

test("calls of one turn leave as one message", () =>
  withNode(async (node, client) => {
    const before = node.received.length;
    const keys = Array.from({ length: 100 }, (_, index) => `key ${index}`);
    await Promise.all(keys.map((key) => client.put(key, key)));
    assert.equal(node.received.length, before + 1);
    // So do the next calls of loops that all wait for the same message.
    await Promise.all(
      keys.map(async (key) => {
        assert.equal((await client.get(key))?.text(), key);
        assert.equal((await client.get(key))?.text(), key);
      }),
    );
    assert.equal(node.received.length, before + 3);
  }));

test("siblings come newest first and can be merged", () =>
  withNode(async (_node, client) => {
    await client.put("cart", JSON.stringify(["milk"]));
    assert.equal((await client.put("cart", JSON.stringify(["bread"]))).siblings, 2);
    const entry = await client.get("cart");
    assert.deepEqual(entry?.siblings.map((one) => one.json()), [["bread"], ["milk"]]);
    assert.deepEqual(entry.json(), ["bread"]);
  }));

test("the ring is known without asking", () =>
  withNode(async (node, client) => {
    const fake = { id: "0000000000000007", label: "fake", zone: "", address: node.url, weight: 1 };
    assert.deepEqual(client.ring(), { version: 1, replication: 1, nodes: [fake], owners: Array(16).fill(0) });
    const place = client.locate("abc");
    assert.equal(place.position, "900150983cd24fb0d6963f7d28e17f72");
    assert.equal(place.slot, 9);
    assert.deepEqual(place.nodes, [fake]);
    assert.deepEqual(place.primaries, [fake]);
    await client.put("abc", "x");
    const { calls, done, direct, connected, inFlight } = client.stats();
    assert.deepEqual([calls, done, direct, inFlight], [1, 1, 1, 0]);
    assert.deepEqual(connected, ["0000000000000007"]);
  }));

test("a value is what it was when it was passed in", () =>
  withNode(async (_node, client) => {
    const value = new Uint8Array([1, 2, 3]);
    const put = client.put("k", value.subarray(1));
    value.fill(9);
    await put;
    assert.deepEqual((await client.get("k"))?.value, new Uint8Array([2, 3]));
    await client.put("view", new DataView(new Uint8Array([4, 5, 6]).buffer, 1, 2));
    assert.deepEqual((await client.get("view"))?.value, new Uint8Array([5, 6]));
    await client.put("buffer", new Uint8Array([7]).buffer);
    assert.deepEqual((await client.get("buffer"))?.value, new Uint8Array([7]));
  }));

test("a silent node ends calls by their deadline, writes as unknown", () =>
  withNode(async (node, client) => {
    node.intercept = ({ get, put }) => (get || put ? [] : undefined);
    const start = performance.now();
    const [read, write] = await Promise.all([
      failure(client.get("k", { timeout: 300 })),
      failure(client.put("k", "v", { timeout: 300 })),
    ]);
    const took = performance.now() - start;
    assert.ok(took < 1_000, `${took} ms`);
    assert.deepEqual([read.code, read.outcome, read.retryable], ["TIMEOUT", "none", true]);
    assert.deepEqual([write.code, write.outcome, write.attempts > 0], ["TIMEOUT", "unknown", true]);
  }));

test("an aborted call rejects with the signal's reason", () =>
  withNode(async (node, client) => {
    node.intercept = ({ get, put }) => (get || put ? [] : undefined);
    const controller = new AbortController();
    const reason = new Error("changed my mind");
    const calls = [client.get("k", { signal: controller.signal }), client.put("k", "v", { signal: controller.signal })];
    setTimeout(() => controller.abort(reason), 20);
    const ended = await Promise.allSettled(calls);
    assert.deepEqual(ended.map((one) => one.status === "rejected" && one.reason), [reason, reason]);
    await assert.rejects(client.get("k", { signal: AbortSignal.abort(reason) }), reason);
    assert.equal(client.stats().inFlight, 0);
    node.intercept = undefined;
    assert.equal(await client.get("k"), undefined);
  }));

test("calls go on after the connection was cut", () =>
  withNode(async (node, client) => {
    await client.put("k", "v");
    node.cut();
    assert.equal((await client.get("k"))?.text(), "v");
  }));

test("bytes that are no frames end in an error, not in a crash", () =>
  withNode(async (node, client) => {
    node.intercept = ({ get }, socket) => {
      if (get) socket.send(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
      return get ? [] : undefined;
    };
    const error = await failure(client.get("k", { timeout: 500 }));
    assert.equal(error.retryable, true);
  }));

test("close ends what is under way, once", () =>
  withNode(async (node, client) => {
    node.intercept = ({ get, put }) => (get || put ? [] : undefined);
    const calls = [failure(client.get("k")), failure(client.put("k", "v"))];
    await new Promise((resolve) => setTimeout(resolve, 20));
    await Promise.all([client.close(), client.close()]);
    const [read, write] = await Promise.all(calls);
    assert.deepEqual([read?.code, read?.outcome], ["CLOSED", "none"]);
    assert.deepEqual([write?.code, write?.outcome], ["CLOSED", "unknown"]);
    assert.equal((await failure(client.get("k"))).code, "CLOSED");
    assert.throws(() => client.locate("k"), { code: "CLOSED" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(node.connections, 0);
  }));

test("a refusal is told at once, in the node's words", async () => {
  const node = await FakeNode.start();
  node.intercept = ({ hello }) =>
    hello && [{ reject: { code: "REJECT_CREDENTIALS", text: "wrong credentials" } }];
  try {
    const error = await failure(connect({ seeds: [node.url] }));
    assert.equal(error.code, "REJECTED");
    assert.match(error.message, /wrong credentials/);
    assert.ok(error.message.includes(node.url));
  } finally {
    await node.stop();
  }
});

test("without any server connecting fails in time, and names seeds and reasons", async () => {
  const start = performance.now();
  const error = await failure(connect({ seeds: ["ws://127.0.0.1:1"], timeout: 300 }));
  assert.ok(performance.now() - start < 2_000);
  assert.equal(error.code, "UNREACHABLE");
  assert.match(error.message, /ws:\/\/127\.0\.0\.1:1 .*ECONNREFUSED/);
});

test("a server that never answers is no reason to hang", async () => {
  const hole = createServer(() => {}).listen(0, "127.0.0.1");
  await new Promise((resolve) => hole.once("listening", resolve));
  const { port } = hole.address() as AddressInfo;
  const error = await failure(connect({ seeds: [`ws://127.0.0.1:${port}`], timeout: 300 }));
  assert.equal(error.code, "UNREACHABLE");
  assert.match(error.message, /no answer/);
  hole.close();
});

test("connecting can be aborted", async () => {
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  await assert.rejects(connect({ seeds: ["ws://127.0.0.1:1"], signal }), reason);
  const controller = new AbortController();
  const connecting = connect({ seeds: ["ws://127.0.0.1:1"], signal: controller.signal });
  setTimeout(() => controller.abort(reason), 50);
  await assert.rejects(connecting, reason);
});

test("a dead seed in front does no harm", async () => {
  const node = await FakeNode.start();
  await using client = await connect({ seeds: ["ws://127.0.0.1:1", node.url] });
  await client.put("k", "v");
  await client.close();
  await node.stop();
});

test("wrong options are explained", async () => {
  const cases: [unknown, RegExp][] = [
    [undefined, /options must be an object/],
    [{}, /`seeds` must list/],
    [{ seeds: [] }, /`seeds` must list/],
    [{ seeds: [7] }, /a seed is a WebSocket URL/],
    [{ seeds: ["http://localhost:7001"] }, /Did you mean "ws:\/\/localhost:7001"/],
    [{ seeds: ["localhost:7001"] }, /Did you mean "ws:\/\/localhost:7001"/],
    [{ seeds: ["nonsense"] }, /must begin with ws/],
    [{ seeds: ["ws://a"], timeout: -1 }, /`timeout` must be/],
    [{ seeds: ["ws://a"], r: 0.5 }, /`r` must be/],
    [{ seeds: ["ws://a"], cluster: "x" }, /16 hexadecimal/],
    [{ seeds: ["ws://a"], WebSocket: 7 }, /must be a class/],
    [{ seeds: ["ws://a"], signal: 7 }, /AbortSignal/],
  ];
  for (const [options, expected] of cases) {
    const error = await failure(connect(options as ConnectOptions));
    assert.equal(error.code, "BAD_ARGUMENT");
    assert.match(error.message, expected);
  }
});

test("wrong arguments are explained", () =>
  withNode(async (_node, client) => {
    const loose = client as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
    const cases: [Promise<unknown> | undefined, string, RegExp][] = [
      [loose.get?.(7), "BAD_ARGUMENT", /A key is a string/],
      [loose.put?.("k", { a: 1 }), "BAD_ARGUMENT", /JSON\.stringify/],
      [loose.put?.("k", "v", "ctx"), "BAD_ARGUMENT", /options must be an object/],
      [loose.put?.("k", "v", { context: 7 }), "BAD_ARGUMENT", /`context` must be a string/],
      [loose.put?.("k", "v", { context: "?" }), "BAD_CONTEXT", /damaged/],
      [loose.put?.("k", "v", { context: "AAAA" }), "BAD_CONTEXT", /context/],
      [loose.get?.("k\ud800"), "BAD_ARGUMENT", /surrogate/],
      [loose.get?.(""), "KEY_SIZE", /1024/],
      [loose.put?.("k", "x".repeat(1_048_577)), "VALUE_TOO_LARGE", /1048577/],
      [loose.update?.("k", 7), "BAD_ARGUMENT", /must be a function/],
    ];
    for (const [call, code, expected] of cases) {
      const error = await failure(call ?? Promise.resolve());
      assert.deepEqual([error.code, error.outcome, error.retryable], [code, "none", false]);
      assert.match(error.message, expected);
    }
  }));
