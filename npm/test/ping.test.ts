// Pings, what is known of nodes' answers, and pages that freeze and wake.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { TestContext } from "node:test";

import { QuorateError, connect } from "quorate";
import type { Client, ConnectOptions } from "quorate";

import { Cluster } from "./cluster.js";
import { FakeNode } from "./fake-node.js";

const rejections: unknown[] = [];
process.on("unhandledRejection", (reason) => rejections.push(reason));
after(() => assert.deepEqual(rejections, []));

async function withCluster(
  count: number,
  run: (nodes: FakeNode[], client: Client) => Promise<void>,
  options: Partial<ConnectOptions> = {},
): Promise<void> {
  const nodes = await FakeNode.cluster(count);
  try {
    await using client = await connect({ seeds: [nodes[0]!.url], ...options });
    await run(nodes, client);
  } finally {
    await Promise.all(nodes.map((node) => node.stop().catch(() => {})));
  }
}

function pings(node: FakeNode): number {
  return node.received.flat().filter(({ get }) => get && get.key === undefined).length;
}

/** A page that is shown or hidden, as browsers have it. */
function page(context: TestContext) {
  const document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  const window = new EventTarget();
  const heard = new Map<unknown, string>();
  for (const target of [document, window]) {
    const { addEventListener, removeEventListener } = target;
    target.addEventListener = (name: string, listener: EventListener) => {
      heard.set(listener, name);
      addEventListener.call(target, name, listener);
    };
    target.removeEventListener = (name: string, listener: EventListener) => {
      heard.delete(listener);
      removeEventListener.call(target, name, listener);
    };
  }
  const own = { document, addEventListener: window.addEventListener, removeEventListener: window.removeEventListener };
  const before = Object.getOwnPropertyDescriptors(globalThis);
  for (const [name, value] of Object.entries(own)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  context.after(() => {
    for (const name of Object.keys(own)) {
      if (before[name]) Object.defineProperty(globalThis, name, before[name]);
      else Reflect.deleteProperty(globalThis, name);
    }
  });
  return {
    heard,
    show(visibilityState: string): void {
      document.visibilityState = visibilityState;
      document.dispatchEvent(new Event("visibilitychange"));
    },
    online: () => window.dispatchEvent(new Event("online")),
  };
}

test("a ping measures one node, or all that are connected", () =>
  withCluster(3, async (nodes, client) => {
    const [first, second, third] = nodes as [FakeNode, FakeNode, FakeNode];
    const took = await client.ping(second.id);
    assert.ok(took > 0 && took < 5_000, String(took));
    assert.deepEqual([pings(first), pings(second), pings(third)], [0, 1, 0]);
    const all = await client.ping();
    assert.deepEqual([...all.keys()].sort(), [first.id, second.id]);
    assert.ok([...all.values()].every((one) => one > 0));
    assert.equal(client.stats().calls, 0, "it is no operation");
    // Numbers of calls and pings go together.
    await client.put("k", "v");
    assert.equal((await client.get("k"))?.text(), "v");
  }));

test("a ping fails where there is no answer", () =>
  withCluster(2, async (nodes, client) => {
    const [first, second] = nodes as [FakeNode, FakeNode];
    await client.ping(second.id);
    second.pause();
    await assert.rejects(client.ping(second.id, { timeout: 60 }), { code: "TIMEOUT", retryable: true });
    // Those that answer are told.
    assert.deepEqual([...(await client.ping({ timeout: 60 })).keys()], [first.id]);
    const abort = new AbortController();
    const aborted = client.ping(second.id, { signal: abort.signal });
    abort.abort(new Error("no longer wanted"));
    await assert.rejects(aborted, /no longer wanted/);
    const ofAll = new AbortController();
    const some = client.ping({ signal: ofAll.signal });
    // By then the first one has answered, and the second one has not.
    await client.ping(first.id);
    ofAll.abort(new Error("not of all"));
    await assert.rejects(some, /not of all/);
    await assert.rejects(client.ping(""), { code: "BAD_ARGUMENT" });
    const lost = client.ping(second.id);
    setImmediate(() => second.cut());
    await assert.rejects(lost, (error: QuorateError) => {
      assert.deepEqual([error.code, error.node, error.outcome], ["UNREACHABLE", second.id, "none"]);
      return true;
    });
    await assert.rejects(client.ping("00000000000000ff"), { code: "UNREACHABLE" });
    await assert.rejects(client.ping("first"), { code: "BAD_ARGUMENT" });
    await Promise.all(nodes.map((node) => node.stop()));
    while (client.stats().connected.length > 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await assert.rejects(client.ping(), { code: "UNREACHABLE" });
  }));

test("real nodes answer pings", async () => {
  const cluster = await Cluster.start();
  try {
    await using client = await connect({ seeds: cluster.seeds });
    await client.put("k", "v");
    for (const { id } of client.ring().nodes) assert.ok((await client.ping(id)) > 0);
    assert.equal((await client.ping()).size, 5);
  } finally {
    await cluster.stop();
  }
});

test("statistics tell how each node answers", () =>
  withCluster(2, async (nodes, client) => {
    assert.deepEqual([client.stats().nodes, client.stats().directShare], [[], 0]);
    const key = ["a", "b", "c", "d", "e", "f"].find((one) => client.locate(one).primaries[0]?.id === nodes[0]!.id);
    for (let index = 0; index < 20; index += 1) await client.put(key!, "v");
    const { nodes: known, directShare } = client.stats();
    assert.equal(directShare, 1);
    const [one, ...others] = known;
    assert.deepEqual([one?.id, one?.answers, others], [nodes[0]!.id, 20, []]);
    assert.ok(one!.p50 > 0 && one!.p50 <= one!.p99 && one!.p99 < 5_000, JSON.stringify(one));
  }));

test("a page that is online again dials at once", async (context) => {
  const { heard, online } = page(context);
  await withCluster(1, async ([node], client) => {
    const port = Number(new URL(node!.url).port);
    const lost = new Promise((resolve) => client.on("disconnected", resolve));
    await node!.stop();
    await lost;
    const back = await FakeNode.start(1n, port);
    try {
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(back.connections, 0);
      assert.deepEqual([...heard.values()].sort(), ["online", "securitypolicyviolation", "visibilitychange"]);
      online();
      await client.get("k");
    } finally {
      await client.close();
      await back.stop();
    }
  }, { reconnect: () => 600_000, timeout: 60_000 });
  assert.equal(heard.size, 0, "nobody listens any more");
});

test("a page that is shown again looks after its connections", async (context) => {
  const { show } = page(context);
  await withCluster(2, async (nodes, client) => {
    const [first, second] = nodes as [FakeNode, FakeNode];
    await client.ping(second.id);
    show("hidden");
    assert.deepEqual([pings(first), pings(second)], [0, 1]);
    second.pause();
    const found = new Promise((resolve) => client.on("nodedown", resolve));
    show("visible");
    assert.deepEqual(await found, { node: second.id, reason: "silent" });
    assert.deepEqual([pings(first), pings(second)], [1, 1]);
  });
});

test("a page that is shown while its client ends asks nobody any more", async (context) => {
  const { show } = page(context);
  await withCluster(1, async ([node], client) => {
    node?.pause();
    const put = client.put("k", "v").catch((reason: QuorateError) => reason.code);
    const closed = client.close({ drain: 50 });
    show("hidden");
    show("visible");
    await closed;
    assert.equal(await put, "CLOSED");
    assert.equal(pings(node as FakeNode), 0);
  });
});

test("a page that was frozen ends what is late, and goes on with the rest", async (context) => {
  const { show } = page(context);
  await withCluster(1, async ([node], client) => {
    node!.pause();
    const late = client.get("late", { timeout: 100 });
    const lateEnd = assert.rejects(late, { code: "TIMEOUT" });
    const rest = client.get("rest", { timeout: 60_000 });
    await new Promise((resolve) => setTimeout(resolve, 10));
    show("hidden");
    // Nothing runs meanwhile.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
    node!.resume();
    show("visible");
    await lateEnd;
    assert.equal(await rest, undefined);
    assert.deepEqual(client.status().nodes.map(({ state }) => state), ["connected"]);
  });
});
