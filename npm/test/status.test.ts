// What a client tells of its nodes: snapshots, loops and events, against nodes that are no Rust.

import assert from "node:assert/strict";
import { after, test } from "node:test";

import { connect } from "quorate";
import type { Client, ClientEvents, ClientStatus } from "quorate";

import { FakeNode } from "./fake-node.js";

const rejections: unknown[] = [];
process.on("unhandledRejection", (reason) => rejections.push(reason));
after(() => assert.deepEqual(rejections, []));

async function withCluster(
  count: number,
  run: (nodes: FakeNode[], client: Client) => Promise<void>,
): Promise<void> {
  const nodes = await FakeNode.cluster(count);
  try {
    await using client = await connect({ seeds: [nodes[0]!.url] });
    await run(nodes, client);
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
}

/** A key whose first primary is `node`. */
function keyOf(client: Client, node: FakeNode): string {
  for (let index = 0; ; index += 1) {
    const key = `key ${index}`;
    if (client.locate(key).primaries[0]?.id === node.id) return key;
  }
}

/** Connects to all of them. */
async function warm(nodes: FakeNode[], client: Client): Promise<void> {
  for (const node of nodes) {
    await until(client, (status) => stateOf(status, node) === "connected", async () => {
      await client.get(keyOf(client, node));
    });
  }
}

async function until(
  client: Client,
  reached: (status: ClientStatus) => boolean,
  poke: () => Promise<void> = async () => {},
): Promise<ClientStatus> {
  await poke();
  for await (const status of client.status()) if (reached(status)) return status;
  assert.fail("the client was closed");
}

function stateOf({ nodes }: ClientStatus, { id }: FakeNode): string | undefined {
  const found = nodes.find((node) => node.id === id);
  return found && (found.reason ? `${found.state}: ${found.reason}` : found.state);
}

function record(client: Client): [string, unknown][] {
  const told: [string, unknown][] = [];
  const names = ["connected", "disconnected", "nodedown", "nodeup", "layout"] as const;
  for (const name of names) client.on(name, (event: unknown) => told.push([name, event]));
  return told;
}

test("the status names all nodes and how they stand", () =>
  withCluster(3, async (nodes, client) => {
    const status = client.status();
    assert.equal(status.layoutVersion, 1);
    assert.deepEqual(status.nodes, nodes.map(({ id, url }, index) => {
      return { id, label: "fake", address: url, state: index === 0 ? "connected" : "idle" };
    }));
    await warm(nodes, client);
    assert.deepEqual(client.status().nodes.map(({ state }) => state), Array(3).fill("connected"));
    assert.deepEqual(status.nodes.map(({ state }) => state), ["connected", "idle", "idle"]);
  }));

test("a loop gets the present status, then each change, and ends with the client", () =>
  withCluster(2, async (nodes, client) => {
    const [, second] = nodes as [FakeNode, FakeNode];
    const seen: string[] = [];
    const loop = (async () => {
      for await (const status of client.status()) seen.push(stateOf(status, second) ?? "gone");
    })();
    await warm(nodes, client);
    second.cut();
    await until(client, (status) => stateOf(status, second) === "down: unreachable");
    await client.get(keyOf(client, second));
    await until(client, (status) => stateOf(status, second) === "connected", async () => {
      while (stateOf(client.status(), second) !== "connected") {
        await client.get(keyOf(client, second));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 10));
    await client.close();
    await loop;
    const turns = seen.filter((state, index) => state !== seen[index - 1]);
    assert.deepEqual(turns, ["idle", "connecting", "connected", "down: unreachable", "connected"]);
  }));

test("changes that nobody took are one, and a loop that ends early leaves nothing behind", () =>
  withCluster(3, async (nodes, client) => {
    const loop = client.status()[Symbol.asyncIterator]();
    const first = await loop.next();
    assert.equal(first.done, false);
    await warm(nodes, client);
    const second = await loop.next();
    assert.ok(!second.done);
    assert.deepEqual(second.value.nodes.map(({ state }) => state), Array(3).fill("connected"));
    // Nothing changes: whoever waits waits, and is let go.
    const third = loop.next();
    const late = await Promise.race([third, new Promise((resolve) => setTimeout(resolve, 30, "late"))]);
    assert.equal(late, "late");
    await loop.return?.();
    assert.deepEqual(await third, { done: true, value: undefined });
    assert.deepEqual(await loop.next(), { done: true, value: undefined });
  }));

test("a node that is paused costs one call a moment, the others nothing", () =>
  withCluster(3, async (nodes, client) => {
    await warm(nodes, client);
    const told = record(client);
    const paused = nodes[1] as FakeNode;
    const key = keyOf(client, paused);
    for (let index = 0; index < 30; index += 1) await client.put(key, "v");
    paused.pause();
    const before = client.stats().retries;
    await Promise.all([client.get(key), client.put(key, "w", { receipt: true })]);
    const paid = client.stats().retries;
    assert.ok(paid > before, "somebody waited for it in vain");
    for (let index = 0; index < 100; index += 1) await client.get(key);
    assert.equal(client.stats().retries, paid, "nobody waits for it again");
    assert.equal(stateOf(client.status(), paused), "down: silent");
    paused.resume();
    await until(client, (status) => stateOf(status, paused) === "connected");
    assert.deepEqual(told, [
      ["nodedown", { node: paused.id, reason: "silent" }],
      ["nodeup", { node: paused.id }],
    ]);
  }));

test("what a node says of another is believed until the client knows better", () =>
  withCluster(3, async (nodes, client) => {
    const [first, second, third] = nodes as [FakeNode, FakeNode, FakeNode];
    const told = record(client);
    const reported = { call: 0, layoutVersion: "1", entry: {}, down: ["2", "3"] };
    first.intercept = ({ get }) => get && [{ reply: { ...reported, call: get.call } }];
    await client.get(keyOf(client, first));
    assert.equal(stateOf(client.status(), second), "down: reported");
    await client.get(keyOf(client, second));
    assert.deepEqual([second.connections, third.connections], [0, 0]);
    first.intercept = undefined;
    await client.get(keyOf(client, first));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const down = [second, third].map(({ id }) => ["nodedown", { node: id, reason: "reported" }]);
    const up = [second, third].map(({ id }) => ["nodeup", { node: id }]);
    assert.deepEqual(told.slice(0, 2), down);
    assert.deepEqual(told.slice(2, 4).sort(), up);
  }));

test("events reach every listener until it stops listening", () =>
  withCluster(2, async (nodes, client) => {
    const [, second] = nodes as [FakeNode, FakeNode];
    const heard: string[] = [];
    const listener = ({ node }: ClientEvents["connected"]) => void heard.push(node);
    const offs = [client.on("connected", listener), client.on("connected", listener)];
    await warm(nodes, client);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(heard, [second.id, second.id]);
    offs[0]!();
    offs[0]!();
    const lost = new Promise<ClientEvents["disconnected"]>((resolve) => {
      client.on("disconnected", resolve);
    });
    second.cut();
    assert.deepEqual(await lost, { node: second.id, address: second.url });
    while (heard.length < 3) {
      await client.get(keyOf(client, second));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.deepEqual(heard, [second.id, second.id, second.id]);
  }));

test("an event that is on its way does not reach whoever stopped listening", () =>
  withCluster(2, async (nodes, client) => {
    const heard: string[] = [];
    client.on("connected", () => {
      heard.push("first");
      off();
    });
    const off = client.on("connected", () => void heard.push("second"));
    await warm(nodes, client);
    await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(heard, ["first"]);
  }));

test("a listener may close the client", () =>
  withCluster(2, async (nodes, client) => {
    const closed = new Promise<void>((resolve) => {
      client.on("connected", () => void client.close().then(resolve));
    });
    const key = keyOf(client, nodes[1] as FakeNode);
    await client.get(key).catch((error: { code: string }) => assert.equal(error.code, "CLOSED"));
    await closed;
    assert.throws(() => client.status(), { code: "CLOSED" });
  }));

test("wrong listeners are explained", () =>
  withCluster(1, async (_nodes, client) => {
    const on = client.on.bind(client) as (name: unknown, listener: unknown) => void;
    assert.throws(() => on("nodegone", () => {}), { code: "BAD_ARGUMENT", message: /"nodegone"/ });
    assert.throws(() => on("layout", 7), { code: "BAD_ARGUMENT", message: /function/ });
  }));

test("nodes are dialled where the map says", async () => {
  const nodes = await FakeNode.cluster(3);
  const [first, second] = nodes as [FakeNode, FakeNode];
  try {
    const asked: string[] = [];
    const addressMap = (address: string): string => {
      asked.push(address);
      return address === "ws://inside:1" ? first.url : address;
    };
    for (const map of [addressMap, { "ws://inside:1": first.url }]) {
      await using client = await connect({ seeds: ["ws://inside:1"], addressMap: map });
      await client.get(keyOf(client, second));
      assert.equal(client.status().nodes.find(({ id }) => id === second.id)?.address, second.url);
    }
    assert.ok(asked.includes("ws://inside:1") && asked.includes(second.url), asked.join());
    const nowhere = connect({ seeds: ["ws://inside:1"], addressMap: () => undefined as never, timeout: 200 });
    await assert.rejects(nowhere, /addressMap gave no address for ws:\/\/inside:1/);
    await assert.rejects(connect({ seeds: [first.url], addressMap: 7 as never }), { code: "BAD_ARGUMENT" });
  } finally {
    await Promise.all(nodes.map((node) => node.stop()));
  }
});

test("a logger is told what happens", async () => {
  const nodes = await FakeNode.cluster(2);
  const [first, second] = nodes as [FakeNode, FakeNode];
  const lines: string[] = [];
  const tell = (level: string) => (line: string) => void lines.push(`${level} ${line}`);
  try {
    const logger = { debug: tell("debug"), info: tell("info"), warn: tell("warn") };
    await using client = await connect({ seeds: [first.url], logger });
    await warm(nodes, client);
    const { url } = second;
    await second.stop();
    await until(client, (status) => stateOf(status, second)?.startsWith("down") === true);
    await new Promise((resolve) => setTimeout(resolve, 1));
    for (const line of [
      `info quorate: connected to node ${first.id} at ${first.url}`,
      `debug quorate: no connection to node ${second.id} at ${url} any more`,
      `warn quorate: node ${second.id} is down (unreachable): calls go around it`,
    ]) {
      assert.ok(lines.includes(line), lines.join("\n"));
    }
    const bad = connect({ seeds: [first.url], logger: { warn() {} } as never });
    await assert.rejects(bad, { code: "BAD_ARGUMENT" });
  } finally {
    await Promise.all(nodes.map((node) => node.stop().catch(() => {})));
  }
});
