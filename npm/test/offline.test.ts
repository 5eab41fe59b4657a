// Clients without a node to turn to: who waits, who is refused, when is dialled again.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { QuorateError, connect } from "quorate";
import type { Client, ConnectOptions } from "quorate";

import { NEVER } from "../src/commands.js";
import { machineBytes, machineOptions } from "../src/options.js";
import { FakeNode } from "./fake-node.js";

const rejections: unknown[] = [];
process.on("unhandledRejection", (reason) => rejections.push(reason));
after(() => assert.deepEqual(rejections, []));

/** Whoever waits for it hangs. */
const FOR_EVER = 2 ** 31 - 1;

/** Runs with a client of one node, which the test may stop. */
async function withNode(
  options: Partial<ConnectOptions>,
  run: (node: FakeNode, client: Client, port: number) => Promise<void>,
): Promise<void> {
  const node = await FakeNode.start();
  try {
    await using client = await connect({ seeds: [node.url], ...options });
    await run(node, client, Number(new URL(node.url).port));
  } finally {
    await node.stop().catch(() => {});
  }
}

/** Resolves when the client has no connection any more. */
async function lost(node: FakeNode, client: Client): Promise<void> {
  const gone = new Promise((resolve) => client.on("disconnected", resolve));
  await node.stop();
  await gone;
}

function codes(ends: PromiseSettledResult<unknown>[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const end of ends) {
    const code = end.status === "fulfilled" ? "done" : (end.reason as QuorateError).code;
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return counts;
}

test("a thousand operations wait for all nodes to come back, and each ends once", async () => {
  const nodes = await FakeNode.cluster(3);
  const back: FakeNode[] = [];
  try {
    await using client = await connect({ seeds: nodes.map(({ url }) => url), timeout: 20_000 });
    const ports = nodes.map(({ url }) => Number(new URL(url).port));
    await Promise.all(nodes.map((node) => node.stop()));
    // The last of them is noticed by then.
    while (client.stats().connected.length > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    let ends = 0;
    const calls = Array.from({ length: 1_000 }, (_, index) => {
      const call = index % 2 === 0 ? client.put(`k${index}`, "v") : client.get(`k${index}`);
      return call.finally(() => void (ends += 1));
    });
    const one = await client.get("one more").catch((error: QuorateError) => error);
    assert.ok(one instanceof QuorateError);
    assert.deepEqual(
      [one.code, one.retryable, one.outcome, one.limit, one.actual],
      ["QUEUE_FULL", true, "none", 1_000, 1_001],
    );
    assert.equal(ends, 0);
    assert.equal(client.stats().inFlight, 1_000);
    for (const [index, port] of ports.entries()) back.push(await FakeNode.start(BigInt(index + 1), port));
    for (const node of back) node.members = back;
    assert.deepEqual(codes(await Promise.allSettled(calls)), { done: 1_000 });
    assert.equal(ends, 1_000);
    const puts = back.flatMap(({ received }) => received.flat().flatMap(({ put }) => (put ? [String(put.key)] : [])));
    assert.equal(new Set(puts).size, 500);
    assert.deepEqual([client.stats().done, client.stats().failed], [1_000, 1]);
  } finally {
    await Promise.all([...nodes, ...back].map((node) => node.stop().catch(() => {})));
  }
});

test("operations that wait end by their timeout, as unreachable", () =>
  withNode({}, async (node, client) => {
    await lost(node, client);
    const calls = [client.get("k", { timeout: 150 }), client.put("k", "v", { timeout: 150 })];
    const ends = await Promise.allSettled(calls);
    assert.deepEqual(codes(ends), { UNREACHABLE: 2 });
    assert.ok(ends.every((end) => end.status === "rejected" && end.reason.outcome === "none"));
  }));

test("operations that are not to wait fail at once, and work again with the node", () =>
  withNode({ offline: "fail", timeout: FOR_EVER }, async (node, client, port) => {
    node.pause();
    const underWay = Promise.allSettled([client.get("k"), client.put("k", "v")]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await lost(node, client);
    const [read, write] = await underWay;
    assert.ok(read?.status === "rejected" && write?.status === "rejected");
    assert.deepEqual([read.reason.code, read.reason.outcome], ["UNREACHABLE", "none"]);
    assert.deepEqual([write.reason.code, write.reason.outcome], ["UNREACHABLE", "unknown"]);
    assert.deepEqual(codes(await Promise.allSettled([client.get("k"), client.put("k", "v")])), { UNREACHABLE: 2 });
    const connected = new Promise((resolve) => client.on("connected", resolve));
    const back = await FakeNode.start(7n, port);
    try {
      await connected;
      assert.equal(await client.get("k"), undefined);
    } finally {
      await client.close();
      await back.stop();
    }
  }));

test("a lost connection is left alone where it is not to be made again", () =>
  withNode({ reconnect: false, timeout: FOR_EVER }, async (node, client, port) => {
    await lost(node, client);
    const back = await FakeNode.start(7n, port);
    try {
      assert.deepEqual(codes(await Promise.allSettled([client.get("k")])), { UNREACHABLE: 1 });
      assert.deepEqual(client.status().nodes.map(({ state, reason }) => [state, reason]), [["down", "unreachable"]]);
      assert.equal(back.received.length, 0);
      const seeds = ["ws://127.0.0.1:1", "ws://127.0.0.1:2"];
      const dead = connect({ seeds, reconnect: false, timeout: FOR_EVER });
      await assert.rejects(dead, { code: "UNREACHABLE", message: /ws:\/\/127\.0\.0\.1:2 \(/ });
    } finally {
      await back.stop();
    }
  }));

test("a function says when to dial again, and when no more", async () => {
  const attempts: number[] = [];
  const waits = [0, 30, false] as const;
  const options = {
    timeout: FOR_EVER,
    reconnect: (attempt: number) => {
      attempts.push(attempt);
      return waits[attempt - 1] ?? false;
    },
  };
  await withNode(options, async (node, client, port) => {
    await lost(node, client);
    assert.deepEqual(codes(await Promise.allSettled([client.get("k")])), { UNREACHABLE: 1 });
    assert.deepEqual(attempts, [1, 2, 3]);
    const back = await FakeNode.start(7n, port);
    try {
      assert.deepEqual(codes(await Promise.allSettled([client.get("k")])), { UNREACHABLE: 1 });
      assert.equal(back.received.length, 0);
    } finally {
      await back.stop();
    }
  });
  attempts.length = 0;
  await withNode(options, async (node, client) => {
    for (let cut = 0; cut < 3; cut += 1) {
      const connected = new Promise((resolve) => client.on("connected", resolve));
      node.cut();
      await connected;
    }
    assert.deepEqual(attempts, [1, 1, 1], "they are counted from the last connection on");
  });
});

test("numbers reach the machine", () => {
  const told = (options: object) => {
    const bytes = machineBytes(machineOptions({ seeds: ["ws://a"], ...options }));
    const view = new DataView(bytes.buffer);
    return [view.getUint8(14), ...[24, 28, 32, 36].map((at) => view.getUint32(at, true))];
  };
  // The layout is described in `wasm/src/client/face.rs`.
  assert.deepEqual(told({}), [0, 0, 1_000, 0, 0]);
  assert.deepEqual(
    told({ offline: "fail", connectionsMax: 9, maxQueue: 0, reconnect: 20, hedge: 7.5 }),
    [16, 9, 0, 20, 8],
  );
  assert.deepEqual(told({ offline: "queue", reconnect: false, hedge: false }), [0, 0, 1_000, NEVER, NEVER]);
  assert.deepEqual(told({ reconnect: () => 7, hedge: true }), [0, 0, 1_000, 0, 0]);
});

test("wrong options are explained", async () => {
  const cases: [object, RegExp][] = [
    [{ offline: "wait" }, /`offline` must be "queue" or "fail"/],
    [{ maxQueue: -1 }, /`maxQueue` must be a whole number/],
    [{ maxQueue: 1.5 }, /`maxQueue`/],
    [{ reconnect: true }, /`reconnect` must be false, a number of milliseconds, or a function/],
    [{ reconnect: 0 }, /`reconnect`/],
    [{ hedge: 0 }, /`hedge` must be true, false, or a number of milliseconds/],
    [{ hedge: "yes" }, /`hedge`/],
  ];
  for (const [options, message] of cases) {
    const connecting = connect({ seeds: ["ws://127.0.0.1:1"], ...options } as ConnectOptions);
    await assert.rejects(connecting, { code: "BAD_ARGUMENT", message });
  }
});
