// The built package against five real nodes, N=3, R=W=2.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { QuorateError, connect, union } from "quorate";
import type { Bucket, Client } from "quorate";

import { Cluster, pooled } from "./cluster.js";
import { KEYS } from "./keys.js";
import { walk } from "./walk.js";

let cluster: Cluster;
let client: Client;

before(async () => {
  cluster = await Cluster.start();
  client = await connect({ seeds: cluster.seeds });
});

after(async () => {
  await client?.close();
  await cluster?.stop();
});

async function failure(promise: Promise<unknown>): Promise<QuorateError> {
  const error = await promise.then(
    () => assert.fail("it should have failed"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof QuorateError, String(error));
  return error;
}

const texts = (entry: { siblings: readonly { text(): string }[] } | undefined) =>
  entry?.siblings.map((one) => one.text()).sort();

test("a value is read, replaced and deleted", async () => {
  assert.equal(await client.get("life"), undefined);
  const first = await client.put("life", "one");
  const second = await client.put("life", "two", { context: first.context });
  assert.equal(second.siblings, 1);
  const entry = await client.get("life");
  assert.deepEqual(texts(entry), ["two"]);
  assert.match(entry?.context ?? "", /^[A-Za-z0-9_-]+$/);
  assert.ok(Math.abs((entry?.written.getTime() ?? 0) - Date.now()) < 60_000);
  await client.delete("life", { context: entry?.context });
  assert.equal(await client.get("life"), undefined);
});

test("two clients with one context leave two siblings, which a third write merges", async () => {
  await using other = await connect({ seeds: cluster.seeds });
  const { context } = await client.put("cart", "milk");
  await client.put("cart", "milk, bread", { context });
  await other.put("cart", "milk, eggs", { context });
  const conflict = await other.get("cart");
  assert.deepEqual(texts(conflict), ["milk, bread", "milk, eggs"]);
  const merged = await client.put("cart", "milk, bread, eggs", { context: conflict?.context });
  assert.equal(merged.siblings, 1);
  assert.deepEqual(texts(await other.get("cart")), ["milk, bread, eggs"]);
});

test("a value beside a delete says so", async () => {
  const { context } = await client.put("beside", "old");
  await client.delete("beside", { context });
  await client.put("beside", "new", { context });
  const entry = await client.get("beside");
  assert.deepEqual([texts(entry), entry?.deleted], [["new"], true]);
});

test("a value expires at the moment that its record says", async () => {
  const ttl = 86_400_000;
  await client.put("lease", "mine", { ttl });
  const entry = await client.get("lease");
  assert.equal(Number(entry?.expires) - Number(entry?.written), ttl);
  assert.equal(entry?.deleted, false);
  const { context } = await client.put("blink", "now you see it", { ttl: 1 });
  // The clock of a node says when; a millisecond is soon over.
  while (await client.get("blink", { context }));
  await client.put("blink", "for good");
  const beside = await client.get("blink");
  assert.deepEqual([texts(beside), beside?.deleted, beside?.expires], [["for good"], true, undefined]);
});

test("update creates, changes and revives a key", async () => {
  const count = (entry: { text(): string } | undefined) => `${Number(entry?.text() ?? 0) + 1}`;
  await client.update("counter", count);
  await client.update("counter", count);
  assert.equal((await client.get("counter"))?.text(), "2");
  await client.delete("counter");
  await client.update("counter", count);
  const revived = await client.get("counter");
  // The tombstone was read, too, so it does not stand beside the value.
  assert.deepEqual([texts(revived), revived?.deleted], [["1"], false]);
});

test("updates that run against each other lose nothing", async () => {
  await using other = await connect({ seeds: cluster.seeds });
  const add = (item: string) => (entry: { siblings: readonly { json<T>(): T }[] } | undefined) => {
    const items = new Set(entry?.siblings.flatMap((one) => one.json<string[]>()));
    return JSON.stringify([...items.add(item)].sort());
  };
  const items = Array.from({ length: 12 }, (_, index) => `item ${index}`);
  await Promise.all(
    items.map((item, index) => (index % 2 ? client : other).update("set", add(item), { timeout: 20_000 })),
  );
  // Whoever writes last has read all the others, or left a sibling for the next.
  await client.update("set", add("last"));
  assert.deepEqual((await client.get("set"))?.json(), [...items, "last"].sort());
});

test("a bucket of two clients keeps what each of them adds", async () => {
  await using other = await connect({ seeds: cluster.seeds });
  const [ours, theirs] = [client, other].map((one) => one.bucket<string[]>("carts", { resolve: union })) as [
    Bucket<string[]>,
    Bucket<string[]>,
  ];
  const { context } = await ours.put("ada", ["milk"]);
  await ours.put("ada", ["milk", "tea"], { context });
  await theirs.put("ada", ["milk", "bread"], { context });
  const seen = await ours.get("ada");
  assert.equal(seen?.siblings.length, 2);
  assert.deepEqual([...(seen?.value ?? [])].sort(), ["bread", "milk", "tea"]);
  const written = await theirs.update("ada", (cart = []) => [...cart, "eggs"]);
  assert.deepEqual([...written.value].sort(), ["bread", "eggs", "milk", "tea"]);
  const merged = await ours.get("ada");
  assert.deepEqual([merged?.siblings.length, merged?.value], [1, written.value]);
});

test("many keys come from all nodes", async () => {
  const keys = Array.from({ length: 300 }, (_, index) => `many ${index}`);
  await Promise.all(keys.map((key) => client.put(key, key)));
  const found = new Map<unknown, string | undefined>();
  for await (const [key, entry] of client.getMany([...keys, "many more"])) found.set(key, entry?.text());
  assert.equal(found.size, 301);
  assert.ok(keys.every((key) => found.get(key) === key) && found.get("many more") === undefined);
});

test("update passes on what its function throws", async () => {
  const mistake = new Error("mine");
  await assert.rejects(client.update("k", () => Promise.reject(mistake)), mistake);
});

test("values from nothing to the limit come back unharmed, longer ones are refused", async () => {
  const limit = 1024 * 1024;
  const value = Uint8Array.from({ length: limit }, (_, index) => (index * 31) % 251);
  const [small, refused] = await Promise.all([
    client.put("small", "fine"),
    failure(client.put("large", new Uint8Array(limit + 1))),
    client.put("limit", value),
    client.put("empty", ""),
  ]);
  assert.equal(small.siblings, 1);
  assert.deepEqual(
    [refused.code, refused.outcome, refused.retryable, refused.limit, refused.actual],
    ["VALUE_TOO_LARGE", "none", false, limit, limit + 1],
  );
  assert.match(refused.message, /"large".*1048576/);
  assert.ok(Buffer.from(value).equals((await client.get("limit"))?.value ?? new Uint8Array(0)));
  const empty = await client.get("empty");
  assert.deepEqual([empty?.value.length, empty?.text()], [0, ""]);
});

test("many large values at once arrive", async () => {
  const value = new Uint8Array(300_000).fill(7);
  const keys = Array.from({ length: 40 }, (_, index) => `bulk ${index}`);
  await Promise.all(keys.map((key) => client.put(key, value, { timeout: 30_000 })));
  const entries = await Promise.all(keys.map((key) => client.get(key, { timeout: 30_000 })));
  assert.ok(entries.every((entry) => entry?.value.length === value.length));
});

test("keys up to the limit are taken, in any letters or bytes", async () => {
  const keys = ["k", "x".repeat(1_024), "schlüssel/€", "鍵🔑", new Uint8Array([0, 255, 128])];
  await Promise.all(keys.map((key) => client.put(key, "here")));
  for (const key of keys) assert.equal((await client.get(key))?.text(), "here");
  assert.equal((await client.get(Buffer.from("鍵🔑")))?.text(), "here");
  for (const key of ["x".repeat(1_025), ""]) {
    const error = await failure(client.put(key, "here"));
    assert.deepEqual([error.code, error.limit, error.outcome], ["KEY_SIZE", 1_024, "none"]);
  }
});

test("a receipt tells who did what", async () => {
  const { receipt } = await client.put("receipt", "v", { receipt: true });
  const { primaries } = client.locate("receipt");
  assert.equal(receipt?.direct, true);
  assert.equal(receipt.needed, 2);
  assert.ok(receipt.primaries.length >= 2);
  const ids = primaries.map(({ id }) => id);
  assert.ok([receipt.coordinator, ...receipt.primaries].every((id) => ids.includes(id)));
  assert.equal((await client.get("receipt", { receipt: true }))?.receipt?.direct, true);
  assert.equal((await client.get("receipt"))?.receipt, undefined);
});

test("quorums that the cluster cannot give are refused", async () => {
  assert.equal((await failure(client.put("k", "v", { w: 4 }))).code, "BAD_QUORUM");
  assert.equal((await failure(client.get("k", { r: 1, w: 1 }))).code, "WEAK_QUORUM");
  await client.put("k", "v", { r: 1, w: 3 });
  assert.equal((await client.get("k", { r: 3, w: 1 }))?.text(), "v");
});

test("a context of another key is refused", async () => {
  const { context } = await client.put("mine", "v");
  const error = await failure(client.put("yours", "v", { context }));
  assert.deepEqual([error.code, error.outcome], ["BAD_CONTEXT", "none"]);
});

test("another cluster is refused", async () => {
  const error = await failure(connect({ seeds: cluster.seeds, cluster: "0123456789abcdef" }));
  assert.equal(error.code, "REJECTED");
});

test("a thousand keys lie where Rust says, and a naive walk, too", async () => {
  const ring = client.ring();
  const places = KEYS.map((key) => client.locate(key));
  const rust = await pooled(KEYS, 8, (key) => cluster.locate(key));
  for (const [index, place] of places.entries()) {
    const nodes = place.nodes.map(({ id }) => id);
    assert.deepEqual(nodes, walk(ring.nodes, ring.owners, place.slot), KEYS[index]);
    assert.deepEqual({ position: place.position, slot: place.slot, nodes }, rust[index], KEYS[index]);
  }
});

test("all requests of an undisturbed client go straight to a primary", async () => {
  await Promise.all(KEYS.slice(0, 200).map((key) => client.put(key, key)));
  const before = client.stats();
  await Promise.all(KEYS.slice(0, 200).map((key) => client.get(key)));
  const { direct, done, connected } = client.stats();
  assert.equal(direct - before.direct, done - before.done);
  assert.equal(connected.length, 5);
});

test("a client with a gateway is connected to one node, which passes on what is not its own", async () => {
  await using through = await connect({ seeds: cluster.seeds, routing: "gateway", coordinate: "client" });
  const [gateway] = through.stats().connected;
  const keys = KEYS.slice(0, 100).map((key) => `gateway ${key}`);
  await Promise.all(keys.map((key) => through.put(key, key)));
  const entries = await Promise.all(keys.map((key) => through.get(key)));
  assert.deepEqual(entries.map((entry) => entry?.text()), keys);
  const { connected, direct, passedOn, hedges } = through.stats();
  assert.deepEqual(connected, [gateway]);
  assert.equal(direct + passedOn, 200);
  const own = keys.filter((key) => through.locate(key).primaries.some(({ id }) => id === gateway));
  assert.deepEqual([direct, hedges], [2 * own.length, 0]);
});
